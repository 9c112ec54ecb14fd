package policy

import (
	"testing"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

func client(id string) identity.Principal {
	return identity.Principal{Tenant: "default", Kind: identity.Client, ID: id}
}

// testView has two examined servers, one never examined, and some that take no
// part. reader, writer, owner and narrow differ in their grants.
func testView() *registry.Snapshot {
	tools := []registry.Tool{
		{Name: "list", Access: registry.Read, State: registry.ToolApproved}, {Name: "put", Access: registry.Write, State: registry.ToolApproved},
		{Name: "wipe", Access: registry.Modify, State: registry.ToolApproved}, {Name: "odd", State: registry.ToolApproved},
		{Name: "changed", Access: registry.Read, State: registry.ToolChanged}, {Name: "new", Access: registry.Read, State: registry.ToolNew},
		{Name: "stateless", Access: registry.Read}, {Name: "classless", Access: "all", State: registry.ToolApproved},
	}
	servers := []registry.Server{{ID: "files", State: registry.Active, Examined: true, Tools: tools}, {ID: "raw", State: registry.Active,
		Tools: []registry.Tool{{Name: "list", Access: registry.Read, State: registry.ToolApproved}}}}
	var agents []registry.Agent
	var grants []registry.Grant
	for _, state := range []registry.State{registry.Submitted, registry.Suspended, registry.Rejected, registry.Retired, "odd", ""} {
		servers = append(servers, registry.Server{ID: "server-" + string(state), State: state})
		agents = append(agents, registry.Agent{ID: "agent-" + string(state), State: state})
		grants = append(grants, registry.Grant{Agent: "agent-" + string(state), Server: "files", Access: registry.Modify},
			registry.Grant{Agent: "owner", Server: "server-" + string(state), Access: registry.Modify})
	}
	for id, access := range map[string]registry.Access{"reader": registry.Read, "writer": registry.Write, "owner": registry.Modify, "broken": "all", "blank": ""} {
		agents = append(agents, registry.Agent{ID: id, State: registry.Active})
		for _, server := range []string{"files", "raw", "nowhere"} {
			grants = append(grants, registry.Grant{Agent: id, Server: server, Access: access})
		}
	}
	agents = append(agents, registry.Agent{ID: "narrow", State: registry.Active}, registry.Agent{ID: "idle", State: registry.Active})
	grants = append(grants, registry.Grant{Agent: "narrow", Server: "files", Access: registry.Modify, Tools: []string{"list", "changed", "no such"}},
		registry.Grant{Agent: "ghost", Server: "files", Access: registry.Modify})
	return registry.NewSnapshot(42, servers, agents, nil, nil, grants)
}

func call(agent, server, tool string) Query {
	return Query{Principal: client(agent), Server: server, Method: "tools/call", Tool: tool, IsTool: true}
}

func TestDecideTools(t *testing.T) {
	view := testView()
	for _, c := range []struct {
		agent, server, tool string
		kind                fault.Kind // "" = allowed
		reason              string
	}{
		{"reader", "files", "list", "", ReasonGranted},
		{"reader", "files", "put", fault.Denied, ReasonAccess},
		{"reader", "files", "wipe", fault.Denied, ReasonAccess},
		{"reader", "files", "odd", fault.Denied, ReasonAccess},
		{"writer", "files", "list", "", ReasonGranted},
		{"writer", "files", "put", "", ReasonGranted},
		{"writer", "files", "wipe", fault.Denied, ReasonAccess},
		{"writer", "files", "odd", fault.Denied, ReasonAccess},
		{"owner", "files", "wipe", "", ReasonGranted},
		{"owner", "files", "odd", "", ReasonGranted},
		{"owner", "files", "changed", fault.ToolUnknown, ReasonToolChanged},
		{"owner", "files", "new", fault.ToolUnknown, ReasonToolNew},
		{"owner", "files", "stateless", fault.ToolUnknown, ReasonToolChanged},
		{"owner", "files", "classless", fault.Denied, ReasonAccess},
		{"owner", "files", "no such", fault.ToolUnknown, ReasonToolUnknown},
		{"owner", "files", "", fault.ToolUnknown, ReasonToolUnknown},
		{"owner", "files", "List", fault.ToolUnknown, ReasonToolUnknown},
		{"owner", "files", "list ", fault.ToolUnknown, ReasonToolUnknown},
		{"owner", "files", "list\x00", fault.ToolUnknown, ReasonToolUnknown},
		{"narrow", "files", "list", "", ReasonGranted},
		{"narrow", "files", "put", fault.Denied, ReasonToolNotListed},
		{"narrow", "files", "changed", fault.ToolUnknown, ReasonToolChanged},
		{"narrow", "files", "no such", fault.ToolUnknown, ReasonToolUnknown},
		{"reader", "raw", "list", "", ReasonGranted},
		{"reader", "raw", "anything", fault.Denied, ReasonAccess},
		{"writer", "raw", "anything", fault.Denied, ReasonAccess},
		{"owner", "raw", "anything", "", ReasonGranted},
		{"broken", "files", "list", fault.Denied, ReasonAccess},
		{"blank", "files", "list", fault.Denied, ReasonAccess},
		{"idle", "files", "list", fault.ServerUnknown, ReasonNoGrant},
		{"narrow", "raw", "list", fault.ServerUnknown, ReasonNoGrant},
		{"ghost", "files", "list", fault.Denied, ReasonAgentUnknown},
		{"", "files", "list", fault.Denied, ReasonAgentUnknown},
		{"owner", "nowhere", "list", fault.ServerUnknown, ReasonServerUnknown},
		{"owner", "", "list", fault.ServerUnknown, ReasonServerUnknown},
		{"owner", "FILES", "list", fault.ServerUnknown, ReasonServerUnknown},
	} {
		d := Decide(view, call(c.agent, c.server, c.tool))
		if d.Allow != (c.kind == "") || d.Kind != c.kind || d.Reason != c.reason || d.Version != 42 {
			t.Errorf("%s %s %q: %+v, want %s %s", c.agent, c.server, c.tool, d, c.kind, c.reason)
		}
	}
}

func TestDecideStates(t *testing.T) {
	view := testView()
	for _, state := range []registry.State{registry.Submitted, registry.Suspended, registry.Rejected, registry.Retired, "odd", ""} {
		if d := Decide(view, call("owner", "server-"+string(state), "list")); d.Allow || d.Reason != ReasonServerState || d.Kind != fault.ServerUnknown {
			t.Errorf("server in state %q: %+v", state, d)
		}
		if d := Decide(view, call("agent-"+string(state), "files", "list")); d.Allow || d.Reason != ReasonAgentInactive {
			t.Errorf("agent in state %q: %+v", state, d)
		}
	}
}

func TestDecideOtherActions(t *testing.T) {
	view := testView()
	for _, c := range []struct {
		agent string
		need  registry.Access
		allow bool
	}{
		{"reader", "", true}, {"reader", registry.Read, true}, {"reader", registry.Write, false}, {"reader", "odd", false},
		{"writer", registry.Write, true}, {"writer", registry.Modify, false}, {"owner", registry.Modify, true}, {"owner", "odd", false},
		{"narrow", "", true}, {"broken", "", false}, {"idle", "", false},
	} {
		d := Decide(view, Query{Principal: client(c.agent), Server: "files", Method: "resources/read", Need: c.need, Tool: "wipe"})
		if d.Allow != c.allow || d.Allow != (d.Kind == "") {
			t.Errorf("%s needs %q: %+v", c.agent, c.need, d)
		}
	}
}

// TestToolClassWins: what the caller of Decide says it needs does not lower what
// the tool needs.
func TestToolClassWins(t *testing.T) {
	q := call("reader", "files", "wipe")
	q.Need = registry.Read
	if d := Decide(testView(), q); d.Allow || d.Need != registry.Modify {
		t.Errorf("%+v", d)
	}
}

func TestOnlyClientsAreGranted(t *testing.T) {
	for _, kind := range []string{identity.Gateway, identity.Operator, "", "Client", "server"} {
		q := call("owner", "files", "list")
		q.Principal.Kind = kind
		if d := Decide(testView(), q); d.Allow || d.Reason != ReasonNotClient {
			t.Errorf("kind %q: %+v", kind, d)
		}
	}
}

// TestP01EmptyRegistryDeniesAll: without rows nothing is allowed.
func TestP01EmptyRegistryDeniesAll(t *testing.T) {
	for name, view := range map[string]*registry.Snapshot{"nil": nil, "empty": registry.NewSnapshot(1, nil, nil, nil, nil, nil)} {
		for _, q := range []Query{{}, call("owner", "files", "list"), {Principal: client("owner"), Server: "files"}} {
			if d := Decide(view, q); d.Allow || d.Kind == "" || d.Reason == "" {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
	if (Decision{}).Allow {
		t.Error("the zero decision allows")
	}
}

var accesses = []registry.Access{"", registry.Read, registry.Write, registry.Modify, "all", "READ"}

// TestIncludesLattice: the order is total on the three accesses, and whatever
// is not one of them is related to nothing.
func TestIncludesLattice(t *testing.T) {
	pick := rapid.OneOf(rapid.SampledFrom(accesses), rapid.Map(rapid.String(), func(s string) registry.Access { return registry.Access(s) }))
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := pick.Draw(t, "a"), pick.Draw(t, "b"), pick.Draw(t, "c")
		if Includes(a, a) != a.Valid() {
			t.Fatalf("%q includes itself: %v", a, Includes(a, a))
		}
		if Includes(a, b) && (!a.Valid() || !b.Valid()) {
			t.Fatalf("%q includes %q", a, b)
		}
		if Includes(a, b) && Includes(b, a) && a != b {
			t.Fatalf("%q and %q include each other", a, b)
		}
		if Includes(a, b) && Includes(b, c) && !Includes(a, c) {
			t.Fatalf("%q, %q, %q are not transitive", a, b, c)
		}
		if a.Valid() && b.Valid() && !Includes(a, b) && !Includes(b, a) {
			t.Fatalf("%q and %q are not comparable", a, b)
		}
	})
	if !Includes(registry.Modify, registry.Write) || !Includes(registry.Write, registry.Read) || Includes(registry.Read, registry.Write) {
		t.Error("the order is upside down")
	}
}

// TestNoGrantNeverAllows draws whole registries: an allowed query always has a
// grant of that agent on that server with enough access and that tool, an
// active agent, an active server, and an approved tool.
func TestNoGrantNeverAllows(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "c", ""})
	states := rapid.SampledFrom([]registry.State{registry.Active, registry.Active, registry.Suspended, ""})
	access := rapid.SampledFrom(accesses)
	tool := rapid.Custom(func(t *rapid.T) registry.Tool {
		state := rapid.SampledFrom([]registry.ToolState{registry.ToolApproved, registry.ToolNew, registry.ToolChanged, ""})
		return registry.Tool{Name: names.Draw(t, "tool"), Access: access.Draw(t, "class"), State: state.Draw(t, "state")}
	})
	rapid.Check(t, func(t *rapid.T) {
		servers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) registry.Server {
			return registry.Server{ID: names.Draw(t, "id"), State: states.Draw(t, "state"), Examined: rapid.Bool().Draw(t, "examined"),
				Tools: rapid.SliceOfN(tool, 0, 3).Draw(t, "tools")}
		}), 0, 3).Draw(t, "servers")
		agents := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) registry.Agent {
			return registry.Agent{ID: names.Draw(t, "id"), State: states.Draw(t, "state")}
		}), 0, 3).Draw(t, "agents")
		grants := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) registry.Grant {
			return registry.Grant{Agent: names.Draw(t, "agent"), Server: names.Draw(t, "server"), Access: access.Draw(t, "access"),
				Tools: rapid.SliceOfN(names, 0, 2).Draw(t, "tools")}
		}), 0, 4).Draw(t, "grants")
		view := registry.NewSnapshot(1, servers, agents, nil, nil, grants)
		q := Query{Principal: client(names.Draw(t, "who")), Server: names.Draw(t, "where"), Need: access.Draw(t, "need"),
			Tool: names.Draw(t, "what"), IsTool: rapid.Bool().Draw(t, "is tool")}
		d := Decide(view, q)
		if !d.Allow {
			if d.Kind == "" || d.Reason == "" || d.Reason == ReasonGranted {
				t.Fatalf("a refusal without a reason: %+v", d)
			}
			return
		}
		agent, server, grant := view.Agent(q.Principal.ID), view.Server(q.Server), view.Grant(q.Principal.ID, q.Server)
		if agent == nil || agent.State != registry.Active || server == nil || server.State != registry.Active || grant == nil {
			t.Fatalf("allowed for %+v on %+v by %+v", agent, server, grant)
		}
		if !Includes(grant.Access, d.Need) || d.Kind != "" {
			t.Fatalf("allowed beyond %+v: %+v", grant, d)
		}
		if known := server.Tool(q.Tool); q.IsTool && (known == nil && (server.Examined || grant.Access != registry.Modify) ||
			known != nil && known.State != registry.ToolApproved) {
			t.Fatalf("tool %+v is allowed", known)
		}
	})
}
