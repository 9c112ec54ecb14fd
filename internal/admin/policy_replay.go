package admin

import (
	"context"
	"time"

	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

// PolicyReplay decides the calls in the log again, by the policies and by those
// in force, on the registry as it is now. A call is listed when the policies
// decide otherwise than was decided then, and otherwise than those in force
// would now: then they are the cause. The log holds arguments as a hash only, so
// every tool call is decided for some arguments.
func (o *operator) PolicyReplay(ctx context.Context, r PolicyReplay) (PolicyReplayed, error) {
	view := o.cfg.Live.Load()
	after, err := compiled(view, r.Sources)
	if err != nil {
		return PolicyReplayed{}, err
	}
	p := replay{PolicyReplayed{Changes: []ReplayedCall{}}, view, policy.SetOf(view), after, o}
	err = o.calls(ctx, "policy.replay", AuditQuery{Since: &r.Since, Until: r.Until}, p.call)
	return p.out, err
}

// replay is one under way.
type replay struct {
	out           PolicyReplayed
	view          *registry.Snapshot
	before, after *policy.Set
	o             *operator
}

func (p *replay) call(c loggedCall) {
	p.out.Calls++
	q, known := p.question(c)
	if !known {
		p.out.OutOfReach++
		return
	}
	p.out.Decided++
	if q.Some {
		p.out.NoArguments++
	}
	d := policy.DecideWith(p.after, p.view, q)
	now, would := verdictOf(policy.DecideWith(p.before, p.view, q)), verdictOf(d)
	if now != c.Decision {
		p.out.Moved++
	}
	if would == c.Decision || would == now {
		return
	}
	if effectOf(c.Decision, would) == "widened" {
		p.out.Widened++
	} else {
		p.out.Narrowed++
	}
	if len(p.out.Changes) == maxListed {
		p.out.Left++
		return
	}
	p.out.Changes = append(p.out.Changes, ReplayedCall{Time: c.Time, Exchange: c.Exchange, Agent: c.Actor, Server: c.Server, Method: c.Method,
		Tool: q.Tool, Recorded: c.Decision, Would: would, Reasons: reasonsOf(d)})
}

// question rebuilds what was asked. It is out of reach when its parts are gone,
// or when it is about what is not registered any more.
func (p *replay) question(c loggedCall) (policy.Query, bool) {
	if c.Readable != nil && !*c.Readable || c.Erased || c.Server == "" || openness(c.Decision) < 0 ||
		p.view.Agent(c.Actor) == nil || p.view.Server(c.Server) == nil {
		return policy.Query{}, false
	}
	one := PolicyCase{Agent: c.Actor, Server: c.Server}
	if at, err := time.Parse(time.RFC3339, c.Time); err == nil {
		one.At = &at
	}
	if c.Method == "tools/call" {
		if one.Tool = c.Name; one.Tool == "" {
			return policy.Query{}, false
		}
	}
	q, err := p.o.query(one)
	if err != nil {
		return q, false
	}
	if q.Method = c.Method; !q.IsTool {
		q.Name = c.Name
	}
	return q, true
}
