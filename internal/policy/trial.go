package policy

import (
	"slices"
	"strconv"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// stepUpAge is for how long a person's stronger proof counts.
const stepUpAge = identity.StepUpAge

// trial is one query being decided. Hard refusals (who is unknown, suspended,
// unapproved) were made before: no policy can lift them.
type trial struct {
	memo   *memo // nil = each query on its own
	set    *Set
	view   *view
	q      Query
	agent  *registry.Agent
	server *registry.Server
	tool   *registry.Tool
	grant  *registry.Grant
	need   registry.Access
	target target

	rules   []*rule   // that may match, the grant's among them
	room    [24]*rule // where rules begins
	merged  merged    // what rules read together
	known   bool      // in a list: conditions of some rule name the item
	open    bool      // arguments are not known: judge partially
	client  *types.Entity
	item    *itemView
	context types.Record
}

// concerns reports whether some permit could allow the agent something on the
// server. Without one, and without a grant, the server does not exist for it.
func (c *trial) concerns() bool { return c.set.concerns(c.agent, c.server.ID) }

// decide asks the rules. d says already who decided and what is needed.
func (c *trial) decide(d Decision) Decision {
	c.open = c.q.Some
	c.gather()
	if known, ok := c.recall(); ok {
		return known
	}
	if c.setting() != nil {
		return d.deny(fault.Denied, ReasonArgument)
	}
	d = c.weigh(d)
	c.remember(d)
	return d
}

// gather finds the rules that are asked, and what they look at.
func (c *trial) gather() {
	c.aim()
	c.rules = c.set.candidates(c, c.room[:0])
	if c.grant != nil {
		c.rules = append(c.rules, c.view.grantRule(c.grant))
	}
	for _, r := range c.rules {
		c.merged.join(&r.reads)
	}
}

// weigh makes a decision of what the rules say. An error of any of them is a
// refusal: Cedar would skip the rule, and a forbid that is skipped opens a door.
func (c *trial) weigh(d Decision) Decision {
	if !c.open && !c.set.alone() && !slices.ContainsFunc(c.rules, func(r *rule) bool { return r.needs != 0 }) {
		return c.weighTogether(d)
	}
	var forbids, asks, permits []*rule
	for _, r := range c.rules {
		if r.forbid && c.met(r) && r.needs != 0 {
			continue // it forbids only until a person did their part
		}
		switch v := c.recalled(r); {
		case v == wrong:
			d.Reasons = []string{r.id}
			return d.deny(fault.Denied, ReasonPolicyError)
		case r.forbid && v == yes && r.needs == 0:
			forbids = append(forbids, r)
		case r.forbid && v == yes:
			asks = append(asks, r)
		case !r.forbid && v != no:
			permits = append(permits, r)
		}
	}
	if len(forbids) > 0 {
		d.Reasons = ids(forbids)
		return d.deny(fault.Denied, ReasonForbid)
	}
	if len(permits) == 0 && !c.greeting() {
		return c.unpermitted(d)
	}
	open, closed := c.sorted(permits)
	if len(asks) == 0 && (len(open) > 0 || len(permits) == 0) {
		d.Allow, d.Reason, d.Reasons = true, ReasonPermit, ids(open)
		if slices.ContainsFunc(open, func(r *rule) bool { return r.grant }) {
			d.Reason = ReasonGranted
		}
		return d
	}
	if len(open) == 0 {
		asks = append(asks, closed...)
	}
	d.Needs, d.Reasons = c.lacking(asks), ids(asks)
	for _, r := range asks {
		d.Approvers, d.Passkey = max(d.Approvers, r.approvers), d.Passkey || r.passkey
	}
	return d.deny(fault.Denied, ReasonNeeds)
}

// weighTogether asks all rules at once, which says the same as one after the
// other when none of them needs a person (TestSliceAgreesWithWholeSet).
func (c *trial) weighTogether(d Decision) Decision {
	answer, diag := cedar.Authorize((*together)(c), (*world)(c), c.request())
	if len(diag.Errors) > 0 {
		d.Reasons = []string{c.at(diag.Errors[0].PolicyID).id}
		return d.deny(fault.Denied, ReasonPolicyError)
	}
	var said []*rule
	for _, why := range diag.Reasons {
		said = append(said, c.at(why.PolicyID))
	}
	switch {
	case answer == cedar.Allow || len(said) == 0 && c.greeting():
		d.Allow, d.Reason, d.Reasons = true, ReasonPermit, ids(said)
		if slices.ContainsFunc(said, func(r *rule) bool { return r.grant }) {
			d.Reason = ReasonGranted
		}
		return d
	case len(said) > 0:
		d.Reasons = ids(said)
		return d.deny(fault.Denied, ReasonForbid)
	}
	return c.unpermitted(d)
}

// at returns the rule of a place.
func (c *trial) at(id cedar.PolicyID) *rule {
	n, err := strconv.Atoi(string(id))
	if err != nil || n < 0 || n >= len(c.rules) {
		panic("policy: cedar names a policy that it was not given")
	}
	return c.rules[n]
}

// sorted splits permits into those whose needs are met and the others.
func (c *trial) sorted(permits []*rule) (open, closed []*rule) {
	for _, r := range permits {
		if c.met(r) {
			open = append(open, r)
		} else {
			closed = append(closed, r)
		}
	}
	return open, closed
}

// unpermitted says why nothing allows the query: in the words of the grant
// when there is one.
func (c *trial) unpermitted(d Decision) Decision {
	switch {
	case c.grant == nil:
		return d.deny(fault.Denied, ReasonNoPermit)
	case c.q.IsTool && len(c.grant.Tools) > 0 && !slices.Contains(c.grant.Tools, c.q.Tool):
		return d.deny(fault.Denied, ReasonToolNotListed)
	}
	return d.deny(fault.Denied, ReasonAccess)
}

// greeting reports whether the query is only how a client gets to know a server
// of which some permit concerns it: connecting and listing show nothing that is
// not decided item by item.
func (c *trial) greeting() bool {
	if a := string(c.target.action.ID); c.q.IsTool || a != actConnect && a != actList || c.need != registry.Read {
		return false
	}
	return c.concerns()
}

// met reports whether what the rule needs of a person was done.
func (c *trial) met(r *rule) bool {
	return (r.needs&needApproval == 0 || c.q.Call.Approved) && (r.needs&needStepUp == 0 || c.steppedUp())
}

// lacking returns what is missing for the rules: stepping up first, which the
// caller can do alone.
func (c *trial) lacking(rules []*rule) Needs {
	for _, r := range rules {
		if r.needs&needStepUp != 0 && !c.steppedUp() {
			return NeedsStepUp
		}
	}
	return NeedsApproval
}

// steppedUp reports whether the caller's person proved themselves strongly not
// long ago. A call whose time is not known is not.
// An agent without a person has nobody to step up: a person's approval stands
// in for it.
func (c *trial) steppedUp() bool {
	p, now := &c.q.Principal, c.q.Call.Time
	if p.Person == "" && c.q.Call.Approved {
		return true
	}
	if p.Strength < identity.StepUp || p.AuthTime.IsZero() || now.IsZero() {
		return false
	}
	age := now.Sub(p.AuthTime)
	return age > -time.Minute && age <= stepUpAge
}

func ids(rules []*rule) []string {
	var out []string
	for _, r := range rules {
		out = append(out, r.id)
	}
	slices.Sort(out)
	return out
}

// request is the trial as Cedar sees it.
func (c *trial) request() types.Request {
	return types.Request{Principal: uid(typeClient, c.agent.ID), Action: c.target.action, Resource: c.target.resource, Context: c.context}
}
