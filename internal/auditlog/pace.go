package auditlog

import "time"

// How the writer paces itself. Every commit costs the same, however many
// entries it carries.
const (
	// trailing is how long an entry that nobody waits for may stay in memory:
	// security.md allows 5 ms, and the commit needs some of it.
	trailing = 3 * time.Millisecond
	// crowd is how many entries of a commit say that as many are on their way:
	// those who waited for it come back, and others with them. The next commit
	// lets them come, at most for patience.
	crowd    = 16
	patience = time.Millisecond
	// contentment is how many commits long the writer does not look for a
	// larger crowd, when it waited for one in vain.
	contentment = 16
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
	g.eager = g.eager || eager
	switch {
	case l.want > 0: // the writer lets others come first
		if l.entries >= l.want {
			l.want = 0
			l.nudge()
		}
	case eager:
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

// gather waits for a crowd: for as many entries as the last commit had, when
// those were many, or for twice as many, which then share one commit. Whether
// there are twice as many is tried now and then only, because a crowd that is
// all there already would wait for nobody each time.
func (l *Log) gather(last int) {
	if last < crowd {
		return
	}
	aim := last
	if l.content == 0 {
		aim = min(2*last, maxBatch)
	}
	l.mu.Lock()
	if l.entries >= aim || l.closing || l.hurry {
		l.mu.Unlock()
		return
	}
	l.want = aim
	select {
	case <-l.wake: // of what came during the last commit
	default:
	}
	l.mu.Unlock()
	l.calm.Reset(patience)
	select {
	case <-l.wake:
		l.content = max(l.content-1, 0)
	case <-l.calm.C:
		l.content = contentment
	}
	l.calm.Stop()
	l.mu.Lock()
	l.want = 0
	l.mu.Unlock()
}
