package auditlog

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// How long a stopped log waits between two looks at the store, and how often
// it looks before it gives up those who wait for an uncertain commit.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
	maxTries   = 8
)

// pause is one turn of a retry.
type pause struct{ tries int }

// pauses yields at once, then with growing pauses, until the log closes.
func (l *Log) pauses() iter.Seq[pause] {
	return func(yield func(pause) bool) {
		wait := firstPause
		for tries := 0; ; tries++ {
			if !yield(pause{tries}) {
				return
			}
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-l.quit:
				timer.Stop()
				return
			}
			wait = min(2*wait, lastPause)
		}
	}
}

// stop refuses new entries and all that wait, until recover.
func (l *Log) stop(cause error) {
	failure := l.failure(cause)
	l.mu.Lock()
	l.stopped = failure
	l.mu.Unlock()
	l.refuse(failure)
	l.changed(failure)
}

func (l *Log) changed(err error) {
	if l.book.c.Changed != nil {
		l.book.c.Changed(l.name, err)
	}
}

// worse remembers why the log still takes nothing, and tells when that is a
// change of what is stored: nothing goes on from there without an operator.
func (l *Log) worse(err error) {
	var now, before *Broken
	l.mu.Lock()
	was, is := errors.As(l.stopped, &before), errors.As(err, &now)
	if is || !was { // a store that is away as well says nothing new
		l.stopped = l.failure(err)
	}
	found, failure := is && !was, l.stopped
	l.mu.Unlock()
	if found {
		l.changed(failure)
	}
}

func (l *Log) failure(cause error) error { return fmt.Errorf("%w: %w", ErrStopped, cause) }

// recover gets a stopped log going again: it reads what is stored, checks it,
// and proves with a write that there is room again. Nobody has to do anything
// by hand (hostile case G06; TestDiskFull).
func (l *Log) recover() {
	for range l.pauses() {
		err := l.reload()
		if err == nil {
			err = l.probe()
		}
		if err == nil {
			l.mu.Lock()
			l.stopped = nil
			l.mu.Unlock()
			l.changed(nil)
			return
		}
		l.worse(err)
	}
}

// probe writes: a checkpoint of now, over the newest one if nothing was added.
func (l *Log) probe() error {
	tree := l.tree.Load()
	c, err := l.checkpoint(tree)
	if err != nil {
		return err
	}
	if signed := l.signed.Load(); signed != nil && signed.Size == tree.size {
		c = signed.Checkpoint // with its cosignatures
	}
	return l.save(c)
}
