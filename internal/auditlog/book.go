package auditlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Book is the logs of one tenant. Safe for concurrent use.
type Book struct {
	c     Config
	calls *openCalls
	watch watch
	count counts
	lost  []*Broken // logs of which something was deleted; they stay as they are

	now atomic.Pointer[year]

	mu     sync.Mutex // guards what is below
	logs   map[Name]*Log
	closed bool
}

// counts is what Stats adds up.
type counts struct {
	entries, batches atomic.Uint64
	took             atomic.Int64 // nanoseconds
}

// Log is one log. Safe for concurrent use.
type Log struct {
	book   *Book
	name   Name
	origin string
	kinds  map[Kind]bool
	shared bool // others append too, in transactions of theirs: the control log

	tree     atomic.Pointer[edge]       // of what is stable; nil: not read yet
	signed   atomic.Pointer[signedTree] // the newest checkpoint; nil: none
	cosigned atomic.Pointer[signedTree] // the newest with cosignatures
	poked    atomic.Bool                // somebody appended through AppendIn
	due      atomic.Bool                // a checkpoint is due

	wake  chan struct{} // one token: there is something to do
	quit  chan struct{} // closed when the log closes
	ended chan struct{} // closed when the writer has ended
	timer *time.Timer   // of the next checkpoint
	later *time.Timer   // ends the patience with entries that nobody waits for
	calm  *time.Timer   // ends the writer's patience with those who are to come

	content int // how many commits long no larger crowd is looked for; the writer's

	// Of cluster mode only.
	seq       uint64        // the last that was enqueued; the writer's
	moved     chan struct{} // one token: something was enqueued here
	leave     chan struct{} // closed when the sequencer should end
	left      sync.Once
	sequenced chan struct{} // closed when it has
	leading   atomic.Bool   // it is this process
	lagging   bool          // Changed was told that it cannot be; the sequencer's

	writing sync.Mutex // held while the log's rows are written

	mu      sync.Mutex // guards what is below
	groups  []*group   // what waits, oldest first
	current *group     // what was taken last
	entries int        // in groups
	bytes   int        // of their parts
	stopped error      // why the log takes nothing
	closing bool
	hurry   bool // what trails is due
	want    int  // the writer waits for so many entries; 0: it does not
	armed   bool // the timer runs
}

// Open opens the logs and checks them: size, right edge, tail and newest
// checkpoint must agree, else *Broken. It reads little of them.
func Open(c Config) (*Book, error) {
	b := &Book{c: c.withDefaults(), calls: newOpenCalls(), logs: map[Name]*Log{}}
	if n := b.c.Cluster; n != nil && (n.Node == "" || len(n.Node) > maxExchange || !plain(n.Node)) {
		return nil, fmt.Errorf("%w: the node's name", ErrEntry)
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Book) open() error {
	heads, err := b.c.Rows.AuditHeads()
	if err != nil {
		return fmt.Errorf("list the logs: %w", err)
	}
	newest := CallsName(b.c.Clock.Now().UTC().Year(), b.c.Restored)
	names := []Name{b.control()}
	for _, h := range heads {
		if !h.Log.valid() {
			return &Broken{h.Log, 0, "there is no log of that name"}
		}
		if h.Log != b.control() {
			names = append(names, h.Log)
		}
		if h.Log.year() > newest.year() && h.Log.Restored() == b.c.Restored {
			newest = h.Log // the clock is behind what was written
		}
	}
	for _, n := range names {
		if err := b.load(n); err != nil {
			return err
		}
	}
	if b.logs[newest] == nil {
		if err := b.load(newest); err != nil {
			return err
		}
	}
	if err := b.recount(); err != nil {
		return err
	}
	b.watch.saw(b.lastTime(newest))
	b.watch.look(b.c.Clock.Now(), b.c.Stepped)
	if err := b.finishOld(newest); err != nil {
		return err
	}
	b.start(b.logs[b.control()])
	b.begin(b.logs[newest])
	return nil
}

// finishOld signs what the logs of earlier years have unsigned, after a crash at
// their end. Those of before a restore stay as they are: whoever was restored
// may not be the only one to go on from there.
func (b *Book) finishOld(newest Name) error {
	for _, l := range b.all() {
		if b.c.Cluster != nil || b.isLost(l.name) || l.name == newest || !l.name.IsCalls() || l.name.Restored() != b.c.Restored || l.tree.Load().size == l.covered() {
			continue
		}
		if err := l.sign(); err != nil {
			return err
		}
	}
	return nil
}

// load reads and checks a log.
func (b *Book) load(n Name) error {
	l := b.newLog(n)
	if err := l.reload(); err != nil {
		return err
	}
	if n.IsCalls() && b.c.Cluster == nil { // there, calls in flight elsewhere are no orphans
		if err := b.calls.scan(l); err != nil {
			return err
		}
	}
	b.logs[n] = l
	return nil
}

// signers returns who signs the next checkpoint.
func (l *Log) signers() []note.Signer {
	if l.book.c.Signers != nil {
		return l.book.c.Signers(l.origin)
	}
	return []note.Signer{l.book.c.Signer(l.origin)}
}

// vkeys returns the keys that a checkpoint of the log may be signed by.
func (l *Log) vkeys() []string { return l.book.c.VKeys(l.origin) }

// newLog returns a log that takes nothing yet.
func (b *Book) newLog(n Name) *Log {
	origin := b.c.Origin + "/" + string(n)
	l := &Log{
		book: b, name: n, origin: origin, kinds: kindsOf(n),
		shared: n.IsControl() || b.c.Cluster != nil, closing: true,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}), timer: time.NewTimer(time.Hour),
		moved: make(chan struct{}, 1), leave: make(chan struct{}), sequenced: make(chan struct{}),
	}
	l.timer.Stop()
	l.later = time.AfterFunc(time.Hour, l.hasten)
	l.later.Stop()
	l.calm = time.NewTimer(time.Hour)
	l.calm.Stop()
	return l
}

