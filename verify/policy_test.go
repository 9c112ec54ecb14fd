package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// witnesses makes n witnesses and their lines of a policy, named w0, w1, ...
func witnesses(n int) (all []samplelog.Signer, lines string) {
	for i := range n {
		name := string(rune('a' + i))
		w := samplelog.NewWitness("witness.example/"+name, 1795910300+uint64(i))
		all = append(all, w)
		lines += "witness " + name + " " + w.VKey() + "\n"
	}
	return all, lines
}

func TestPolicyQuorum(t *testing.T) {
	l := samplelog.New("calls/2026", 3)
	w, lines := witnesses(4)
	for _, c := range []struct {
		rest string
		who  []int
		ok   bool
	}{
		{"quorum none", nil, true},
		{"quorum a", nil, false},
		{"quorum a", []int{0}, true},
		{"quorum a", []int{1, 2, 3}, false},
		{"group g 2 a b c\nquorum g", []int{0}, false},
		{"group g 2 a b c\nquorum g", []int{0, 3}, false},
		{"group g 2 a b c\nquorum g", []int{0, 2}, true},
		{"group g any a b c\nquorum g", []int{2}, true},
		{"group g all a b\nquorum g", []int{0}, false},
		{"group g any a b\ngroup h any c d\ngroup k all g h\nquorum k", []int{0, 1}, false},
		{"group g any a b\ngroup h any c d\ngroup k all g h\nquorum k", []int{1, 2}, true},
		{"log " + l.VKey() + "\nquorum none", nil, true},
		{"log " + samplelog.New("control", 0).VKey() + "\nquorum none", nil, false},
		{"log " + samplelog.New("control", 0).VKey() + "\nlog " + l.VKey() + " https://log.example/\nquorum none", nil, true},
	} {
		p, err := verify.ParsePolicy([]byte(lines + c.rest + "\n"))
		if err != nil {
			t.Errorf("%q: %v", c.rest, err)
			continue
		}
		signed := l.Checkpoint(3)
		for _, i := range c.who {
			signed = append(signed, cosignature(l, w[i])...)
		}
		cp, err := verify.ParseCheckpoint(signed, keys(t, l.VKey()), p)
		if (err == nil) != c.ok {
			t.Errorf("%q signed by %v: %v", c.rest, c.who, err)
		}
		if err == nil && len(cp.Witnesses) != len(c.who) {
			t.Errorf("%q signed by %v: reports %v", c.rest, c.who, cp.Witnesses)
		}
	}
}

// cosignature returns the line that a witness adds to the log's checkpoint.
func cosignature(l *samplelog.Log, w samplelog.Signer) []byte {
	signed := strings.TrimSuffix(string(l.Checkpoint(len(l.Entries), w)), "\n")
	return []byte(signed[strings.LastIndex(signed, "\n")+1:] + "\n")
}

// TestWitnessTwice counts a witness once, however often it signed, and refuses
// a wrong signature in its name.
func TestWitnessTwice(t *testing.T) {
	l := samplelog.New("calls/2026", 3)
	w, lines := witnesses(2)
	p, err := verify.ParsePolicy([]byte(lines + "group g 2 a b\nquorum g\n"))
	if err != nil {
		t.Fatal(err)
	}
	line := cosignature(l, w[0])
	later := samplelog.NewWitness("witness.example/a", 1795999999)
	signed := append(append(l.Checkpoint(3), line...), cosignature(l, later)...)
	if _, err := verify.ParseCheckpoint(signed, keys(t, l.VKey()), p); err == nil {
		t.Error("one witness counts as two")
	}
	other := samplelog.New("calls/2026", 2)
	signed = append(append(l.Checkpoint(3), line...), cosignature(other, w[1])...)
	if _, err := verify.ParseCheckpoint(signed, keys(t, l.VKey()), p); err == nil {
		t.Error("a cosignature of another checkpoint counts")
	}
}

