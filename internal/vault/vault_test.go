package vault_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/vault"
)

// both runs a test with random and with keyed tokens.
func both(t *testing.T, test func(t *testing.T, keyed bool)) {
	for _, keyed := range []bool{false, true} {
		t.Run(map[bool]string{false: "random", true: "keyed"}[keyed], func(t *testing.T) { test(t, keyed) })
	}
}

// TestRoundTrip: what was hidden comes back byte for byte, from memory and from
// the rows, and the same value has one token inside its scope.
func TestRoundTrip(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{})
		in := []string{"Anna@Example.COM", "bo@example.net", "Anna@Example.COM", "日本@例え.jp"}
		tokens := w.hide("s", keyed, in...)
		if tokens[0] != tokens[2] || tokens[0] == tokens[1] {
			t.Errorf("tokens do not follow the values: %q", tokens)
		}
		if again := w.hide("s", keyed, in...); !slices.Equal(again, tokens) {
			t.Errorf("a second time: %q, not %q", again, tokens)
		}
		for _, cached := range []bool{true, false} {
			if !cached {
				w.Forget()
			}
			for i, v := range w.restore("s", tokens...) {
				if v.Value != in[i] || v.Type != "EMAIL" {
					t.Errorf("cached %v: %s gives %q, not %q", cached, tokens[i], v.Value, in[i])
				}
			}
		}
		if again := w.hide("s", keyed, in...); !slices.Equal(again, tokens) {
			t.Errorf("from the rows: %q, not %q", again, tokens)
		}
	})
}

// TestNormalized: two ways to write one value have one token, which gives the
// first one back.
func TestNormalized(t *testing.T) {
	w := newWorld(t, vault.Config{})
	for _, c := range []struct{ typ, first, second string }{
		{"EMAIL", "Anna@Example.com", "Anna@EXAMPLE.COM"},
		{"PHONE", "+49 (30) 1234-567", "0049301234567"},
		{"IBAN", "DE89 3704 0044 0532 0130 00", "de89370400440532013000"},
		{"PERSON", "Zo\u00eb", "Zoe\u0308"},
		{"CREDIT_CARD", "4111 1111 1111 1111", "4111-1111-1111-1111"},
		{"MAC_ADDRESS", "AA-BB-CC-00-11-22", "aa:bb:cc:00:11:22"},
	} {
		tokens, err := w.Hide(t.Context(), "s", false, []vault.Value{{Type: c.typ, Value: c.first}, {Type: c.typ, Value: c.second}})
		if err != nil || tokens[0] != tokens[1] {
			t.Errorf("%s: %q, %v", c.typ, tokens, err)
			continue
		}
		for range 2 {
			if v := w.restore("s", tokens[1])[0]; v.Value != c.first {
				t.Errorf("%s gives %q, not %q", c.typ, v.Value, c.first)
			}
			w.Forget()
		}
	}
	for _, c := range []struct{ typ, first, second string }{
		{"EMAIL", "anna@example.com", "Anna@example.com"}, // the part before the @ may tell capitals apart
		{"PHONE", "+4930123", "+4930124"},
		{"PHONE", "ext", "office"},
		{"PERSON", "Anna", "anna"},
	} {
		tokens, err := w.Hide(t.Context(), "s", false, []vault.Value{{Type: c.typ, Value: c.first}, {Type: c.typ, Value: c.second}})
		if err != nil || tokens[0] == tokens[1] {
			t.Errorf("%q and %q: %q, %v", c.first, c.second, tokens, err)
		}
	}
}

