package auditlog

import "time"

// How the writer paces itself. Every commit costs the same, however many
// entries it carries.
const (
	// trailing is how long an entry that nobody waits for may stay in memory:
	// security.md allows 5 ms, and the commit needs some of it.
	trailing = 3 * time.Millisecond
	// crowd is how many entries of the last commit say that more are on their
	// way, gather how long the next one then lets them come.
	crowd  = 16
	gather = 500 * time.Microsecond
)

// SubmitTrailing is Submit for an entry that nobody waits for now: it is
// written with the next that somebody does, or a few milliseconds later. A
// lone caller who reads pays for one commit a call instead of two.
func (l *Log) SubmitTrailing(e Entry) *Ticket { return l.submit(e, false) }

// SubmitTrailing hands e to the calls log of the present year, as
// Log.SubmitTrailing does.
func (b *Book) SubmitTrailing(e Entry) *Ticket { return b.submit(e, false) }

// tell lets the writer know of an entry for g. The caller holds mu.
func (l *Log) tell(g *group, eager bool) {
	switch {
	case eager:
		g.eager = true
		l.nudge()
	case len(l.groups) > 1:
		l.nudge()
	case len(g.entries) == 0:
		l.later.Reset(trailing)
	}
}

// idle reports whether all that waits may wait longer. The caller holds mu.
func (l *Log) idle() bool {
	return len(l.groups) == 1 && !l.groups[0].eager && !l.hurry && !l.closing
}

// hasten ends the patience with what trails.
func (l *Log) hasten() {
	l.mu.Lock()
	l.hurry = len(l.groups) > 0
	l.mu.Unlock()
	l.nudge()
}

// gathers waits a moment when many entries are on their way.
func (l *Log) gathers(last int) {
	if last >= crowd {
		time.Sleep(gather)
	}
}
