package keys

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func rotate(t testing.TB, r *Ring, name string) Info {
	t.Helper()
	info, err := r.Rotate(name, RotateOptions{now: epoch})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestRotateEveryPurpose: what was sealed before opens after, what is sealed
// after is under the new version, and a restart changes nothing.
func TestRotateEveryPurpose(t *testing.T) {
	r := newTestRing(t)
	id := Identity{Record: "x"}
	for _, p := range purposes() {
		if p == RowIndex {
			continue
		}
		before, err := r.Seal(p, id, []byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		if info := rotate(t, r, string(p)); info.Version != 2 || info.State != Current || info.Purpose != string(p) {
			t.Errorf("rotated to %+v", info)
		}
		after, err := r.Seal(p, id, []byte("after"))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(before[4:saltAt], after[4:saltAt]) {
			t.Errorf("%s: new values are under the old version", p)
		}
		for _, r := range []*Ring{r, reopen(t, r)} {
			for record, want := range map[string]string{string(before): "before", string(after): "after"} {
				if got, err := r.Open(p, id, []byte(record)); err != nil || string(got) != want {
					t.Errorf("%s: %q opens to %q (%v)", p, want, got, err)
				}
			}
		}
	}
	if again := reopen(t, r); again.Generation() != r.Generation() {
		t.Errorf("generation is %d, was %d", again.Generation(), r.Generation())
	}
}

func TestRotateRefusals(t *testing.T) {
	r := newTestRing(t)
	for _, name := range []string{string(RowIndex), "", "nothing", "Audit", "subject"} {
		if _, err := r.Rotate(name, RotateOptions{}); !errors.Is(err, ErrPurpose) {
			t.Errorf("%q: %v", name, err)
		}
	}
	readOnly, err := OpenWith(filepath.Dir(r.folder), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readOnly.Rotate(TenantKey, RotateOptions{}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a ring that only reads: %v", err)
	}
}

// TestRotateTokensAndHandles: callers keep their tokens and sessions.
func TestRotateTokensAndHandles(t *testing.T) {
	r := newTestRing(t)
	token, _, hash := r.NewToken()
	handle := r.Handles().Seal("p", "a", "b", []byte("x"), epoch.Add(time.Hour))
	rotate(t, r, string(TokenHash))
	rotate(t, r, string(HandleSeal))
	if !r.MatchToken(token, hash) || !r.MatchToken(token, r.HashToken(token)) {
		t.Error("a token ends with the key")
	}
	if r.MatchToken(token+"x", hash) || r.MatchToken(token, nil) || r.MatchToken("", hash) {
		t.Error("another token fits")
	}
	if _, err := r.Handles().Open("p", "a", "b", handle, epoch); err != nil {
		t.Errorf("a handle ends with the key: %v", err)
	}
	old := r.state.Load().keys[HandleSeal][0].key.hexID()
	if _, err := r.Condemn(old); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Handles().Open("p", "a", "b", handle, epoch); !errors.Is(err, ErrHandle) {
		t.Errorf("a handle outlives its key: %v", err)
	}
}

// TestRotateAuthority: the authority's files are under the new version alone,
// so that the old one can be destroyed.
func TestRotateAuthority(t *testing.T) {
	r := newTestRing(t)
	root := r.CA().RootPEM()
	old := r.state.Load().current(Authority).hexID()
	rotate(t, r, string(Authority))
	if _, err := r.Condemn(old); err != nil {
		t.Fatal(err)
	}
	if err := r.Bury(old); err != nil {
		t.Fatal(err)
	}
	if again := reopen(t, r); !bytes.Equal(again.CA().RootPEM(), root) {
		t.Error("the root certificate changed")
	}
}

// TestG11SigningKeyRotation: both keys sign the hand-over, one checkpoint more
// is signed by both, and a stranger's key can be handed nothing.
func TestG11SigningKeyRotation(t *testing.T) {
	r := newTestRing(t)
	before := r.LogSigner("log")
	if n := len(r.LogSigners("log")); n != 1 {
		t.Errorf("%d sign before any rotation", n)
	}
	rotate(t, r, string(LogSigning))
	for _, r := range []*Ring{r, reopen(t, r)} {
		signers := r.LogSigners("log")
		if len(signers) != 2 || signers[0].VKey() != r.LogVKey("log") || signers[1].VKey() != before.VKey() {
			t.Fatalf("signed by %v", signers)
		}
		if got := r.LogVKeys("log"); !slices.Equal(got, []string{before.VKey(), signers[0].VKey()}) {
			t.Errorf("keys are %v", got)
		}
		all := r.Rotations()
		if len(all) != 1 || !bytes.Equal(all[0].OldPublic, before.Public()) || all[0].Verify() != nil {
			t.Fatalf("hand-overs: %+v", all)
		}
	}
	r.HandedOver("log")
	if n := len(r.LogSigners("log")); n != 1 {
		t.Errorf("%d sign after the hand-over", n)
	}
	if n := len(r.LogSigners("other")); n != 2 {
		t.Errorf("%d sign another log", n)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := r.Rotations()[0]
	for what, change := range map[string]func(*Rotation){
		"stranger's key":  func(t *Rotation) { t.NewPublic = publicBytes(stranger); t.NewSig = ed25519.Sign(stranger, t.text()) },
		"no old":          func(t *Rotation) { t.OldSig = nil },
		"no new":          func(t *Rotation) { t.NewSig = nil },
		"purpose":         func(t *Rotation) { t.Purpose = string(ReceiptSigning) },
		"time":            func(t *Rotation) { t.At = t.At.Add(time.Second) },
		"version":         func(t *Rotation) { t.Version++ },
		"compromise":      func(t *Rotation) { t.Compromised = true },
		"short key":       func(t *Rotation) { t.OldPublic = t.OldPublic[:31] },
		"swapped":         func(t *Rotation) { t.OldPublic, t.NewPublic = t.NewPublic, t.OldPublic },
		"signatures swap": func(t *Rotation) { t.OldSig, t.NewSig = t.NewSig, t.OldSig },
	} {
		bad := good
		change(&bad)
		if err := bad.Verify(); !errors.Is(err, ErrRotation) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCompromisedSignerSignsNoMore(t *testing.T) {
	r := newTestRing(t)
	if _, err := r.Rotate(string(LogSigning), RotateOptions{Compromised: true, now: epoch}); err != nil {
		t.Fatal(err)
	}
	if n := len(r.LogSigners("log")); n != 1 {
		t.Errorf("%d sign", n)
	}
	if last := r.Rotations()[0]; !last.Compromised || last.Verify() != nil {
		t.Errorf("hand-over: %+v", last)
	}
}

// TestRotateSubjects: subjects keep pseudonym and key under a new key of all,
// and the old one can go.
func TestRotateSubjects(t *testing.T) {
	r := newTestRing(t)
	made := makeSubject(t, r, "robot")
	makeSubject(t, r, "other")
	old := r.state.Load().current(Subjects).hexID()
	rotate(t, r, string(Subjects))
	if _, err := r.Condemn(old); err != nil {
		t.Fatal(err)
	}
	if err := r.Bury(old); err != nil {
		t.Fatal(err)
	}
	makeSubject(t, r, "third")
	for _, r := range []*Ring{r, reopen(t, r)} {
		if s, ok := r.FindSubject("robot"); !ok || s.Pseudonym != made.Pseudonym || s.KeyID() != made.KeyID() {
			t.Error("a subject is lost")
		}
		if r.SubjectCount() != 3 {
			t.Errorf("there are %d", r.SubjectCount())
		}
	}
}

// TestRotateSubjectsKilled: killed between the keystore and the file, the next
// start finishes.
func TestRotateSubjectsKilled(t *testing.T) {
	r := newTestRing(t)
	made := makeSubject(t, r, "robot")
	next := r.state.Load().clone()
	next.bump(Subjects, newDEK(), epoch)
	if err := r.save(next); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, r)
	if s, ok := again.FindSubject("robot"); !ok || s.Pseudonym != made.Pseudonym {
		t.Fatal("the subject is lost")
	}
	e := again.subjects.ids[made.Pseudonym]
	if !again.state.Load().current(Subjects).sealed(e.Sealed) {
		t.Error("it is still under the old key")
	}
}

// TestRotateWhileServing: callers seal, open, sign and are found while every
// key is rotated.
func TestRotateWhileServing(t *testing.T) {
	r := newTestRing(t)
	made := makeSubject(t, r, "robot")
	token, _, hash := r.NewToken()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			id := Identity{Record: fmt.Sprint(i)}
			for {
				select {
				case <-stop:
					return
				default:
				}
				record, err := r.Seal(Audit, id, []byte("x"))
				if err != nil {
					t.Error(err)
				}
				if _, err := r.Open(Audit, id, record); err != nil {
					t.Error(err)
				}
				if s, ok := r.FindSubject("robot"); !ok || s.Pseudonym != made.Pseudonym {
					t.Error("a subject is not found")
				}
				if !r.MatchToken(token, hash) {
					t.Error("a token is not known")
				}
				if _, err := r.LogSigner("o").Sign([]byte("m")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		for _, name := range []string{string(Audit), string(TokenHash), string(LogSigning), string(Subjects), TenantKey, RootKey} {
			rotate(t, r, name)
		}
	}
	close(stop)
	all.Wait()
	reopen(t, r)
}