// TestC11ScopesApart: another scope, type or version of the key gives another token,
// and a token resolves in its own scope only.
func TestC11ScopesApart(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{})
		a, b := w.hide("a", keyed, "x@example.com")[0], w.hide("b", keyed, "x@example.com")[0]
		if a == b {
			t.Error("two scopes share a token")
		}
		if got := w.restore("b", a)[0]; got != (vault.Value{}) {
			t.Errorf("scope b resolves a token of scope a: %#v", got)
		}
		other, err := w.Hide(t.Context(), "a", keyed, []vault.Value{{Type: "USER_ID", Value: "x@example.com"}})
		if err != nil || code(other[0]) == code(a) {
			t.Errorf("two types share a code: %q, %v", other, err)
		}
		if _, err := w.ring.Rotate("pseudonyms", rotate); err != nil {
			t.Fatal(err)
		}
		w.Forget()
		next := w.hide("a", keyed, "x@example.com")[0]
		if next == a {
			t.Error("a new version of the key gives the old token")
		}
		for _, token := range []string{a, next} {
			if got := w.restore("a", token)[0]; got.Value != "x@example.com" {
				t.Errorf("after a rotation %s gives %q", token, got.Value)
			}
		}
	})
}

func code(token string) string { return token[strings.LastIndexByte(token, '_')+1:] }

// TestC11RestoreAlike: a token that was forged, is of another scope, has expired or
// is no token at all has the same answer after the same reads.
func TestC11RestoreAlike(t *testing.T) {
	w := newWorld(t, vault.Config{Expiry: func() time.Duration { return time.Hour }})
	old := w.hide("s", false, "old@example.com")[0]
	w.now = w.now.Add(2 * time.Hour)
	foreign := w.hide("other", false, "x@example.com")[0]
	w.Forget()
	for name, token := range map[string]string{
		"forged": "<EMAIL_0123456789ABCDEF>", "foreign": foreign, "expired": old, "no token": "x", "empty": "",
		"another type": "<PHONE_" + code(foreign) + ">",
	} {
		before := w.rows.reads
		if got := w.restore("s", token)[0]; got != (vault.Value{}) {
			t.Errorf("%s: resolves to %#v", name, got)
		}
		if n := w.rows.reads - before; n != 1 {
			t.Errorf("%s: %d reads, not 1", name, n)
		}
	}
	if n := w.Counts().Lookalikes; n != 6 {
		t.Errorf("%d tokens are counted, not 6", n)
	}
}

// TestLookalikesAreLimited: a scope that guesses is refused for the rest of the
// minute, right guesses included; others are not.
func TestLookalikesAreLimited(t *testing.T) {
	w := newWorld(t, vault.Config{Limit: vault.Limit{Lookalikes: 3}})
	real := w.hide("s", false, "x@example.com")[0]
	for i := range 3 {
		w.restore("s", fmt.Sprintf("<EMAIL_%016d>", i))
	}
	for _, token := range []string{"<EMAIL_0000000000000009>", real} {
		got, err := w.Restore(t.Context(), "s", []string{token})
		if !errors.Is(err, vault.ErrLookalikes) || got != nil {
			t.Errorf("%s: %v, %v", token, got, err)
		}
	}
	w.restore("t", "<EMAIL_0000000000000009>")
	w.now = w.now.Add(time.Minute)
	if got := w.restore("s", real)[0]; got.Value == "" {
		t.Error("the next minute is refused too")
	}
}

// TestExpiry: a token that is used goes on, one that is not ends, and a value
// gets another random token then.
func TestExpiry(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{Expiry: func() time.Duration { return 10 * time.Hour }})
		first := w.hide("s", keyed, "x@example.com")[0]
		for range 4 {
			w.now = w.now.Add(6 * time.Hour)
			if got := w.hide("s", keyed, "x@example.com")[0]; got != first {
				t.Fatalf("a token in use changed: %s", got)
			}
		}
		w.now = w.now.Add(10*time.Hour - time.Nanosecond)
		if got := w.restore("s", first)[0]; got.Value == "" {
			t.Error("a token ends before its time")
		}
		w.now = w.now.Add(time.Nanosecond)
		for range 2 {
			if got := w.restore("s", first)[0]; got.Value != "" {
				t.Error("an expired token resolves")
			}
			w.Forget()
		}
		next := w.hide("s", keyed, "x@example.com")[0]
		if (next == first) != keyed {
			t.Errorf("after its end %s follows %s", next, first)
		}
		if got := w.restore("s", next)[0]; got.Value != "x@example.com" {
			t.Errorf("the new token gives %q", got.Value)
		}
	})
}

