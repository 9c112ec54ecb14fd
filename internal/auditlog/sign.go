package auditlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// signedTree is a stored checkpoint and what it says.
type signedTree struct {
	Checkpoint
	tree Tree
	at   time.Time // when it was signed; zero: by an earlier run
}

// checkpoint signs tree. It refuses a tree that is smaller than one that was
// signed: a signature on both would be a fork of our own making. That a larger
// tree extends the signed one holds because reload proved it and each batch
// builds on the tree before it.
func (l *Log) checkpoint(tree *edge) (Checkpoint, error) {
	if err := l.shrunk(tree.size); err != nil {
		return Checkpoint{}, err
	}
	root, err := tree.root()
	if err != nil {
		return Checkpoint{}, err
	}
	if signed := l.signed.Load(); signed != nil && signed.Size == tree.size && signed.tree.Root != root {
		return Checkpoint{}, &Broken{l.name, tree.size, "the tree is not the one that was signed"}
	}
	signed, err := signTree(Tree{l.origin, tree.size, root}, l.signers()...)
	if err != nil {
		return Checkpoint{}, err
	}
	if l.book.c.Cluster != nil {
		return Checkpoint{Size: tree.size, Note: signed}, nil
	}
	if err := l.book.moveMarks(l); err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{Size: tree.size, Note: signed, Mark: l.book.calls.mark(l.name, tree.size)}, nil
}

// shrunk refuses a size below what was signed.
func (l *Log) shrunk(size uint64) error {
	if signed := l.signed.Load(); signed != nil && size < signed.Size {
		return &Broken{l.name, size, fmt.Sprintf("its newest checkpoint counts %d entries, and %d are stored: entries are missing", signed.Size, size)}
	}
	return nil
}

// ready returns the checkpoint that goes with the next batch: of the stable
// tree, so that nothing is signed that a failed commit takes back. It needs no
// commit of its own (TestCheckpointRidesAlong).
func (l *Log) ready(tree *edge) *Checkpoint {
	if l.shared && !l.leading.Load() || !l.due.Load() && tree.size-l.covered() < signEvery {
		return nil
	}
	if tree.size == l.covered() {
		return nil
	}
	c, err := l.checkpoint(tree)
	if err != nil {
		return nil // keep tries again, and reports
	}
	return &c
}

// covered is the size of the newest signed tree.
func (l *Log) covered() uint64 {
	if signed := l.signed.Load(); signed != nil {
		return signed.Size
	}
	return 0
}

// arm starts the wait for a checkpoint when an entry has none.
func (l *Log) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.armed || l.closing {
		return
	}
	tree := l.tree.Load()
	if l.shared && l.poked.Load() || tree != nil && tree.size > l.covered() {
		l.armed = true
		l.timer.Reset(signAfter)
	}
}

// keep signs and stores a checkpoint of now when one is due.
func (l *Log) keep() {
	l.disarm()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.sign(); err != nil {
		l.stop(err)
		l.recover()
	}
}

func (l *Log) disarm() {
	l.due.Store(false)
	l.poked.Store(false)
	l.mu.Lock()
	l.armed = false
	l.mu.Unlock()
}

// sign makes the newest checkpoint cover every stable entry. The caller holds
// writing.
func (l *Log) sign() error {
	if l.shared || l.tree.Load() == nil {
		if err := l.reload(); err != nil {
			return err
		}
	}
	tree := l.tree.Load()
	if tree.size == l.covered() {
		return l.shrunk(tree.size)
	}
	c, err := l.checkpoint(tree)
	if err != nil {
		return err
	}
	return l.save(c)
}

// save stores and publishes a checkpoint.
func (l *Log) save(c Checkpoint) error {
	if err := l.book.c.Rows.SaveCheckpoint(l.name, c); err != nil {
		return fmt.Errorf("store checkpoint of %s: %w", l.name, err)
	}
	l.publish(c)
	return nil
}

// publish makes a stored checkpoint the newest.
func (l *Log) publish(c Checkpoint) {
	tree, err := openTree(c.Note, l.origin, l.vkeys())
	if err != nil || tree.Size != c.Size {
		panic("auditlog: our own checkpoint does not open")
	}
	l.noteSigned(&signedTree{c, tree, l.book.c.Clock.Now()})
	if l.book.c.Signed != nil && c.Size > 0 {
		l.book.c.Signed(l.name, c.Size, c.Note)
	}
}

// Checkpoint returns the newest signed checkpoint, with the cosignatures that
// are stored, or ErrNotFound.
func (l *Log) Checkpoint() (signed []byte, size uint64, err error) {
	c := l.signed.Load()
	if l.queues() && !l.leading.Load() { // another process signs
		if c, err = l.newest(); err != nil {
			return nil, 0, err
		}
	}
	if c == nil {
		return nil, 0, ErrNotFound
	}
	return c.Note, c.Size, nil
}

// Sign returns a checkpoint of what is durable now.
func (l *Log) Sign(ctx context.Context) (signed []byte, size uint64, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if ctx.Err() != nil {
		return nil, 0, fmt.Errorf("sign: %w", context.Cause(ctx))
	}
	if err := l.sign(); err != nil {
		return nil, 0, err
	}
	return l.Checkpoint()
}

// Cosign stores the checkpoint of size with cosignatures added to it. It must
// be the one that was signed, word for word.
func (l *Log) Cosign(size uint64, signed []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	tree, err := openTree(signed, l.origin, l.vkeys())
	if err != nil {
		return err
	}
	old, err := l.stored(size)
	if err != nil {
		return err
	}
	if was, err := openTree(old.Note, l.origin, l.vkeys()); err != nil || was != tree {
		return errors.Join(ErrCheckpoint, err)
	}
	old.Note = signed
	if err := l.book.c.Rows.SaveCheckpoint(l.name, old); err != nil {
		return fmt.Errorf("store cosignatures: %w", err)
	}
	l.noteSigned(&signedTree{old, tree, l.book.c.Clock.Now()})
	return nil
}

func (l *Log) stored(size uint64) (Checkpoint, error) {
	all, err := l.book.c.Rows.Checkpoints(l.name, size, 1)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	if len(all) == 0 || all[0].Size != size {
		return Checkpoint{}, ErrNotFound
	}
	return all[0], nil
}

// Checkpoints returns at most limit stored checkpoints in order of size, the
// first of at least from.
func (l *Log) Checkpoints(from uint64, limit int) ([]Checkpoint, error) {
	all, err := l.book.c.Rows.Checkpoints(l.name, from, limit)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	return all, nil
}
