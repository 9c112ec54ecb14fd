package wire

import (
	"bytes"
	"strings"
)

// scope lists the protocol members of one kind of object.
type scope struct {
	byLen [longestMember + 1][]member // by length of the name
	every *member                     // set: names are free, each value is this
	alt   *alternative
}

// longestMember is the length of the longest protocol member.
const longestMember = len("io.modelcontextprotocol/clientCapabilities")

// member is one protocol member and what its value may be.
type member struct {
	name      string
	kinds     kinds  // 0 = any
	class     class  // how its text is judged
	inner     *scope // of the object, or of the objects in the array
	arrayOnly bool   // inner applies to arrays: as an object it is free-form
	blocks    bool   // the array counts as content blocks
}

// kinds is a set of JSON types: bit 1<<ValueKind.
type kinds uint16

const (
	isObject = kinds(1 << Object)
	isArray  = kinds(1 << Array)
	isString = kinds(1 << String)
	isNumber = kinds(1 << Number)
	isBool   = kinds(1<<True | 1<<False)
	isNull   = kinds(1 << Null)
)

// class says what a string is for.
type class uint8

const (
	plainText  class = iota // free text
	nameText                // name of a tool, prompt, method and the like
	uriText                 // URI or URI template
	cursorText              // pagination
	stateText               // requestState
	handleText              // task ids
	idText                  // request ids and progress tokens
)

// alternative replaces a scope when the object has one member and not another.
type alternative struct {
	has, hasNot string
	scope       *scope
}

// applies reports whether the alternative is meant.
func (a *alternative) applies(v Value) bool {
	return v.Get(a.has).Exists() && !v.Get(a.hasNot).Exists()
}

// find returns the member with this decoded name. Without one, exact tells
// that the name is no variant of any either.
func (s *scope) find(name []byte, flags uint8) (m *member, exact bool) {
	if flags&(high|escaped) != 0 {
		if plain, changed := foldToASCII(name); changed {
			return nil, !s.folds(plain)
		}
	}
	if len(name) >= len(s.byLen) {
		return nil, true
	}
	list := s.byLen[len(name)]
	for i := range list {
		if string(name) == list[i].name {
			return &list[i], true
		}
	}
	return nil, !s.folds(name)
}

// folds reports whether an ASCII name equals a member's but for letter case.
func (s *scope) folds(name []byte) bool {
	if len(name) >= len(s.byLen) {
		return false
	}
	for _, m := range s.byLen[len(name)] {
		if equalFold(name, m.name) {
			return true
		}
	}
	return false
}

// equalFold compares two strings of the same length under ASCII case folding.
func equalFold(a []byte, b string) bool {
	for i, c := range a {
		if d := b[i]; c != d && (c^d != 0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// foldToASCII replaces the two characters outside ASCII that fold to an ASCII
// letter under Unicode simple folding: U+017F (long s) and U+212A (Kelvin).
func foldToASCII(name []byte) (folded []byte, changed bool) {
	if !bytes.Contains(name, longS) && !bytes.Contains(name, kelvin) {
		return name, false
	}
	folded = bytes.ReplaceAll(name, longS, []byte{'s'})
	return bytes.ReplaceAll(folded, kelvin, []byte{'k'}), true
}

// The two characters of foldToASCII.
var longS, kelvin = []byte("\u017f"), []byte("\u212a")

// newScope returns a scope with members of any type, named by a list, and
// members that say more.
func newScope(any string, more ...member) *scope {
	s := new(scope)
	for _, name := range strings.Fields(any) {
		s.add(member{name: name})
	}
	for _, m := range more {
		s.add(m)
	}
	return s
}

// add adds a member.
func (s *scope) add(m member) {
	s.byLen[len(m.name)] = append(s.byLen[len(m.name)], m)
}
