package admin

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// What a decision comes to, in one word.
const (
	saysAllow = "allow"
	saysDeny  = "deny"
	saysNeeds = "needs"
)

// maxCases bounds the cases of one test, maxCaseArgs the arguments of one case.
const (
	maxCases    = 10_000
	maxCaseArgs = 1 << 20
)

// verdictOf puts a decision in one word.
func verdictOf(d policy.Decision) string {
	switch {
	case d.Allow:
		return saysAllow
	case d.Needs != "":
		return saysNeeds
	}
	return saysDeny
}

// openness orders verdicts: what rises, widens access.
func openness(verdict string) int {
	return slices.Index([]string{saysDeny, saysNeeds, saysAllow}, verdict)
}

// effectOf names the way from one verdict to another.
func effectOf(before, after string) string {
	if openness(after) > openness(before) {
		return "widened"
	}
	return "narrowed"
}

// reasonsOf returns why d is as it is: its reason, then the policies.
func reasonsOf(d policy.Decision) []string { return append([]string{d.Reason}, d.Reasons...) }

// query makes the question of a case. Arguments that the case does not tell are
// unknown: the question is then whether some would be allowed.
func (o *operator) query(c PolicyCase) (policy.Query, error) {
	q := policy.Query{
		Principal: identity.Principal{Tenant: "default", Kind: identity.Client, ID: c.Agent, Method: "internal",
			Strength: max(c.Strength, identity.Bearer)},
		Server: c.Server, Method: "tools/list", Need: registry.Read,
	}
	q.Call = policy.Call{Time: o.now(), Purpose: c.Purpose, Approved: c.Approved}
	if c.At != nil {
		q.Call.Time = *c.At
	}
	if c.Strength != 0 {
		q.Principal.AuthTime = q.Call.Time
	}
	if c.IP != "" {
		ip, err := netip.ParseAddr(c.IP)
		if err != nil {
			return q, invalid("give one address, such as 192.0.2.7", "%q is not an address", c.IP)
		}
		q.Call.IP = ip
	}
	if c.Tool == "" {
		if len(c.Args) > 0 {
			return q, invalid("add --tool TOOL", "arguments are of a tool")
		}
		return q, nil
	}
	q.Method, q.Tool, q.IsTool, q.Some = "tools/call", c.Tool, true, len(c.Args) == 0
	if q.Some {
		return q, nil
	}
	lim := wire.DefaultLimits()
	lim.Bytes = maxCaseArgs
	args, err := wire.ParseValue(c.Args, lim)
	if err != nil || args.Kind() != wire.Object {
		return q, invalid(`give one JSON object, such as '{"path": "/a"}'`, "the arguments are not a JSON object")
	}
	q.Args = args
	return q, nil
}

