package filter

import (
	"slices"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// Shape is what an output schema says about which members may not go missing,
// and what may stand in their place. It is immutable.
type Shape struct {
	root *shape
}

// shape is what a schema says about one value. Where parts of a schema are
// alternatives, what any of them requires counts as required: a value too many
// in the place of another one hurts nobody, one too few makes an answer that
// nobody can use. Whether the outcome fits is asked of the whole schema.
type shape struct {
	required map[string]bool
	members  map[string]*shape
	others   *shape // additionalProperties
	closed   bool   // the schema names all members
	elements *shape
	neutral  []byte // a value that says nothing; nil: none is known
}

// Bounds of one shape. A schema beyond them has none, and what is withheld is
// then only held to Validate.
const (
	maxShapes     = 5_000
	maxShapeDepth = 32
	maxNeutral    = 1 << 10 // bytes
)

// ShapeOf returns the shape of an output schema; nil when nothing is known.
func ShapeOf(schema wire.Value) *Shape {
	b := shaper{root: schema, known: map[int]*shape{}}
	s := b.shape(schema, 0)
	if s == nil || b.over {
		return nil
	}
	return &Shape{s}
}

// shaper builds a Shape. Schemas that refer to themselves make shapes that do.
type shaper struct {
	root  wire.Value
	known map[int]*shape // by where the schema begins
	over  bool
}

func (b *shaper) shape(v wire.Value, depth int) *shape {
	if v.Kind() != wire.Object {
		return nil // absent, true or false
	}
	start, _ := v.Range()
	if s := b.known[start]; s != nil {
		return s
	}
	if b.over = b.over || depth > maxShapeDepth || len(b.known) == maxShapes; b.over {
		return nil
	}
	s := &shape{required: map[string]bool{}, members: map[string]*shape{}}
	b.known[start] = s
	parts := b.parts(v, nil)
	for _, p := range parts {
		b.members(s, p, depth)
		if s.elements == nil {
			s.elements = b.shape(p.Get("items"), depth+1)
		}
	}
	s.neutral = b.neutral(parts, s)
	return s
}

// parts returns v and what it is combined of.
func (b *shaper) parts(v wire.Value, before []wire.Value) []wire.Value {
	start, _ := v.Range()
	seen := slices.ContainsFunc(before, func(p wire.Value) bool { at, _ := p.Range(); return at == start })
	if v.Kind() != wire.Object || seen || len(before) > maxShapeDepth {
		return before
	}
	all := append(before, v)
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		for part := range v.Get(key).Elements() {
			all = b.parts(part, all)
		}
	}
	for _, key := range []string{"then", "else"} {
		all = b.parts(v.Get(key), all)
	}
	for _, key := range []string{"$ref", "$dynamicRef"} {
		if ref, ok := v.Get(key).Text(); ok {
			all = b.parts(b.find(ref), all)
		}
	}
	return all
}

// find returns what a reference within the schema points at.
func (b *shaper) find(ref string) wire.Value {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return wire.Value{}
	}
	v := b.root
	if pointer == "" {
		return v
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if v.Kind() == wire.Array {
			i, err := strconv.Atoi(part)
			v = element(v, i, err == nil)
		} else {
			v = v.Get(part)
		}
	}
	return v
}

func element(list wire.Value, i int, ok bool) wire.Value {
	n := 0
	for v := range list.Elements() {
		if ok && n == i {
			return v
		}
		n++
	}
	return wire.Value{}
}

// members takes over what one part says of members.
func (b *shaper) members(s *shape, part wire.Value, depth int) {
	for name := range part.Get("required").Elements() {
		if text, ok := name.Text(); ok {
			s.required[text] = true
		}
	}
	for m, v := range part.Get("properties").Members() {
		if s.members[m.Key] == nil {
			s.members[m.Key] = b.shape(v, depth+1)
		}
	}
	more := part.Get("additionalProperties")
	if s.others == nil {
		s.others = b.shape(more, depth+1)
	}
	s.closed = s.closed || part.Get("properties").Exists()
	if s.others == nil && (more.Kind() == wire.Object || part.Get("patternProperties").Exists()) {
		s.others = &shape{} // described, if not in a way that is understood here
	}
}

// member returns the shape of a member, nil when nothing is known of it.
func (s *shape) member(name string) *shape {
	if s == nil {
		return nil
	}
	if m, ok := s.members[name]; ok {
		return m
	}
	return s.others
}

// declares reports whether the schema says anything about a member.
func (s *shape) declares(name string) bool {
	if s == nil || !s.closed || s.others != nil {
		return true
	}
	_, ok := s.members[name]
	return ok
}

// element returns the shape of a list's elements.
func (s *shape) element() *shape {
	if s == nil {
		return nil
	}
	return s.elements
}

// instead returns what stands in the place of a member that is withheld; nil:
// nothing, it just goes. ok is false when it is required and nothing is known
// that may stand there.
func (s *shape) instead(name string) (text []byte, ok bool) {
	if s == nil || !s.required[name] {
		return nil, true
	}
	m := s.member(name)
	if m == nil {
		return []byte("null"), true
	}
	return m.neutral, m.neutral != nil
}
