package policy

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// What a rule may need of a person.
const (
	needApproval = 1 << iota
	needStepUp
)

// rule is one policy, with what has to be known about it before it is asked.
type rule struct {
	n         int // place in its set, from 1; 0 = a grant
	id        string
	forbid    bool
	grant     bool
	needs     int
	approvers int  // people that must approve
	passkey   bool // each of them with a passkey
	notes     map[string]string
	policy    *cedar.Policy
	ast       *ast.Policy
	reads     reads
	home      string // server that its scope names; "" = not one
	owner     string // agent that its scope names; "" = not one
}

// All makes a rule the whole set that Cedar is asked about.
func (r *rule) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) { yield(cedar.PolicyID(r.id), r.policy) }
}

// verdict is what one rule says to a query.
type verdict int

const (
	no    verdict = iota
	yes           // it matches
	maybe         // it matches with some arguments
	wrong         // it cannot be evaluated
)

// judge asks one rule.
func (c *trial) judge(r *rule) verdict {
	if c.open && r.reads.unknown() {
		return c.partial(r)
	}
	_, diag := cedar.Authorize(r, c.world, c.request())
	switch {
	case len(diag.Errors) > 0:
		return wrong
	case len(diag.Reasons) > 0:
		return yes
	}
	return no
}

// together is all the rules of a trial as one set.
type together []*rule

// All yields the policies under their places, which are unique.
func (t together) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i, r := range t {
			if !yield(places.of(i), r.policy) {
				return
			}
		}
	}
}

// places are ids of the first places, made once.
var places = newPlaceIDs()

type placeIDs [64]cedar.PolicyID

func newPlaceIDs() (p placeIDs) {
	for i := range p {
		p[i] = cedar.PolicyID(strconv.Itoa(i))
	}
	return p
}

func (p *placeIDs) of(i int) cedar.PolicyID {
	if i < len(p) {
		return p[i]
	}
	return cedar.PolicyID(strconv.Itoa(i))
}

// partial asks a rule of which only the arguments are not known. An error that
// would come with any arguments is one here too.
func (c *trial) partial(r *rule) verdict {
	req := c.request()
	rest, keep := eval.PartialPolicy(eval.Env{Entities: c.world, Principal: req.Principal, Action: req.Action, Resource: req.Resource, Context: req.Context}, r.ast)
	switch {
	case !keep:
		return no
	case len(rest.Conditions) == 0:
		return yes
	}
	if _, failed := eval.ToPartialError(rest.Conditions[0].Body); failed {
		return wrong
	}
	return maybe
}

// reads is what a rule looks at beside its scope.
type reads struct {
	call     []string      // members of context.call, sorted; "*" = all
	args     []string      // members of context.args, sorted; "*" = all
	has      bool          // asks whether context has args
	labels   bool          // resource.labels
	resource bool          // anything else of the resource, or the action
	facts    []string      // string literals, when it reads facts
	patterns []pathPattern // that it compares with, if it reads arguments
	literals []string      // with a slash, that it compares with
}

// unknown reports whether what the rule says depends on arguments.
func (r *reads) unknown() bool {
	return len(r.args) > 0 || slices.Contains(r.call, "facts") || slices.Contains(r.call, "*")
}

// join adds what another rule reads.
func (r *reads) join(o *reads) {
	r.call, r.args = union(r.call, o.call), union(r.args, o.args)
	r.has, r.labels, r.resource = r.has || o.has, r.labels || o.labels, r.resource || o.resource
	r.facts = union(r.facts, o.facts)
	if len(o.args) > 0 {
		r.patterns, r.literals = append(r.patterns, o.patterns...), append(r.literals, o.literals...)
	}
}

func union(a, b []string) []string {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return b
	}
	if !slices.ContainsFunc(b, func(s string) bool { return !slices.Contains(a, s) }) {
		return a // most rules of a slice read the same
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// readsOf finds what a policy looks at. What it does not understand counts as
// reading everything.
func readsOf(p *ast.Policy) reads {
	r := reads{}
	for _, c := range p.Conditions {
		r.walk(c.Body)
	}
	if slices.Contains(r.call, "facts") || slices.Contains(r.call, "*") {
		r.facts = slices.Clone(r.literals)
	}
	r.literals = slices.DeleteFunc(r.literals, func(s string) bool { return !strings.ContainsAny(s, `/\`) })
	for _, list := range []*[]string{&r.call, &r.args, &r.facts} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return r
}

func (r *reads) walk(n ast.IsNode) {
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		switch v := n.(type) {
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
			switch v.Name {
			case "context":
				r.call, r.args, r.has = append(r.call, "*"), append(r.args, "*"), true
			case "resource", "action":
				r.resource = true
			}
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

// value keeps string literals, also those in sets.
func (r *reads) value(v types.Value) {
	switch v := v.(type) {
	case types.String:
		r.literals = append(r.literals, string(v))
	case types.Set:
		for e := range v.All() {
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
			r.call = append(r.call, "*")
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
		r.call = append(r.call, string(n.Value))
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

// text returns the policy in Cedar's notation.
func (r *rule) text() string { return strings.TrimSpace(string(r.policy.MarshalCedar())) }
