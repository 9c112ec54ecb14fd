package app

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/policy"
)

// ran lets the gateway in dir serve n calls and stop.
func ran(t *testing.T, dir string, n int) {
	t.Helper()
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = a.begins()
	for i := range n {
		x := &exchange.Exchange{ID: fmt.Sprint("x", i), Start: a.clock.Now(), Outcome: exchange.OK, View: a.live.Load(), Decision: policy.Decision{Allow: true}}
		err = errors.Join(err, a.record.Open(t.Context(), x), a.record.Close(t.Context(), x))
	}
	if err := errors.Join(err, a.ends(nil), a.Close()); err != nil {
		t.Fatal(err)
	}
}

// vandalise runs statements on the database of a gateway that is stopped.
func vandalise(t *testing.T, dir string, statements ...string) {
	t.Helper()
	vandalised(t, dir, func(db *sql.DB) (err error) {
		for _, s := range statements {
			_, e := db.Exec(s)
			err = errors.Join(err, e)
		}
		return err
	})
}

// vandalised opens the database of a gateway that is stopped past its driver.
func vandalised(t *testing.T, dir string, do func(db *sql.DB) error) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, storeName))
	if err == nil {
		err = errors.Join(do(db), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeletedLogs: what is deleted of the calls log with what counts it there
// still verifies by itself. The gateway does not start, and verify names the
// present size.
func TestDeletedLogs(t *testing.T) {
	const entries = "DELETE FROM audit_batch WHERE log GLOB 'calls/*'"
	const parts = "DELETE FROM audit_part WHERE log GLOB 'calls/*'"
	const notes = "DELETE FROM audit_checkpoint WHERE log GLOB 'calls/*'"
	for name, c := range map[string]struct {
		bad        uint64
		statements []string
	}{
		"the tail":               {2, []string{entries + " AND first >= 2", parts + " AND first >= 2", notes + " AND size > 2"}},
		"the tail and all notes": {2, []string{entries + " AND first >= 2", parts + " AND first >= 2", notes}},
		"the whole log":          {0, []string{entries, parts, notes}},
		"every checkpoint":       {8, []string{notes}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := gatewayIn(t)
			ran(t, dir, 4)
			all, err := VerifyLogs(t.Context(), dir, Options{}, "", nil)
			for _, s := range all {
				if s.State != "ok" {
					t.Errorf("before: %+v", s)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			vandalise(t, dir, c.statements...)
			for range 2 { // it does not get used to it
				_, err := Open(t.Context(), dir, Options{})
				var e *admin.Error
				if !errors.As(err, &e) || e.Code != admin.Integrity || e.Fix == "" || !strings.Contains(e.Message, "calls/") {
					t.Fatalf("opening says %v", err)
				}
			}
			all, err = VerifyLogs(t.Context(), dir, Options{}, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, s := range all {
				if strings.HasPrefix(s.Log, "calls/") {
					found = s.State == "broken" && s.Bad != nil && *s.Bad == c.bad
				}
			}
			if !found {
				t.Errorf("verify says %+v, want the calls log broken at %d", all, c.bad)
			}
		})
	}
}

// TestDeletedLogIsRecorded reads the failure back when the log is whole again.
func TestDeletedLogIsRecorded(t *testing.T) {
	dir := gatewayIn(t)
	ran(t, dir, 1)
	vandalise(t, dir, "UPDATE audit_checkpoint SET log = 'calls/1999' WHERE log GLOB 'calls/*'")
	if a, err := Open(t.Context(), dir, Options{}); err == nil {
		t.Fatal("it opens", a.Close())
	}
	vandalise(t, dir, "DELETE FROM audit_checkpoint WHERE log = 'calls/1999'")
	if a, err := Open(t.Context(), dir, Options{}); err == nil {
		t.Fatal("it opens", a.Close())
	}
	all := 0
	vandalised(t, dir, func(db *sql.DB) error {
		return db.QueryRow("SELECT count(*) FROM audit_batch WHERE log = 'control' AND instr(leaves, 'integrity.failed') > 0").Scan(&all)
	})
	if all != 1 {
		t.Errorf("%d failures are recorded, want 1", all)
	}
}
