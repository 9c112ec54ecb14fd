package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// Intruder runs a statement with the rights of whoever holds the database, past
// the driver. Parameters are written as question marks.
type Intruder func(t *testing.T, db store.Raw, statement string, args ...any)

// anywhere is the index of an attack whose first bad entry cannot be told.
const anywhere = -1

// auditEntries is how many entries each log has, one a batch; the checkpoints
// count auditSigned and all of them.
const (
	auditEntries = 7
	auditSigned  = 3
)

// auditAttack is what somebody does to the rows of one log. at is the first
// index that a verification names.
type auditAttack struct {
	name string
	at   int
	do   func(v *intruded)
}

// intruded is a log under attack.
type intruded struct {
	t       *testing.T
	db      store.Raw
	run     Intruder
	log     auditlog.Name
	batches []auditlog.Batch
	notes   []auditlog.Checkpoint
	other   auditlog.Batch // of the other log
}

func (v *intruded) exec(statement string, args ...any) { v.run(v.t, v.db, statement, args...) }

// set replaces one column of the batch or part at index.
func (v *intruded) set(column string, index int, value []byte) {
	table := "audit_batch"
	if column == "parts" {
		table = "audit_part"
	}
	v.exec("UPDATE "+table+" SET "+column+" = ? WHERE log = ? AND first = ?", value, string(v.log), index)
}

func (v *intruded) setNote(size uint64, text []byte) {
	v.exec("UPDATE audit_checkpoint SET note = ? WHERE log = ? AND size = ?", text, string(v.log), int64(size))
}

// drop removes rows from index on; n of them.
func (v *intruded) drop(table string, index, n int) {
	v.exec("DELETE FROM "+table+" WHERE log = ? AND first >= ? AND first < ?", string(v.log), index, index+n)
}

func (v *intruded) dropNotes(above uint64) {
	v.exec("DELETE FROM audit_checkpoint WHERE log = ? AND size > ?", string(v.log), int64(above))
}

// bent returns b with one bit of the byte at i turned; a negative i counts from
// the end.
func bent(b []byte, i int) []byte {
	b = slices.Clone(b)
	if i < 0 {
		i += len(b)
	}
	b[i] ^= 1
	return b
}

