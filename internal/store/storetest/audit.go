package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

// Audit runs the suite of the rows of logs. fresh returns a RawOpener of a new,
// empty database.
func Audit(t *testing.T, fresh func(t *testing.T) RawOpener) {
	suite := map[string]func(*testing.T, store.Raw, RawOpener){
		"RoundTrip":     auditRoundTrip,
		"Empty":         auditEmpty,
		"CompareAndSet": auditCompareAndSet,
		"Transactions":  auditTransactions,
		"Hashes":        auditHashes,
		"Checkpoints":   auditCheckpoints,
		"Race":          auditRace,
	}
	for name, test := range suite {
		t.Run(name, func(t *testing.T) {
			open := fresh(t)
			db := open(t)
			test(t, db, func(t *testing.T) store.Raw {
				must(t, db.Close())
				db = open(t)
				return db
			})
			must(t, db.Close())
		})
	}
}

// auditBatch makes a batch that has the form of one; only the hashes are true.
func auditBatch(t *testing.T, tree []tlog.Hash, log auditlog.Name, first, n uint64) (auditlog.Batch, []tlog.Hash) {
	t.Helper()
	b := auditlog.Batch{Log: log, First: first, Count: n, HashStart: uint64(len(tree)), Parts: fmt.Appendf(nil, "parts %d\x00\xff", first)}
	for i := range n {
		leaf := fmt.Appendf(nil, "%s leaf %d\x00\xff", log, first+i)
		more, err := tlog.StoredHashes(int64(first+i), leaf, tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
			for _, i := range indexes {
				out = append(out, tree[i])
			}
			return out, nil
		}))
		must(t, err)
		for _, h := range more {
			b.Hashes = append(b.Hashes, h[:]...)
		}
		tree = append(tree, more...)
		b.Leaves = append(append(b.Leaves, byte(len(leaf))), leaf...)
	}
	return b, tree
}

func auditRoundTrip(t *testing.T, db store.Raw, reopen RawOpener) {
	var all []auditlog.Batch
	var tree []tlog.Hash
	at := uint64(0)
	for _, n := range []uint64{1, 2, 512, 1, 7} {
		var b auditlog.Batch
		b, tree = auditBatch(t, tree, "calls/2026", at, n)
		must(t, db.AppendAudit(b))
		all, at = append(all, b), at+n
	}
	gone, _ := auditBatch(t, nil, "control", 0, 3)
	gone.Parts = nil
	must(t, db.AppendAudit(gone))
	db = reopen(t)
	heads, err := db.AuditHeads()
	must(t, err)
	same(t, heads, []auditlog.Head{{Log: "calls/2026", Size: at}, {Log: "control", Size: 3}})
	got, err := db.AuditBatches("calls/2026", 0, 100)
	must(t, err)
	same(t, got, all)
	for index := range at {
		b, err := db.AuditBatch("calls/2026", index)
		must(t, err)
		if b.First > index || b.First+b.Count <= index {
			t.Fatalf("batch of %d begins at %d and has %d", index, b.First, b.Count)
		}
	}
	got, err = db.AuditBatches("calls/2026", 4, 2)
	must(t, err)
	same(t, got, all[2:4])
	got, err = db.AuditBatches("calls/2026", at, 2)
	must(t, err)
	if len(got) != 0 {
		t.Errorf("batches after the end: %v", got)
	}
	b, err := db.AuditBatch("control", 2)
	must(t, err)
	same(t, b, gone)
}

func auditEmpty(t *testing.T, db store.Raw, _ RawOpener) {
	if heads, err := db.AuditHeads(); err != nil || len(heads) != 0 {
		t.Errorf("heads of nothing: %v, %v", heads, err)
	}
	if size, err := db.AuditSize("control"); err != nil || size != 0 {
		t.Errorf("size of nothing: %d, %v", size, err)
	}
	_, err := db.AuditBatch("control", 0)
	want(t, err, auditlog.ErrNotFound)
	_, err = db.AuditHashes("control", []int64{0})
	want(t, err, auditlog.ErrNotFound)
	_, err = db.LatestCheckpoint("control")
	want(t, err, auditlog.ErrNotFound)
	if all, err := db.Checkpoints("control", 0, 9); err != nil || len(all) != 0 {
		t.Errorf("checkpoints of nothing: %v, %v", all, err)
	}
}

