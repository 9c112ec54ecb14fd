package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/vault"
)

// pseudonymTests hold the map of pseudonyms to the promises of vault.Rows.
func pseudonymTests() map[string]func(*testing.T, Opener) {
	return map[string]func(*testing.T, Opener){
		"PseudonymRoundTrip": pseudonymRoundTrip,
		"PseudonymConflict":  pseudonymConflict,
		"PseudonymRace":      pseudonymRace,
		"PseudonymErasure":   pseudonymErasure,
		"PseudonymNoLedger":  pseudonymNoLedger,
	}
}

// mapped returns the store as the map.
func mapped(t *testing.T, s store.Store) vault.Rows {
	t.Helper()
	rows, ok := s.(vault.Rows)
	if !ok {
		t.Fatal("the store keeps no pseudonyms")
	}
	return rows
}

func pseudonym(name string) vault.Row {
	return vault.Row{Name: name, Scope: "tenant\x00scope", Type: "EMAIL", Token: "<EMAIL_" + name + ">", Subject: "s-1", Keyed: true,
		Index: "v" + name, Made: at, Expires: at.Add(time.Hour), Sealed: []byte{0, 255}}
}

// stored is the row as it is read back after n changes.
func stored(r vault.Row, n int64) vault.Row {
	r.Revision = n
	return r
}

// pseudonymRoundTrip: rows come back as they went in, one by one and in parts.
func pseudonymRoundTrip(t *testing.T, open Opener) {
	s := open(t)
	a, b, c := pseudonym("t1"), pseudonym("t2"), vault.Row{Name: "v1", Scope: "s", Type: "EMAIL", Token: "<EMAIL_t1>"}
	must(t, mapped(t, s).PutPseudonyms([]vault.Row{c, b, a}))
	must(t, s.Close())
	s = open(t)
	rows := mapped(t, s)
	for _, want := range []vault.Row{stored(a, 1), stored(b, 1), stored(c, 1)} {
		got, ok, err := rows.PseudonymRow(want.Name)
		must(t, err)
		same(t, ok, true)
		same(t, got, want)
	}
	_, ok, err := rows.PseudonymRow("t3")
	must(t, err)
	same(t, ok, false)
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          []vault.Row
	}{{"t", "", 9, []vault.Row{stored(a, 1), stored(b, 1)}}, {"t", "t1", 9, []vault.Row{stored(b, 1)}}, {"t", "", 1, []vault.Row{stored(a, 1)}},
		{"v", "", 9, []vault.Row{stored(c, 1)}}, {"t", "t2", 9, nil}, {"x", "", 9, nil}} {
		got, err := rows.PseudonymRows(c.prefix, c.after, c.limit)
		must(t, err)
		same(t, got, c.want)
	}
	n, err := rows.DropPseudonyms([]string{"t1", "t9", "v1"})
	must(t, err)
	same(t, n, 2)
	_, ok, err = rows.PseudonymRow("t1")
	must(t, err)
	same(t, ok, false)
	must(t, s.Close())
}

// pseudonymConflict: what is not as the writer thinks changes nothing at all.
func pseudonymConflict(t *testing.T, open Opener) {
	s := open(t)
	rows := mapped(t, s)
	a, b := pseudonym("t1"), pseudonym("t2")
	must(t, rows.PutPseudonyms([]vault.Row{a}))
	want(t, rows.PutPseudonyms([]vault.Row{b, a}), vault.ErrConflict)            // a is there
	want(t, rows.PutPseudonyms([]vault.Row{b, stored(a, 2)}), vault.ErrConflict) // at another revision
	want(t, rows.PutPseudonyms([]vault.Row{stored(b, 1)}), vault.ErrConflict)    // not there
	_, ok, err := rows.PseudonymRow("t2")
	must(t, err)
	same(t, ok, false)
	a.Expires = a.Expires.Add(time.Hour)
	must(t, rows.PutPseudonyms([]vault.Row{b, stored(a, 1)}))
	got, _, err := rows.PseudonymRow("t1")
	must(t, err)
	same(t, got, stored(a, 2))
	for name, bad := range map[string]vault.Row{"no scope": {Name: "t5", Type: "A", Token: "b"}, "no name": {Scope: "s", Type: "A", Token: "b"}, "bytes": {Name: "t6", Scope: "\xff", Type: "A", Token: "b"}} {
		err := rows.PutPseudonyms([]vault.Row{bad})
		if err == nil {
			if _, ok, e := rows.PseudonymRow(bad.Name); ok || e == nil {
				t.Errorf("%s: the row is stored and read", name)
			}
		}
	}
	must(t, s.Close())
}

// pseudonymRace: of many that add the same row, one does.
func pseudonymRace(t *testing.T, open Opener) {
	s := open(t)
	rows := mapped(t, s)
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range 16 {
		all.Go(func() {
			err := rows.PutPseudonyms([]vault.Row{pseudonym(fmt.Sprintf("t9%d", i)), pseudonym("t1")})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if !errors.Is(err, vault.ErrConflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	same(t, done, 1)
	got, err := rows.PseudonymRows("t", "", 99)
	must(t, err)
	same(t, len(got), 2)
	must(t, s.Close())
}

// pseudonymErasure: what was erased is gone, with the transaction it was erased
// in, and the same name may be used for a later row.
func pseudonymErasure(t *testing.T, open Opener) {
	s := open(t)
	a := pseudonym("t1")
	must(t, mapped(t, s).PutPseudonyms([]vault.Row{a, pseudonym("t2")}))
	want(t, s.InTx(func(in store.Store) error {
		n, err := in.ErasePseudonyms([]string{"t1"})
		same(t, n, 1)
		return errors.Join(err, errWanted)
	}), errWanted)
	_, ok, err := mapped(t, s).PseudonymRow("t1")
	must(t, err)
	same(t, ok, true)
	n, err := s.ErasePseudonyms([]string{"t1", "t1", "t7"})
	must(t, err)
	same(t, n, 1)
	for range 2 {
		_, ok, err = mapped(t, s).PseudonymRow("t1")
		must(t, err)
		same(t, ok, false)
		want(t, mapped(t, s).PutPseudonyms([]vault.Row{a}), vault.ErrConflict)
		must(t, s.Close())
		s = open(t)
	}
	a.Made = a.Made.Add(time.Nanosecond)
	must(t, mapped(t, s).PutPseudonyms([]vault.Row{a}))
	got, _, err := mapped(t, s).PseudonymRow("t1")
	must(t, err)
	same(t, got, stored(a, 1))
	must(t, s.Close())
}

// pseudonymNoLedger: the digest over the rows, which the control log carries,
// does not change with pseudonyms, and does with their erasure.
func pseudonymNoLedger(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.SetMeta("k", "v"))
	before, err := s.RowsDigest()
	must(t, err)
	must(t, mapped(t, s).PutPseudonyms([]vault.Row{pseudonym("t1"), pseudonym("t2")}))
	_, err = mapped(t, s).DropPseudonyms([]string{"t2"})
	must(t, err)
	must(t, s.Close())
	s = open(t)
	after, err := s.RowsDigest()
	must(t, err)
	same(t, after, before)
	_, err = s.ErasePseudonyms([]string{"t1"})
	must(t, err)
	after, err = s.RowsDigest()
	must(t, err)
	same(t, after != before, true)
	must(t, s.Close())
}
