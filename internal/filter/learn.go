package filter

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"

	"ostiary.dev/ostiary/internal/wire"
)

// Bounds of a Learner. What is beyond them is not learned; nothing is refused.
const (
	maxTools      = 500    // tools that are learned about
	maxSeen       = 2_000  // members of each
	maxSessions   = 1_000  // callers whose values are remembered, the newest
	maxMarks      = 2_000  // values of each caller, the newest
	maxLooked     = 20_000 // values of one message
	shortestValue = 3      // bytes of a text whose coming back says something
)

// Learner records which members of results come back in later arguments. It
// keeps paths and counts. Of values it keeps, for a while and in memory only, a
// keyed number of 64 bits, which tells whether the same value comes again and
// nothing else (TestLearnerKeepsNoValue). It is safe for concurrent use, and a
// nil Learner does nothing.
type Learner struct {
	mu       sync.Mutex // guards what follows
	seed     maphash.Seed
	tools    map[tool]*learned
	sessions map[string]*session
	order    ring[string]
}

// tool names a tool of a server.
type tool struct{ server, name string }

// learned is what is known of a tool's results.
type learned struct {
	results int
	paths   map[string]*Seen
}

// Seen is a member of results: how many results had it, and how many later
// arguments had one of its values.
type Seen struct {
	Path    string `json:"path"`
	Results int    `json:"results"`
	Used    int    `json:"used"`
}

// session remembers values that a caller was given.
type session struct {
	marks map[uint64]mark
	order ring[uint64]
}

// ring holds the newest of many.
type ring[T any] struct {
	all  []T
	next int
}

// add puts v in the place of the oldest, which it returns, when there are as
// many as there may be.
func (r *ring[T]) add(v T, most int) (oldest T, full bool) {
	if len(r.all) < most {
		r.all = append(r.all, v)
		return oldest, false
	}
	oldest, r.all[r.next] = r.all[r.next], v
	r.next = (r.next + 1) % most
	return oldest, true
}

// mark is where a value came from.
type mark struct {
	tool
	path string
}

// NewLearner returns a Learner that knows nothing.
func NewLearner() *Learner {
	return &Learner{seed: maphash.MakeSeed(), tools: map[tool]*learned{}, sessions: map[string]*session{}}
}

// Observe takes note of a result of a call, and of arguments that the same
// caller sends later, to whichever server; either may be absent. The result is one as the server
// sent it, or, from a file, any object or list.
func (l *Learner) Observe(m Match, result, laterArguments wire.Value) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if laterArguments.Exists() {
		l.arguments(m, laterArguments)
	}
	if failed, _ := result.Get("isError").Bool(); result.Exists() && !failed {
		l.result(m, result)
	}
}

// arguments counts, once for each message, the members whose values come back.
func (l *Learner) arguments(m Match, v wire.Value) {
	s := l.sessions[m.Caller]
	if s == nil {
		return
	}
	used := map[*Seen]bool{}
	eachLeaf(v, nil, func(_ path, leaf wire.Value) {
		h, ok := l.hash(leaf)
		if !ok {
			return
		}
		at, ok := s.marks[h]
		if t := l.tools[at.tool]; ok && t != nil && t.paths[at.path] != nil && !used[t.paths[at.path]] {
			used[t.paths[at.path]] = true
			t.paths[at.path].Used++
		}
	})
}

// result counts, once for each result, the members that it has, and remembers
// their values for the session.
func (l *Learner) result(m Match, result wire.Value) {
	t := l.tool(tool{m.Server, m.Tool})
	if t == nil {
		return
	}
	t.results++
	here := map[*Seen]bool{}
	s := l.session(m.Caller)
	for _, root := range rootsOf(result) {
		eachLeaf(root, nil, func(p path, leaf wire.Value) {
			name := p.String()
			seen := t.paths[name]
			if seen == nil {
				if len(t.paths) == maxSeen || len(name) > maxPath {
					return
				}
				seen = &Seen{Path: name}
				t.paths[name] = seen
			}
			if !here[seen] {
				here[seen] = true
				seen.Results++
			}
			if h, ok := l.hash(leaf); ok && s != nil {
				s.remember(h, mark{tool{m.Server, m.Tool}, name})
			}
		})
	}
}