// auditAttacks are found in rows at rest, by whoever has the gateway's public
// key: none of them has its keys.
func auditAttacks() []auditAttack {
	return []auditAttack{
		{"batch/edit an entry", 2, func(v *intruded) { v.set("leaves", 2, bent(v.batches[2].Leaves, 9)) }},
		{"batch/edit its length", 2, func(v *intruded) { v.set("leaves", 2, bent(v.batches[2].Leaves, 0)) }},
		{"batch/edit a hash", 2, func(v *intruded) { v.set("hashes", 2, bent(v.batches[2].Hashes, 3)) }},
		{"batch/edit the last entry", 6, func(v *intruded) { v.set("leaves", 6, bent(v.batches[6].Leaves, -3)) }},
		{"batch/truncate an entry", 4, func(v *intruded) { v.set("leaves", 4, v.batches[4].Leaves[:len(v.batches[4].Leaves)-1]) }},
		{"batch/lengthen an entry", 4, func(v *intruded) { v.set("leaves", 4, append(slices.Clone(v.batches[4].Leaves), 0)) }},
		{"batch/lengthen its hashes", 4, func(v *intruded) {
			v.set("hashes", 4, append(slices.Clone(v.batches[4].Hashes), make([]byte, 32)...))
		}},
		{"batch/swap two entries", 1, func(v *intruded) {
			v.set("leaves", 1, v.batches[2].Leaves)
			v.set("leaves", 2, v.batches[1].Leaves)
		}},
		{"batch/swap two with their hashes and parts", 0, func(v *intruded) {
			for _, one := range [][2]int{{0, 2}, {2, 0}} {
				v.set("leaves", one[0], v.batches[one[1]].Leaves)
				v.set("hashes", one[0], v.batches[one[1]].Hashes)
				v.set("parts", one[0], v.batches[one[1]].Parts)
			}
		}},
		{"batch/an entry of the other log", 2, func(v *intruded) { v.set("leaves", 2, v.other.Leaves) }},
		{"batch/rewrite history with its hashes", anywhere, rewrite},
		{"batch/delete one", 2, func(v *intruded) { v.drop("audit_batch", 2, 1) }},
		{"batch/delete the first", 0, func(v *intruded) { v.drop("audit_batch", 0, 1) }},
		{"batch/delete the last", auditEntries - 1, func(v *intruded) { v.drop("audit_batch", auditEntries-1, 1) }},
		{"batch/delete all", 0, func(v *intruded) { v.drop("audit_batch", 0, auditEntries) }},
		{"batch/count one more", 3, func(v *intruded) {
			v.exec("UPDATE audit_batch SET n = 2, hashes = ?, leaves = ? WHERE log = ? AND first = 3",
				slices.Concat(v.batches[3].Hashes, v.batches[4].Hashes), v.batches[3].Leaves, string(v.log))
		}},
		{"batch/duplicate the last", auditEntries, func(v *intruded) {
			last := v.batches[auditEntries-1]
			v.exec("INSERT INTO audit_batch (log, first, n, hstart, hashes, leaves) VALUES (?, ?, 1, ?, ?, ?)", string(v.log), auditEntries,
				tlog.StoredHashCount(auditEntries), padded(last.Hashes, auditEntries), last.Leaves)
		}},
		{"part/edit", 2, func(v *intruded) { v.set("parts", 2, bent(v.batches[2].Parts, 90)) }},
		{"part/edit the tag", 5, func(v *intruded) { v.set("parts", 5, bent(v.batches[5].Parts, -1)) }},
		{"part/truncate", 2, func(v *intruded) { v.set("parts", 2, v.batches[2].Parts[:len(v.batches[2].Parts)-1]) }},
		{"part/truncate to a byte", 2, func(v *intruded) { v.set("parts", 2, v.batches[2].Parts[:1]) }},
		{"part/lengthen", 2, func(v *intruded) { v.set("parts", 2, append(slices.Clone(v.batches[2].Parts), 0)) }},
		{"part/swap two", 1, func(v *intruded) {
			v.set("parts", 1, v.batches[2].Parts)
			v.set("parts", 2, v.batches[1].Parts)
		}},
		{"part/that of the other log", 2, func(v *intruded) { v.set("parts", 2, v.other.Parts) }},
		{"part/delete", 2, func(v *intruded) { v.drop("audit_part", 2, 1) }},
		{"part/delete all", 0, func(v *intruded) { v.drop("audit_part", 0, auditEntries) }},
		{"checkpoint/edit its root", anywhere, func(v *intruded) { v.setNote(auditEntries, bent(v.notes[1].Note, len(v.notes[1].Note)/2)) }},
		{"checkpoint/edit its signature", anywhere, func(v *intruded) { v.setNote(auditSigned, bent(v.notes[0].Note, -9)) }},
		{"checkpoint/truncate", anywhere, func(v *intruded) { v.setNote(auditEntries, v.notes[1].Note[:20]) }},
		{"checkpoint/that of another size", anywhere, func(v *intruded) { v.setNote(auditEntries, v.notes[0].Note) }},
		{"checkpoint/swap two", anywhere, func(v *intruded) {
			v.setNote(auditEntries, v.notes[0].Note)
			v.setNote(auditSigned, v.notes[1].Note)
		}},
		{"all/truncate the log to its older checkpoint's size", auditSigned, func(v *intruded) {
			v.drop("audit_batch", auditSigned, auditEntries)
			v.drop("audit_part", auditSigned, auditEntries)
		}},
	}
}

// padded makes hashes as many as the entry of index stores.
func padded(hashes []byte, index int64) []byte {
	n := int(tlog.StoredHashCount(index+1)-tlog.StoredHashCount(index)) * 32
	out := make([]byte, n)
	copy(out, hashes)
	return out
}

// rewrite puts another entry in the place of one and makes every hash anew, as
// whoever may write all rows can. The checkpoints are what is left to tell.
func rewrite(v *intruded) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i, b := range v.batches {
		leaves := b.Leaves
		if i == 1 {
			leaves = v.batches[2].Leaves
			v.set("parts", 1, v.batches[2].Parts)
		}
		skip := 1
		if leaves[0]&0x80 != 0 {
			skip = 2 // the length takes two bytes
		}
		hashes, err := tlog.StoredHashes(int64(i), leaves[skip:], reader)
		must(v.t, err)
		stored = append(stored, hashes...)
		var flat []byte
		for _, h := range hashes {
			flat = append(flat, h[:]...)
		}
		v.set("leaves", i, leaves)
		v.set("hashes", i, flat)
	}
}

// AuditAttacks goes further than LogAttacks: it attacks a log of calls too, acts under
// an open book, rewrites history with its hashes, and asks which entry is named.
// It does each of the attacks to the control log and to one of calls,
// at rest and under an open book. Whoever verifies finds it and names the first
// bad entry; nothing that was attacked is handed out; nothing is repaired.
func AuditAttacks(t *testing.T, fresh func(t *testing.T) RawOpener, run Intruder, ring *keys.Ring) {
	open := fresh(t)
	db := open(t)
	written := writeLogs(t, db, ring)
	for _, log := range []auditlog.Name{auditlog.Control, callsLog} {
		for _, a := range auditAttacks() {
			t.Run(string(log)+"/"+a.name, func(t *testing.T) {
				written.restore(t, db, run)
				written.attack(t, attacked{db: db, run: run, log: log, auditAttack: a, config: bookOf(db, ring)})
			})
		}
		t.Run(string(log)+"/roll back under an open book", func(t *testing.T) {
			written.restore(t, db, run)
			written.rollBack(t, attacked{db: db, run: run, log: log, config: bookOf(db, ring)})
		})
	}
	must(t, db.Close())
}

