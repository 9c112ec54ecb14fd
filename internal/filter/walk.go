package filter

import (
	"bytes"
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// maxLayers is how many texts are opened, each of which holds the next one as
// JSON. What lies deeper is text like any other.
const maxLayers = 3

// walk takes parts out of one JSON value. It decides each value once and never
// looks into one that no path changes.
type walk struct {
	rules      []*Rule  // those with a machine
	arena      []uint16 // states of the rules along the way
	edits      []wire.Edit
	names      wire.Names
	undeclared bool // drop what the schema does not name
	lenient    bool // the value need not fit the schema
	traces     bool // take out what tells how a server is built: the value is about a failure
	Report
}

// states are the states of the rules for one value.
type states []uint16

func (w *walk) start() states {
	var at states
	for _, r := range w.rules {
		at = append(at, r.machine.start)
	}
	return at
}

// to appends the states that step leads to, in memory that the caller gives back
// by shortening the arena again.
func (w *walk) to(at states, step func(m *machine, s uint16) uint16) states {
	n := len(w.arena)
	for i, r := range w.rules {
		w.arena = append(w.arena, step(r.machine, at[i]))
	}
	return states(w.arena[n:len(w.arena):len(w.arena)])
}

// back gives the memory of states back.
func (w *walk) back(to int) { w.arena = w.arena[:to] }

func (w *walk) member(at states, name string) states {
	return w.to(at, func(m *machine, s uint16) uint16 { return m.member(s, name) })
}

func (w *walk) element(at states) states {
	return w.to(at, func(m *machine, s uint16) uint16 { return m.states[s].element })
}

// quiet reports whether nothing changes at or beneath a value.
func (w *walk) quiet(at states) bool {
	for i, r := range w.rules {
		if !r.machine.states[at[i]].quiet {
			return false
		}
	}
	return !w.undeclared && !w.traces
}

// held is a value, or the object or list that it holds as text.
type held struct {
	core   wire.Value
	layers []wire.Value // the strings around core, from the outside
}

// open looks into a string that holds JSON: a path goes through it as if the
// text were not there (TestTwinsNeverLeak).
func open(v wire.Value) held {
	h := held{core: v}
	for len(h.layers) < maxLayers && h.core.Kind() == wire.String {
		inner := read(h.core)
		if !inner.Exists() {
			break
		}
		h.layers = append(h.layers, h.core)
		h.core = inner
	}
	if !isContainer(h.core) {
		return held{core: v}
	}
	return h
}

// read returns the object, list or string that a string holds as JSON.
func read(v wire.Value) wire.Value {
	raw := v.Raw()
	if inside := raw[1 : len(raw)-1]; bytes.IndexByte(inside, '\\') < 0 && !begins(string(inside[:min(len(inside), 64)])) {
		return wire.Value{} // the usual case, without a copy
	}
	text, _ := v.Text()
	if !begins(text) {
		return wire.Value{}
	}
	inner, err := wire.ParseValue([]byte(text), innerLimits())
	if err != nil {
		return wire.Value{}
	}
	return inner
}

// begins reports whether a text may begin an object, a list or a string. White
// space before it may be longer than what the caller has cut off.
func begins(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return s == "" || s[0] == '{' || s[0] == '[' || s[0] == '"'
}

// innerLimits bound JSON inside text. The bytes are those of a message that was
// read before.
func innerLimits() wire.Limits {
	lim := wire.DefaultLimits()
	lim.Bytes = 64 << 20
	return lim
}

func isContainer(v wire.Value) bool { return v.Kind() == wire.Object || v.Kind() == wire.Array }

// stays reports whether a value stays, if maybe with less in it.
func (w *walk) stays(h held, at states) bool {
	for i, r := range w.rules {
		s := &r.machine.states[at[i]]
		if s.drop || !s.keep && !(s.mayKeep && isContainer(h.core)) {
			w.Fields++
			return false
		}
		for _, n := range s.rows {
			// A value that is no list is its own only row.
			if x := &r.rows[n]; h.core.Kind() != wire.Array && (x.max == 0 || x.where != nil && x.where.of(h.core) != isTrue) {
				w.Rows++
				return false
			}
		}
	}
	return true
}

// within makes the edits in a value that stays.
func (w *walk) within(h held, at states, s *shape) {
	before := w.edits
	if len(h.layers) > 0 {
		w.edits = nil
	}
	switch h.core.Kind() {
	case wire.Object:
		w.object(h.core, at, s)
	case wire.Array:
		w.list(h.core, at, s)
	}
	if len(h.layers) > 0 {
		for i := len(h.layers) - 1; i >= 0; i-- {
			w.edits = lift(h.layers[i], w.edits)
		}
		w.shorten(h.layers[0], at, w.edits)
		w.edits = append(before, w.edits...)
	} else if h.core.Kind() == wire.String {
		w.shorten(h.core, at, nil)
	}
}

func (w *walk) object(v wire.Value, at states, s *shape) {
	gone := w.names.RemoveMembers(v, func(m wire.Member, c wire.Value) bool {
		defer w.back(len(w.arena))
		return w.child(m.Key, c, w.member(at, m.Key), s)
	})
	w.edits = append(w.edits, gone...)
}

// child decides on one member and reports whether it is to be taken out.
func (w *walk) child(name string, c wire.Value, at states, parent *shape) bool {
	if w.quiet(at) {
		return false
	}
	h := open(c)
	if w.undeclared && !parent.declares(name) || w.traces && traceMember(name) {
		w.Fields++
		return true
	}
	before := w.Report
	if w.stays(h, at) {
		w.within(h, at, parent.member(name))
		return false
	}
	text, ok := parent.instead(name)
	if !ok && !w.lenient {
		w.Unfit = "a member that the output schema requires is withheld, and no neutral value is known that fits"
	}
	if text == nil {
		return true
	}
	if bytes.Equal(text, c.Raw()) {
		w.Report = before // nothing was said
		return false
	}
	w.edits = append(w.edits, wire.Replace(c, text))
	return false
}

func (w *walk) list(v wire.Value, at states, s *shape) {
	tests, most := w.bounds(at)
	kept := 0
	gone := wire.RemoveElements(v, func(_ int, e wire.Value) bool {
		defer w.back(len(w.arena))
		next := w.element(at)
		if kept < most && len(tests) == 0 && w.quiet(next) {
			kept++
			return false
		}
		h := open(e)
		if kept >= most || !pass(tests, h.core) {
			w.Rows++
			return true
		}
		if !w.stays(h, next) {
			return true
		}
		kept++
		w.within(h, next, s.element())
		return false
	})
	w.edits = append(w.edits, gone...)
}

func pass(tests []*where, row wire.Value) bool {
	for _, t := range tests {
		if t.of(row) != isTrue {
			return false
		}
	}
	return true
}

// bounds returns what the rules say about the elements of a list.
func (w *walk) bounds(at states) (tests []*where, most int) {
	most = unbounded
	for i, r := range w.rules {
		s := &r.machine.states[at[i]]
		for _, n := range s.rows {
			if most = min(most, r.rows[n].max); r.rows[n].where != nil {
				tests = append(tests, r.rows[n].where)
			}
		}
		for _, n := range s.caps {
			most = min(most, r.caps[n].count)
		}
	}
	return tests, most
}

// shorten caps a string, in which inner edits were made.
func (w *walk) shorten(v wire.Value, at states, inner []wire.Edit) {
	most := unbounded
	for i, r := range w.rules {
		for _, n := range r.machine.states[at[i]].caps {
			most = min(most, r.caps[n].length)
		}
	}
	text, _ := v.Text()
	if said := w.without(text); said != text && len(inner) == 0 {
		if n := runeAt(said, most); n >= 0 {
			said = said[:n]
		}
		w.edits = append(w.edits, wire.Replace(v, wire.Quote(said)))
		return
	}
	if most == unbounded {
		return
	}
	if len(inner) > 0 {
		start, _ := v.Range()
		if edited, err := wire.ParseValue(splice(v.Raw(), start, inner), innerLimits()); err == nil {
			text, _ = edited.Text()
		}
	}
	n := runeAt(text, most)
	switch {
	case n < 0:
	case len(inner) > 0:
		w.edits = []wire.Edit{wire.Replace(v, wire.Quote(text[:n]))}
	default:
		w.edits = append(w.edits, cutText(v, text, n))
	}
}

// without returns a text about a failure without its traces.
func (w *walk) without(text string) string {
	if !w.traces {
		return text
	}
	return withoutTraces(text)
}
