package app

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sqlite"
)

// rawRows opens the database past the gateway.
func rawRows(t *testing.T, dir string, do func(db *sqlite.DB) error) {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(dir, storeName))
	if err == nil {
		err = errors.Join(do(db), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRowsBehindTheBack: somebody who holds the database puts an agent back to
// the state before it was suspended. The gateway does not start, says so in one
// sentence with a next step, records it, and does not get used to it.
func TestRowsBehindTheBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gateway")
	if err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	act := func(do func(api admin.API) error) {
		t.Helper()
		a, err := Open(t.Context(), dir, Options{})
		if err == nil {
			err = errors.Join(do(a.API()), a.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	act(func(api admin.API) error {
		_, err := api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "robot", Change: admin.Change{Reason: "r"}})
		return err
	})
	var before, after []store.Row
	read := func(into *[]store.Row) func(db *sqlite.DB) error {
		return func(db *sqlite.DB) error {
			return db.EachRow(func(r store.Row) error { *into = append(*into, r); return nil })
		}
	}
	rawRows(t, dir, read(&before))
	act(func(api admin.API) error {
		_, err := api.MoveAgent(t.Context(), admin.Move{ID: "robot", Action: admin.Suspend, Change: admin.Change{Reason: "lost"}})
		return err
	})
	rawRows(t, dir, read(&after))
	put := func(rows []store.Row, kinds ...string) {
		t.Helper()
		rawRows(t, dir, func(db *sqlite.DB) (err error) {
			for _, r := range rows {
				if strings.Contains(strings.Join(kinds, " "), r.Kind) {
					err = errors.Join(err, db.DeleteRow(r.Kind, r.ID), db.InsertRow(r))
				}
			}
			return err
		})
	}
	for name, kinds := range map[string][]string{"the agent": {"agent"}, "all of it": {"agent", "meta"}} {
		put(after, "agent", "meta")
		put(before, kinds...)
		for range 2 {
			_, err := Open(t.Context(), dir, Options{})
			var e *admin.Error
			if !errors.As(err, &e) || e.Code != admin.Integrity || e.Fix == "" {
				t.Errorf("%s: opening says %v", name, err)
			}
		}
	}
	put(after, "agent", "meta")
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	err = a.book.Control().Read(0, a.book.Control().Size(), func(r auditlog.Record) error {
		if strings.Contains(string(r.Leaf), string(auditlog.IntegrityFailed)) {
			failed++
		}
		return nil
	})
	if err := errors.Join(err, a.Close()); err != nil || failed != 4 {
		t.Errorf("%d failures are recorded (%v), want 4", failed, err)
	}
	// A gateway without its id would begin new logs beside the old ones.
	rawRows(t, dir, func(db *sqlite.DB) error {
		rows, err := db.Rows("meta")
		for _, r := range rows {
			err = errors.Join(err, db.DeleteRow(r.Kind, r.ID))
		}
		return err
	})
	var e *admin.Error
	if _, err := Open(t.Context(), dir, Options{}); !errors.As(err, &e) || e.Code != admin.Integrity {
		t.Errorf("without its id: %v", err)
	}
}
