package auditlog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// AppendIn adds e to the control log through rows, which belong to a
// transaction of the caller: the entry stands when that commits, and was never
// there when it does not. Nothing of it is remembered here; the log's own
// writer signs it soon. ErrConflict: another writer was faster, the transaction
// must be begun anew.
func (b *Book) AppendIn(rows Rows, e Entry) (Place, error) {
	l := b.Control()
	if err := l.admit(&e); err != nil {
		return Place{}, err
	}
	if err := l.Err(); err != nil {
		return Place{}, err
	}
	size, err := rows.AuditSize(l.name)
	if err != nil {
		return Place{}, fmt.Errorf("size of %s: %w", l.name, err)
	}
	if err := l.shrunk(size); err != nil {
		return Place{}, err
	}
	tree, err := readEdge(rows, l.name, size)
	if err != nil {
		return Place{}, err
	}
	batch, err := l.build(tree, []Entry{e})
	if err != nil {
		return Place{}, err
	}
	if err := rows.AppendAudit(batch.Batch); err != nil {
		return Place{}, fmt.Errorf("append to %s: %w", l.name, err)
	}
	l.poked.Store(true)
	l.nudge()
	leaves, err := split(batch.Leaves, 1, MaxLeaf)
	if err != nil {
		return Place{}, err
	}
	return Place{Log: l.name, Index: batch.First, Leaf: leaves[0]}, nil
}

// Heads returns root and size of every log as it is stored, for the control log
// to hold: what an operator deletes of one log, another still counts.
func (b *Book) Heads() ([]Tree, error) {
	var all []Tree
	for _, info := range b.Logs() {
		root, err := tlog.TreeHash(int64(info.Size), hashReader(b.c.Rows, info.Name))
		if err != nil {
			return nil, fmt.Errorf("root of %s: %w", info.Name, err)
		}
		all = append(all, Tree{info.Origin, info.Size, root})
	}
	return all, nil
}

// Heads lists the logs in the rows, also of a book that Open refuses.
func Heads(c Config) ([]Head, error) { return c.Rows.AuditHeads() }