// PolicyTest asks every case of the policies, or of those in force when there
// are no others.
func (o *operator) PolicyTest(ctx context.Context, r PolicyTest) ([]PolicyResult, error) {
	view := o.cfg.Live.Load()
	set, err := o.setOf(view, r.Sources)
	if err != nil {
		return nil, err
	}
	if len(r.Cases) == 0 || len(r.Cases) > maxCases {
		return nil, invalid("", "a test has at least one case and at most %d", maxCases)
	}
	results := []PolicyResult{}
	for i, c := range r.Cases {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if c.Name == "" {
			c.Name = fmt.Sprintf("case %d", i+1)
		}
		if openness(c.Expect) < 0 {
			return nil, invalid("expect allow, deny or needs", "%s expects %q", c.Name, c.Expect)
		}
		q, err := o.query(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		d := policy.DecideWith(set, view, q)
		got := verdictOf(d)
		results = append(results, PolicyResult{Name: c.Name, Agent: c.Agent, Server: c.Server, Tool: c.Tool, Expect: c.Expect,
			Got: got, Pass: got == c.Expect, Reasons: reasonsOf(d)})
	}
	return results, nil
}

// setOf returns the set of sources, or the one in force.
func (o *operator) setOf(view *registry.Snapshot, sources []policy.Source) (*policy.Set, error) {
	if len(sources) == 0 {
		return policy.SetOf(view), nil
	}
	return compiled(view, sources)
}

// each calls fn with every agent, server and tool, and with every agent and
// server, in order. It ends early when fn says so.
func each(view *registry.Snapshot, agents, servers []string, fn func(agent, server, tool string) bool) {
	for _, agent := range agents {
		for _, id := range servers {
			if !fn(agent, id, "") {
				return
			}
			srv := view.Server(id)
			if srv == nil {
				continue
			}
			for _, t := range srv.Tools {
				if !fn(agent, id, t.Name) {
					return
				}
			}
		}
	}
}

// Limits of a comparison: of the decisions that it makes, and of what it lists.
const (
	maxCompared = 500_000
	maxListed   = 1000
)

// PolicyDiff compares policies with those in force: their texts, and what each
// agent may do with every server and tool.
func (o *operator) PolicyDiff(ctx context.Context, r PolicyCheck) (PolicyDiff, error) {
	view := o.cfg.Live.Load()
	after, err := compiled(view, r.Sources)
	if err != nil {
		return PolicyDiff{}, err
	}
	before := policy.SetOf(view)
	d := PolicyDiff{Before: before.Hash(), After: after.Hash(), Edits: edits(before.Rules(), after.Rules()), Effects: []PolicyEffect{},
		Notices: []string{"decisions are compared for some arguments; a condition on arguments can change more"}}
	agents, servers, err := o.everybody()
	if err != nil {
		return PolicyDiff{}, err
	}
	each(view, agents, servers, func(agent, server, tool string) bool {
		if d.Compared++; d.Compared > maxCompared || ctx.Err() != nil {
			d.Compared--
			d.Notices = append(d.Notices, fmt.Sprintf("only the first %d decisions were compared", d.Compared))
			return false
		}
		q, _ := o.query(PolicyCase{Agent: agent, Server: server, Tool: tool})
		d.add(PolicyEffect{Agent: agent, Server: server, Tool: tool,
			Before: verdictOf(policy.DecideWith(before, view, q)), After: verdictOf(policy.DecideWith(after, view, q))})
		return true
	})
	return d, ctx.Err()
}

func (d *PolicyDiff) add(e PolicyEffect) {
	if e.Before == e.After {
		return
	}
	if e.Effect = effectOf(e.Before, e.After); e.Effect == "widened" {
		d.Widened++
	} else {
		d.Narrowed++
	}
	if len(d.Effects) == maxListed {
		d.Left++
		return
	}
	d.Effects = append(d.Effects, e)
}

// edits compares two lists of policies by their ids.
func edits(before, after []policy.Rule) []PolicyEdit {
	all := []PolicyEdit{}
	old := map[string]string{}
	for _, r := range before {
		old[r.ID] = r.Text
	}
	for _, r := range after {
		text, was := old[r.ID]
		delete(old, r.ID)
		switch {
		case !was:
			all = append(all, PolicyEdit{ID: r.ID, Edit: "added", After: r.Text})
		case text != r.Text:
			all = append(all, PolicyEdit{ID: r.ID, Edit: "changed", Before: text, After: r.Text})
		}
	}
	for id, text := range old {
		all = append(all, PolicyEdit{ID: id, Edit: "removed", Before: text})
	}
	slices.SortFunc(all, func(a, b PolicyEdit) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// everybody returns the ids of all agents and servers, sorted.
func (o *operator) everybody() (agents, servers []string, err error) {
	allAgents, err := o.cfg.Store.Agents()
	if err != nil {
		return nil, nil, asError("agents", err)
	}
	allServers, err := o.cfg.Store.Servers()
	if err != nil {
		return nil, nil, asError("servers", err)
	}
	for _, a := range allAgents {
		agents = append(agents, a.ID)
	}
	for _, s := range allServers {
		servers = append(servers, s.ID)
	}
	slices.Sort(agents)
	slices.Sort(servers)
	return agents, servers, nil
}
