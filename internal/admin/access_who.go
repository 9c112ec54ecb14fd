package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/trail"
)

// WhoCan lists the agents that may use a server, or one of its tools, with some
// arguments.
func (o *operator) WhoCan(ctx context.Context, r WhoCan) ([]AccessView, error) {
	view := o.cfg.Live.Load()
	srv := view.Server(r.Server)
	if srv == nil {
		return nil, asError("server "+r.Server, registry.ErrNotFound)
	}
	if r.Tool != "" && srv.Examined && srv.Tool(r.Tool) == nil {
		return nil, &Error{Code: NotFound, Message: fmt.Sprintf("server %s has no tool %q", r.Server, r.Tool), Fix: "see what it has: ostiary tool list " + r.Server}
	}
	agents, _, err := o.everybody()
	if err != nil {
		return nil, err
	}
	found := []AccessView{}
	for _, agent := range agents {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if v, can := o.can(view, PolicyCase{Agent: agent, Server: r.Server, Tool: r.Tool}); can {
			found = append(found, v)
		}
	}
	return found, nil
}

// WhatCan lists what an agent may do.
func (o *operator) WhatCan(ctx context.Context, r ID) ([]AccessView, error) {
	view := o.cfg.Live.Load()
	if view.Agent(r.ID) == nil {
		return nil, asError("agent "+r.ID, registry.ErrNotFound)
	}
	_, servers, err := o.everybody()
	if err != nil {
		return nil, err
	}
	found := []AccessView{}
	each(view, []string{r.ID}, servers, func(agent, server, tool string) bool {
		if v, can := o.can(view, PolicyCase{Agent: agent, Server: server, Tool: tool}); can {
			found = append(found, v)
		}
		return ctx.Err() == nil
	})
	return found, ctx.Err()
}

// can decides one case, and says whether it is anything but a refusal.
func (o *operator) can(view *registry.Snapshot, c PolicyCase) (AccessView, bool) {
	q, err := o.query(c)
	if err != nil {
		return AccessView{}, false
	}
	d := policy.Decide(view, q)
	v := AccessView{Agent: c.Agent, Server: c.Server, Tool: c.Tool, Need: d.Need, Decision: verdictOf(d), Needs: string(d.Needs), Reasons: reasonsOf(d)}
	return v, v.Decision != saysDeny
}

// pair is an agent and a server.
type pair struct{ agent, server string }

// Unused lists grants that are older than the time asked about and that allowed
// no call since then.
func (o *operator) Unused(ctx context.Context, r Unused) ([]UnusedGrant, error) {
	used := map[pair]bool{}
	err := o.calls(ctx, "access.unused", AuditQuery{Since: &r.Since, Decision: saysAllow}, func(c loggedCall) {
		used[pair{c.Actor, c.Server}] = true
	})
	if err != nil {
		return nil, err
	}
	grants, err := o.Grants(ctx, GrantQuery{})
	if err != nil {
		return nil, err
	}
	found := []UnusedGrant{}
	for _, g := range grants {
		if g.CreatedAt.Before(r.Since) && !used[pair{g.Agent, g.Server}] {
			found = append(found, UnusedGrant{GrantView: g, Since: r.Since})
		}
	}
	return found, nil
}

// loggedCall is what the log says of a call.
type loggedCall struct {
	Time     string `json:"time"`
	Exchange string `json:"exchange"`
	Actor    string `json:"actor"`
	Server   string `json:"server"`
	Method   string `json:"method"`
	Name     string `json:"name"`
	Decision string `json:"decision"`
	Readable *bool  `json:"readable"`
	Erased   bool   `json:"erased"`
}

// calls reads the calls that q selects out of the log, and records that it did.
func (o *operator) calls(ctx context.Context, action string, q AuditQuery, fn func(loggedCall)) error {
	if o.cfg.Book == nil {
		return &Error{Code: Unavailable, Message: "the log cannot be read here", Fix: "ask a gateway that has its log"}
	}
	if err := o.cfg.Book.Flush(ctx); err != nil {
		return asError("the log", err)
	}
	logs, err := o.chosen("calls")
	if err != nil {
		return asError("the log", err)
	}
	q.Kind = "call"
	reader := trail.New(logs, q.trail(), o.names())
	for n := 0; ; n++ {
		if n%pageLines == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return o.noteRead(action, q, logs, n)
		}
		if err != nil {
			return asError("the log", err)
		}
		var c loggedCall
		if err := json.Unmarshal(line.JSON, &c); err != nil {
			return asError("the log", err)
		}
		fn(c)
	}
}
