package keys

import (
	"errors"
	"strings"
	"testing"
)

// TestTransformsApart promises that another scope, type, operator or version
// gives something that nobody can link to the first.
func TestTransformsApart(t *testing.T) {
	r, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const scope, typ, digits = "tenant\x00s1", "BANK_ACCOUNT", "4111111111111111"
	made := func() map[string]string {
		tr := r.Transforms()
		out := map[string]string{}
		for name, in := range map[string][2]string{"": {scope, typ}, "scope": {"tenant\x00s2", typ}, "type": {scope, "IBAN"},
			"moved": {scope + "B", typ[1:]}} {
			siv, errS := tr.SIV(in[0], in[1], digits)
			ff1, errF := tr.FF1(in[0], in[1], digits)
			if errS != nil || errF != nil || tr.Surrogate(in[0], in[1], digits) == 0 || tr.Shift(in[0], in[1]) == 0 {
				t.Fatal(errS, errF)
			}
			out["siv "+name], out["ff1 "+name], out["hash "+name] = siv, ff1, tr.Hash(in[0], in[1], digits)
		}
		return out
	}
	first := made()
	for k, v := range made() {
		if first[k] != v {
			t.Errorf("%s is not the same twice", k)
		}
	}
	if _, err := r.Rotate(string(Pseudonyms), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{digits: "clear"}
	for _, all := range []map[string]string{first, made()} {
		for k, v := range all {
			if was := seen[v]; was != "" {
				t.Errorf("%s is also %s", k, was)
			}
			seen[v] = k
		}
	}
}

// TestTransformsBackwards: what was made before a rotation still opens, in its
// own place only.
func TestTransformsBackwards(t *testing.T) {
	r, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tr := r.Transforms()
	const scope, typ, value = "s", "EMAIL", "jo@example.com"
	siv, err := tr.SIV(scope, typ, value)
	if err != nil {
		t.Fatal(err)
	}
	ff1, err := tr.FF1(scope, typ, "079561234567")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(string(Pseudonyms), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := tr.OpenSIV(scope, typ, siv); err != nil || got != value {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := tr.OpenFF1(scope, typ, ff1); err != nil || len(got) != 2 || got[1] != "079561234567" || got[0] == got[1] {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range [][3]string{{"t", typ, siv}, {scope, "PHONE", siv}, {scope, typ, strings.ToLower(siv)}, {scope, typ, ""},
		{scope, typ, siv[:len(siv)-2]}, {scope, typ, "0" + siv}} {
		if got, err := tr.OpenSIV(bad[0], bad[1], bad[2]); !errors.Is(err, ErrSeal) || got != "" {
			t.Errorf("%q opened: %q, %v", bad, got, err)
		}
	}
	for _, bad := range []string{"", "12345", "1234567a", "+123456789", "١٢٣٤٥٦٧"} {
		if _, err := tr.FF1(scope, typ, bad); !errors.Is(err, ErrDomain) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestShiftSpread: days stay in their bounds, are never none, and reach both ends.
func TestShiftSpread(t *testing.T) {
	r, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for i := range 20_000 {
		d := r.Transforms().Shift("s", strings.Repeat("x", i%64)+string(rune('A'+i/64)))
		if d == 0 || d < -maxShift || d > maxShift {
			t.Fatalf("%d days", d)
		}
		seen[d] = true
	}
	if len(seen) != 2*maxShift {
		t.Errorf("%d of %d shifts occur", len(seen), 2*maxShift)
	}
}

// TestTransformsWithoutKey: once the key is destroyed nothing is made or opened.
func TestTransformsWithoutKey(t *testing.T) {
	r, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := r.state.Load().clone()
	for _, v := range s.keys[Pseudonyms] {
		v.state = Destroying
	}
	r.state.Store(s)
	tr := r.Transforms()
	if tr.Hash("s", "t", "v") != "" || tr.Shift("s", "t") != 0 || tr.Surrogate("s", "t", "v") != 0 {
		t.Error("something is derived from no key")
	}
	if _, err := tr.SIV("s", "t", "v"); err == nil {
		t.Error("SIV without a key")
	}
	if _, err := tr.FF1("s", "t", "1234567"); err == nil {
		t.Error("FF1 without a key")
	}
}
