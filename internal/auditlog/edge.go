package auditlog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of a tree: the roots of the full subtrees that make it
// up, one for each bit of the size. It is all that appending needs. The algebra
// is tlog's; edge is the storage behind it. The zero value is an empty tree.
type edge struct {
	size  uint64
	nodes [64]tlog.Hash // by level
}

// ReadHashes implements tlog.HashReader for the hashes of the edge.
func (e *edge) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		if e.size>>level&1 == 0 || uint64(n) != e.size>>level-1 {
			return nil, fmt.Errorf("hash %d is not on the edge of a tree of %d", index, e.size)
		}
		out[i] = e.nodes[level]
	}
	return out, nil
}

// add appends a leaf by its hash, and what is stored for it to hashes.
func (e *edge) add(leaf tlog.Hash, hashes []byte) ([]byte, error) {
	stored, err := tlog.StoredHashesForRecordHash(int64(e.size), leaf, e)
	if err != nil {
		return nil, fmt.Errorf("append to tree: %w", err)
	}
	for i := range stored {
		hashes = append(hashes, stored[i][:]...)
	}
	e.nodes[len(stored)-1] = stored[len(stored)-1]
	e.size++
	return hashes, nil
}

// root returns the tree's root hash.
func (e *edge) root() (tlog.Hash, error) {
	root, err := tlog.TreeHash(int64(e.size), e)
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("root of tree: %w", err)
	}
	return root, nil
}

// hashReader reads stored hashes of a log.
func hashReader(rows Rows, log Name) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		if len(indexes) == 0 {
			return nil, nil
		}
		return rows.AuditHashes(log, indexes)
	})
}

// readEdge loads the edge of a log's tree of size.
func readEdge(rows Rows, log Name, size uint64) (*edge, error) {
	e := &edge{size: size}
	var levels []int
	var indexes []int64
	for level := range e.nodes {
		if size>>level&1 == 1 {
			levels = append(levels, level)
			indexes = append(indexes, tlog.StoredHashIndex(level, int64(size>>level-1)))
		}
	}
	hashes, err := hashReader(rows, log).ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("read the edge of %s: %w", log, err)
	}
	for i, level := range levels {
		e.nodes[level] = hashes[i]
	}
	return e, nil
}
