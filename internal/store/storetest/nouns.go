package storetest

import (
	"fmt"
	"sync"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// nounTests is the part of the suite about registry.NounStore.
func nounTests() map[string]func(*testing.T, Opener) {
	return map[string]func(*testing.T, Opener){
		"NounRoundTrip":     nounRoundTrip,
		"NounNotFound":      nounNotFound,
		"NounExists":        nounExists,
		"NounCompareAndSet": nounCompareAndSet,
		"NounInvalid":       nounInvalid,
		"NounOrder":         nounOrder,
		"NounErase":         nounErase,
		"NounPseudonym":     nounPseudonym,
		"NounTx":            nounTx,
		"NounConcurrent":    nounConcurrent,
	}
}

// A kind that lives in snapshots, and one that does not.
const (
	liveKind = registry.KindKill
	deepKind = registry.KindAccessRequest
)

// kill returns a noun of liveKind.
func kill(t *testing.T, id, owner, reason string) registry.Noun {
	t.Helper()
	n, err := registry.NewNoun(liveKind, id, owner, registry.Kill{Reason: reason, At: at})
	must(t, err)
	return n
}

func request(t *testing.T, id, owner string) registry.Noun {
	t.Helper()
	n, err := registry.NewNoun(deepKind, id, owner, registry.AccessRequest{Server: "s", Access: registry.Read, At: at})
	must(t, err)
	return n
}

// nounIDs lists the ids of a kind.
func nounIDs(t *testing.T, s store.Store, kind registry.NounKind) []string {
	t.Helper()
	all, err := s.Nouns(kind)
	must(t, err)
	ids := []string{}
	for _, n := range all {
		ids = append(ids, n.ID)
	}
	return ids
}

// nounRoundTrip writes nouns with and without an owner, reopens, and reads them
// back, kind by kind and byte for byte.
func nounRoundTrip(t *testing.T, open Opener) {
	s := open(t)
	free, owned, own := kill(t, "tool/a/日本 '; -- \x01", "", "it's \u2028 \x00"), kill(t, "server/s", "ann", "r"), kill(t, "bob", "bob", "r")
	free.Body = append([]byte(" "), free.Body...) // the store does not write JSON anew
	other := request(t, "server/s", "ann")        // the same id in another kind
	for _, n := range []registry.Noun{free, owned, own, other} {
		must(t, s.InsertNoun(n))
	}
	must(t, s.Close())

	s = open(t)
	all, err := s.Nouns(liveKind)
	must(t, err)
	same(t, all, []registry.Noun{own, owned, free})
	all, err = s.Nouns(deepKind)
	must(t, err)
	same(t, all, []registry.Noun{other})
	for _, n := range []registry.Noun{free, owned, own, other} {
		got, err := s.Noun(n.Kind, n.ID)
		must(t, err)
		same(t, got, n)
	}
	must(t, s.Close())
}

func nounNotFound(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertNoun(request(t, "x", "ann")))
	_, err := s.Noun(liveKind, "x")
	want(t, err, registry.ErrNotFound)
	want(t, s.UpdateNoun(kill(t, "x", "", "r")), registry.ErrNotFound)
	want(t, s.DeleteNoun(liveKind, "x"), registry.ErrNotFound)
	want(t, s.DeleteNoun("no-such-kind", "x"), registry.ErrNotFound)
	must(t, s.DeleteNoun(deepKind, "x"))
	want(t, s.DeleteNoun(deepKind, "x"), registry.ErrNotFound)
	same(t, nounIDs(t, s, deepKind), []string{})
	must(t, s.Close())
}

