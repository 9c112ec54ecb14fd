package policy

import "ostiary.dev/ostiary/internal/registry"

// Source is one file of Cedar policies.
type Source = registry.PolicySource

// Problem is one thing that is wrong with a source.
type Problem struct {
	File    string
	Line    int // from 1; 0 = the whole file
	Column  int // from 1
	Message string
}

// Set is the operators' policies, ready to decide with. It is immutable and
// safe for concurrent use. A nil Set holds no policies: the grants alone decide.
type Set struct {
	hash   string
	broken string // why every call is refused; "" = it can be used
}

// Compile checks sources against the schema that Schema makes of s, and returns
// them ready to use, or every problem that was found and no Set.
func Compile(s *registry.Snapshot, sources []Source) (*Set, []Problem) {
	return &Set{hash: registry.PolicyHash(sources)}, nil
}

// Hash returns the hash of the sources (registry.PolicyHash), "" of no set.
func (s *Set) Hash() string {
	if s == nil {
		return ""
	}
	return s.hash
}

// Broken returns why the set refuses every call, or "".
func (s *Set) Broken() string {
	if s == nil {
		return ""
	}
	return s.broken
}

// Rule is one policy of a set.
type Rule struct {
	ID     string // its @id, or "FILE#N"
	Forbid bool
	Needs  string            // its @needs
	Notes  map[string]string // its annotations
	Text   string            // Cedar
	File   string
	Line   int
}

// Rules returns the policies of the set in the order of their files.
func (s *Set) Rules() []Rule { return nil }

// SetOf returns the set that is in force in s, nil when there is none.
func SetOf(s *registry.Snapshot) *Set { return nil }

// ShadowOf returns the set that s tries beside the one in force, or nil.
func ShadowOf(s *registry.Snapshot) *Set { return nil }

// DecideWith answers q as Decide does, with set as the operators' policies.
func DecideWith(set *Set, s *registry.Snapshot, q Query) Decision { return Decide(s, q) }

// Schema returns the Cedar schema of s, in Cedar's own notation.
func Schema(s *registry.Snapshot) string { return "" }
