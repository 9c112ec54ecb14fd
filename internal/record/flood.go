package record

import (
	"sync"
	"time"

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
	since   time.Time
}

// admit reports whether this refusal gets an entry of its own, and returns the
// summary of an earlier second that is due.
func (f *flood) admit(k fault.Kind, now time.Time) (bool, *Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kinds == nil {
		f.kinds = map[fault.Kind]*window{}
	}
	w := f.kinds[k]
	if w == nil {
		w = &window{}
		f.kinds[k] = w
	}
	var due *Entry
	if s := now.Unix(); s != w.second {
		due = w.summary(k)
		*w = window{second: s}
	}
	if w.written < perSecond {
		w.written++
		return true, due
	}
	if w.skipped == 0 {
		w.since = now
	}
	w.skipped++
	return false, due
}

func (w *window) summary(k fault.Kind) *Entry {
	if w.skipped == 0 {
		return nil
	}
	return &Entry{Time: stamp(w.since), Kind: "summary", Outcome: string(exchange.Refused), Reason: string(k), Count: w.skipped}
}

// due returns the summaries of every window that is over at now.
func (f *flood) due(now time.Time) []*Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*Entry
	for k, w := range f.kinds {
		if w.second < now.Unix() {
			if e := w.summary(k); e != nil {
				all = append(all, e)
			}
			w.skipped, w.written = 0, 0
		}
	}
	return all
}

// Flush writes the summaries that are due; app calls it once a second and at
// the end.
func (s *Step) Flush(now time.Time) error {
	for _, e := range s.flood.due(now) {
		if err := s.write(e); err != nil {
			return err
		}
	}
	return nil
}