// nounExists: a second noun of the same kind and id is refused and changes
// nothing, whoever owns it.
func nounExists(t *testing.T, open Opener) {
	s := open(t)
	first, own := kill(t, "server/s", "ann", "first"), kill(t, "bob", "bob", "first")
	must(t, s.InsertNoun(first))
	must(t, s.InsertNoun(own))
	want(t, s.InsertNoun(kill(t, "server/s", "ann", "second")), registry.ErrExists)
	want(t, s.InsertNoun(kill(t, "server/s", "bob", "second")), registry.ErrExists)
	want(t, s.InsertNoun(kill(t, "bob", "bob", "second")), registry.ErrExists)
	for _, n := range []registry.Noun{first, own} {
		got, err := s.Noun(liveKind, n.ID)
		must(t, err)
		same(t, got, n)
	}
	must(t, s.Close())
}

// nounCompareAndSet: only the holder of the current revision may write.
func nounCompareAndSet(t *testing.T, open Opener) {
	s := open(t)
	for _, id := range []string{"server/s", "bob"} {
		owner := ""
		if id == "bob" {
			owner = id
		}
		must(t, s.InsertNoun(kill(t, id, owner, "zero")))
		must(t, s.UpdateNoun(kill(t, id, owner, "one")))
		want(t, s.UpdateNoun(kill(t, id, owner, "late")), registry.ErrConflict)
		ahead := kill(t, id, owner, "ahead")
		ahead.Revision = 7
		want(t, s.UpdateNoun(ahead), registry.ErrConflict)
		next := kill(t, id, owner, "one")
		next.Revision = 1
		got, err := s.Noun(liveKind, id)
		must(t, err)
		same(t, got, next)
	}
	must(t, s.Close())
}

// nounInvalid: a kind that nobody declared and a body that its kind cannot read
// are not stored, so that no later reader meets them.
func nounInvalid(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertNoun(kill(t, "server/s", "", "r")))
	good := kill(t, "x", "", "r")
	for name, change := range map[string]func(*registry.Noun){
		"unknown kind":      func(n *registry.Noun) { n.Kind = "no-such-kind" },
		"no kind":           func(n *registry.Noun) { n.Kind = "" },
		"no id":             func(n *registry.Noun) { n.ID = "" },
		"long id":           func(n *registry.Noun) { n.ID = fmt.Sprintf("%0513d", 0) },
		"zero byte":         func(n *registry.Noun) { n.ID = "a\x00b" },
		"no body":           func(n *registry.Noun) { n.Body = nil },
		"no JSON":           func(n *registry.Noun) { n.Body = []byte("{") },
		"unknown member":    func(n *registry.Noun) { n.Body = []byte(`{"reason":"r","more":1}`) },
		"two values":        func(n *registry.Noun) { n.Body = append(n.Body, n.Body...) },
		"large":             func(n *registry.Noun) { n.Body = append(n.Body, make([]byte, 1<<20)...) },
		"negative revision": func(n *registry.Noun) { n.Revision = -1 },
	} {
		n := good
		n.Body = append([]byte(nil), good.Body...)
		change(&n)
		if err := s.InsertNoun(n); err == nil {
			t.Errorf("%s: inserted", name)
		}
		n.ID = "server/s"
		if name == "no id" || name == "long id" || name == "zero byte" {
			continue
		}
		if err := s.UpdateNoun(n); err == nil {
			t.Errorf("%s: updated", name)
		}
	}
	same(t, nounIDs(t, s, liveKind), []string{"server/s"})
	must(t, s.Close())
}

// nounOrder: lists are sorted by the bytes of ids, not by locale, insertion or
// the pseudonym under which one is stored.
func nounOrder(t *testing.T, open Opener) {
	s := open(t)
	for _, id := range []string{"b", "a-1", "é", "a", "B", "a1"} {
		must(t, s.InsertNoun(kill(t, id, id, "r")))
	}
	must(t, s.InsertNoun(kill(t, "a/b", "", "r")))
	same(t, nounIDs(t, s, liveKind), []string{"B", "a", "a-1", "a/b", "a1", "b", "é"})
	must(t, s.Close())
}

