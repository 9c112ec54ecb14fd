package policy

import (
	"errors"
	"maps"
	"slices"

	"github.com/cedar-policy/cedar-go/types"

	"ostiary.dev/ostiary/internal/registry"
)

// Case is a query in Cedar's own words, with all that policies could read of
// it. Any implementation of Cedar can decide it, and so check what Decide says
// and how it sees the registry (TestAgreesWithPlainCedar, and test/interop with
// the one in Rust).
type Case struct {
	Request  types.Request
	Entities types.EntityMap
	Policies []Rule // the operators', and the permit that the grant is
}

// errNotAsked is returned for queries that are refused before any policy is
// asked.
var errNotAsked = errors.New("no policy is asked about it")

// Export returns q as a Case. The context holds every member, where Decide makes
// only those that some rule reads: an argument that cannot be held exactly is an
// error, although perhaps no rule would have looked at it.
func Export(s *registry.Snapshot, q Query) (*Case, error) {
	c := &trial{q: q}
	if _, reason := c.enter(SetOf(s), s); reason != "" || q.Some {
		return nil, errNotAsked
	}
	out := &Case{Entities: types.EntityMap{}, Policies: c.set.Rules()}
	c.gather()
	if c.set != nil {
		c.rules = slices.Clone(c.set.rules)
	}
	if c.grant != nil {
		r := c.view.grantRule(c.grant)
		c.rules = append(c.rules, r)
		out.Policies = append(out.Policies, Rule{ID: r.id, Text: r.text()})
	}
	c.merged = merged{extent: extent{call: readCall, has: true, allFacts: true}, args: []string{"*"}}
	if err := c.setting(); err != nil {
		return nil, err
	}
	out.Request = c.request()
	out.collect(c)
	return out, nil
}

// collect adds the entities that a policy could reach: those of the request,
// those that policies name, and all above them.
func (out *Case) collect(c *trial) {
	todo := []types.EntityUID{out.Request.Principal, out.Request.Action, out.Request.Resource}
	if p := c.q.Principal.Person; p != "" {
		todo = append(todo, uid(typePerson, p))
	}
	for _, r := range c.rules {
		todo = slices.AppendSeq(todo, maps.Keys(r.reads.names))
	}
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		if _, known := out.Entities[next]; known {
			continue
		}
		if e, ok := (*world)(c).Get(next); ok && (e.Parents.Len() > 0 || e.Attributes.Len() > 0) {
			out.Entities[next] = e
			todo = append(todo, e.Parents.Slice()...)
		}
	}
}
