package policy

import (
	"iter"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
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
	home      string          // server that its scope names; "" = not one
	owner     string          // agent that its scope names; "" = not one
	tools     map[string]bool // of a grant that names tools
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
	_, diag := cedar.Authorize(r, (*world)(c), c.request())
	switch {
	case len(diag.Errors) > 0:
		return wrong
	case len(diag.Reasons) > 0:
		return yes
	}
	return no
}

// together is all the rules of a trial as one set.
type together trial

// All yields the policies under their places, which are unique.
func (t *together) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i, r := range t.rules {
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
	return partialIn(eval.Env{Entities: (*world)(c), Principal: req.Principal, Action: req.Action, Resource: req.Resource, Context: req.Context}, r.ast)
}

func partialIn(env eval.Env, p *ast.Policy) verdict {
	rest, keep := eval.PartialPolicy(env, p)
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

// text returns the policy in Cedar's notation.
func (r *rule) text() string { return strings.TrimSpace(string(r.policy.MarshalCedar())) }
