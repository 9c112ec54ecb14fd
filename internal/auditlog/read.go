package auditlog

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/keys"
)

// gone reports whether parts do not open because their key was destroyed, not
// because somebody changed them.
func gone(err error) bool { return errors.Is(err, keys.ErrGone) }

// Read calls fn for the entries in [from, to), in order, until fn fails. Parts
// whose key is gone are nil; parts that were changed or taken away are *Broken.
// The slices are fn's to keep.
func (l *Log) Read(from, to uint64, fn func(Record) error) error {
	return l.each(from, to, func(b *Batch, at, to uint64) (uint64, error) { return l.readBatch(b, at, to, fn) })
}

// Leaves calls fn for the leaves in [from, to), in order, without opening any
// part, until fn fails. A leaf is valid until fn returns.
func (l *Log) Leaves(from, to uint64, fn func(index uint64, leaf []byte) error) error {
	return l.each(from, to, func(b *Batch, at, to uint64) (uint64, error) {
		leaves, err := l.leavesOf(b, at)
		if err != nil {
			return at, err
		}
		for ; at < min(to, b.First+b.Count); at++ {
			if err := fn(at, leaves[at-b.First]); err != nil {
				return at, err
			}
		}
		return at, nil
	})
}

// each hands on the batches of the entries in [from, to). read returns the
// index where it stopped. Rows may hold one entry or hundreds: how many are
// fetched follows from those before, so that little is read in vain.
func (l *Log) each(from, to uint64, read func(b *Batch, at, to uint64) (uint64, error)) error {
	limit := 1
	for from < to {
		all, err := l.book.c.Rows.AuditBatches(l.name, from, limit)
		if err != nil {
			return fmt.Errorf("read %s: %w", l.name, err)
		}
		at := from
		for i := range all {
			if at >= to {
				break
			}
			if at, err = read(&all[i], at, to); err != nil {
				return err
			}
		}
		if at == from {
			return fmt.Errorf("read %s at %d: %w", l.name, from, ErrNotFound)
		}
		if at < to {
			limit = int(min((to-at)*uint64(len(all))/(at-from)+1, batchesAtOnce))
		}
		from = at
	}
	return nil
}

// readBatch hands on a row's entries in [at, to) and returns where it stopped.
func (l *Log) readBatch(b *Batch, at, to uint64, fn func(Record) error) (uint64, error) {
	leaves, err := l.leavesOf(b, at)
	if err != nil {
		return at, err
	}
	var p *parts
	if b.Parts == nil {
		err = l.purged(at)
	} else if p, err = l.book.c.openParts(b); gone(err) {
		p, err = nil, nil
	} else if err != nil {
		err = errors.Join(&Broken{l.name, at, "the sealed parts of the entry do not open"}, err)
	}
	if err != nil {
		return at, err
	}
	for ; at < min(to, b.First+b.Count); at++ {
		i := at - b.First
		r := Record{Index: at, Leaf: leaves[i]}
		if p != nil {
			r.Part, r.Key = p.all[i], p.key(at)
			leaf, err := ParseLeaf(r.Leaf)
			if err != nil {
				return at, &Broken{l.name, at, "the entry does not have the form of one of this log"}
			}
			if why := p.fits(at, i, r.Leaf, &leaf); why != "" {
				return at, &Broken{l.name, at, why}
			}
		}
		if err := fn(r); err != nil {
			return at, err
		}
	}
	return at, nil
}

// leavesOf returns a row's leaves, of which one is that of index at.
func (l *Log) leavesOf(b *Batch, at uint64) ([][]byte, error) {
	if b.First > at || b.First+b.Count <= at {
		return nil, &Broken{l.name, at, "the entry is missing"}
	}
	leaves, err := split(b.Leaves, b.Count, MaxLeaf)
	if err != nil {
		return nil, &Broken{l.name, at, "the row's entries do not have their form"}
	}
	return leaves, nil
}

// Size returns the number of entries that are stable. That of the control log
// is read from the store; when that fails it is the last that was known.
func (l *Log) Size() uint64 {
	if l.shared {
		if size, err := l.book.c.Rows.AuditSize(l.name); err == nil {
			return size
		}
	}
	if tree := l.tree.Load(); tree != nil {
		return tree.size
	}
	return 0
}

// Name returns the log's name.
func (l *Log) Name() Name { return l.name }

// Origin returns what the log's checkpoints call it.
func (l *Log) Origin() string { return l.origin }

// Hashes returns the log's stored hashes, for tiles.
func (l *Log) Hashes() tlog.HashReader { return hashReader(l.book.c.Rows, l.name) }

// Proof returns the inclusion proof of index in the tree of size.
func (l *Log) Proof(index, size uint64) ([]tlog.Hash, error) {
	if index >= size || size > l.Size() {
		return nil, ErrNotFound
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), l.Hashes())
	if err != nil {
		return nil, fmt.Errorf("prove entry %d of %s: %w", index, l.name, err)
	}
	return p, nil
}

// Consistency returns the proof that the tree of size extends that of old. It
// is empty for an empty old tree and for two equal ones.
func (l *Log) Consistency(old, size uint64) ([]tlog.Hash, error) {
	if old > size || size > l.Size() {
		return nil, ErrNotFound
	}
	if old == 0 || old == size {
		return nil, nil
	}
	p, err := tlog.ProveTree(int64(size), int64(old), l.Hashes())
	if err != nil {
		return nil, fmt.Errorf("prove that %s grew from %d to %d: %w", l.name, old, size, err)
	}
	return p, nil
}

// Root returns the root hash of the tree of size.
func (l *Log) Root(size uint64) (tlog.Hash, error) {
	if size > l.Size() {
		return tlog.Hash{}, ErrNotFound
	}
	root, err := tlog.TreeHash(int64(size), l.Hashes())
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("root of %s at %d: %w", l.name, size, err)
	}
	return root, nil
}
