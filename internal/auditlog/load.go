package auditlog

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Broken is a log that does not verify: the first index that is known to be
// bad, and why.
type Broken struct {
	Log   Name
	Index uint64
	Why   string
}

func (e *Broken) Error() string {
	return fmt.Sprintf("log %s is broken at entry %d: %s", e.Log, e.Index, e.Why)
}

// reload reads the log's state from the store and checks it against itself and
// against what was signed; it looks at a few dozen hashes and the unsigned
// tail, never at the whole log. The caller holds writing or is alone.
func (l *Log) reload() error {
	size, err := l.book.c.Rows.AuditSize(l.name)
	if err != nil {
		return fmt.Errorf("size of %s: %w", l.name, err)
	}
	signed, err := l.newest()
	if err != nil {
		return err
	}
	if old := l.signed.Load(); old != nil && (signed == nil || signed.Size < old.Size) {
		return &Broken{l.name, size, fmt.Sprintf("the checkpoint of %d entries is gone", old.Size)}
	}
	if signed != nil && signed.Size > size {
		return &Broken{l.name, size, fmt.Sprintf("its newest checkpoint counts %d entries, and %d are stored: entries are missing", signed.Size, size)}
	}
	tree, err := readEdge(l.book.c.Rows, l.name, size)
	if err != nil {
		return l.located(err)
	}
	if err := l.extends(tree, signed); err != nil {
		return l.located(err)
	}
	if err := l.tail(tree, signed); err != nil {
		return err
	}
	l.tree.Store(tree)
	if old := l.signed.Load(); signed != nil && (old == nil || old.Size < signed.Size) {
		l.noteSigned(signed)
	}
	return nil
}

// newest reads and verifies the newest checkpoint; nil when there is none.
func (l *Log) newest() (*signedTree, error) {
	c, err := l.book.c.Rows.LatestCheckpoint(l.name)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("newest checkpoint of %s: %w", l.name, err)
	}
	tree, err := openTree(c.Note, l.origin, l.vkeys())
	if err != nil || tree.Size != c.Size {
		return nil, &Broken{l.name, c.Size, "the newest checkpoint is not one that this gateway signed"}
	}
	return &signedTree{Checkpoint: c, tree: tree}, nil
}

// extends proves that tree extends what was signed, in memory and in the store.
func (l *Log) extends(tree *edge, signed *signedTree) error {
	root, err := tree.root()
	if err != nil {
		return err
	}
	for _, s := range []*signedTree{signed, l.signed.Load()} {
		if s == nil || s.Size == 0 {
			continue
		}
		proof, err := tlog.ProveTree(int64(tree.size), int64(s.Size), hashReader(l.book.c.Rows, l.name))
		if err == nil {
			err = tlog.CheckTree(proof, int64(tree.size), root, int64(s.Size), s.tree.Root)
		}
		if err != nil {
			return fmt.Errorf("the stored tree does not extend the checkpoint of %d entries: %w", s.Size, err)
		}
	}
	return nil
}

// located turns a tree that does not fit into the first entry that is bad. It
// reads the whole log, which only a broken one costs.
func (l *Log) located(cause error) error {
	var broken *Broken
	if err := l.verify(verifyOptions{}); errors.As(err, &broken) {
		return broken
	} else if err != nil {
		return errors.Join(cause, err)
	}
	if errors.Is(cause, ErrNotFound) {
		return &Broken{l.name, 0, cause.Error()}
	}
	return fmt.Errorf("check %s: %w", l.name, cause)
}

// tail recomputes the entries after the newest checkpoint, of which there are
// few: nothing else vouches for them yet.
func (l *Log) tail(tree *edge, signed *signedTree) error {
	from := uint64(0)
	if signed != nil {
		from = signed.Size
	}
	if tree.size-from > maxTail || from == tree.size {
		return nil
	}
	e, err := readEdge(l.book.c.Rows, l.name, from)
	if err != nil {
		return l.located(err)
	}
	v := &verifier{log: l, tree: *e}
	if err := v.through(tree.size); err != nil {
		return err
	}
	if v.tree.size > tree.size {
		// Somebody appended since the size was read, which is no harm: the
		// control log has several writers (TestAppendWhileTheTailIsChecked).
		if tree, err = readEdge(l.book.c.Rows, l.name, v.tree.size); err != nil {
			return l.located(err)
		}
	}
	have, err := v.tree.root()
	if err != nil {
		return err
	}
	if want, err := tree.root(); err != nil || have != want {
		return l.located(errors.Join(errors.New("the tail's hashes are not those of its entries"), err))
	}
	return nil
}

// maxTail bounds what a start recomputes: what a second of full load writes.
const maxTail = 1 << 16
