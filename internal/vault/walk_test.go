package vault_test

import (
	"slices"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/vault"
)

func tokensOf(all []vault.Found) (out []string) {
	for _, f := range all {
		out = append(out, f.Token())
	}
	slices.Sort(out)
	return out
}

// erase does what admin does.
func (w *world) erase(all []vault.Found) {
	w.t.Helper()
	for _, f := range all {
		if _, err := w.rows.DropPseudonyms(f.Rows()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.Forget()
}

// TestOfValue: a value's tokens are found in every scope, form and version of the
// key, however it is written, and no other value's.
func TestOfValue(t *testing.T) {
	w := newWorld(t, vault.Config{})
	var want []string
	for range 2 {
		for _, scope := range []string{"a", "b"} {
			want = append(want, w.hide(scope, false, "x@Example.com")[0], w.hide(scope, true, "x@example.com")[0])
			w.hide(scope, false, "y@example.com")
		}
		if _, err := w.ring.Rotate(string(keys.Pseudonyms), rotate); err != nil {
			t.Fatal(err)
		}
		w.Forget()
	}
	slices.Sort(want)
	for _, typ := range []string{"", "EMAIL"} {
		got, err := w.OfValue(t.Context(), typ, "x@EXAMPLE.com")
		if err != nil || !slices.Equal(tokensOf(got), want) {
			t.Errorf("type %q: %q, %v, want %q", typ, tokensOf(got), err, want)
		}
	}
	if got, err := w.OfValue(t.Context(), "PHONE", "x@example.com"); err != nil || got != nil {
		t.Errorf("another type: %v, %v", got, err)
	}
	all, err := w.OfValue(t.Context(), "", "x@example.com")
	if err != nil {
		t.Fatal(err)
	}
	w.erase(all)
	for _, token := range want {
		if v := w.restore("a", token)[0]; v != (vault.Value{}) {
			t.Errorf("an erased token gives %#v", v)
		}
	}
	if v := w.restore("a", w.hide("a", true, "x@example.com")[0])[0]; v.Value != "x@example.com" {
		t.Errorf("hidden anew: %q", v.Value)
	}
}

// TestOfSubject: what is about somebody is found, and is gone with the key.
func TestOfSubject(t *testing.T) {
	w := newWorld(t, vault.Config{})
	tokens, err := w.Hide(t.Context(), "s", false, []vault.Value{{"EMAIL", "a@example.com", "p1"}, {"PHONE", "+4930123", "p1"}, {"EMAIL", "b@example.com", "p2"}})
	if err != nil {
		t.Fatal(err)
	}
	one, _ := w.ring.FindSubject(keys.DataSubject + "p1")
	got, err := w.OfSubject(t.Context(), one.Pseudonym)
	want := slices.Sorted(slices.Values(tokens[:2]))
	if err != nil || !slices.Equal(tokensOf(got), want) {
		t.Fatalf("%q, %v", tokensOf(got), err)
	}
	for i, want := range []string{"p1", "p1", "p2"} {
		if v := w.restore("s", tokens[i])[0]; v.Subject != want {
			t.Errorf("%s is about %q", tokens[i], v.Subject)
		}
	}
	if _, err := w.ring.Condemn(one.KeyID()); err != nil {
		t.Fatal(err)
	}
	w.Forget()
	for i, gone := range []bool{true, true, false} {
		if v := w.restore("s", tokens[i])[0]; (v == vault.Value{}) != gone {
			t.Errorf("%s gives %#v", tokens[i], v)
		}
	}
	if none, err := w.OfSubject(t.Context(), ""); err != nil || none != nil {
		t.Errorf("nobody's: %v, %v", none, err)
	}
}

func TestLookup(t *testing.T) {
	w := newWorld(t, vault.Config{})
	token := w.hide("some scope", true, "x@example.com")[0]
	f, ok, err := w.Lookup(t.Context(), token)
	if err != nil || !ok || f.Scope() != "some scope" || f.Type() != "EMAIL" || !f.Keyed() || !f.Made().Equal(w.now) || !f.Expires().After(w.now) {
		t.Errorf("%+v, %v, %v", f, ok, err)
	}
	if v, ok := w.Reveal(f); !ok || v.Value != "x@example.com" {
		t.Errorf("revealed %q, %v", v.Value, ok)
	}
	for _, other := range []string{"<EMAIL_0123456789ABCDEF>", "", token + " "} {
		if _, ok, err := w.Lookup(t.Context(), other); ok || err != nil {
			t.Errorf("%q is found (%v)", other, err)
		}
	}
	w.now = w.now.Add(10000 * time.Hour)
	if _, ok := w.Reveal(f); ok {
		t.Error("an expired token is revealed")
	}
}

// TestSweep: what has expired leaves with its value's row, nothing else does.
func TestSweep(t *testing.T) {
	w := newWorld(t, vault.Config{Expiry: func() time.Duration { return time.Hour }})
	for i := range 600 {
		w.hide("s", i%2 == 0, "old"+string(rune('a'+i%26))+time.Duration(i).String())
	}
	w.now = w.now.Add(time.Hour)
	stay := w.hide("s", false, "new@example.com")[0]
	if s, err := w.Stats(t.Context()); err != nil || s.Tokens != 601 || s.Expired != 600 || s.Keyed != 300 || s.Scopes != 1 || s.Types["EMAIL"] != 601 {
		t.Errorf("%+v, %v", s, err)
	}
	if n, err := w.Sweep(t.Context()); n != 600 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if len(w.rows.rows) != 2 {
		t.Errorf("%d rows stay", len(w.rows.rows))
	}
	if v := w.restore("s", stay)[0]; v.Value == "" {
		t.Error("a token that has not expired is gone")
	}
}

// TestSweepSparesTheRenewed: a token made anew after its end stays, and so does
// the row of a value whose old token goes.
func TestSweepSparesTheRenewed(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{Expiry: func() time.Duration { return time.Hour }})
		w.hide("s", keyed, "x@example.com")
		w.now = w.now.Add(time.Hour)
		next := w.hide("s", keyed, "x@example.com")[0]
		if _, err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Forget()
		if again := w.hide("s", keyed, "x@example.com")[0]; again != next {
			t.Errorf("after the sweep the value has %s, not %s", again, next)
		}
		if v := w.restore("s", next)[0]; v.Value == "" {
			t.Error("the new token is gone")
		}
	})
}

// TestErasedWhileRead: what was read before an erasure does not come back from
// memory after it.
func TestErasedWhileRead(t *testing.T) {
	w := newWorld(t, vault.Config{})
	token := w.hide("s", false, "x@example.com")[0]
	w.Forget()
	w.rows.during = func() {
		w.rows.during = nil
		all, err := w.OfValue(t.Context(), "", "x@example.com")
		if err != nil {
			t.Error(err)
		}
		w.erase(all)
	}
	w.restore("s", token) // read before the erasure: it may resolve
	if v := w.restore("s", token)[0]; v != (vault.Value{}) {
		t.Errorf("after the erasure it gives %#v", v)
	}
}