// TestOneTokenForManyAtOnce: 100 calls that hide the same value get one token,
// and share their transactions.
func TestOneTokenForManyAtOnce(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{})
		var all sync.WaitGroup
		tokens := make([]string, 100)
		for i := range tokens {
			all.Go(func() {
				out, err := w.Hide(t.Context(), "s", keyed, []vault.Value{{Type: "EMAIL", Value: "x@example.com"}, {Type: "EMAIL", Value: fmt.Sprint(i % 7)}})
				if err != nil {
					t.Error(err)
					return
				}
				tokens[i] = out[0]
			})
		}
		all.Wait()
		slices.Sort(tokens)
		if got := slices.Compact(tokens); len(got) != 1 || got[0] == "" {
			t.Errorf("tokens %q", got)
		}
		if n := w.Counts().Made; n != 8 {
			t.Errorf("%d tokens were made, not 8", n)
		}
	})
}

// TestNothingUnstoredLeaves: when the rows cannot be written, no token is handed
// out, not even later from memory.
func TestNothingUnstoredLeaves(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{})
		w.rows.fail = errDisk
		for range 2 {
			out, err := w.Hide(t.Context(), "s", keyed, []vault.Value{{Type: "EMAIL", Value: "x@example.com"}})
			if !errors.Is(err, errDisk) || out != nil {
				t.Errorf("%q, %v", out, err)
			}
		}
		w.rows.fail = nil
		if got := w.restore("s", w.hide("s", keyed, "x@example.com")...)[0]; got.Value != "x@example.com" {
			t.Errorf("afterwards: %q", got.Value)
		}
	})
}

// TestReadOnly: a gateway that follows another one uses the tokens that are
// there and refuses what needs a new one.
func TestReadOnly(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{})
		token := w.hide("s", keyed, "x@example.com")[0]
		follower := vault.New(vault.Config{Rows: w.rows, Keys: w.ring, ReadOnly: true})
		out, err := follower.Hide(t.Context(), "s", keyed, []vault.Value{{Type: "EMAIL", Value: "x@example.com"}})
		if err != nil || out[0] != token {
			t.Errorf("a known value: %q, %v", out, err)
		}
		for _, v := range []vault.Value{{Type: "EMAIL", Value: "new@example.com"}, {Type: "EMAIL", Value: "y", Subject: "patient 1"}} {
			if out, err := follower.Hide(t.Context(), "s", keyed, []vault.Value{v}); !errors.Is(err, vault.ErrReadOnly) {
				t.Errorf("a new value: %q, %v", out, err)
			}
		}
	})
}

