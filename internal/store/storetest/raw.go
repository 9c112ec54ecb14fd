package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// RawOpener opens the same database each time it is called; the first call
// makes it. The suite closes what it opened before it opens again.
type RawOpener func(t *testing.T) store.Raw

// Raw runs the suite of the sealed rows. fresh returns a RawOpener of a new,
// empty database.
func Raw(t *testing.T, fresh func(t *testing.T) RawOpener) {
	suite := map[string]func(*testing.T, RawOpener){
		"RowRoundTrip":     rowRoundTrip,
		"RowRefusals":      rowRefusals,
		"RowCompareAndSet": rowCompareAndSet,
		"RowTransactions":  rowTransactions,
		"RowRanges":        rowRanges,
		"RowMany":          rowMany,
		"Clear":            clearTables,
		"Closed":           rawClosed,
	}
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func sealedRow(kind, id, body string) store.Row {
	return store.Row{Kind: kind, ID: id, Revision: 1, Body: []byte(body)}
}

// every reads all rows.
func every(t *testing.T, db store.Raw) (out []store.Row) {
	t.Helper()
	must(t, db.EachRow(func(r store.Row) error {
		out = append(out, r)
		return nil
	}))
	return out
}

// rowRoundTrip: bytes come back as they went in, sorted by bytes.
func rowRoundTrip(t *testing.T, open RawOpener) {
	db := open(t)
	rows := []store.Row{
		sealedRow("a", "b", "\x00\xff"), sealedRow("b", "A", "1"), sealedRow("b", "a", "2"), sealedRow("b", "a-1", "3"),
	}
	for _, i := range []int{2, 0, 3, 1} {
		must(t, db.InsertRow(rows[i]))
	}
	must(t, db.Close())
	db = open(t)
	same(t, every(t, db), rows)
	some, err := db.Rows("b")
	must(t, err)
	same(t, some, rows[1:])
	one, err := db.Row("a", "b")
	must(t, err)
	same(t, one, rows[0])
	must(t, db.DeleteRow("b", "a"))
	some, err = db.Rows("b")
	must(t, err)
	same(t, some, []store.Row{rows[1], rows[3]})
	none, err := db.Rows("c")
	must(t, err)
	same(t, len(none), 0)
	must(t, db.Close())
}

// rowMany: many rows are added together, or none of them.
func rowMany(t *testing.T, open RawOpener) {
	db := open(t)
	var rows []store.Row
	for i := range 200 {
		rows = append(rows, sealedRow("a", fmt.Sprintf("%03d", i), "\x00\xff"+fmt.Sprint(i)))
	}
	must(t, db.InsertRows(nil))
	must(t, db.InsertRows(rows[:150]))
	same(t, every(t, db), rows[:150])
	want(t, db.InsertRows(rows[149:]), registry.ErrExists)
	want(t, db.InsertRows([]store.Row{rows[160], rows[160]}), registry.ErrExists)
	if db.InsertRows([]store.Row{rows[160], sealedRow("a", "", "1")}) == nil {
		t.Error("an invalid row is stored")
	}
	same(t, every(t, db), rows[:150])
	must(t, db.InTx(func(in store.Raw) error {
		late := append(slices.Clone(rows[150:]), sealedRow("b", "x", "1"), rows[0])
		for i := range 80 {
			late = slices.Insert(late, 0, sealedRow("c", fmt.Sprint(i), "1"))
		}
		want(t, in.InsertRows(late), registry.ErrExists) // adds nothing, and does not end the transaction
		return in.InsertRows(rows[150:])
	}))
	same(t, every(t, db), rows)
	must(t, db.Close())
}

// rowRanges: rows of a kind come in parts, and one kind can be left out.
func rowRanges(t *testing.T, open RawOpener) {
	db := open(t)
	rows := []store.Row{sealedRow("a", "x", "1"), sealedRow("b", "t1", "2"), sealedRow("b", "t2", "3"), sealedRow("b", "v1", "4"), sealedRow("c", "x", "5")}
	for _, r := range rows {
		must(t, db.InsertRow(r))
	}
	for _, c := range []struct {
		after string
		n     int
		want  []store.Row
	}{{"", 2, rows[1:3]}, {"t", 9, rows[1:4]}, {"t1", 1, rows[2:3]}, {"t2", 9, rows[3:4]}, {"v1", 9, nil}, {"", 0, nil}} {
		got, err := db.RowsAfter("b", c.after, c.n)
		must(t, err)
		same(t, got, c.want)
	}
	var got []store.Row
	keep := func(r store.Row) error { got = append(got, r); return nil }
	must(t, db.EachRowBut("b", keep))
	same(t, got, []store.Row{rows[0], rows[4]})
	got = nil
	must(t, db.EachRowBut("none", keep))
	same(t, got, rows)
	want(t, db.EachRowBut("b", func(store.Row) error { return errWanted }), errWanted)
	must(t, db.Close())
}

func rowRefusals(t *testing.T, open RawOpener) {
	db := open(t)
	must(t, db.InsertRow(sealedRow("a", "x", "1")))
	want(t, db.InsertRow(sealedRow("a", "x", "2")), registry.ErrExists)
	must(t, db.InsertRow(sealedRow("b", "x", "2"))) // another kind is another row
	_, err := db.Row("a", "y")
	want(t, err, registry.ErrNotFound)
	want(t, db.DeleteRow("a", "y"), registry.ErrNotFound)
	want(t, db.UpdateRow(1, sealedRow("a", "y", "1")), registry.ErrNotFound)
	for name, r := range map[string]store.Row{
		"no kind": sealedRow("", "x", "1"), "no id": sealedRow("a", "", "1"), "no body": {Kind: "a", ID: "z", Revision: 1, Body: []byte{}},
		"revision 0": {Kind: "a", ID: "z", Body: []byte("1")},
	} {
		if db.InsertRow(r) == nil {
			t.Errorf("%s: an invalid row is stored", name)
		}
	}
	want(t, db.EachRow(func(store.Row) error { return errWanted }), errWanted)
	same(t, len(every(t, db)), 2)
	must(t, db.Close())
}

// rowCompareAndSet: only who knows the present revision replaces a row.
func rowCompareAndSet(t *testing.T, open RawOpener) {
	db := open(t)
	must(t, db.InsertRow(sealedRow("a", "x", "1")))
	next := store.Row{Kind: "a", ID: "x", Revision: 2, Body: []byte("2")}
	must(t, db.UpdateRow(1, next))
	want(t, db.UpdateRow(1, next), registry.ErrConflict)
	want(t, db.UpdateRow(3, next), registry.ErrConflict)
	got, err := db.Row("a", "x")
	must(t, err)
	same(t, got, next)
	must(t, db.Close())
}

func rowTransactions(t *testing.T, open RawOpener) {
	db := open(t)
	must(t, db.InsertRow(sealedRow("a", "x", "1")))
	want(t, db.InTx(func(in store.Raw) error {
		must(t, in.DeleteRow("a", "x"))
		must(t, in.InTx(func(deep store.Raw) error { return deep.InsertRow(sealedRow("a", "y", "1")) }))
		// A refused statement does not end the transaction.
		want(t, in.InsertRow(sealedRow("a", "y", "2")), registry.ErrExists)
		same(t, len(every(t, in)), 1)
		if in.Close() == nil || in.Scrub() == nil {
			t.Error("a transaction closes or scrubs the database")
		}
		return errWanted
	}), errWanted)
	same(t, every(t, db), []store.Row{sealedRow("a", "x", "1")})
	must(t, db.Close())
}

// clearTables: a new database has no clear rows, and none once they are dropped.
func clearTables(t *testing.T, open RawOpener) {
	db := open(t)
	c, err := db.Clear()
	must(t, err)
	if c != nil && len(c.Meta)+len(c.Servers)+len(c.Agents)+len(c.Tokens)+len(c.Certificates)+len(c.Grants) > 0 {
		t.Errorf("a new database holds %v", c)
	}
	want(t, db.InTx(func(in store.Raw) error { return errors.Join(in.DropClear(), errWanted) }), errWanted)
	must(t, db.InTx(func(in store.Raw) error { return in.DropClear() }))
	must(t, db.InTx(func(in store.Raw) error { return in.DropClear() }))
	must(t, db.Close())
	db = open(t) // killed before it could scrub
	c, err = db.Clear()
	must(t, err)
	if c != nil {
		t.Errorf("after the drop: %v", c)
	}
	must(t, db.Scrub())
	must(t, db.Scrub())
	must(t, db.Close())
}

func rawClosed(t *testing.T, open RawOpener) {
	db := open(t)
	must(t, db.Close())
	if _, err := db.Rows("a"); err == nil {
		t.Error("a closed database reads")
	}
	if db.InsertRow(sealedRow("a", "x", "1")) == nil {
		t.Error("a closed database writes")
	}
}
