package record

import (
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
)

// perSecond is how many refusals of one kind are recorded one by one in a
// second before they are only counted.
const perSecond = 100

// flood counts refusals of callers that nobody identified. Without it, anyone
// who reaches the port could fill the disk and so stop every call
// (TestFloodIsSummarised).
type flood struct {
	mu    sync.Mutex
	kinds map[fault.Kind]*window
}

type window struct {
	second  int64
	written int
	skipped int
	since   time.Time // of the first that was skipped
}

// of returns the window of k at now. The caller holds mu.
func (f *flood) of(k fault.Kind, now time.Time) *window {
	if f.kinds == nil {
		f.kinds = map[fault.Kind]*window{}
	}
	w := f.kinds[k]
	if w == nil {
		w = &window{}
		f.kinds[k] = w
	}
	if s := now.Unix(); s != w.second {
		w.second, w.written = s, 0
	}
	return w
}

// admit reports whether a refusal gets an entry of its own; if not, it is
// counted.
func (f *flood) admit(k fault.Kind, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.of(k, now)
	if w.written < perSecond {
		w.written++
		return true
	}
	w.skip(1, now)
	return false
}

// count counts a refusal that gets no entry of its own.
func (f *flood) count(k fault.Kind, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.of(k, now).skip(1, now)
}

func (w *window) skip(n int, since time.Time) {
	if w.skipped == 0 {
		w.since = since
	}
	w.skipped += n
}

// summary is what one window skipped.
type summary struct {
	kind  fault.Kind
	count int
	since time.Time
}

// due takes the summaries of every window that is over at now.
func (f *flood) due(now time.Time) []summary {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []summary
	for k, w := range f.kinds {
		if w.second < now.Unix() && w.skipped > 0 {
			all = append(all, summary{k, w.skipped, w.since})
			w.skipped = 0
		}
	}
	return all
}

// back takes a summary back that could not be written.
func (f *flood) back(s summary) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.of(s.kind, s.since)
	w.skip(s.count, s.since)
	w.since = s.since
}

// Flush writes what is owed and the summaries that are due; app calls it once
// a second and at the end.
func (s *Step) Flush(now time.Time) error {
	s.trail.sweep(s.owe)
	if err := s.repay(); err != nil {
		return err
	}
	due := s.flood.due(now)
	for i, d := range due {
		e := Entry{Time: d.since, Kind: auditlog.FloodSummarised, Outcome: string(exchange.Refused), Reason: string(d.kind), Count: d.count, Closed: true}
		if _, err := s.await(&e, now); err != nil {
			for _, rest := range due[i:] {
				s.flood.back(rest)
			}
			return err
		}
	}
	return nil
}