// TestRefusals: what is out of bounds gets no token.
func TestRefusals(t *testing.T) {
	w := newWorld(t, vault.Config{})
	long := strings.Repeat("x", 16<<10+1)
	for name, c := range map[string]struct {
		scope  string
		values []vault.Value
	}{
		"no scope":        {"", []vault.Value{{Type: "EMAIL"}}},
		"a long scope":    {long, []vault.Value{{Type: "EMAIL"}}},
		"no type":         {"s", []vault.Value{{}}},
		"a lower type":    {"s", []vault.Value{{Type: "email"}}},
		"a bracket":       {"s", []vault.Value{{Type: "A>"}}},
		"a long type":     {"s", []vault.Value{{Type: strings.Repeat("A", 33)}}},
		"a long value":    {"s", []vault.Value{{Type: "EMAIL", Value: long}}},
		"too many values": {"s", make([]vault.Value, 1<<14+1)},
	} {
		if out, err := w.Hide(t.Context(), c.scope, false, c.values); err == nil || out != nil {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Restore(ctx, "s", []string{"x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	if len(w.rows.rows) != 0 {
		t.Errorf("%d rows were written", len(w.rows.rows))
	}
}

// TestPrintsNothing: no way of printing shows a value.
func TestPrintsNothing(t *testing.T) {
	v := vault.Value{Type: "EMAIL", Value: "canary", Subject: "canary"}
	if text := fmt.Sprintf("%v %+v %#v %s", v, v, v, []vault.Value{v}); strings.Contains(text, "canary") {
		t.Error(text)
	}
}

// TestCacheIsBounded: memory holds no more values than it may.
func TestCacheIsBounded(t *testing.T) {
	w := newWorld(t, vault.Config{Limit: vault.Limit{Cached: 10}})
	for i := range 50 {
		w.hide("s", i%2 == 0, fmt.Sprint(i))
	}
	if n := w.Counts().Cached; n != 10 {
		t.Errorf("%d are cached", n)
	}
}

// TestValueIsAdopted: a value that was met first where nobody knew whose it is
// goes with the subject that it turns out to be about, and keeps its token. One
// that is somebody's already stays theirs.
func TestValueIsAdopted(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		for _, cached := range []bool{true, false} {
			w := newWorld(t, vault.Config{})
			hide := func(subject string) string {
				t.Helper()
				if !cached {
					w.Forget()
				}
				tokens, err := w.Hide(t.Context(), "s", keyed, []vault.Value{{Type: "EMAIL", Value: "anna@example.org", Subject: subject}})
				if err != nil {
					t.Fatal(err)
				}
				return tokens[0]
			}
			token := hide("")
			for _, subject := range []string{"patient:1", "", "patient:2"} {
				if again := hide(subject); again != token {
					t.Errorf("cached %v, subject %q: %s became %s", cached, subject, token, again)
				}
				if got := w.restore("s", token)[0]; got.Value != "anna@example.org" || got.Subject != "patient:1" {
					t.Errorf("cached %v, subject %q: %#v of %q", cached, subject, got, got.Subject)
				}
			}
			s, ok := w.ring.FindSubject(keys.DataSubject + "patient:1")
			if !ok {
				t.Fatal("there is no subject")
			}
			if found, err := w.OfSubject(t.Context(), s.Pseudonym); err != nil || len(found) != 1 {
				t.Errorf("%d tokens, %v", len(found), err)
			}
			if _, err := w.ring.Condemn(s.KeyID()); err != nil {
				t.Fatal(err)
			}
			w.Forget()
			if got := w.restore("s", token)[0]; got != (vault.Value{}) {
				t.Errorf("cached %v: the value outlives its subject's key", cached)
			}
		}
	})
}

// TestSubjectsOfOneCall: a value that comes twice, once with its subject, is the
// subject's, in whichever order; many new subjects are written at once.
func TestSubjectsOfOneCall(t *testing.T) {
	w := newWorld(t, vault.Config{})
	in := []vault.Value{{Type: "EMAIL", Value: "anna@example.org"}, {Type: "EMAIL", Value: "anna@example.org", Subject: "patient:1"}}
	for i := range 500 {
		in = append(in, vault.Value{Type: "EMAIL", Value: fmt.Sprintf("u%d@example.org", i), Subject: fmt.Sprintf("patient:%d", i)})
	}
	tokens, err := w.Hide(t.Context(), "s", false, in)
	if err != nil {
		t.Fatal(err)
	}
	w.Forget()
	for i, v := range w.restore("s", tokens...) {
		want := in[i].Subject
		if i == 0 {
			want = "patient:1"
		}
		if v.Value != in[i].Value || v.Subject != want {
			t.Fatalf("%d: %q of %q, not of %q", i, v.Value, v.Subject, want)
		}
	}
	if w.rows.writes != 1 {
		t.Errorf("%d writes", w.rows.writes)
	}
}

// TestNewValuesAreBounded: a caller who has had too many new values hidden gets no
// more until the next hour; values that are known, and other callers, are served.
func TestNewValuesAreBounded(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		most := 3
		w := newWorld(t, vault.Config{Fresh: func() int { return most }})
		hide := func(caller string, emails ...string) error {
			var values []vault.Value
			for _, e := range emails {
				values = append(values, vault.Value{Type: "EMAIL", Value: e})
			}
			_, err := w.Hide(vault.For(t.Context(), caller), "s", keyed, values)
			return err
		}
		for _, emails := range [][]string{{"a@example.org", "b@example.org", "a@example.org"}, {"a@example.org"}, {"c@example.org"}, {"b@example.org", "c@example.org"}} {
			if err := hide("bot", emails...); err != nil {
				t.Fatalf("%v: %v", emails, err)
			}
		}
		writes := w.rows.writes
		if err := hide("bot", "a@example.org", "d@example.org"); !errors.Is(err, vault.ErrFresh) || w.rows.writes != writes {
			t.Errorf("beyond the bound: %v, %d writes", err, w.rows.writes-writes)
		}
		if err := hide("bot", "a@example.org"); err != nil {
			t.Errorf("a known value: %v", err)
		}
		if err := hide("other", "d@example.org"); err != nil {
			t.Errorf("another caller: %v", err)
		}
		if n := w.Counts().Refused; n != 1 {
			t.Errorf("%d refusals are counted", n)
		}
		w.now = w.now.Add(time.Hour)
		if err := hide("bot", "e@example.org"); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		most = 0
		if err := hide("bot", "f@example.org", "g@example.org", "h@example.org", "i@example.org"); err != nil {
			t.Errorf("without a bound: %v", err)
		}
	})
}

