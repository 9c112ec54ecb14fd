package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// maxGrantTools bounds the tools that one grant names.
const maxGrantTools = 1000

// Grant allows an agent to use a server. An earlier grant of the two is
// replaced.
func (o *operator) Grant(_ context.Context, r Grant) (Done[GrantView], error) {
	var out Done[GrantView]
	if err := checkGrant(r); err != nil {
		return out, err
	}
	g := registry.Grant{Agent: r.Agent, Server: r.Server, Access: r.Access, Tools: r.Tools,
		By: o.by, Reason: r.Reason, CreatedAt: o.cfg.Clock.Now().UTC()}
	notices := []string{}
	t := &act{kind: "access.grant", subject: r.Server, agent: r.Agent, what: "grant " + r.Agent + "/" + r.Server, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		var err error
		if notices, err = grantable(s, r); err != nil {
			return nil, err
		}
		g.Purpose = purposeOf(s, r)
		return granted{g.Access, g.Tools, g.Purpose}, s.PutGrant(g)
	})
	if err != nil {
		return out, err
	}
	return Done[GrantView]{!r.DryRun, viewGrant(g), notices}, nil
}

// granted is the recorded detail of a grant; the agent stands beside it, as a
// pseudonym.
type granted struct {
	Access registry.Access `json:"access,omitempty"`
	Tools  []string        `json:"tools,omitempty"`

	Purpose string `json:"purpose,omitempty"`
}

func checkGrant(r Grant) error {
	if err := checkAccess(r.Access); err != nil {
		return err
	}
	if err := sound(words{"a purpose", one(r.Purpose)}); err != nil {
		return err
	}
	if len(r.Tools) > maxGrantTools {
		return invalid("", "a grant names at most %d tools", maxGrantTools)
	}
	for i, t := range r.Tools {
		if err := checkToolName(t); err != nil {
			return err
		}
		if slices.Contains(r.Tools[:i], t) {
			return invalid("name it once", "tool %q is named twice", t)
		}
	}
	return nil
}

// grantable checks that agent and server are there, and notes what will keep
// the grant from having an effect.
func grantable(s store.Store, r Grant) ([]string, error) {
	agent, err := s.Agent(r.Agent)
	if err != nil {
		return nil, asError("agent "+r.Agent, err)
	}
	if agent.State == registry.Retired {
		return nil, wrongState("agent "+r.Agent, agent.State, "it can be granted nothing")
	}
	srv, err := s.Server(r.Server)
	if err != nil {
		return nil, asError("server "+r.Server, err)
	}
	if srv.State == registry.Retired {
		return nil, wrongState("server "+r.Server, srv.State, "it can be granted to nobody")
	}
	notices := []string{}
	if agent.State != registry.Active {
		notices = append(notices, fmt.Sprintf("agent %s is %s", agent.ID, agent.State))
	}
	if srv.State != registry.Active {
		notices = append(notices, fmt.Sprintf("server %s is %s and not reachable", srv.ID, srv.State))
	}
	for _, name := range r.Tools {
		i := slices.IndexFunc(srv.Tools, func(t registry.Tool) bool { return t.Name == name })
		if i < 0 && srv.Examined {
			return nil, &Error{Code: NotFound, Message: fmt.Sprintf("server %s has no tool %q", srv.ID, name),
				Fix: "see what it has: ostiary tool list " + srv.ID}
		}
		need := registry.Modify
		if i >= 0 {
			need = viewTool(srv.ID, srv.Tools[i]).Access
		}
		if !policy.Includes(r.Access, need) {
			notices = append(notices, fmt.Sprintf("tool %q needs %s, which the grant does not include", name, need))
		}
	}
	return notices, nil
}

// Revoke takes a grant back. Streams that it allowed end.
func (o *operator) Revoke(_ context.Context, r Revoke) (Done[GrantView], error) {
	var out Done[GrantView]
	var view GrantView
	t := &act{kind: "access.revoke", subject: r.Server, agent: r.Agent, what: "grant " + r.Agent + "/" + r.Server, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		g, err := s.Grant(r.Agent, r.Server)
		if err != nil {
			return nil, err
		}
		view = viewGrant(g)
		return granted{view.Access, view.Tools, view.Purpose}, s.DeleteGrant(r.Agent, r.Server)
	})
	if err != nil {
		return out, err
	}
	return Done[GrantView]{!r.DryRun, view, []string{}}, nil
}

