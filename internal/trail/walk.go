package trail

import (
	"io"

	"ostiary.dev/ostiary/internal/auditlog"
)

// step is how many entries are read at once.
const step = 512

// walk reads logs one after another, as one sequence.
type walk struct {
	spans []span
	at    int    // index of the span that is read next
	index uint64 // in it
	queue []*entry
}

// span is one log with its range, and how many entries stand before it.
type span struct {
	log    Log
	from   uint64
	to     uint64
	before uint64
}

// newWalk begins newest entries before the end, or with the first when newest
// is 0, and stays within the ranges of those logs that have one.
func newWalk(logs []Log, newest uint64, within map[auditlog.Name]Range) *walk {
	w := &walk{}
	var total uint64
	for _, l := range logs {
		size := l.Size()
		s := span{log: l, to: size, before: total}
		if r, ok := within[l.Name()]; ok {
			s.to = min(size, r.To)
			s.from = min(s.to, r.From)
		}
		w.spans = append(w.spans, s)
		total += size
	}
	if newest > 0 && total > newest {
		w.skip(total - newest)
	}
	if len(w.spans) > 0 {
		w.index = w.spans[0].from
	}
	return w
}

// skip leaves the first n entries out.
func (w *walk) skip(n uint64) {
	for i := range w.spans {
		s := &w.spans[i]
		if n <= s.before {
			return
		}
		s.from = max(s.from, min(n-s.before, s.to))
	}
}

// clone returns a walk from the same place on.
func (w *walk) clone() *walk {
	c := *w
	c.queue = append([]*entry(nil), w.queue...)
	return &c
}

func (w *walk) next() (*entry, error) {
	for len(w.queue) == 0 {
		if w.at == len(w.spans) {
			return nil, io.EOF
		}
		if err := w.load(); err != nil {
			return nil, err
		}
	}
	e := w.queue[0]
	w.queue[0] = nil
	w.queue = w.queue[1:]
	return e, nil
}

func (w *walk) load() error {
	s := w.spans[w.at]
	to := min(w.index+step, s.to)
	if w.index < to {
		all, err := s.read(w.index, to)
		if err != nil {
			return err
		}
		w.queue = all
	}
	w.index = to
	if w.index >= s.to {
		if w.at++; w.at < len(w.spans) {
			w.index = w.spans[w.at].from
		}
	}
	return nil
}

// get reads one entry by its place in the sequence.
func (w *walk) get(seq uint64) (*entry, error) {
	for _, s := range w.spans {
		if seq >= s.before && seq < s.before+s.to {
			all, err := s.read(seq-s.before, seq-s.before+1)
			if err != nil {
				return nil, err
			}
			if len(all) == 1 {
				return all[0], nil
			}
		}
	}
	return nil, auditlog.ErrNotFound
}

func (s span) read(from, to uint64) ([]*entry, error) {
	all := make([]*entry, 0, to-from)
	err := s.log.Read(from, to, func(r auditlog.Record) error {
		e, err := parse(s.log.Name(), r)
		if err == nil {
			e.seq = s.before + e.index
			all = append(all, e)
		}
		return err
	})
	return all, err
}
