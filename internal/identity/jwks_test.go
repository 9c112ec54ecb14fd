package identity

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// blocked is an issuer that answers only when it is told to.
type blocked struct {
	set     *KeySet
	doc     []byte
	err     error
	fetches int
	answer  chan struct{}
}

func newBlocked(t *testing.T, keys ...jose.JSONWebKey) *blocked {
	t.Helper()
	b := &blocked{answer: make(chan struct{})}
	b.publish(t, keys...)
	b.set = &KeySet{Fetch: func(context.Context) ([]byte, error) {
		b.fetches++
		<-b.answer
		return b.doc, b.err
	}}
	return b
}

func (b *blocked) publish(t *testing.T, keys ...jose.JSONWebKey) {
	t.Helper()
	var err error
	if b.doc, err = json.Marshal(jose.JSONWebKeySet{Keys: keys}); err != nil {
		t.Fatal(err)
	}
}

// TestSlowIssuer: while an issuer does not answer, tokens by its known keys are
// verified as ever, and whoever needs its answer waits for one fetch together
// with all others.
func TestSlowIssuer(t *testing.T) {
	ec, next := p256(t), p256(t)
	synctest.Test(t, func(t *testing.T) {
		old := jose.JSONWebKey{Key: &ec.PublicKey, KeyID: "ec"}
		b := newBlocked(t, old)
		find := func(kid string) error { _, err := b.set.find(t.Context(), kid, "ES256", now); return err }
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := find("ec"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if b.fetches != 1 {
			t.Fatalf("%d fetches for fifty callers", b.fetches)
		}
		b.answer <- struct{}{}
		all.Wait()

		later := now.Add(keysPause)
		b.publish(t, old, jose.JSONWebKey{Key: &next.PublicKey, KeyID: "next"})
		all.Go(func() {
			if _, err := b.set.find(t.Context(), "next", "ES256", later); err != nil {
				t.Error("a new key:", err)
			}
		})
		synctest.Wait() // the fetch for the unknown kid hangs
		if _, err := b.set.find(t.Context(), "ec", "ES256", later); err != nil {
			t.Error("a known key while the issuer hangs:", err)
		}
		if !b.set.holds(t.Context(), &ec.PublicKey, later) {
			t.Error("a remembered token while the issuer hangs is not verified")
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := b.set.find(gone, "other", "ES256", later); !errors.Is(err, context.Canceled) {
			t.Error("a client that went away still waits:", err)
		}
		if b.fetches != 2 {
			t.Errorf("%d fetches", b.fetches)
		}
		b.answer <- struct{}{}
		all.Wait()
	})
}

// TestKeysAreRenewedAhead: keys are fetched anew before they are too old, and
// when that fails they serve to their end and no moment longer.
func TestKeysAreRenewedAhead(t *testing.T) {
	ec := p256(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBlocked(t, jose.JSONWebKey{Key: &ec.PublicKey, KeyID: "ec"})
		close(b.answer)
		holds := func(age time.Duration) bool { return b.set.holds(t.Context(), &ec.PublicKey, now.Add(age)) }
		if !holds(0) {
			t.Fatal("the first fetch brought no key")
		}
		b.err = errors.New("down")
		for _, age := range []time.Duration{keysRenew, keysFresh - 1} {
			if !holds(age) {
				t.Error("a key in force is not used while its renewal fails")
			}
			synctest.Wait()
		}
		if b.fetches != 3 {
			t.Errorf("%d fetches, want the first and two attempts to renew", b.fetches)
		}
		if holds(keysFresh) {
			t.Error("a key that could not be checked for five minutes is used")
		}
	})
}

// TestKeysThatPanic: what an issuer sends ends no process and passes nobody.
func TestKeysThatPanic(t *testing.T) {
	set := &KeySet{Fetch: func(context.Context) ([]byte, error) { panic("as a library might") }}
	if _, err := set.find(t.Context(), "ec", "ES256", now); err == nil {
		t.Error("keys from a panic")
	}
}
