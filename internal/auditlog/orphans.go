package auditlog

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Orphan is a call that was let through and has no outcome in the log.
type Orphan struct {
	Log      Name
	Index    uint64 // of the decision
	Exchange string
	Server   string
	Time     time.Time
}

// maxOpen bounds the calls without an outcome that are remembered. A gateway
// has as many as calls in flight.
const maxOpen = 1 << 20

// openCalls remembers the decided calls without an outcome, over all calls
// logs: an outcome may fall into the next year's. It knows what is stable only.
type openCalls struct {
	mu    sync.Mutex
	open  map[string]Orphan // by exchange
	order map[Name][]place  // of decisions, oldest first; closed ones leave late
}

type place struct {
	index    uint64
	exchange string
}

func newOpenCalls() *openCalls {
	return &openCalls{open: map[string]Orphan{}, order: map[Name][]place{}}
}

// opens reports whether an entry lets a call through that will have an outcome,
// closes whether it is one.
func opens(k Kind, decision string) bool { return k == CallDecided && decision == "allow" }
func closes(k Kind) bool                 { return k == CallFinished || k == CallOutcomeUnknown }

// note takes in the entries of a batch.
func (o *openCalls) note(log Name, first uint64, entries []Entry) {
	if !log.IsCalls() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		o.one(Orphan{log, first + uint64(i), e.Exchange, e.Server, e.Time}, e.Kind, e.Decision)
	}
}

func (o *openCalls) one(c Orphan, k Kind, decision string) {
	switch {
	case c.Exchange == "":
	case opens(k, decision) && len(o.open) < maxOpen:
		o.open[c.Exchange] = c
		o.order[c.Log] = append(o.order[c.Log], place{c.Index, c.Exchange})
	case closes(k):
		delete(o.open, c.Exchange)
	}
}

// mark returns the index before which every decided call of a log has its
// outcome. It stays at 0 while a call of an earlier log has none: that one's
// neighbours may have theirs here, and a start must come past those.
func (o *openCalls) mark(log Name, size uint64) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	for earlier := range o.order {
		if earlier.before(log) && len(o.prune(earlier)) > 0 {
			return 0
		}
	}
	all := o.prune(log)
	if len(all) == 0 {
		return size
	}
	return min(all[0].index, size)
}

// prune drops the decisions at the head of a log's order that have their
// outcome, and returns the rest.
func (o *openCalls) prune(log Name) []place {
	all := o.order[log]
	for len(all) > 0 {
		if c, ok := o.open[all[0].exchange]; ok && c.Log == log && c.Index == all[0].index {
			break
		}
		all = all[1:]
	}
	o.order[log] = all
	return all
}

// moveMarks moves the marks of earlier years before that of l moves: an outcome
// of an earlier year's call stands in l, and once l's mark is past it, nobody
// would look there for it (TestMarkOfTheOldYear).
func (b *Book) moveMarks(l *Log) error {
	if !l.name.IsCalls() {
		return nil
	}
	for _, old := range b.all() {
		now := old.signed.Load()
		if old == l || !old.name.IsCalls() || now == nil || now.Mark >= now.Size {
			continue
		}
		mark := b.calls.mark(old.name, now.Size)
		if mark <= now.Mark {
			continue
		}
		moved := *now
		moved.Mark = mark
		if err := b.c.Rows.SaveCheckpoint(old.name, moved.Checkpoint); err != nil {
			return fmt.Errorf("move the mark of %s: %w", old.name, err)
		}
		old.noteSigned(&moved)
	}
	return nil
}

// scan takes in what a log holds from its mark on: at a start, the calls that
// the last run left behind.
func (o *openCalls) scan(l *Log) error {
	from := uint64(0)
	if s := l.signed.Load(); s != nil {
		from = min(s.Mark, s.Size)
	}
	for size := l.Size(); from < size; {
		all, err := l.book.c.Rows.AuditBatches(l.name, from, batchesAtOnce)
		if err != nil {
			return fmt.Errorf("look for calls without an outcome: %w", err)
		}
		at := from
		for i := range all {
			if all[i].First > from {
				return &Broken{l.name, from, "the entry is missing"}
			}
			if err := o.batch(l, &all[i]); err != nil {
				return err
			}
			from = all[i].First + all[i].Count
		}
		if from <= at {
			return &Broken{l.name, at, "the entry is missing"}
		}
	}
	return nil
}

func (o *openCalls) batch(l *Log, b *Batch) error {
	leaves, err := split(b.Leaves, b.Count, MaxLeaf)
	if err != nil {
		return &Broken{l.name, b.First, "the row's entries do not have their form"}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, raw := range leaves {
		leaf, err := ParseLeaf(raw)
		if err != nil {
			return &Broken{l.name, b.First + uint64(i), "the entry does not have the form of one of this log"}
		}
		o.one(Orphan{l.name, b.First + uint64(i), leaf.Exchange, leaf.Server, leaf.Time}, leaf.Kind, leaf.Decision)
	}
	return nil
}

// Orphans returns the calls that have no outcome in the log, oldest first. At a
// start, before the first Submit, these are the calls that the last run left
// behind; each gets a call.outcome_unknown from the caller, which ends it.
func (b *Book) Orphans() []Orphan {
	if b.c.Cluster != nil {
		return nil // calls in flight in other processes look the same
	}
	b.calls.mu.Lock()
	defer b.calls.mu.Unlock()
	all := make([]Orphan, 0, len(b.calls.open))
	for _, c := range b.calls.open {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y Orphan) int {
		return cmp.Or(cmp.Compare(x.Log, y.Log), cmp.Compare(x.Index, y.Index))
	})
	return all
}
