package admin

import (
	"context"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/registry"
)

// Status returns the gateway at a glance, with the servers that clients of one
// era cannot see.
func (o *operator) Status(context.Context, None) (Status, error) {
	gw, view := o.cfg.Gateway(), o.cfg.Live.Load()
	var checks []Check
	if gw.Checks != nil {
		checks = gw.Checks()
	}
	s := Status{Running: gw.Running, Version: gw.Version, Mode: gw.Mode, Ready: worst(checks), Checks: checks,
		URL: gw.URL, Registry: view.Version(), Pending: []string{}, Hidden: []Hidden{}, Killed: killed(view)}
	if s.Checks == nil {
		s.Checks = []Check{}
	}
	for _, srv := range view.Servers() {
		s.Servers++
		switch srv.State {
		case registry.Active:
			s.Active++
			s.Hidden = append(s.Hidden, hidden(*srv)...)
		case registry.Submitted:
			s.Pending = append(s.Pending, srv.ID)
		}
	}
	s.Shadow = o.shadowStatus(view)
	agents, err := o.cfg.Store.Agents()
	s.Agents = len(agents)
	return s, asError("agents", err)
}

// shadowStatus counts for the policies beside those in force; nil without any.
func (o *operator) shadowStatus(view *registry.Snapshot) *ShadowStatus {
	p := registry.Get[registry.Policy](view, registry.KindPolicy, registry.PolicyShadow)
	if p == nil {
		return nil
	}
	out := &ShadowStatus{}
	if o.cfg.Shadow != nil {
		t := o.cfg.Shadow(p.Hash)
		out.Decided, out.Different = t.Decided, t.Different
	}
	return out
}

// killed names the kill switches that are on.
func killed(view *registry.Snapshot) []string {
	out := []string{}
	registry.All(view, registry.KindKill, func(n *registry.Noun, _ *registry.Kill) {
		what, name := registry.KillName(n.ID)
		out = append(out, what+" "+name)
	})
	slices.Sort(out)
	return out
}

// worst is the state of the whole: the worst state of its parts.
func worst(checks []Check) string {
	state := "ok"
	for _, c := range checks {
		if c.State == "fail" {
			return "fail"
		}
		if c.State != "ok" {
			state = "degraded"
		}
	}
	return state
}

// hidden returns the eras whose clients cannot see a server that speaks only
// the other one.
func hidden(s registry.Server) []Hidden {
	if len(s.Eras) == 0 {
		return nil
	}
	var all []Hidden
	for _, era := range []string{"modern", "legacy"} {
		if !slices.Contains(s.Eras, era) {
			all = append(all, Hidden{Server: s.ID, From: era})
		}
	}
	return all
}

// Attach returns where and as whom a local client connects. A command must be
// the registered one to the byte: a client file that somebody changed must not
// run what nobody approved (TestAttachRefusesAnotherCommand).
func (o *operator) Attach(_ context.Context, r Attach) (Attachment, error) {
	view, gw := o.cfg.Live.Load(), o.cfg.Gateway()
	agent, err := o.attachAgent(r.Agent)
	if err != nil {
		return Attachment{}, err
	}
	server, err := attachServer(view, r)
	if err != nil {
		return Attachment{}, err
	}
	if !gw.Running {
		return Attachment{}, &Error{Code: Unavailable, Message: "no gateway runs on this data directory", Fix: "start it: ostiary up"}
	}
	a := Attachment{Agent: agent, Server: server, URL: gw.URL + "/mcp", Address: gw.Address, ServerName: gw.ServerName}
	if server != "" {
		a.URL = gw.URL + "/s/" + server + "/mcp"
	}
	if gw.OwnCA {
		a.CAPEM = o.cfg.Ring.CA().RootPEM()
	}
	return a, nil
}

func (o *operator) attachAgent(id string) (string, error) {
	all, err := o.cfg.Store.Agents()
	if err != nil {
		return "", asError("agents", err)
	}
	if id == "" {
		var ids []string
		for _, a := range all {
			if a.State == registry.Active {
				ids = append(ids, a.ID)
			}
		}
		if len(ids) != 1 {
			return "", invalid("add --agent NAME", "there are %d active agents, so one must be named", len(ids))
		}
		return ids[0], nil
	}
	for _, a := range all {
		if a.ID == id {
			if a.State != registry.Active {
				return "", wrongState("agent "+id, a.State, "only an active agent can connect")
			}
			return id, nil
		}
	}
	return "", asError("agent "+id, registry.ErrNotFound)
}

func attachServer(view *registry.Snapshot, r Attach) (string, error) {
	if r.Server == "" && len(r.Command) == 0 {
		return "", nil
	}
	if r.Server == "" {
		for _, s := range view.Servers() {
			if s.Transport == registry.Stdio && s.State == registry.Active && slices.Equal(s.Command, r.Command) {
				return s.ID, nil
			}
		}
		return "", &Error{Code: Drift, Message: "the command is not one of a registered and approved server",
			Fix: "submit it: ostiary server submit NAME -- COMMAND, or name the server with --server"}
	}
	s := view.Server(r.Server)
	if s == nil {
		return "", asError("server "+r.Server, registry.ErrNotFound)
	}
	if len(r.Command) > 0 && !slices.Equal(s.Command, r.Command) {
		return "", &Error{Code: Drift, Message: fmt.Sprintf("the command is not the one that server %s was registered with", s.ID),
			Cause: "the client's configuration was changed, or the server was", Fix: "compare with: ostiary server show " + s.ID}
	}
	return s.ID, nil
}