// Grants lists grants by agent and server.
func (o *operator) Grants(_ context.Context, q GrantQuery) ([]GrantView, error) {
	all, err := o.cfg.Store.Grants()
	if err != nil {
		return nil, asError("grants", err)
	}
	views := []GrantView{}
	for _, g := range all {
		if (q.Agent == "" || g.Agent == q.Agent) && (q.Server == "" || g.Server == q.Server) {
			views = append(views, viewGrant(g))
		}
	}
	slices.SortFunc(views, func(a, b GrantView) int { return compare(a.Agent+"/"+a.Server, b.Agent+"/"+b.Server) })
	return views, nil
}

// Explain returns what the gateway would decide now, by the same function that
// decides calls.
func (o *operator) Explain(_ context.Context, r Explain) (Explanation, error) {
	view := o.cfg.Live.Load()
	if view.Agent(r.Agent) == nil {
		return Explanation{}, asError("agent "+r.Agent, registry.ErrNotFound)
	}
	if view.Server(r.Server) == nil {
		return Explanation{}, asError("server "+r.Server, registry.ErrNotFound)
	}
	q, err := o.query(PolicyCase{Agent: r.Agent, Server: r.Server, Tool: r.Tool, Args: r.Args, At: r.At, IP: r.IP,
		Purpose: r.Purpose, Strength: r.Strength, Approved: r.Approved})
	if err != nil {
		return Explanation{}, err
	}
	set, err := o.setOf(view, r.Sources)
	if err != nil {
		return Explanation{}, err
	}
	d := policy.DecideWith(set, view, q)
	e := Explanation{Agent: r.Agent, Server: r.Server, Tool: r.Tool, Allow: d.Allow, Reason: d.Reason,
		Kind: string(d.Kind), Need: d.Need, Version: view.Version(), Decision: verdictOf(d), Reasons: reasonsOf(d),
		Needs: string(d.Needs), Grant: d.Grant, Hash: set.Hash()}
	if p := registry.Get[registry.Policy](view, registry.KindPolicy, registry.PolicyActive); p != nil && len(r.Sources) == 0 {
		e.Policy = p.Version
	}
	if g := view.Grant(r.Agent, r.Server); g != nil {
		e.Have = g.Access
	}
	if !d.Allow {
		e.Fix = fixFor(view, r, d)
	}
	return e, nil
}

// fixFor names the command that would change a refusal.
func fixFor(view *registry.Snapshot, r Explain, d policy.Decision) string {
	srv, agent, grant := view.Server(r.Server), view.Agent(r.Agent), view.Grant(r.Agent, r.Server)
	switch {
	case d.Needs == policy.NeedsApproval:
		return "the call waits for a person: ostiary approval list"
	case d.Needs == policy.NeedsStepUp:
		return "the caller's person proves themselves again"
	case len(d.Reasons) > 0 && agent.State == registry.Active && srv.State == registry.Active:
		return "look at the policies " + strings.Join(d.Reasons, ", ") + ": ostiary policy show"
	case agent.State == registry.Suspended:
		return "ostiary agent resume " + r.Agent
	case agent.State != registry.Active:
		return "register another agent: ostiary agent register NAME"
	case srv.State == registry.Suspended:
		return "ostiary server resume " + r.Server
	case srv.State != registry.Active:
		return "ostiary server approve " + r.Server + " --reason TEXT"
	case r.Tool != "" && srv.Examined && srv.Tool(r.Tool) == nil:
		return "the server has no such tool: ostiary tool list " + r.Server
	case r.Tool != "" && srv.Tool(r.Tool) != nil && srv.Tool(r.Tool).State != registry.ToolApproved:
		return "ostiary tool approve " + r.Server + " " + r.Tool + " --reason TEXT"
	case grant != nil && len(grant.Tools) > 0 && r.Tool != "" && !slices.Contains(grant.Tools, r.Tool):
		return fmt.Sprintf("ostiary access grant %s %s --access %s --tool %s, with the tools that it has", r.Agent, r.Server, d.Need, r.Tool)
	}
	need := d.Need
	if need == "" {
		need = registry.Read
	}
	return fmt.Sprintf("ostiary access grant %s %s --access %s", r.Agent, r.Server, need)
}