// start lets a log take entries.
func (b *Book) start(l *Log) {
	l.mu.Lock()
	l.closing = false
	l.mu.Unlock()
	if l.queues() {
		go l.runQueue()
		go l.sequence()
		return
	}
	l.poked.Store(true) // sign what the last run left unsigned
	l.arm()
	go l.run()
}

// Close writes what waits, signs last checkpoints and ends the writers. Entries
// that still wait when ctx ends are refused.
func (b *Book) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	all := b.all()
	var errs []error
	for _, l := range all {
		l.shut()
	}
	for _, l := range all {
		errs = append(errs, l.close(ctx))
	}
	return errors.Join(errs...)
}

// shut tells a running writer that nothing more comes.
func (l *Log) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closing {
		l.closing = true
		close(l.quit)
		l.nudge()
	}
}

func (l *Log) close(ctx context.Context) error {
	select {
	case <-l.quit:
	default:
		return nil // it never ran
	}
	select {
	case <-l.ended:
	case <-ctx.Done():
		l.refuse(ErrClosed)
		return fmt.Errorf("close %s: %w", l.name, context.Cause(ctx))
	}
	if l.queues() {
		l.left.Do(func() { close(l.leave) })
		select {
		case <-l.sequenced:
		case <-ctx.Done():
			return fmt.Errorf("close %s: %w", l.name, context.Cause(ctx))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// queues reports whether the log is one of cluster mode.
func (l *Log) queues() bool { return l.book.c.Cluster != nil && l.name.IsCalls() }

// atEnd signs what has no checkpoint, for the last time. It tries a few times,
// also after the log had stopped: each of a driver's idle connections may have
// broken unseen.
func (l *Log) atEnd() {
	l.writing.Lock()
	defer l.writing.Unlock()
	stopped := errors.Is(l.Err(), ErrStopped)
	if !stopped && l.tree.Load() == nil {
		return // a year in which nothing was written
	}
	var err error
	for range 4 {
		if err = nil; stopped {
			err = l.reload()
		}
		if err == nil {
			err = l.sign()
		}
		if err == nil {
			l.mu.Lock()
			l.stopped = nil
			l.mu.Unlock()
			return
		}
	}
	l.stop(err)
}

// control is the name of the control log that is written.
func (b *Book) control() Name { return ControlName(b.c.Restored) }