func (l *Learner) tool(t tool) *learned {
	if l.tools[t] == nil {
		if len(l.tools) == maxTools {
			return nil
		}
		l.tools[t] = &learned{paths: map[string]*Seen{}}
	}
	return l.tools[t]
}

// session returns what is remembered of a session, and forgets the oldest one
// when there are too many. A result without one is not remembered.
func (l *Learner) session(id string) *session {
	if id == "" {
		return nil
	}
	if s := l.sessions[id]; s != nil {
		return s
	}
	if oldest, full := l.order.add(id, maxSessions); full {
		delete(l.sessions, oldest)
	}
	s := &session{marks: map[uint64]mark{}}
	l.sessions[id] = s
	return s
}

func (s *session) remember(h uint64, m mark) {
	if _, ok := s.marks[h]; !ok {
		if oldest, full := s.order.add(h, maxMarks); full {
			delete(s.marks, oldest)
		}
	}
	s.marks[h] = m
}

// hash returns the number of a value whose coming back says something: one that
// is not so short that it comes back by chance.
func (l *Learner) hash(v wire.Value) (uint64, bool) {
	switch v.Kind() {
	case wire.String:
		text, _ := v.Text()
		return maphash.String(l.seed, text), len(text) >= shortestValue
	case wire.Number:
		raw := v.Raw() // as text: an id may be a number here and a text there
		return maphash.Bytes(l.seed, raw), len(raw) >= shortestValue
	}
	return 0, false
}

// rootsOf returns the JSON values of a result: structuredContent, else its texts,
// else the value itself, which is then one from a file.
func rootsOf(result wire.Value) []wire.Value {
	if v := result.Get("structuredContent"); v.Exists() {
		return []wire.Value{v}
	}
	sites := sitesOf(result)
	if len(sites) == 0 {
		return []wire.Value{result}
	}
	var roots []wire.Value
	for _, s := range sites {
		for _, b := range s.blocks {
			if b == nil {
				continue
			}
			for _, v := range []wire.Value{b.v.Get("text"), b.v.At("resource", "text")} {
				if h := open(v); isContainer(h.core) {
					roots = append(roots, h.core)
				}
			}
		}
	}
	return roots
}

// eachLeaf calls fn for what is neither object nor list, up to a number of
// values, with paths whose elements have no numbers. fn must not keep the path.
func eachLeaf(v wire.Value, at path, fn func(path, wire.Value)) {
	left := maxLooked
	var walk func(v wire.Value, at path)
	walk = func(v wire.Value, at path) {
		if left--; left < 0 || len(at) > maxSteps {
			return
		}
		switch h := open(v); h.core.Kind() {
		case wire.Object:
			for m, c := range h.core.Members() {
				walk(c, append(at, step{toName, m.Key}))
			}
		case wire.Array:
			for c := range h.core.Elements() {
				walk(c, append(at, step{kind: toElement}))
			}
		default:
			fn(at, v)
		}
	}
	walk(v, at)
}

// Learned is what a Learner knows of the results of one tool.
type Learned struct {
	Server  string `json:"server"`
	Tool    string `json:"tool"`
	Results int    `json:"results"` // that were seen
	Members []Seen `json:"members"` // by path
}

// Learned returns what is known of a server's tools, or of one of them.
func (l *Learner) Learned(server, name string) []Learned {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Learned
	for t, of := range l.tools {
		if t.server != server || name != "" && t.name != name {
			continue
		}
		one := Learned{Server: t.server, Tool: t.name, Results: of.results}
		for _, s := range of.paths {
			one.Members = append(one.Members, *s)
		}
		slices.SortFunc(one.Members, func(a, b Seen) int { return cmp.Compare(a.Path, b.Path) })
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Learned) int { return cmp.Compare(a.Tool, b.Tool) })
	return all
}
