package pii

import (
	"strings"
	"testing"
)

// TestC13PrefixesOverAndOver: a text of one prefix over and over is read a bounded
// number of times, however many prefixes a run of it holds.
func TestC13PrefixesOverAndOver(t *testing.T) {
	seeds := []string{"eyJ-", "eyJ", "://", "http://a"}
	for _, forms := range secretForms {
		for _, f := range forms {
			seeds = append(seeds, f.prefix, f.prefix+"-", f.prefix+"_", f.prefix+".")
		}
	}
	for _, seed := range seeds {
		text := []byte(strings.Repeat(seed, 64<<10/len(seed)))
		var n vain
		for i := 0; i < len(text)-8; i++ {
			if prefixStart(text, i) && (i == 0 || !isWord(text[i-1])) {
				i = max(i, n.jwt(text, i))
				_, k := n.form(text, i)
				i = max(i, k)
			}
		}
		if n.read > 200*len(text) {
			t.Errorf("%q: %d bytes are read of %d", seed, n.read, len(text))
		}
		l := look{b: text}
		l.over()
		if l.vain.read > 200*len(text) {
			t.Errorf("%q: the first look reads %d bytes of %d", seed, l.vain.read, len(text))
		}
	}
}

// TestLongRunsAreTriedAgain: what was read in vain hides no token of another form,
// and none behind its end.
func TestLongRunsAreTriedAgain(t *testing.T) {
	s := scanner(t, Secret)
	jwt := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	for _, text := range []string{
		strings.Repeat("sk-", 200) + " " + ghToken,
		strings.Repeat("sk-", 200) + " sk-q8Zr2LkV0pXw7TnB4hYc9JdS1mGf6KuA3eRi5NoQ",
		strings.Repeat("eyJ-", 5000) + " " + jwt,
		strings.Repeat("eyJ-", 5000) + "/" + jwt,
	} {
		if found := s.ScanJSON([]byte(`{"a":"` + text + `"}`)); len(found) != 1 || found[0].Start < 200 {
			t.Errorf("the token behind %.20q is not found: %v", text, found)
		}
	}
}

// TestC13RunsOverAndOver: the same for runs that may be an encoding and for values
// beside names of secrets.
func TestC13RunsOverAndOver(t *testing.T) {
	s := scanner(t)
	for _, seed := range []string{"AAAA/=", "AAAA/-", "aGVsbG8gd29ybGQg/", "aGVs/bG8-", "414b4149-", "token:", "token::", "password:=", "von/passportlatvon", "Zm9vYmFyYmF6+/-="} {
		text := []byte(strings.Repeat(seed, 64<<10/len(seed)))
		r := run{s: s, src: text}
		r.scan(&view{b: text, folded: true})
		if r.vain.read > 200*len(text) {
			t.Errorf("%q: %d bytes are read of %d", seed, r.vain.read, len(text))
		}
	}
}
