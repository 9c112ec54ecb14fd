// Package filter takes out of answers what their callers do not need: members
// by path, rows by predicate, lists and texts by length, whole content blocks,
// metadata. Rules are written in YAML, are read strictly and are compiled once
// for each view of the registry.
//
// It works on structuredContent and on JSON inside text alike, because what one
// of them hides the other would show. It only ever takes away: of rules of more
// than one match, drops add up, keeps intersect and caps take the least. What it
// does not take away keeps its bytes. When a result cannot be made to fit its
// output schema, the report says so and the caller blocks the answer.
//
// The room works on values that it is given. It deliberately detects nothing,
// hides nothing behind pseudonyms, sends nothing and keeps no value of any
// answer.
package filter

import (
	"errors"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Match is what an answer belongs to. Session is not matched on: it tells the
// Learner which arguments follow which results.
type Match struct{ Agent, Server, Tool, Resource, Method, Purpose, Session string }

// Rule is one rule of a file.
type Rule struct{}

// Set holds compiled rules. It is immutable. A nil Set does nothing.
type Set struct{}

// Plan is what the rules of a Set say about one answer.
type Plan struct{}

// Report counts what was withheld. Unfit says why a result cannot be made to
// fit its schema; the caller then blocks it. It holds no value of the answer.
type Report struct {
	Fields, Rows, Blocks, Bytes int
	Unfit                       string
}

// Schema is a tool's output schema. Text, when it is known, tells which members
// may not go missing.
type Schema interface {
	Validate(raw []byte) error
	Text() wire.Value // the outputSchema object; absent: only Validate is asked
}

var errNotBuilt = errors.New("filters are not built yet")

// Parse reads a file of rules.
func Parse(name string, text []byte) ([]Rule, error) { return nil, errNotBuilt }

// New compiles rules.
func New(rules []Rule) *Set { return &Set{} }

// Of returns the compiled filters of a view.
func Of(view *registry.Snapshot) *Set { return nil }

// For returns what is to be done with an answer; nil: nothing.
func (s *Set) For(m Match) *Plan { return nil }

// Apply returns the edits of the message that result belongs to.
func (p *Plan) Apply(result wire.Value, output Schema) ([]wire.Edit, Report, error) {
	return nil, Report{}, errNotBuilt
}

// ApplyError is Apply for the error object of an error answer.
func (p *Plan) ApplyError(object wire.Value) ([]wire.Edit, Report, error) {
	return nil, Report{}, errNotBuilt
}

// ApplyNotice is Apply for the params of a notification of the call's stream.
func (p *Plan) ApplyNotice(method string, params wire.Value) ([]wire.Edit, Report, error) {
	return nil, Report{}, errNotBuilt
}

// Learner records which members of results come back in later arguments. It
// keeps paths and counts, never values. It is safe for concurrent use, and a nil
// Learner does nothing.
type Learner struct{}

// Observe takes note of a result of a call, and of arguments that the same
// session sends; either may be absent.
func (l *Learner) Observe(m Match, result, laterArguments wire.Value) {}
