package auditlog

import (
	"errors"
	"time"
)

// lastTries bounds how often a closing process tries to move what is queued
// when nobody seems to: what it leaves is moved after the next start of any.
const lastTries = 10

// sequence tries to be the log's sequencer until the book closes.
func (l *Log) sequence() {
	defer close(l.sequenced)
	for left := lastTries; ; {
		s, err := l.book.c.Cluster.Queue.Sequence(l.name)
		if err == nil {
			err = l.lead(s)
			l.leading.Store(false)
			err = errors.Join(err, s.Close())
		}
		if err != nil && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrFenced) {
			l.behind(err)
		}
		if !l.pauseQueue(l.book.c.Cluster.Retry) {
			continue
		}
		if left--; err == nil || left == 0 {
			return
		}
		<-time.After(l.book.c.Cluster.Retry)
	}
}

// behind tells why this process does not build the log: entries still go into
// the queue, and another process may build it.
func (l *Log) behind(err error) {
	l.lagging = true
	l.changed(l.failure(err))
}

// pauseQueue waits, and reports whether the book closes.
func (l *Log) pauseQueue(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.leave:
		return true
	default:
	}
	select {
	case <-l.leave:
		return true
	case <-l.moved:
	case <-timer.C:
	}
	return false
}

// lead moves what is queued into the tree. It reads the log anew first: only
// what is stored counts, whatever became of the sequencer before. It returns
// nil when the book closes and nothing waits.
func (l *Log) lead(s Sequencer) error {
	l.writing.Lock()
	err := l.reload()
	l.writing.Unlock()
	if err != nil {
		return err
	}
	l.leading.Store(true)
	if l.lagging {
		l.lagging = false
		l.changed(nil)
	}
	unsigned := time.NewTimer(signAfter)
	defer unsigned.Stop()
	for closing := false; ; {
		n, err := l.drain(s)
		switch {
		case err != nil:
			return err
		case n > 0:
			continue
		case closing:
			return l.signLocked()
		}
		select {
		case <-unsigned.C:
			if err := l.signLocked(); err != nil {
				return err
			}
			unsigned.Reset(signAfter)
		default:
		}
		closing = l.pauseQueue(l.book.c.Cluster.Poll)
	}
}

func (l *Log) signLocked() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.sign()
}

// drain moves one batch and returns how many rows that were.
func (l *Log) drain(s Sequencer) (int, error) {
	rows, err := s.Queued(maxBatch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	var entries []Entry
	bytes, n := 0, 0
	for ; n < len(rows); n++ {
		bytes += len(rows[n].Entries)
		if n > 0 && (uint64(len(entries))+rows[n].Count > maxBatch || bytes > maxGroupBytes+maxBatch*MaxLeaf) {
			break
		}
		more, err := l.openRow(&rows[n])
		if err != nil {
			return 0, err
		}
		entries = append(entries, more...)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	tree := l.tree.Load()
	b, err := l.build(tree, entries)
	if err != nil {
		return 0, err
	}
	b.Checkpoint = l.ready(tree)
	if err := s.Append(b.Batch, rows[:n]); err != nil {
		return 0, err
	}
	l.advance(b, entries)
	return n, nil
}