// callsLog is the log of calls that the attacked entries stand in.
const callsLog auditlog.Name = "calls/2021"

// logTime is the time of the attacked entries.
var logTime = time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)

func bookOf(db store.Raw, ring *keys.Ring) auditlog.Config {
	return auditlog.Config{
		Rows: db, Origin: logtest.Origin, Sealer: ring, Clock: clock.Fixed(func() time.Time { return logTime }),
		Signer: func(origin string) note.Signer { return ring.LogSigner(origin) },
		VKeys:  func(origin string) []string { return []string{ring.LogVKey(origin)} },
	}
}

// rowsOfLogs is every row of both logs.
type rowsOfLogs struct {
	batches map[auditlog.Name][]auditlog.Batch
	notes   map[auditlog.Name][]auditlog.Checkpoint
}

func readLogs(t *testing.T, db store.Raw) rowsOfLogs {
	t.Helper()
	all := rowsOfLogs{map[auditlog.Name][]auditlog.Batch{}, map[auditlog.Name][]auditlog.Checkpoint{}}
	for _, log := range []auditlog.Name{auditlog.Control, callsLog} {
		batches, err := db.AuditBatches(log, 0, 100)
		must(t, err)
		notes, err := db.Checkpoints(log, 0, 100)
		must(t, err)
		all.batches[log], all.notes[log] = batches, notes
	}
	return all
}

// writeLogs fills both logs, one entry a batch, with two checkpoints each.
func writeLogs(t *testing.T, db store.Raw, ring *keys.Ring) rowsOfLogs {
	t.Helper()
	book, err := auditlog.Open(bookOf(db, ring))
	must(t, err)
	for i := range auditEntries {
		part := fmt.Appendf(nil, `{"n":%d}`, i)
		_, err := book.Calls().Submit(auditlog.Entry{Kind: auditlog.CallDecided, Time: logTime, Exchange: fmt.Sprintf("x-%d", i),
			Decision: "deny", Part: part}).Wait(t.Context())
		must(t, err)
		must(t, db.InTx(func(tx store.Raw) error {
			_, err := book.AppendIn(tx, auditlog.Entry{Kind: auditlog.AdminChanged, Time: logTime, Part: part})
			return err
		}))
		if i == auditSigned-1 || i == auditEntries-1 {
			for _, l := range []*auditlog.Log{book.Calls(), book.Control()} {
				_, _, err := l.Sign(t.Context())
				must(t, err)
			}
		}
	}
	must(t, book.Close(context.Background()))
	all := readLogs(t, db)
	for log, batches := range all.batches {
		if len(batches) != auditEntries || len(all.notes[log]) < 2 {
			t.Fatalf("%s has %d batches and %d checkpoints", log, len(batches), len(all.notes[log]))
		}
		// Checkpoints between depend on when the writer woke up.
		first, last := -1, len(all.notes[log])-1
		for i, n := range all.notes[log] {
			if n.Size == auditSigned {
				first = i
			}
		}
		if first < 0 || all.notes[log][last].Size != auditEntries {
			t.Fatalf("%s has checkpoints %+v", log, all.notes[log])
		}
		all.notes[log] = []auditlog.Checkpoint{all.notes[log][first], all.notes[log][last]}
	}
	return all
}

// restore puts every row of every log as it was.
func (r rowsOfLogs) restore(t *testing.T, db store.Raw, run Intruder) {
	t.Helper()
	for _, table := range []string{"audit_batch", "audit_part", "audit_checkpoint"} {
		run(t, db, "DELETE FROM "+table)
	}
	for log, batches := range r.batches {
		for _, b := range batches {
			must(t, db.AppendAudit(b))
		}
		for _, n := range r.notes[log] {
			must(t, db.SaveCheckpoint(log, n))
		}
	}
}

// attacked is one attack on one log.
type attacked struct {
	auditAttack
	db     store.Raw
	run    Intruder
	log    auditlog.Name
	config auditlog.Config
}

func (r rowsOfLogs) intrude(t *testing.T, a attacked) *intruded {
	other := auditlog.Control
	if a.log == auditlog.Control {
		other = callsLog
	}
	return &intruded{t: t, db: a.db, run: a.run, log: a.log, batches: r.batches[a.log], notes: r.notes[a.log], other: r.batches[other][2]}
}