// auditCompareAndSet: whatever does not begin where the log ends is refused,
// and leaves nothing.
func auditCompareAndSet(t *testing.T, db store.Raw, _ RawOpener) {
	one, tree := auditBatch(t, nil, "control", 0, 5)
	must(t, db.AppendAudit(one))
	for _, first := range []uint64{0, 3, 6, 100} {
		b := one
		b.First = first
		b.Checkpoint = &auditlog.Checkpoint{Size: 4, Note: []byte("n")}
		want(t, db.AppendAudit(b), auditlog.ErrConflict)
	}
	if size, err := db.AuditSize("control"); err != nil || size != 5 {
		t.Errorf("size is %d, %v", size, err)
	}
	_, err := db.LatestCheckpoint("control")
	want(t, err, auditlog.ErrNotFound)
	two, _ := auditBatch(t, tree, "control", 5, 1)
	two.Checkpoint = &auditlog.Checkpoint{Size: 5, Note: []byte("n"), Mark: 2}
	must(t, db.AppendAudit(two))
	c, err := db.LatestCheckpoint("control")
	must(t, err)
	same(t, c, *two.Checkpoint)
}

func auditTransactions(t *testing.T, db store.Raw, _ RawOpener) {
	b, tree := auditBatch(t, nil, "control", 0, 1)
	fault := errors.New("no")
	err := db.InTx(func(tx store.Raw) error {
		must(t, tx.AppendAudit(b))
		if size, err := tx.AuditSize("control"); err != nil || size != 1 {
			t.Errorf("size inside is %d, %v", size, err)
		}
		h, err := tx.AuditHashes("control", []int64{0})
		must(t, err)
		same(t, h, tree)
		want(t, tx.AppendAudit(b), auditlog.ErrConflict)
		return fault
	})
	want(t, err, fault)
	if size, err := db.AuditSize("control"); err != nil || size != 0 {
		t.Errorf("size after a rollback is %d, %v", size, err)
	}
	must(t, db.InTx(func(tx store.Raw) error { return tx.AppendAudit(b) }))
	if size, err := db.AuditSize("control"); err != nil || size != 1 {
		t.Errorf("size after a commit is %d, %v", size, err)
	}
}

func auditHashes(t *testing.T, db store.Raw, _ RawOpener) {
	var tree []tlog.Hash
	at := uint64(0)
	for n := uint64(1); n < 40; n++ {
		var b auditlog.Batch
		b, tree = auditBatch(t, tree, "calls/2026", at, n)
		must(t, db.AppendAudit(b))
		at += n
	}
	other, _ := auditBatch(t, nil, "calls/2025", 0, 9) // before it in the order of names
	must(t, db.AppendAudit(other))
	indexes := make([]int64, len(tree))
	for i := range indexes {
		indexes[i] = int64(len(tree) - 1 - i)
	}
	got, err := db.AuditHashes("calls/2026", indexes)
	must(t, err)
	for i, index := range indexes {
		if got[i] != tree[index] {
			t.Fatalf("hash %d is another", index)
		}
	}
	for _, beyond := range []int64{int64(len(tree)), int64(len(tree)) + 1, 1 << 40} {
		_, err = db.AuditHashes("calls/2026", []int64{0, beyond})
		want(t, err, auditlog.ErrNotFound)
	}
	if got, err := db.AuditHashes("calls/2026", nil); err != nil || len(got) != 0 {
		t.Errorf("no hashes: %v, %v", got, err)
	}
}

func auditCheckpoints(t *testing.T, db store.Raw, reopen RawOpener) {
	for _, size := range []uint64{0, 5, 300, 256} {
		must(t, db.SaveCheckpoint("control", auditlog.Checkpoint{Size: size, Mark: size / 2, Note: fmt.Appendf(nil, "note %d", size)}))
	}
	// Cosignatures come later; a mark never goes back.
	must(t, db.SaveCheckpoint("control", auditlog.Checkpoint{Size: 256, Mark: 1, Note: []byte("cosigned")}))
	db = reopen(t)
	heads, err := db.AuditHeads()
	must(t, err)
	same(t, heads, []auditlog.Head{{Log: "control"}})
	all, err := db.Checkpoints("control", 5, 2)
	must(t, err)
	same(t, all, []auditlog.Checkpoint{{Size: 5, Mark: 2, Note: []byte("note 5")}, {Size: 256, Mark: 128, Note: []byte("cosigned")}})
	last, err := db.LatestCheckpoint("control")
	must(t, err)
	if last.Size != 300 || !bytes.Equal(last.Note, []byte("note 300")) {
		t.Errorf("the newest is %+v", last)
	}
}

// auditRace: of many who append at one place, one does.
func auditRace(t *testing.T, db store.Raw, _ RawOpener) {
	b, _ := auditBatch(t, nil, "control", 0, 3)
	results := make(chan error, 16)
	var all sync.WaitGroup
	for range cap(results) {
		all.Go(func() { results <- db.AppendAudit(b) })
	}
	all.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else {
			want(t, err, auditlog.ErrConflict)
		}
	}
	if size, err := db.AuditSize("control"); err != nil || size != 3 || won != 1 {
		t.Errorf("%d won, size is %d, %v", won, size, err)
	}
}
