package registry

import (
	"cmp"
	"context"
	"slices"
)

// Examination is what a server said about itself.
type Examination struct {
	Eras         []string // "legacy", "modern"
	Tools        []Tool   // Name and Definition; Digest when the prober has it
	Listed       bool     // the server gave its whole list of tools, be it empty
	ServerInfo   string   // JSON object or ""
	Instructions string   // text for a model, as the server sent it
	Findings     []string // what the prober found wrong, for the operator
}

// Prober asks a server what it offers. forward implements it.
type Prober interface {
	// Examine asks once; the error is a refusal that says what failed.
	Examine(ctx context.Context, s Server) (Examination, error)
}

// ChangeKind says how a tool differs from what was known.
type ChangeKind string

// The kinds of change.
const (
	ToolAdded   ChangeKind = "added"
	ToolRemoved ChangeKind = "removed"
	ToolDiffers ChangeKind = "changed"
	ToolTwice   ChangeKind = "duplicate" // listed twice: neither is callable
	ToolBad     ChangeKind = "malformed" // its definition has no digest
)

// Change is one difference that an examination found.
type Change struct {
	Tool string
	Kind ChangeKind
	Old  Tool // zero when added
	New  Tool // zero when removed
}

// Merge returns s with the result of an examination and what changed. The
// first examination approves what it finds, keeping the access that an
// operator named. From then on definitions are pinned: a tool with the same
// digest keeps its state and access, one with another digest is not callable
// until it is approved anew, a new one is not callable, and a missing one is
// gone, so that it is new when it comes back (hostile case M11). Without a list
// only the eras are taken over.
func Merge(s Server, e Examination) (Server, []Change) {
	if !e.Listed {
		s.Eras = slices.Clone(e.Eras)
		return s, nil
	}
	known := make(map[string]Tool, len(s.Tools))
	for _, t := range s.Tools {
		known[t.Name] = t
	}
	m := merger{first: !s.Examined, known: known, seen: make(map[string]int)}
	for _, t := range e.Tools {
		m.add(t)
	}
	for _, t := range s.Tools {
		if _, ok := m.seen[t.Name]; !ok {
			m.changes = append(m.changes, Change{Tool: t.Name, Kind: ToolRemoved, Old: t})
		}
	}
	slices.SortFunc(m.tools, func(a, b Tool) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(m.changes, func(a, b Change) int { return cmp.Compare(a.Tool, b.Tool) })
	s.Tools, s.tools = m.tools, nil
	s.Examined = true
	s.Eras = slices.Clone(e.Eras)
	return s, m.changes
}

type merger struct {
	first   bool
	known   map[string]Tool
	seen    map[string]int // name to place in tools
	tools   []Tool
	changes []Change
}

func (m *merger) add(t Tool) {
	if at, twice := m.seen[t.Name]; twice {
		m.tools[at].State = ToolChanged
		m.changes = append(m.changes, Change{Tool: t.Name, Kind: ToolTwice, Old: m.tools[at], New: t})
		return
	}
	old, was := m.known[t.Name]
	digest, err := CanonicalDigest([]byte(t.Definition))
	next := Tool{Name: t.Name, Access: old.Access, Definition: t.Definition, Digest: digest, Labels: old.Labels}
	change := ChangeKind("")
	switch {
	case err != nil:
		next.State, change = ToolChanged, ToolBad
	case m.first:
		next.State = ToolApproved
		if !was {
			change = ToolAdded
		}
	case !was:
		next.State, change = ToolNew, ToolAdded
	case old.Digest == digest:
		next.State = old.State
	default:
		next.State, change = ToolChanged, ToolDiffers
	}
	m.seen[t.Name] = len(m.tools)
	m.tools = append(m.tools, next)
	if change != "" {
		m.changes = append(m.changes, Change{Tool: t.Name, Kind: change, Old: old, New: next})
	}
}