func (r rowsOfLogs) attack(t *testing.T, a attacked) {
	must(t, auditlog.VerifyRows(t.Context(), a.config, a.log, nil)) // it was good
	book, err := auditlog.Open(a.config)
	must(t, err)
	opened, err := book.Log(a.log)
	must(t, err)
	a.do(r.intrude(t, a))
	after := readLogs(t, a.db)
	a.broken(t, "an open log", opened.Verify(t.Context(), nil))
	nothingFalse(t, opened, r.batches[a.log], a.config)
	for range 2 { // what was found once is found again
		a.broken(t, "the rows", auditlog.VerifyRows(t.Context(), a.config, a.log, nil))
	}
	_ = book.Close(context.Background()) // a broken log is not signed: it may fail
	again, err := auditlog.Open(a.config)
	if err == nil { // damage that a start does not look for: far from the edge
		l, missing := again.Log(a.log)
		if missing == nil {
			a.broken(t, "a log opened after it", l.Verify(t.Context(), nil))
		}
		_ = again.Close(context.Background())
	} else if broken := (*auditlog.Broken)(nil); !errors.As(err, &broken) {
		t.Errorf("the start fails without naming an entry: %v", err)
	}
	now := readLogs(t, a.db)
	for i, b := range after.batches[a.log] {
		if i >= len(now.batches[a.log]) || !sameBatch(b, now.batches[a.log][i]) {
			t.Errorf("the rows were repaired at %d", b.First)
		}
	}
}

// broken demands that err names a bad entry of the log, and the right one.
func (a attacked) broken(t *testing.T, who string, err error) {
	t.Helper()
	var found *auditlog.Broken
	if !errors.As(err, &found) || found.Log != a.log {
		t.Errorf("%s: got %v, want a broken %s", who, err, a.log)
		return
	}
	if a.at != anywhere && found.Index != uint64(a.at) {
		t.Errorf("%s: the first bad entry is %d (%s), want %d", who, found.Index, found.Why, a.at)
	}
}

// nothingFalse reads every entry by itself. What comes back is what was
// written, with its part, or an error.
func nothingFalse(t *testing.T, l *auditlog.Log, good []auditlog.Batch, c auditlog.Config) {
	t.Helper()
	for i := range good {
		err := l.Read(uint64(i), uint64(i)+1, func(r auditlog.Record) error {
			leaf, err := auditlog.ParseLeaf(r.Leaf)
			if err != nil {
				return err
			}
			if string(r.Part) != fmt.Sprintf(`{"n":%d}`, i) || leaf.Commit != auditlog.Commitment(r.Key, r.Part) {
				return errMoved
			}
			return nil
		})
		if errors.Is(err, errMoved) && auditlog.VerifyRows(t.Context(), c, l.Name(), nil) == nil {
			t.Errorf("entry %d is handed out as another one, and verifies", i)
		}
	}
}

// errMoved marks an entry that is another one: a consistent rewrite reads well,
// and only the tree tells.
var errMoved = errors.New("another entry stands here")

func sameBatch(a, b auditlog.Batch) bool {
	return a.First == b.First && a.Count == b.Count && a.HashStart == b.HashStart && string(a.Leaves) == string(b.Leaves) &&
		string(a.Hashes) == string(b.Hashes) && string(a.Parts) == string(b.Parts)
}

// rollBack puts the whole log back to its older checkpoint. At rest that is a
// log like any other: only somebody outside who remembers the newer one can
// tell, which is what witnesses are for. A book that is open remembers: it
// takes no entry more.
func (r rowsOfLogs) rollBack(t *testing.T, a attacked) {
	book, err := auditlog.Open(a.config)
	must(t, err)
	defer func() { _ = book.Close(context.Background()) }() // a broken log is not signed: it may fail
	v := r.intrude(t, a)
	v.drop("audit_batch", auditSigned, auditEntries)
	v.drop("audit_part", auditSigned, auditEntries)
	v.dropNotes(auditSigned)
	must(t, auditlog.VerifyRows(t.Context(), a.config, a.log, nil))
	l, err := book.Log(a.log)
	must(t, err)
	a.at = auditSigned
	a.broken(t, "an open log", l.Verify(t.Context(), nil))
	if a.log == auditlog.Control {
		err = a.db.InTx(func(tx store.Raw) error {
			_, err := book.AppendIn(tx, auditlog.Entry{Kind: auditlog.AdminChanged, Time: logTime, Part: []byte(`{}`)})
			return err
		})
	} else {
		_, err = l.Submit(auditlog.Entry{Kind: auditlog.CallDecided, Time: logTime, Exchange: "x", Decision: "deny", Part: []byte(`{}`)}).Wait(t.Context())
	}
	if err == nil {
		t.Error("an entry was added to a log that was rolled back")
	}
}
