package pii

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// idPieces are what identifiers are made of, and what may hide in them.
var idPieces = []string{"0199c0de", "7000", "ab12", "2026-11-05", "T10:20:00Z", "12:48:44", "8117766da5cfb8632539ddcdaa392e33", "v1.4.2", "rc", "main", "DE89370400440532013000",
	"GB", "AB", "12 34 56 C", "MRN-1234567", "xxx-xx-1234", "XXX", "B-MA 1234", "Jan", "5", "fe80::1", "1:2:3:4:5:6:7:8", "10.0.0.1", "example.com", "jo@example.com", "+49 30 1234567",
	"414b49415a334d5344463759513" + "24c50575834430a", "QUtJQVozTVNERjdZUTJMUFdYNEM=", ghToken, "key-", "-----BEGIN ", "4111 1111 1111 1111", "219-09-9999", "1HGCM82633A004352", "é", "HRB 12345", "_", "-", ".", ":", " ", "31 years old"}

// TestInertChangesNothing: what is passed by under the key of an identifier is what
// the scan finds nothing in.
func TestInertChangesNothing(t *testing.T) {
	s := scanner(t, allTypes[:]...)
	rng := rand.New(rand.NewPCG(8, 21))
	passed := 0
	for range 60000 {
		var b strings.Builder
		for range 1 + rng.IntN(4) {
			b.WriteString(idPieces[rng.IntN(len(idPieces))])
			if rng.IntN(2) == 0 {
				b.WriteString([]string{"-", " ", ":", ".", "_"}[rng.IntN(5)])
			}
		}
		text := fmt.Appendf(nil, `{%q:%q}`, []string{"uuid", "version", "commit sha", "id", "updated at", "patient id"}[rng.IntN(6)], b.String())
		got, want := s.ScanJSON(text), slow(s).ScanJSON(text)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %v, want %v", text, got, want)
		}
		if inert([]byte(b.String())) {
			passed++
		}
	}
	if passed < 2000 {
		t.Errorf("only %d were passed: the test says little", passed)
	}
	for _, id := range []string{"0199c0de-4f2a-7000-8000-0199c0de4f2a", "2026-11-05T10:20:00Z", "8117766da5cfb8632539ddcdaa392e33", "1.4.2", "release-2026"} {
		if !inert([]byte(id)) {
			t.Errorf("%s is scanned", id)
		}
	}
}

func FuzzInert(f *testing.F) {
	for _, p := range idPieces {
		f.Add([]byte(p))
	}
	s := scanner(f, allTypes[:]...)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 200 || !inert(b) {
			return
		}
		if found := slow(s).ScanJSON(fmt.Appendf(nil, `{"uuid":"%s"}`, b)); len(found) > 0 {
			t.Fatalf("%q would be passed by, but %v is in it", b, found)
		}
	})
}
