package trail

import (
	"errors"
	"io"
)

// window is how many entries after a decision are held to find the end of its
// call. Calls that end later are found by a survey.
const window = 4096

// fold joins the decision of a call with its end, at the place of the decision.
type fold struct {
	walk   *walk
	part   bool // the walk does not begin with the first entry
	queue  []*entry
	eof    bool
	ends   map[string]*entry   // in queue, by exchange
	told   map[string]struct{} // exchanges whose end stands in a line already
	late   map[string]uint64   // ends beyond the window, by exchange: their seq
	survey bool                // late is known
}

func newFold(w *walk) *fold {
	f := &fold{walk: w, ends: map[string]*entry{}, told: map[string]struct{}{}}
	for _, s := range w.spans {
		f.part = f.part || s.from > 0
	}
	return f
}

func (f *fold) next() (*entry, error) {
	for {
		if err := f.fill(); err != nil {
			return nil, err
		}
		if len(f.queue) == 0 {
			return nil, io.EOF
		}
		e := f.queue[0]
		f.queue[0] = nil
		f.queue = f.queue[1:]
		if e.ends() {
			delete(f.ends, e.leaf.Exchange)
			if _, ok := f.told[e.leaf.Exchange]; ok {
				delete(f.told, e.leaf.Exchange)
				continue
			}
			if f.part {
				continue // its decision lies before the part that is read
			}
			return e, nil // an end without a beginning is not hidden
		}
		if !e.opens() {
			return e, nil
		}
		err := f.close(e)
		return e, err
	}
}

// fill reads ahead.
func (f *fold) fill() error {
	for !f.eof && len(f.queue) < window {
		e, err := f.walk.next()
		if errors.Is(err, io.EOF) {
			f.eof = true
			return nil
		}
		if err != nil {
			return err
		}
		if e.ends() {
			f.ends[e.leaf.Exchange] = e
		}
		f.queue = append(f.queue, e)
	}
	return nil
}

// close finds how the call that e opens ended.
func (f *fold) close(e *entry) error {
	if end := f.ends[e.leaf.Exchange]; end != nil {
		e.end = end
		f.told[e.leaf.Exchange] = struct{}{}
		return nil
	}
	if f.eof {
		return nil // under way
	}
	if err := f.look(e); err != nil {
		return err
	}
	seq, ok := f.late[e.leaf.Exchange]
	if !ok {
		return nil
	}
	delete(f.late, e.leaf.Exchange)
	end, err := f.walk.get(seq)
	if err != nil {
		return err
	}
	e.end = end
	f.told[e.leaf.Exchange] = struct{}{}
	return nil
}

// look walks once through everything that is left, from first on, and keeps
// where calls ended that took longer than the window. It holds the calls that
// are open at one moment, which the gateway's own limits bound, and the long
// ones.
func (f *fold) look(first *entry) error {
	if f.survey {
		return nil
	}
	f.survey, f.late = true, map[string]uint64{}
	open := map[string]uint64{first.leaf.Exchange: first.seq}
	note := func(e *entry) {
		switch {
		case e.opens():
			open[e.leaf.Exchange] = e.seq
		case e.ends():
			if began, ok := open[e.leaf.Exchange]; ok && e.seq-began >= window {
				f.late[e.leaf.Exchange] = e.seq
			}
			delete(open, e.leaf.Exchange)
		}
	}
	for _, e := range f.queue {
		note(e)
	}
	for ahead := f.walk.clone(); ; {
		e, err := ahead.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		note(e)
	}
}