// nounErase: erasing a subject takes every noun that it owns, of every kind,
// and nobody else's; the name is free again.
func nounErase(t *testing.T, open Opener) {
	s := open(t)
	for _, n := range []registry.Noun{kill(t, "ann", "ann", "r"), kill(t, "tool/s/t", "ann", "r"), request(t, "one", "ann"),
		kill(t, "bob", "bob", "r"), kill(t, "server/s", "", "r"), request(t, "two", "bob")} {
		must(t, s.InsertNoun(n))
	}
	pseudonym, err := s.Pseudonym("ann")
	must(t, err)
	gone, err := s.EraseSubject(pseudonym)
	must(t, err)
	same(t, gone.Others, 3)
	gone, err = s.EraseSubject(pseudonym)
	must(t, err)
	same(t, gone.Others, 0)
	must(t, s.Close())
	s = open(t)
	same(t, nounIDs(t, s, liveKind), []string{"bob", "server/s"})
	same(t, nounIDs(t, s, deepKind), []string{"two"})
	_, err = s.Noun(liveKind, "ann")
	want(t, err, registry.ErrNotFound)
	must(t, s.InsertNoun(kill(t, "ann", "ann", "again")))
	must(t, s.Close())
}

// nounPseudonym: a noun that is named by its owner is found by the name alone:
// whoever knows the pseudonym cannot ask with it.
func nounPseudonym(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertNoun(kill(t, "ann", "ann", "r")))
	pseudonym, err := s.Pseudonym("ann")
	must(t, err)
	if pseudonym == "ann" {
		t.Fatal("the pseudonym is the name")
	}
	_, err = s.Noun(liveKind, pseudonym)
	want(t, err, registry.ErrNotFound)
	want(t, s.DeleteNoun(liveKind, pseudonym), registry.ErrNotFound)
	same(t, nounIDs(t, s, liveKind), []string{"ann"})
	must(t, s.DeleteNoun(liveKind, "ann"))
	same(t, nounIDs(t, s, liveKind), []string{})
	must(t, s.Close())
}

// nounTx: what a transaction did to nouns is seen inside and undone with it,
// however deep it was done.
func nounTx(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertNoun(kill(t, "server/kept", "", "zero")))
	want(t, s.InTx(func(in store.Store) error {
		must(t, in.InTx(func(deep store.Store) error {
			must(t, deep.InsertNoun(kill(t, "ann", "ann", "r")))
			return deep.UpdateNoun(kill(t, "server/kept", "", "one"))
		}))
		same(t, nounIDs(t, in, liveKind), []string{"ann", "server/kept"})
		must(t, in.DeleteNoun(liveKind, "server/kept"))
		_, err := in.Noun(liveKind, "server/kept")
		want(t, err, registry.ErrNotFound)
		return errWanted
	}), errWanted)
	same(t, nounIDs(t, s, liveKind), []string{"server/kept"})
	got, err := s.Noun(liveKind, "server/kept")
	must(t, err)
	same(t, got, kill(t, "server/kept", "", "zero"))
	// A refused statement inside does not undo the rest.
	must(t, s.InTx(func(in store.Store) error {
		must(t, in.InsertNoun(request(t, "one", "")))
		want(t, in.InsertNoun(kill(t, "server/kept", "", "r")), registry.ErrExists)
		return nil
	}))
	same(t, nounIDs(t, s, deepKind), []string{"one"})
	must(t, s.Close())
}

// nounConcurrent: of many writers with the same revision exactly one wins.
func nounConcurrent(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertNoun(kill(t, "server/s", "", "r")))
	results := make([]error, 8)
	var group sync.WaitGroup
	for i := range results {
		mine := kill(t, "server/s", "", fmt.Sprint(i))
		group.Go(func() { results[i] = s.UpdateNoun(mine) })
	}
	group.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		want(t, err, registry.ErrConflict)
	}
	same(t, won, 1)
	got, err := s.Noun(liveKind, "server/s")
	must(t, err)
	same(t, got.Revision, int64(1))
	must(t, s.Close())
}