// TestNewPeopleAreBounded: a key is made for each person, so that people who are made
// up count like values, also where the value is known.
func TestNewPeopleAreBounded(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{Fresh: func() int { return 3 }, Limit: vault.Limit{Cached: 1}})
		var err error
		for i := range 20 {
			about := fmt.Sprintf("patient:%d", i)
			_, err = w.Hide(vault.For(t.Context(), "bot"), "s", keyed, []vault.Value{
				{Type: "EMAIL", Value: "a@example.org", Subject: about}, {Type: "EMAIL", Value: "b@example.org", Subject: about}})
			if err != nil {
				break
			}
		}
		if n := w.ring.SubjectCount(); !errors.Is(err, vault.ErrFresh) || n > 4 {
			t.Errorf("%d people, %v", n, err)
		}
	})
}

// TestNobodyElseIsRefused: calls that are written together stand alone when one of
// them is refused: a gateway that makes no pseudonyms gives the known ones.
func TestNobodyElseIsRefused(t *testing.T) {
	both(t, func(t *testing.T, keyed bool) {
		w := newWorld(t, vault.Config{})
		token := w.hide("s", keyed, "x@example.com")[0]
		follower := vault.New(vault.Config{Rows: w.rows, Keys: w.ring, ReadOnly: true})
		hide := func(email string) (string, error) {
			out, err := follower.Hide(t.Context(), "s", keyed, []vault.Value{{Type: "EMAIL", Value: email}})
			return strings.Join(out, " "), err
		}
		// The first call is held in the rows until all others wait for it.
		held, let, once := make(chan struct{}), make(chan struct{}), sync.Once{}
		w.rows.during = func() { once.Do(func() { close(held); <-let }) }
		var all sync.WaitGroup
		all.Go(func() { _, _ = hide("first@example.com") })
		<-held
		for i := range 8 {
			all.Go(func() {
				if _, err := hide(fmt.Sprintf("new%d@example.com", i)); !errors.Is(err, vault.ErrReadOnly) {
					t.Errorf("a new value: %v", err)
				}
			})
			all.Go(func() {
				if got, err := hide("x@example.com"); err != nil || got != token {
					t.Errorf("a known value: %q, %v", got, err)
				}
			})
		}
		for range 1000 {
			runtime.Gosched() // most of them wait by then; none does wrong if it does not
		}
		close(let)
		all.Wait()
	})
}
