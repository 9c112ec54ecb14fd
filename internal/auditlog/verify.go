package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/keys"
)

// How many rows one read of a verification takes: at most a few megabytes.
const (
	batchesAtOnce     = 16
	checkpointsAtOnce = 64
)

// verifyOptions tune a verification. The zero value checks everything at once.
type verifyOptions struct {
	progress func(done, total uint64)
	pace     func() error // asked before each read; its error ends the work
}

// Verify recomputes the whole log: form, hashes and commitments of every
// entry, and root and signature of every stored checkpoint. It holds a few
// batches in memory. *Broken names the first index that is known to be bad;
// between two checkpoints, of a history that was rewritten consistently, that
// is the first entry after the last good one.
func (l *Log) Verify(ctx context.Context, progress func(done, total uint64)) error {
	return l.verify(verifyOptions{progress: progress, pace: func() error {
		if ctx.Err() != nil {
			return fmt.Errorf("verify %s: %w", l.name, context.Cause(ctx))
		}
		return nil
	}})
}

// VerifyRows recomputes a log as Verify does, without opening the book: it also
// works on a book that Open refuses. *Broken names the first index that is bad.
func VerifyRows(ctx context.Context, c Config, n Name, progress func(done, total uint64)) error {
	if !n.valid() {
		return &Broken{n, 0, "there is no log of that name"}
	}
	b := &Book{c: c.withDefaults(), calls: newOpenCalls()}
	return b.newLog(n).Verify(ctx, progress)
}

func (l *Log) verify(o verifyOptions) error {
	// The checkpoint comes first: entries are stored before one counts them.
	newest, err := l.book.c.Rows.LatestCheckpoint(l.name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("newest checkpoint of %s: %w", l.name, err)
	}
	size, err := l.book.c.Rows.AuditSize(l.name)
	if err != nil {
		return fmt.Errorf("size of %s: %w", l.name, err)
	}
	v := &verifier{log: l, o: o, checkpoints: true, last: max(newest.Size, l.covered())}
	if err := v.through(size); err != nil {
		return err
	}
	if v.last > size {
		return &Broken{l.name, size, fmt.Sprintf("a checkpoint counts %d entries, and %d are stored: entries are missing", v.last, size)}
	}
	return nil
}

// verifier walks a log from a known tree.
type verifier struct {
	log  *Log
	o    verifyOptions
	tree edge // of what was seen and found good

	checkpoints bool // whether to compare with those that are stored
	last        uint64
	ahead       []Checkpoint
	asked       uint64 // sizes below were fetched
	good        uint64 // size of the last checkpoint that fits
}

func (v *verifier) bad(index uint64, why string) error { return &Broken{v.log.name, index, why} }

// through checks the entries up to size.
func (v *verifier) through(size uint64) error {
	if err := v.compare(); err != nil {
		return err
	}
	for v.tree.size < size {
		if v.o.pace != nil {
			if err := v.o.pace(); err != nil {
				return err
			}
		}
		at := v.tree.size
		all, err := v.log.book.c.Rows.AuditBatches(v.log.name, at, batchesAtOnce)
		if err != nil {
			return fmt.Errorf("read %s: %w", v.log.name, err)
		}
		for i := range all {
			if err := v.batch(&all[i]); err != nil {
				return err
			}
		}
		if v.tree.size == at {
			return v.bad(at, "the entry is missing")
		}
		if v.o.progress != nil {
			v.o.progress(min(v.tree.size, size), size)
		}
	}
	return nil
}

