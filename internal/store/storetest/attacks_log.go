package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// Vandal changes a database past its driver, while that is closed.
type Vandal struct {
	// SQL runs a statement.
	SQL func(t *testing.T, statement string)
	// Flip turns one bit of a column of one row.
	Flip func(t *testing.T, table, column, where string)
}

// logEntries is how many batches of one entry the attacked log has.
const logEntries = 6

// logAttacks go to the tables of the control log, whose entries 0 to 5 are
// batches of their own, each with a checkpoint.
func logAttacks() map[string]func(t *testing.T, v Vandal) {
	const of, middle, last = "log = 'control'", "log = 'control' AND first = 2", "log = 'control' AND first = 5"
	out := map[string]func(t *testing.T, v Vandal){}
	sql := func(name string, statements ...string) {
		out[name] = func(t *testing.T, v Vandal) {
			for _, s := range statements {
				v.SQL(t, s)
			}
		}
	}
	for _, c := range [][2]string{{"audit_batch", "leaves"}, {"audit_batch", "hashes"}, {"audit_part", "parts"}} {
		table, column := c[0], c[1]
		for place, where := range map[string]string{"middle": middle, "last": last} {
			out[table+"/edit "+column+" of the "+place] = func(t *testing.T, v Vandal) { v.Flip(t, table, column, where) }
		}
		sql(table+"/swap "+column+" of two", fmt.Sprintf(`UPDATE %[1]s SET %[2]s = (SELECT o.%[2]s FROM %[1]s o WHERE o.log = %[1]s.log
			AND o.first = 5 - %[1]s.first) WHERE %[3]s AND first IN (2, 3)`, table, column, of))
		sql(table+"/put an older "+column+" in place", fmt.Sprintf(`UPDATE %[1]s SET %[2]s = (SELECT o.%[2]s FROM %[1]s o
			WHERE o.log = %[1]s.log AND o.first = 1) WHERE %[3]s`, table, column, middle))
	}
	sql("audit_batch/truncate leaves", "UPDATE audit_batch SET leaves = substr(leaves, 1, length(leaves) - 1) WHERE "+middle)
	sql("audit_part/truncate parts", "UPDATE audit_part SET parts = substr(parts, 1, length(parts) - 1) WHERE "+middle)
	sql("audit_part/delete", "DELETE FROM audit_part WHERE "+middle)
	sql("audit_checkpoint/truncate note", "UPDATE audit_checkpoint SET note = substr(note, 1, length(note) - 1) WHERE log = 'control'")
	sql("audit_batch/delete the middle", "DELETE FROM audit_part WHERE "+middle, "DELETE FROM audit_batch WHERE "+middle)
	sql("audit_batch/delete the first", "DELETE FROM audit_part WHERE "+of+" AND first = 0", "DELETE FROM audit_batch WHERE "+of+" AND first = 0")
	sql("audit_batch/delete the last", "DELETE FROM audit_part WHERE "+last, "DELETE FROM audit_batch WHERE "+last)
	sql("audit_batch/delete all", "DELETE FROM audit_part WHERE "+of, "DELETE FROM audit_batch WHERE "+of)
	sql("audit_batch/renumber the last", "UPDATE audit_batch SET first = 6 WHERE "+last, "UPDATE audit_part SET first = 6 WHERE "+last)
	sql("audit_batch/insert a copy", "INSERT INTO audit_batch (log, first, n, hstart, hashes, leaves) "+
		"SELECT log, 6, n, hstart + 1, hashes, leaves FROM audit_batch WHERE "+last)
	sql("audit_batch/move to another log", "UPDATE audit_batch SET log = 'calls/2026' WHERE "+of)
	out["audit_checkpoint/edit the newest note"] = func(t *testing.T, v Vandal) {
		v.Flip(t, "audit_checkpoint", "note", "log = 'control' AND size = (SELECT max(size) FROM audit_checkpoint WHERE log = 'control')")
	}
	sql("audit_checkpoint/put an older note in place", `UPDATE audit_checkpoint SET note = (SELECT o.note FROM audit_checkpoint o
		WHERE o.log = 'control' AND o.size < (SELECT max(size) FROM audit_checkpoint WHERE log = 'control') ORDER BY o.size DESC LIMIT 1)
		WHERE log = 'control' AND size = (SELECT max(size) FROM audit_checkpoint WHERE log = 'control')`)
	sql("audit_checkpoint/move to another log", "UPDATE audit_checkpoint SET log = 'calls/2026' WHERE log = 'control'")
	return out
}

// LogAttacks does each of the attacks to a log and asserts that verification
// names the log as broken, that a book which still opens says so of it, and that
// nothing is repaired. fresh returns a RawOpener of a new, empty database.
func LogAttacks(t *testing.T, fresh func(t *testing.T) (RawOpener, Vandal)) {
	ring, err := keys.Create(t.TempDir())
	must(t, err)
	for name, attack := range logAttacks() {
		t.Run(name, func(t *testing.T) {
			open, v := fresh(t)
			db := open(t)
			fillLog(t, config(db, ring))
			must(t, auditlog.VerifyRows(context.Background(), config(db, ring), auditlog.Control, nil))
			must(t, db.Close())
			attack(t, v)
			for range 2 { // nothing is repaired in between
				db = open(t)
				broken(t, db, config(db, ring))
				must(t, db.Close())
			}
		})
	}
}

// config opens a book over db.
func config(db store.Raw, ring *keys.Ring) auditlog.Config {
	return auditlog.Config{Rows: db, Origin: "ostiary.dev/gw/0123456789abcdef/default", Sealer: ring, Clock: clock.Fixed(func() time.Time { return at }),
		Signer: func(origin string) note.Signer { return ring.LogSigner(origin) },
		VKeys:  func(origin string) []string { return []string{ring.LogVKey(origin)} }}
}

// fillLog writes entries, each in a batch of its own and with a checkpoint.
func fillLog(t *testing.T, c auditlog.Config) {
	t.Helper()
	book, err := auditlog.Open(c)
	must(t, err)
	for i := range logEntries {
		_, err := book.Control().Submit(auditlog.Entry{Kind: auditlog.AdminChanged, Time: at, Part: fmt.Appendf(nil, `{"n":%d}`, i)}).Wait(t.Context())
		must(t, err)
		_, _, err = book.Control().Sign(t.Context())
		must(t, err)
	}
	must(t, book.Close(t.Context()))
}

// broken asserts that the control log does not verify.
func broken(t *testing.T, db store.Raw, c auditlog.Config) {
	t.Helper()
	var b *auditlog.Broken
	heads, err := db.AuditHeads()
	must(t, err)
	err = auditlog.VerifyRows(t.Context(), c, auditlog.Control, nil)
	for _, h := range heads { // what was moved is broken where it is now
		if err == nil {
			err = auditlog.VerifyRows(t.Context(), c, h.Log, nil)
		}
	}
	if !errors.As(err, &b) {
		t.Errorf("verification says %v, want *Broken", err)
	}
}
