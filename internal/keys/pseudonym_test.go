package keys

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// pseudonymVectors are those of docs/formats/pseudonym.md, made by another
// program: the key of the purpose is the bytes 0 to 31.
var pseudonymVectors = []struct {
	scope, typ, value string
	version           uint32
	token, index      string
	seal              string // derived key, hex
}{
	{"tenant:7:default;", "EMAIL", "anna@example.com", 1, "BR2W5Q565T4PMF2P", "lyzjrachq2lkntrbf4rju4tyju6zkfhh",
		"c92218345b6a55190f77fc4ae0f1ebabc034c1538fd98c2c8ad1b565840a1d71"},
	{"tenant:7:default;", "EMAIL", "anna@example.com", 2, "GAGBAABPVAPARMQA", "qzq5vibzwrhnh42c5s3ceejibuyklp4b",
		"9483c89c7ef0c93b83b4f7cd1421d6b1b5d18c1bdf2b1e581d9295d35bd51ae8"},
	{"tenant:7:default;", "PHONE", "+49301234567", 1, "GVHF776Z87Q7QHZX", "ypj53hbd2qhuvygcrqe3romamamuzubg",
		"46361171a665cb3820ff157b6f9eedf237ffc562f98e65d476a63e0d50a073e9"},
	{"tenant:7:default;server:3:crm;", "EMAIL", "anna@example.com", 1, "RF3FKDB5NKMPR1QT", "jbl3xhwpqlgzhkdkttw6f4h774t2dzuj",
		"511cd2f2ee13394d9cb3b4272354255035d04f952f9417c52d28b53846c653f3"},
	{"tenant:7:default;EMAIL", "", "anna@example.com", 1, "HTSBM3SH7PF7BG19", "2uxzie74ysicgef6f3l5omugblqx6p67",
		"2483999af02b349175c163071dc6ed323df0ed4e6e57e94f1046748cd0e5f6bb"},
	{"s", "PERSON", "Zoë", 1, "JMSWPFFNWQH66681", "an5qbqwvgbcd7jdlxdkf6l6seeuiv7hu",
		"f426e745f7ce988faed66b0fccfa78a359776df7d5c9cd2ae948b4c749f320fe"},
}

func TestPseudonymVectors(t *testing.T) {
	for _, c := range pseudonymVectors {
		v := &version{number: c.version, key: &dek{}}
		for i := range v.key.key {
			v.key.key[i] = byte(i)
		}
		token, err := tokenCodeOf(c.scope, c.typ, c.value)(v)
		if err != nil || token != c.token {
			t.Errorf("%q %s: token %s (%v), want %s", c.scope, c.typ, token, err, c.token)
		}
		index, err := valueIndexOf(c.scope, c.typ, c.value)(v)
		if err != nil || index != c.index {
			t.Errorf("%q %s: index %s (%v), want %s", c.scope, c.typ, index, err, c.index)
		}
		d, err := v.sealing(PseudonymPlace{Scope: c.scope, Type: c.typ})
		if err != nil || !slices.Equal(d.key[:], unhex(t, c.seal)) {
			t.Errorf("%q %s: seals under %x (%v), want %s", c.scope, c.typ, d.key, err, c.seal)
		}
	}
}

// TestPseudonymKeysApart: no two of scope, type, operator and version share a
// key, also where their texts run into each other.
func TestPseudonymKeysApart(t *testing.T) {
	seen := map[string]string{}
	for _, n := range []uint32{1, 2, 12} {
		v := &version{number: n, key: &dek{}}
		for _, scope := range []string{"a", "ab", "abEMAIL", ""} {
			for _, typ := range []string{"EMAIL", "bEMAIL", "", "EMAILtoken"} {
				for _, op := range []string{opToken, opIndex, opSeal, "1", ""} {
					key, err := v.pseudonymKey(scope, typ, op)
					if err != nil {
						t.Fatal(err)
					}
					name := strings.Join([]string{scope, typ, op, v.key.hexID()}, "|")
					if other := seen[string(key)]; other != "" {
						t.Errorf("%s and %s have one key", name, other)
					}
					seen[string(key)] = name
				}
			}
		}
	}
}

// TestPseudonymSeal: a value opens in its place only, under every version that is
// left, and not after the destruction of its key.
func TestPseudonymSeal(t *testing.T) {
	r, err := createAt(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	place := PseudonymPlace{Scope: "s", Type: "EMAIL", Token: "<EMAIL_0123456789ABCDEF>"}
	sealed, err := r.SealPseudonym(place, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	old := r.state.Load().current(Pseudonyms).hexID()
	if _, err := r.Rotate(string(Pseudonyms), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	if plain, err := r.OpenPseudonym(place, sealed); string(plain) != "value" || err != nil {
		t.Errorf("after a rotation: %q, %v", plain, err)
	}
	s, err := r.Subject(DataSubject + "p")
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]PseudonymPlace{
		"scope": {Scope: "t", Type: "EMAIL", Token: place.Token}, "type": {Scope: "s", Type: "PHONE", Token: place.Token}, "token": {Scope: "s", Type: "EMAIL", Token: "x"},
		"subject": {Scope: "s", Type: "EMAIL", Token: place.Token, Subject: s.Pseudonym}, "unknown subject": {Scope: "s", Type: "EMAIL", Token: place.Token, Subject: "s-x"},
		"shifted": {Scope: "sEMAIL", Token: place.Token},
	} {
		if plain, err := r.OpenPseudonym(other, sealed); !errors.Is(err, ErrSeal) {
			t.Errorf("another %s: %q, %v", name, plain, err)
		}
	}
	if _, err := r.Open(Pseudonyms, place.identity(), sealed); !errors.Is(err, ErrSeal) {
		t.Errorf("the purpose's own key opens it: %v", err)
	}
	if _, err := r.SealPseudonym(PseudonymPlace{Scope: "s", Subject: "s-x"}, nil); err == nil {
		t.Error("sealed for nobody")
	}
	codes, err := r.TokenCodes("s", "EMAIL", "value")
	if err != nil || len(codes) != 2 || codes[0] == codes[1] {
		t.Errorf("%q, %v", codes, err)
	}
	if _, err := r.Condemn(old); err != nil {
		t.Fatal(err)
	}
	if plain, err := r.OpenPseudonym(place, sealed); !errors.Is(err, ErrSeal) {
		t.Errorf("after its destruction was ordered: %q, %v", plain, err)
	}
	if codes, err := r.TokenCodes("s", "EMAIL", "value"); err != nil || len(codes) != 1 {
		t.Errorf("%q, %v", codes, err)
	}
}

func TestRandomCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		code := RandomCode()
		if len(code) != TokenSize || strings.Trim(code, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" || seen[code] {
			t.Fatalf("%q", code)
		}
		seen[code] = true
	}
}
