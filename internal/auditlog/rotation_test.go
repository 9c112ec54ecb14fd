package auditlog_test

import (
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
)

// TestG11RotationWhileSigning: after a rotation the next checkpoint is signed by
// both keys and the one after by the new key alone; the book opens again over
// checkpoints of either.
func TestG11RotationWhileSigning(t *testing.T) {
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{}
	config := w.config()
	config.Sealer = ring
	config.VKeys = ring.LogVKeys
	config.Signers = func(origin string) []note.Signer {
		var all []note.Signer
		for _, s := range ring.LogSigners(origin) {
			all = append(all, s)
		}
		return all
	}
	open := func() *auditlog.Log {
		t.Helper()
		if w.book, err = auditlog.Open(config); err != nil {
			t.Fatal(err)
		}
		return w.book.Calls()
	}
	l := open()
	// signed returns by which of the keys, the oldest first, the checkpoint of
	// one more entry is signed.
	n := 0
	signed := func() []string {
		t.Helper()
		put(t, l, n, 1)
		n++
		text, _, err := l.Sign(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var by []string
		for _, k := range ring.LogVKeys(l.Origin()) {
			v, err := note.NewVerifier(k)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := note.Open(text, note.VerifierList(v)); err == nil {
				by = append(by, k)
			}
		}
		return by
	}
	old := ring.LogVKey(l.Origin())
	if got := signed(); !slices.Equal(got, []string{old}) {
		t.Errorf("before: %v", got)
	}
	if _, err := ring.Rotate(string(keys.LogSigning), keys.RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	fresh := ring.LogVKey(l.Origin())
	w.close(t)
	l = open() // over a checkpoint of the old key
	if got := signed(); !slices.Equal(got, []string{old, fresh}) {
		t.Errorf("the next: %v", got)
	}
	ring.HandedOver(l.Origin())
	if got := signed(); !slices.Equal(got, []string{fresh}) {
		t.Errorf("the one after: %v", got)
	}
	w.close(t)
	l = open()
	if l.Size() != uint64(n) {
		t.Errorf("size is %d, want %d", l.Size(), n)
	}
	w.close(t)
}