func TestPolicyRefuses(t *testing.T) {
	_, lines := witnesses(2)
	key := samplelog.New("calls/2026", 0).VKey()
	wkey := strings.Fields(lines)[2]
	for name, text := range map[string]string{
		"no quorum":              lines,
		"two quorums":            lines + "quorum a\nquorum a",
		"an unknown quorum":      lines + "quorum z",
		"a later quorum":         "quorum a\n" + lines,
		"an unknown line":        lines + "quorum a\nallow b",
		"a word too many":        lines + "quorum a b",
		"an unknown member":      lines + "group g any z\nquorum g",
		"a threshold of 0":       lines + "group g 0 a\nquorum g",
		"a threshold too high":   lines + "group g 3 a b\nquorum g",
		"a threshold with zeros": lines + "group g 01 a b\nquorum g",
		"a member twice":         lines + "group g 2 a a\nquorum g",
		"a member of two groups": lines + "group g any a\ngroup h all g a\nquorum h",
		"none as a member":       lines + "group g any none\nquorum g",
		"none as a name":         "witness none " + wkey + "\nquorum none",
		"a name twice":           lines + "witness a " + wkey + "\nquorum a",
		"a key twice":            lines + "witness c " + wkey + "\nquorum a",
		"a log's key as witness": "witness x " + key + "\nquorum x",
		"a witness's key as log": "log " + wkey + "\nquorum none",
		"a log twice":            "log " + key + "\nlog " + key + "\nquorum none",
		"a carriage return":      lines + "quorum a\r\n",
		"a NUL":                  lines + "quorum a\x00",
	} {
		if _, err := verify.ParsePolicy([]byte(text)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestPolicyIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "log %s\n", samplelog.NewSigner(fmt.Sprintf("log.example/%d", i), "log").VKey())
	}
	if _, err := verify.ParsePolicy([]byte(b.String() + "quorum none\n")); err == nil {
		t.Error("a policy of 300 logs passes")
	}
	if _, err := verify.ParsePolicy([]byte(strings.Repeat("#\n", 1<<18) + "quorum none\n")); err == nil {
		t.Error("a policy of half a megabyte passes")
	}
}

func TestKeysRefuse(t *testing.T) {
	good := samplelog.New("calls/2026", 0).VKey()
	name, rest, _ := strings.Cut(good, "+")
	hash, key, _ := strings.Cut(rest, "+")
	for what, line := range map[string]string{
		"empty":              "",
		"no key":             name + "+" + hash,
		"another name":       "x" + good,
		"no name":            "+" + rest,
		"a space in it":      "a b+" + rest,
		"a capital hash":     name + "+" + strings.ToUpper(hash) + "+" + key,
		"a short key":        name + "+" + hash + "+AQ==",
		"a witness's key":    samplelog.NewWitness("w", 1).VKey(),
		"something after it": good + " ",
	} {
		if k, err := verify.ParseKey(line); err == nil {
			t.Errorf("%s: got %s", what, k)
		}
	}
	if k, err := verify.ParseKey(good); err != nil || k.String() != good || k.Name() != name {
		t.Errorf("got %s, %v", k, err)
	}
	if (verify.Key{}).Verify(nil, make([]byte, 64)) {
		t.Error("the zero key verifies something")
	}
	if _, err := verify.ParseKeys([]byte("# only a remark\n\n")); err == nil {
		t.Error("a file without a key passes")
	}
}

// TestBase64HasOneSpelling has a root and a signature in other spellings that
// decode to the same bytes.
func TestBase64HasOneSpelling(t *testing.T) {
	l := samplelog.New("calls/2026", 3)
	lines := strings.Split(string(l.Checkpoint(3)), "\n")
	last := lines[2][len(lines[2])-2]
	lines[2] = lines[2][:len(lines[2])-2] + string(last+1) + "="
	if _, err := verify.ParseCheckpoint([]byte(strings.Join(lines, "\n")), keys(t, l.VKey()), nil); err == nil {
		t.Error("a root with stray bits passes")
	}
}
