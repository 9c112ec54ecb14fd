package sealed_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/storetest"
	"ostiary.dev/ostiary/internal/vault"
)

// hidden hides one email in a store and returns its token.
func hidden(t *testing.T, s *sealed.Store, ring *keys.Ring, v vault.Value) string {
	t.Helper()
	out, err := vault.New(vault.Config{Rows: s, Keys: ring}).Hide(t.Context(), "scope", false, []vault.Value{v})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func shown(t *testing.T, s *sealed.Store, ring *keys.Ring, token string) (vault.Value, error) {
	t.Helper()
	out, err := vault.New(vault.Config{Rows: s, Keys: ring}).Restore(t.Context(), "scope", []string{token})
	if err != nil {
		return vault.Value{}, err
	}
	return out[0], nil
}

func pseudonymRows(t *testing.T, raw store.Raw) []store.Row {
	t.Helper()
	all, err := raw.Rows(vault.Kind)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestErasedStayErased: a row that was erased and is put back by whoever holds
// the database stands for nothing, at once and after a restart.
func TestErasedStayErased(t *testing.T) {
	db, ring := raw(t), newRing(t)
	s := opened(t, db, ring)
	token := hidden(t, s, ring, vault.Value{Type: "EMAIL", Value: "canary@example.com"})
	copied := pseudonymRows(t, db)
	var names []string
	for _, r := range copied {
		names = append(names, r.ID)
	}
	if n, err := s.ErasePseudonyms(names); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for _, r := range copied {
		if err := db.InsertRow(r); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if v, err := shown(t, s, ring, token); v != (vault.Value{}) || err != nil {
			t.Errorf("an erased token that was put back gives %#v, %v", v, err)
		}
		s = opened(t, db, ring)
	}
}

// TestPseudonymsMoved: a row in another place, or an edited one, is damage, and
// one with another row's body too.
func TestPseudonymsMoved(t *testing.T) {
	db, ring := raw(t), newRing(t)
	s := opened(t, db, ring)
	one := hidden(t, s, ring, vault.Value{Type: "EMAIL", Value: "a@example.com"})
	two := hidden(t, s, ring, vault.Value{Type: "EMAIL", Value: "b@example.com"})
	all := pseudonymRows(t, db)
	for i, r := range all { // each gets the body of the next
		next := all[(i+1)%len(all)]
		r.Body = next.Body
		if err := db.UpdateRow(r.Revision, r); err != nil {
			t.Fatal(err)
		}
	}
	for _, token := range []string{one, two} {
		if v, err := shown(t, s, ring, token); !errors.Is(err, store.ErrDamage) {
			t.Errorf("%s: %#v, %v", token, v, err)
		}
	}
}

// TestResealPseudonyms: after values and rows were sealed anew, tokens resolve
// without the old keys, those of a data subject too.
func TestResealPseudonyms(t *testing.T) {
	db, ring := raw(t), newRing(t)
	s := opened(t, db, ring)
	plain := hidden(t, s, ring, vault.Value{Type: "EMAIL", Value: "a@example.com"})
	owned := hidden(t, s, ring, vault.Value{Type: "EMAIL", Value: "b@example.com", Subject: "patient 7"})
	for _, p := range []keys.Purpose{keys.Pseudonyms, keys.Rows} {
		var old string
		for _, k := range ring.Keys() {
			if k.Purpose == string(p) {
				old = k.ID
			}
		}
		if _, err := ring.Rotate(string(p), keys.RotateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Reseal(context.Background(), p, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Condemn(old); err != nil {
			t.Fatal(err)
		}
		if err := ring.Bury(old); err != nil {
			t.Fatal(err)
		}
		for token, want := range map[string]vault.Value{plain: {Type: "EMAIL", Value: "a@example.com"}, owned: {Type: "EMAIL", Value: "b@example.com", Subject: "patient 7"}} {
			if v, err := shown(t, s, ring, token); v != want || err != nil {
				t.Errorf("%s anew: %s gives %#v, %v", p, token, v, err)
			}
		}
	}
}

// TestSubjectKeyErases: without the key of its subject a value is gone, and so
// it is when its rows are still there.
func TestSubjectKeyErases(t *testing.T) {
	db, ring := raw(t), newRing(t)
	s := opened(t, db, ring)
	token := hidden(t, s, ring, vault.Value{Type: "EMAIL", Value: "b@example.com", Subject: "patient 7"})
	subject, ok := ring.FindSubject(keys.DataSubject + "patient 7")
	if !ok {
		t.Fatal("there is no such subject")
	}
	if _, err := ring.Condemn(subject.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := ring.Bury(subject.KeyID()); err != nil {
		t.Fatal(err)
	}
	if v, err := shown(t, s, ring, token); v != (vault.Value{}) || err != nil {
		t.Errorf("%#v, %v", v, err)
	}
}

// TestPseudonymsAreSealed: no row shows scope, type, token or value, and none
// tells that two scopes hold the same value.
func TestPseudonymsAreSealed(t *testing.T) {
	db, ring := raw(t), newRing(t)
	s := opened(t, db, ring)
	v := vault.New(vault.Config{Rows: s, Keys: ring})
	for _, scope := range []string{"scope-canary", "scope-canary-2"} {
		if _, err := v.Hide(t.Context(), scope, false, []vault.Value{{Type: "EMAIL", Value: "value-canary@example.com", Subject: "subject-canary"}}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, r := range pseudonymRows(t, db) {
		if seen[r.ID[1:]] {
			t.Errorf("two rows share the index %s", r.ID)
		}
		seen[r.ID[1:]] = true
		for _, canary := range []string{"canary", "EMAIL"} {
			if bytes.Contains(r.Body, []byte(canary)) || bytes.Contains([]byte(r.ID), []byte(canary)) {
				t.Errorf("row %s shows %s", r.ID, canary)
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d rows, not 4", len(seen))
	}
}

// BenchmarkPseudonyms is what the rows cost on the embedded store, with 200,000
// of them there.
func BenchmarkPseudonyms(b *testing.B) {
	db, ring := raw(b), newRing(b)
	storetest.BenchPseudonyms(b, opened(b, db, ring), ring)
}