// batch checks a row. The walk may begin inside it.
func (v *verifier) batch(b *Batch) error {
	at := v.tree.size
	switch {
	case b.First > at:
		return v.bad(at, "the entry is missing")
	case b.First+b.Count <= at || b.Count == 0 || b.Count > maxBatch:
		return v.bad(at, "the row does not hold the entries that its index says")
	case b.HashStart != uint64(tlog.StoredHashCount(int64(b.First))),
		len(b.Hashes) != HashSize*int(tlog.StoredHashCount(int64(b.First+b.Count))-tlog.StoredHashCount(int64(b.First))):
		return v.bad(at, "the row does not hold the hashes of its entries")
	}
	leaves, err := split(b.Leaves, b.Count, MaxLeaf)
	if err != nil {
		return v.bad(at, "the row's entries do not have their form")
	}
	p, err := v.parts(b)
	if err != nil {
		return err
	}
	var hashes []byte
	for i := at - b.First; i < b.Count; i++ {
		leaf, err := ParseLeaf(leaves[i])
		if err != nil || leaf.Log != v.log.name {
			return v.bad(v.tree.size, "the entry does not have the form of one of this log")
		}
		if p != nil {
			if why := p.fits(b.First+i, i, leaves[i], &leaf); why != "" {
				return v.bad(v.tree.size, why)
			}
		}
		if hashes, err = v.add(leaves[i], hashes[:0], b); err != nil {
			return err
		}
	}
	return nil
}

// add appends a leaf to the tree and compares with what is stored.
func (v *verifier) add(leaf, hashes []byte, b *Batch) ([]byte, error) {
	index := v.tree.size
	hashes, err := v.tree.add(tlog.RecordHash(leaf), hashes)
	if err != nil {
		return nil, err
	}
	from := int(tlog.StoredHashCount(int64(index))-int64(b.HashStart)) * HashSize
	if !bytes.Equal(hashes, b.Hashes[from:from+len(hashes)]) {
		return nil, v.bad(index, "the entry's hashes are not those that are stored")
	}
	return hashes, v.compare()
}

// parts opens a batch's parts; nil when they are gone by retention or because
// their key was destroyed.
func (v *verifier) parts(b *Batch) (*parts, error) {
	if b.Parts == nil {
		return nil, v.log.purged(max(b.First, v.tree.size))
	}
	p, err := v.log.book.c.openParts(b)
	switch {
	case err == nil:
		return p, nil
	case gone(err):
		return nil, nil
	case errors.Is(err, errBlob), errors.Is(err, keys.ErrSeal):
		return nil, v.bad(max(b.First, v.tree.size), "the sealed parts of the entry do not open")
	}
	return nil, err
}

// purged refuses parts that are missing without retention's leave: deleting
// them is how evidence is taken away while the tree still verifies
// (TestMissingParts).
func (l *Log) purged(index uint64) error {
	if l.book.c.Purged != nil && index < l.book.c.Purged(l.name) {
		return nil
	}
	return &Broken{l.name, index, "the sealed parts of the entry are missing"}
}

// compare checks every stored checkpoint of the tree's present size.
func (v *verifier) compare() error {
	for v.checkpoints {
		if len(v.ahead) == 0 {
			if v.asked > v.last {
				return nil
			}
			all, err := v.log.book.c.Rows.Checkpoints(v.log.name, v.asked, checkpointsAtOnce)
			if err != nil {
				return fmt.Errorf("read checkpoints of %s: %w", v.log.name, err)
			}
			if len(all) == 0 {
				v.asked = v.last + 1
				return nil
			}
			v.ahead, v.asked = all, all[len(all)-1].Size+1
		}
		if v.ahead[0].Size > v.tree.size {
			return nil
		}
		if err := v.fits(v.ahead[0]); err != nil {
			return err
		}
		v.ahead = v.ahead[1:]
	}
	return nil
}

func (v *verifier) fits(c Checkpoint) error {
	tree, err := openTree(c.Note, v.log.origin, v.log.vkeys())
	if err != nil || tree.Size != c.Size || tree.Size != v.tree.size {
		return v.bad(v.good, fmt.Sprintf("the checkpoint of %d entries is not one that this gateway signed", c.Size))
	}
	root, err := v.tree.root()
	if err != nil {
		return err
	}
	if root != tree.Root {
		return v.bad(v.good, fmt.Sprintf("entries %d to %d are not those that the checkpoint of %d was signed over", v.good, c.Size-1, c.Size))
	}
	v.good = c.Size
	return nil
}
