package auditlog

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// When checkpoints are signed: after that many entries, or that long after the
// first entry without one.
const (
	signEvery = 256
	signAfter = time.Second
)

// maxRaces bounds how often a batch is built anew because somebody else
// appended meanwhile. Only the control log has several writers.
const maxRaces = 64

// run is the writer. One goroutine per open log; it ends when the log closes.
func (l *Log) run() {
	defer close(l.ended)
	defer l.timer.Stop()
	defer l.later.Stop()
	for {
		select {
		case <-l.timer.C:
			l.due.Store(true)
		default:
		}
		g, last := l.next()
		switch {
		case g != nil:
			l.put(g)
			l.gather(len(g.entries))
			continue
		case last:
			l.atEnd()
			return
		case l.due.Load():
			l.keep()
			continue
		}
		select {
		case <-l.wake:
			l.arm()
		case <-l.timer.C:
			l.due.Store(true)
		}
	}
}

// put writes g, and gets the log going again when that failed.
func (l *Log) put(g *group) {
	l.watch()
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.tree.Load() == nil { // a year that began while running
		if err := l.reload(); err != nil {
			l.stop(err)
			g.finish(l.failure(err))
			l.recover()
			return
		}
	}
	b, err := l.try(g)
	if err == nil {
		return
	}
	l.stop(err)
	if b != nil {
		l.settle(g, b, err)
	} else {
		g.finish(l.failure(err))
	}
	l.recover()
}

// built is a batch and what becomes of the log when it is stored.
type built struct {
	Batch
	tree *edge
	ends []int
}

// try commits g. A nil batch beside an error says that nothing was stored;
// with a batch nobody knows.
func (l *Log) try(g *group) (*built, error) {
	for range maxRaces {
		tree, err := l.present()
		if err != nil {
			return nil, err
		}
		b, err := l.build(tree, g.entries)
		if err != nil {
			return nil, err
		}
		b.Checkpoint = l.ready(tree)
		began := l.book.c.Clock.Now()
		err = l.book.c.Rows.AppendAudit(b.Batch)
		if err == nil {
			l.book.count.took.Store(int64(l.book.c.Clock.Now().Sub(began)))
			l.committed(g, b)
			return nil, nil
		}
		if !errors.Is(err, ErrConflict) {
			return b, err
		}
		if !l.shared {
			return nil, err // the log is ours alone: look before going on
		}
	}
	return nil, ErrConflict
}

// present returns the tree that the next batch extends. The control log's is
// read anew, because changes elsewhere append to it too.
func (l *Log) present() (*edge, error) {
	if !l.shared {
		return l.tree.Load(), nil
	}
	size, err := l.book.c.Rows.AuditSize(l.name)
	if err != nil {
		return nil, fmt.Errorf("size of %s: %w", l.name, err)
	}
	if err := l.shrunk(size); err != nil {
		return nil, err
	}
	return readEdge(l.book.c.Rows, l.name, size)
}

// build makes the batch that appends entries to tree: leaves, hashes, and the
// parts under one seal.
func (l *Log) build(tree *edge, entries []Entry) (*built, error) {
	next := *tree
	size := saltSize
	for i := range entries {
		size += len(entries[i].Part) + 3 + HashSize
	}
	b := &built{tree: &next, ends: make([]int, len(entries)), Batch: Batch{
		Log: l.name, First: tree.size, Count: uint64(len(entries)), HashStart: uint64(tlog.StoredHashCount(int64(tree.size))),
		Leaves: make([]byte, 0, len(entries)*280), Hashes: make([]byte, 0, (2*len(entries)+64)*HashSize),
	}}
	plain := newSalt(make([]byte, 0, size))
	c := newCommitter(plain[:saltSize])
	sums := make([]byte, 0, len(entries)*HashSize)
	var scratch [MaxLeaf]byte
	var err error
	for i := range entries {
		e := &entries[i]
		leaf := l.leaf(e)
		leaf.Commit = Commitment(c.key(next.size), e.Part)
		raw := leaf.Append(scratch[:0])
		b.Leaves = appendBytes(b.Leaves, raw)
		b.ends[i] = len(b.Leaves)
		plain = appendBytes(plain, e.Part)
		sum := tlog.RecordHash(raw)
		sums = append(sums, sum[:]...)
		if b.Hashes, err = next.add(sum, b.Hashes); err != nil {
			return nil, err
		}
	}
	plain = append(plain, sums...)
	b.Parts, err = l.book.c.Sealer.SealAudit(identity(l.book.c.Tenant, l.name, b.First), plain)
	clear(plain)
	if err != nil {
		return nil, fmt.Errorf("seal parts: %w", err)
	}
	return b, nil
}

// committed tells the log and all who wait that b is stored.
func (l *Log) committed(g *group, b *built) {
	l.advance(b, g.entries)
	l.arm()
	g.first, g.leaves, g.ends = b.First, b.Leaves, b.ends
	g.finish(nil)
	if len(g.entries) > 1 {
		// Those who just woke may have their next entry ready: let them run, so
		// that it comes into the next batch and not half of them in each. A
		// lone caller does not pay for it.
		runtime.Gosched()
	}
}

// advance takes in that b is stored.
func (l *Log) advance(b *built, entries []Entry) {
	l.tree.Store(b.tree)
	l.book.count.entries.Add(b.Count)
	l.book.count.batches.Add(1)
	if b.Checkpoint != nil {
		l.disarm()
		l.publish(*b.Checkpoint)
	}
	if l.book.c.Cluster == nil {
		l.book.calls.note(l.name, b.First, entries)
	}
}

// settle finds out whether b, whose commit failed, is stored all the same. A
// lost connection or a failed fsync says nothing about it; only reading does
// (TestLostCommit). It gives the waiters up after a while, and goes on.
func (l *Log) settle(g *group, b *built, cause error) {
	waiting := true
	for pause := range l.pauses() {
		stored, err := l.find(&b.Batch)
		switch {
		case err == nil && stored && waiting:
			l.committed(g, b)
			return
		case err == nil && waiting:
			g.finish(l.failure(cause))
			return
		case err == nil:
			return // the log is read anew, with or without it
		}
		if waiting && pause.tries >= maxTries {
			waiting = false
			g.finish(fmt.Errorf("%w: %w", ErrUncertain, cause))
		}
	}
	if waiting {
		g.finish(fmt.Errorf("%w: %w", ErrUncertain, cause))
	}
}

// find reports whether exactly b is stored. Its commitments hang on a random
// salt, so no other batch has its leaves.
func (l *Log) find(b *Batch) (bool, error) {
	size, err := l.book.c.Rows.AuditSize(l.name)
	if err != nil {
		return false, err
	}
	if size < b.First+b.Count {
		return false, nil
	}
	got, err := l.book.c.Rows.AuditBatch(l.name, b.First)
	if err != nil {
		return false, err
	}
	return got.First == b.First && got.Count == b.Count && slices.Equal(got.Leaves, b.Leaves), nil
}
