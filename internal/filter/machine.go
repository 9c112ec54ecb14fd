package filter

import (
	"errors"
	"slices"
	"strings"
)

// A machine says for every value of an answer what the paths of one rule mean
// for it. It is a deterministic automaton over names: a walk takes one step for
// each value, however many paths there are, so that time is linear in the
// answer (TestTimeIsLinear).
type machine struct {
	states []state
	start  uint16
	keeps  bool // there are keep paths: what they do not reach, goes
}

// state is what is known of a value by the way to it.
type state struct {
	names   map[string]uint16 // where names lead that some path has
	other   uint16            // where other names lead
	element uint16            // where elements lead
	rows    []uint16          // rows of the rule that are about this value
	caps    []uint16          // caps likewise
	keep    bool              // kept with everything beneath
	mayKeep bool              // something beneath may be kept
	drop    bool
	quiet   bool // nothing changes here or beneath
}

// Bounds of the machines of one file: the states of each, and the work of making
// them all, counted in positions looked at.
const (
	maxStates = 2_000
	maxMoves  = 4_000_000
)

var errTangled = errors.New("the paths of this rule combine to too many cases; use ** less often, or several rules")

// purpose is what a path of a rule is for.
type purpose uint8

const (
	forKeep purpose = iota
	forDrop
	forRows
	forCap
)

// target is a path with its purpose; index is which of the rows or caps.
type target struct {
	path
	purpose
	index uint16
}

// place is a position in a target's path.
type place struct{ target, step uint16 }

// builder makes the machine of some targets.
type builder struct {
	targets []target
	names   []string
	known   map[string]uint16 // states by their places
	todo    [][]place
	out     machine
	moves   *int
}

// newMachine returns the machine of a rule's targets. moves counts the work.
func newMachine(targets []target, keeps bool, moves *int) (*machine, error) {
	b := &builder{targets: targets, known: map[string]uint16{}, out: machine{keeps: keeps}, moves: moves}
	seen := map[string]bool{}
	for _, t := range targets {
		for _, s := range t.path {
			if s.kind == toName && !seen[s.name] {
				seen[s.name] = true
				b.names = append(b.names, s.name)
			}
		}
	}
	var first []place
	for i := range targets {
		first = append(first, place{uint16(i), 0})
	}
	b.out.start = b.state(first, false)
	for i := 0; i < len(b.out.states); i++ {
		if err := b.fill(i); err != nil {
			return nil, err
		}
	}
	b.settle()
	return &b.out, nil
}

// state returns the number of the state of some places; kept says that a value
// above is kept whole.
func (b *builder) state(at []place, kept bool) uint16 {
	var s state
	var live []place
	for i := 0; i < len(at); i++ { // at grows: ** also stands for nothing
		p := at[i]
		t := b.targets[p.target]
		switch {
		case int(p.step) < len(t.path):
			live = append(live, p)
			if t.path[p.step].kind == toDeep {
				at = append(at, place{p.target, p.step + 1})
			}
		case t.purpose == forKeep:
			kept = true
		case t.purpose == forDrop:
			s.drop = true
		case t.purpose == forRows:
			s.rows = append(s.rows, t.index)
		case t.purpose == forCap:
			s.caps = append(s.caps, t.index)
		}
	}
	if s.keep = kept || !b.out.keeps; s.keep {
		live = slices.DeleteFunc(live, func(p place) bool { return b.targets[p.target].purpose == forKeep })
	}
	s.mayKeep = s.keep || slices.ContainsFunc(live, func(p place) bool { return b.targets[p.target].purpose == forKeep })
	slices.SortFunc(live, func(a, b place) int { return int(a.target)<<16 + int(a.step) - int(b.target)<<16 - int(b.step) })
	live = slices.Compact(live)
	s.rows, s.caps = sortedSet(s.rows), sortedSet(s.caps)
	key := keyOf(&s, live)
	if n, ok := b.known[key]; ok {
		return n
	}
	n := uint16(len(b.out.states))
	b.known[key] = n
	b.out.states = append(b.out.states, s)
	b.todo = append(b.todo, live)
	return n
}

func sortedSet(v []uint16) []uint16 {
	slices.Sort(v)
	return slices.Compact(v)
}

// keyOf tells states apart.
func keyOf(s *state, live []place) string {
	var b strings.Builder
	for _, f := range []bool{s.keep, s.drop} {
		if f {
			b.WriteByte(1)
		} else {
			b.WriteByte(0)
		}
	}
	for _, list := range [][]uint16{s.rows, s.caps} {
		for _, v := range list {
			b.Write([]byte{1, byte(v >> 8), byte(v)})
		}
		b.WriteByte(0)
	}
	for _, p := range live {
		b.Write([]byte{byte(p.target >> 8), byte(p.target), byte(p.step)})
	}
	return b.String()
}

// fill finds where the ways out of state i lead.
func (b *builder) fill(i int) error {
	live := b.todo[i]
	if *b.moves += (len(b.names) + 2) * max(1, len(live)); *b.moves > maxMoves || len(b.out.states) > maxStates {
		return errTangled
	}
	kept := b.out.states[i].keep && b.out.keeps
	other := b.state(b.move(live, toAny, ""), kept)
	element := b.state(b.move(live, toElement, ""), kept)
	var names map[string]uint16
	for _, name := range b.names {
		if len(live) == 0 {
			break // everything leads to the same place
		}
		if to := b.state(b.move(live, toName, name), kept); to != other {
			if names == nil {
				names = map[string]uint16{}
			}
			names[name] = to
		}
	}
	s := &b.out.states[i]
	s.names, s.other, s.element = names, other, element
	return nil
}

// move returns where places get by a member of a name (toName), by a member of
// any other name (toAny), or by an element.
func (b *builder) move(live []place, by stepKind, name string) []place {
	var to []place
	for _, p := range live {
		s := b.targets[p.target].path[p.step]
		switch {
		case s.kind == toDeep:
			to = append(to, p)
		case by == toElement && s.kind == toElement,
			by != toElement && s.kind == toAny,
			by == toName && s.kind == toName && s.name == name:
			to = append(to, place{p.target, p.step + 1})
		}
	}
	return to
}

// settle marks the states from which nothing is ever changed: those without a
// part of their own that lead to no other kind of state.
func (b *builder) settle() {
	states := b.out.states
	for i := range states {
		s := &states[i]
		s.quiet = s.keep && !s.drop && len(s.rows)+len(s.caps) == 0
	}
	for changed := true; changed; {
		changed = false
		for i := len(states) - 1; i >= 0; i-- { // what a state leads to mostly comes after it
			if s := &states[i]; s.quiet && !b.quietBeneath(s) {
				s.quiet, changed = false, true
			}
		}
	}
}

func (b *builder) quietBeneath(s *state) bool {
	states := b.out.states
	if !states[s.other].quiet || !states[s.element].quiet {
		return false
	}
	for _, to := range s.names {
		if !states[to].quiet {
			return false
		}
	}
	return true
}

// member returns the state of the member of this name.
func (m *machine) member(at uint16, name string) uint16 {
	s := &m.states[at]
	if to, ok := s.names[name]; ok {
		return to
	}
	return s.other
}
