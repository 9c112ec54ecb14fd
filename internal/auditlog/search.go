package auditlog

import (
	"fmt"
	"time"
)

// Since returns where the first row begins whose last entry is not older than
// t, or the log's size. It halves the log, so it takes entries to be in the
// order of their times: where a clock was set back it may be off, and who
// searches from there on looks at the rest too before saying that something is
// not there.
func (l *Log) Since(t time.Time) (uint64, error) {
	low, high := uint64(0), l.Size()
	for low < high {
		b, err := l.book.c.Rows.AuditBatch(l.name, low+(high-low)/2)
		if err != nil {
			return 0, fmt.Errorf("search %s: %w", l.name, err)
		}
		last, err := l.lastOf(&b, low+(high-low)/2)
		if err != nil {
			return 0, err
		}
		if last.Time.Before(t) {
			low = b.First + b.Count
		} else {
			high = max(low, b.First)
		}
	}
	return low, nil
}

// lastOf reads the last leaf of the row that holds the entry at index.
func (l *Log) lastOf(b *Batch, index uint64) (Leaf, error) {
	leaves, err := l.leavesOf(b, index)
	if err != nil {
		return Leaf{}, err
	}
	leaf, err := ParseLeaf(leaves[len(leaves)-1])
	if err != nil {
		return Leaf{}, &Broken{l.name, b.First + b.Count - 1, "the entry does not have its form"}
	}
	return leaf, nil
}
