package auditlog

import (
	"errors"
	"sync"
	"time"
)

// year is the calls log of the present year and when it ends.
type year struct {
	log *Log
	end time.Time
}

// Calls returns the calls log of the present year. The first call of a new year
// opens a new log; a clock that went back does not bring the old one back. It
// does not wait for the store: a new log is read by its writer.
func (b *Book) Calls() *Log {
	y := b.now.Load()
	if now := b.c.Clock.Now(); now.Before(y.end) {
		return y.log
	}
	return b.turn()
}

// turn opens the log of a new year.
func (b *Book) turn() *Log {
	b.mu.Lock()
	defer b.mu.Unlock()
	y := b.now.Load()
	now := b.c.Clock.Now()
	if now.Before(y.end) || b.closed {
		return y.log
	}
	n := CallsName(now.UTC().Year(), b.c.Restored)
	l := b.newLog(n)
	b.logs[n] = l
	b.begin(l)
	y.log.shut()
	return l
}

// begin makes l the log of the present year.
func (b *Book) begin(l *Log) {
	if !b.isLost(l.name) { // signing it would hide what was deleted
		b.start(l)
	}
	b.now.Store(&year{l, time.Date(l.name.year()+1, 1, 1, 0, 0, 0, 0, time.UTC)})
}

// Submit hands e to the calls log of the present year; see Log.Submit.
func (b *Book) Submit(e Entry) *Ticket { return b.submit(e, true) }

func (b *Book) submit(e Entry, eager bool) *Ticket {
	l := b.Calls()
	t := l.submit(e, eager)
	if errors.Is(t.err, ErrClosed) {
		if next := b.Calls(); next != l { // the year ended in between
			return next.submit(e, eager)
		}
	}
	return t
}

// lastTime returns the time of a log's newest entry, or the zero time.
func (b *Book) lastTime(n Name) time.Time {
	l := b.logs[n]
	tree := l.tree.Load()
	if tree.size == 0 {
		return time.Time{}
	}
	var last time.Time
	row, err := b.c.Rows.AuditBatch(n, tree.size-1)
	if err != nil {
		return last
	}
	leaves, err := split(row.Leaves, row.Count, MaxLeaf)
	if err != nil || len(leaves) == 0 {
		return last
	}
	leaf, err := ParseLeaf(leaves[len(leaves)-1])
	if err != nil {
		return last
	}
	return leaf.Time
}

// watch looks for steps of the clock: the wall clock and the monotonic one, or
// two wall clocks of two runs, disagree.
type watch struct {
	mu   sync.Mutex
	last time.Time
}

// stepAtLeast is what counts as a step; less is adjustment.
const stepAtLeast = time.Second

func (w *watch) saw(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = t
}

// look compares now with the time before and reports a step.
func (w *watch) look(now time.Time, report func(from, to time.Time)) {
	w.mu.Lock()
	last := w.last
	w.last = now
	w.mu.Unlock()
	if last.IsZero() {
		return
	}
	expected := last.Round(0).Add(now.Sub(last)) // by the monotonic clock, if both have it
	if expected.Equal(now.Round(0)) && now.Before(last) {
		expected = last.Round(0)
	}
	if step := now.Round(0).Sub(expected); (step >= stepAtLeast || step <= -stepAtLeast) && report != nil {
		report(expected, now.Round(0))
	}
}

// watch looks at the clock before a batch.
func (l *Log) watch() { l.book.watch.look(l.book.c.Clock.Now(), l.book.c.Stepped) }
