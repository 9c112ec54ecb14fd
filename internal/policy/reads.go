package policy

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// callSet is a set of members of context.call.
type callSet uint16

// The members, in the order of callNames.
const (
	readStrength callSet = 1 << iota
	readMFA
	readChain
	readPurpose
	readSignature
	readScopes
	readLabels
	readApproved
	readFacts
	readTime
	readIP
	readOther // a name that is no member

	readCall = ^callSet(0) // all of them
)

var callNames = []string{"auth_strength", "mfa", "chain", "purpose", "signature_state", "scopes", "session_labels", "approved", "facts", "time", "ip"}

func callMember(name string) callSet {
	if i := slices.Index(callNames, name); i >= 0 {
		return 1 << i
	}
	return readOther
}

// extent is what rules look at, in few bits.
type extent struct {
	call     callSet
	has      bool // whether context has args
	labels   bool // resource.labels
	item     bool // the resource or the action, beside that
	allFacts bool // all facts there are, not only those that it names
}

// reads is what a rule looks at beside its scope.
type reads struct {
	extent
	args     []string                 // members of context.args, sorted; "*" = all
	facts    []string                 // that it asks for
	patterns []pathPattern            // that it compares with, if it reads arguments
	literals []string                 // with a slash, that it compares with
	names    map[types.EntityUID]bool // entities that its conditions name
}

// unknown reports whether what the rule says depends on arguments.
func (r *reads) unknown() bool { return len(r.args) > 0 || r.call&readFacts != 0 }

// merged is what the rules of a trial read together. What they compare with is
// looked up rule by rule.
type merged struct {
	extent
	args, facts []string
}

// join adds what another rule reads.
func (r *merged) join(o *reads) {
	r.call |= o.call
	r.has, r.labels, r.item, r.allFacts = r.has || o.has, r.labels || o.labels, r.item || o.item, r.allFacts || o.allFacts
	r.args, r.facts = union(r.args, o.args), union(r.facts, o.facts)
}

func union(a, b []string) []string {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return b
	}
	if within(b, a) {
		return a // most rules of a slice read the same
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// within reports whether every string of b is one of a.
func within(b, a []string) bool {
	for _, s := range b {
		if !slices.Contains(a, s) {
			return false
		}
	}
	return true
}

// readsOf finds what a policy looks at. What it does not understand counts as
// reading everything.
func readsOf(p *ast.Policy) reads {
	r := reads{}
	for _, c := range p.Conditions {
		r.walk(c.Body)
	}
	r.allFacts = r.allFacts || r.call == readCall
	r.labels = r.labels || r.item
	r.literals = slices.DeleteFunc(r.literals, func(s string) bool { return !strings.ContainsAny(s, `/\`) })
	for _, list := range []*[]string{&r.args, &r.facts} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return r
}

func (r *reads) walk(n ast.IsNode) {
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		switch v := n.(type) {
		case ast.NodeTypeContains:
			return !r.fact(v.Left, v.Right)
		case ast.NodeTypeContainsAny:
			return !r.fact(v.Left, v.Right)
		case ast.NodeTypeContainsAll:
			return !r.fact(v.Left, v.Right)
		case ast.NodeTypeAccess:
			if on, ok := v.Arg.(ast.NodeTypeVariable); ok && on.Name == "resource" && v.Value == "labels" {
				r.labels = true
				return false
			}
			return !r.member(v.StrOpNode)
		case ast.NodeTypeHas:
			if isContext(v.Arg) && v.Value == "args" { // reads no argument
				r.has = true
				return false
			}
			return !r.member(v.StrOpNode)
		case ast.NodeTypeVariable:
			r.variable(string(v.Name))
		case ast.NodeValue:
			r.value(v.Value)
		case ast.NodeTypeLike:
			if p, ok := pathPatternOf(v.Value); ok {
				r.patterns = append(r.patterns, p)
			}
		}
		return true
	})
}

func (r *reads) variable(name string) {
	switch name {
	case "context":
		r.call, r.args, r.has = readCall, append(r.args, "*"), true
	case "resource", "action":
		r.item = true
	}
}

// fact reports whether a contains looks for literals among the facts. Then
// these alone have to be known. A rule that looks at the facts in any other way,
// by isEmpty for example, sees all there are, whatever rules stand beside it
// (TestFactsDependOnNoOtherRule).
func (r *reads) fact(left, right ast.IsNode) bool {
	of, ok := left.(ast.NodeTypeAccess)
	if !ok || of.Value != "facts" {
		return false
	}
	on, ok := of.Arg.(ast.NodeTypeAccess)
	if !ok || on.Value != "call" || !isContext(on.Arg) {
		return false
	}
	words, ok := literals(right)
	if ok {
		r.call, r.facts = r.call|readFacts, append(r.facts, words...)
	}
	return ok
}

// literals returns the strings that an expression is made of.
func literals(n ast.IsNode) (out []string, ok bool) {
	switch v := n.(type) {
	case ast.NodeValue:
		text, ok := v.Value.(types.String)
		return []string{string(text)}, ok
	case ast.NodeTypeSet:
		for _, e := range v.Elements {
			words, ok := literals(e)
			if !ok {
				return nil, false
			}
			out = append(out, words...)
		}
		return out, true
	}
	return nil, false
}

// value keeps string literals and entities, also those in sets and records.
func (r *reads) value(v types.Value) {
	switch v := v.(type) {
	case types.String:
		r.literals = append(r.literals, string(v))
	case types.EntityUID:
		if r.names == nil {
			r.names = map[types.EntityUID]bool{}
		}
		r.names[v] = true
	case types.Set:
		for e := range v.All() {
			r.value(e)
		}
	case types.Record:
		for e := range v.Values() {
			r.value(e)
		}
	}
}

// member notes context.call.X, context.args.X and what is shorter. It reports
// whether n was one of these, so that nothing below needs looking at.
func (r *reads) member(n ast.StrOpNode) bool {
	if isContext(n.Arg) {
		switch n.Value {
		case "call":
			r.call = readCall
		case "args":
			r.args = append(r.args, "*")
		default:
			return false
		}
		return true
	}
	inner, ok := n.Arg.(ast.NodeTypeAccess)
	if !ok || !isContext(inner.Arg) {
		return false
	}
	switch inner.Value {
	case "call":
		what := callMember(string(n.Value))
		r.call, r.allFacts = r.call|what, r.allFacts || what == readFacts
	case "args":
		r.args = append(r.args, string(n.Value))
	default:
		return false
	}
	return true
}

func isContext(n ast.IsNode) bool {
	v, ok := n.(ast.NodeTypeVariable)
	return ok && v.Name == "context"
}
