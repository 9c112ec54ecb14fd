package record

import (
	"context"
	"errors"
	"sync"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/fault"
)

// mostOwed bounds the entries that are kept until the log takes them again.
// Calls under way bound it too: no new one is admitted meanwhile. What does not
// fit is found at the next start, as a call whose outcome is unknown.
const mostOwed = 8192

// debt is an entry that the log did not take, or that nobody knows it took.
type debt struct {
	entry     auditlog.Entry
	uncertain bool
}

// owe keeps an entry that the log refused for why, for the next Flush.
func (s *Step) owe(e auditlog.Entry, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.owed) < mostOwed {
		s.owed = append(s.owed, debt{e, errors.Is(why, auditlog.ErrUncertain)})
	}
}

// Owed returns how many outcomes wait for the log to take them.
func (s *Step) Owed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.owed)
}

// repay hands what is owed to the log again. An outcome that may be there
// already is written only when the log has none for its call, so that nothing
// stands in it twice.
func (s *Step) repay() error {
	s.mu.Lock()
	owed := s.owed
	s.owed = nil
	s.mu.Unlock()
	if len(owed) == 0 {
		return nil
	}
	if err := s.c.Book.Calls().Err(); err != nil {
		for _, d := range owed {
			s.oweAgain(d)
		}
		return fault.Wrap(fault.LogUnavailable, err)
	}
	open := map[string]bool{}
	for _, o := range s.c.Book.Orphans() {
		open[o.Exchange] = true
	}
	var failed error
	tickets := make([]*auditlog.Ticket, len(owed))
	for i, d := range owed {
		if !d.uncertain || open[d.entry.Exchange] {
			tickets[i] = s.c.Book.Submit(d.entry)
		}
	}
	for i, t := range tickets {
		if t == nil {
			continue
		}
		if _, err := t.Wait(context.Background()); err != nil {
			failed = fault.Wrap(fault.LogUnavailable, err)
			s.oweAgain(debt{owed[i].entry, owed[i].uncertain || errors.Is(err, auditlog.ErrUncertain)})
		}
	}
	return failed
}

func (s *Step) oweAgain(d debt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed = append(s.owed, d)
}

// trail remembers the entries that nobody waits for until they are on stable
// storage, so that the outcome of a read is not lost when a commit fails. It
// looks at them in passing and wakes nobody.
type trail struct {
	mu  sync.Mutex
	all []trailing
}

type trailing struct {
	ticket *auditlog.Ticket
	entry  auditlog.Entry
}

// sweepAt is how many entries trail before they are looked at.
const sweepAt = 1024

func (t *trail) add(ticket *auditlog.Ticket, e auditlog.Entry, failed func(auditlog.Entry, error)) {
	t.mu.Lock()
	t.all = append(t.all, trailing{ticket, e})
	full := len(t.all) >= sweepAt
	t.mu.Unlock()
	if full {
		t.sweep(failed)
	}
}

// sweep forgets what is on stable storage and reports what never will be. It
// leaves alone what is still under way.
func (t *trail) sweep(failed func(auditlog.Entry, error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	keep := t.all[:0]
	for _, one := range t.all {
		_, ready, err := one.ticket.Done()
		switch {
		case !ready:
			keep = append(keep, one)
		case err != nil:
			failed(one.entry, err)
		}
	}
	clear(t.all[len(keep):])
	t.all = keep
}
