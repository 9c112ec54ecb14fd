// Package policies is policies to start from. This test holds them to what their
// comments say; it deliberately starts no gateway.
package policies

import (
	"os"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// world has the servers and agents that the cases name.
func world() *registry.Snapshot {
	tool := func(name string, access registry.Access, properties string) registry.Tool {
		return registry.Tool{Name: name, Access: access, State: registry.ToolApproved,
			Definition: `{"name":"` + name + `","inputSchema":{"type":"object","properties":{` + properties + `}}}`}
	}
	servers := []registry.Server{
		{ID: "shop", State: registry.Active, Examined: true, Tools: []registry.Tool{
			tool("search", registry.Read, `"text":{"type":"string"}`), tool("note", registry.Write, `"text":{"type":"string"}`),
			{Name: "refund", Access: registry.Modify, State: registry.ToolApproved,
				Definition: `{"name":"refund","inputSchema":{"type":"object","properties":{"amount":{"type":"integer"},"order":{"type":"string"}},"required":["amount"]}}`}}},
		{ID: "vault", State: registry.Active, Examined: true, Labels: []string{"secret"}, Tools: []registry.Tool{tool("get", registry.Read, `"path":{"type":"string"}`)}},
	}
	agents := []registry.Agent{{ID: "bot", State: registry.Active, Roles: []string{"read-only"}}, {ID: "clerk", State: registry.Active},
		{ID: "auditor", State: registry.Active, Clearance: []string{"secret"}}, {ID: "guest", State: registry.Active}}
	var grants []registry.Grant
	for _, a := range agents[:3] {
		for _, s := range servers {
			grants = append(grants, registry.Grant{Agent: a.ID, Server: s.ID, Access: registry.Modify})
		}
	}
	return registry.NewSnapshot(1, servers, agents, nil, nil, grants)
}

func sources(t *testing.T) []policy.Source {
	t.Helper()
	all, err := app.PolicyFiles(".")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func compile(t *testing.T, s *registry.Snapshot, all ...policy.Source) *policy.Set {
	t.Helper()
	set, problems := policy.Compile(s, all)
	if len(problems) > 0 {
		t.Fatalf("%v", problems)
	}
	return set
}

// decide asks a case; one without a tool asks about reading from the server.
func decide(t *testing.T, set *policy.Set, c admin.PolicyCase) policy.Decision {
	t.Helper()
	q := policy.Query{Principal: identity.Principal{Tenant: "default", Kind: identity.Client, ID: c.Agent, Strength: identity.Bearer},
		Server: c.Server, Method: "tools/list", Need: registry.Read, Call: policy.Call{Approved: c.Approved}}
	if c.At != nil {
		q.Call.Time = *c.At
	}
	if c.Tool != "" {
		v, err := wire.ParseValue(c.Args, wire.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		q.Method, q.Tool, q.IsTool, q.Args = "tools/call", c.Tool, true, v
	}
	return policy.DecideWith(set, world(), q)
}

// TestEachExampleStandsAlone: every file is valid without the others, and holds
// one policy that says why.
func TestEachExampleStandsAlone(t *testing.T) {
	all := sources(t)
	if len(all) != 5 {
		t.Errorf("there are %d examples, want 5", len(all))
	}
	for _, s := range all {
		if set := compile(t, world(), s); len(set.Rules()) != 1 {
			t.Errorf("%s holds %d policies", s.Name, len(set.Rules()))
		}
	}
}

// TestExamplesDecideTheirCases asks all examples together what cases.yaml says.
func TestExamplesDecideTheirCases(t *testing.T) {
	text, err := os.ReadFile("cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := app.PolicyCases(text)
	if err != nil {
		t.Fatal(err)
	}
	set := compile(t, world(), sources(t)...)
	decided := map[string]bool{}
	for _, c := range cases {
		d := decide(t, set, c)
		got := "deny"
		switch {
		case d.Allow:
			got = "allow"
		case d.Needs != "":
			got = "needs"
		}
		if got != c.Expect {
			t.Errorf("%s: %s, want %s: %+v", c.Name, got, c.Expect, d)
		}
		for _, id := range d.Reasons {
			decided[id] = true
		}
	}
	for _, r := range set.Rules() {
		if !decided[r.ID] {
			t.Errorf("no case is decided by %s", r.ID)
		}
	}
}

// TestNoExampleOpensAnything: the examples only take away, so that a file that
// is copied without being read widens nothing.
func TestNoExampleOpensAnything(t *testing.T) {
	s := world()
	none, all := compile(t, s), compile(t, s, sources(t)...)
	for _, agent := range []string{"bot", "clerk", "auditor", "guest", "nobody"} {
		for _, tool := range []string{"search", "note", "refund", "get", "no-such"} {
			for _, server := range []string{"shop", "vault", "nowhere"} {
				c := admin.PolicyCase{Agent: agent, Server: server, Tool: tool, Args: []byte(`{"amount":1}`)}
				before := decide(t, none, c)
				c.Approved = true
				after := decide(t, all, c)
				if after.Allow && !before.Allow {
					t.Errorf("%s %s/%s is opened by %v", agent, server, tool, after.Reasons)
				}
			}
		}
	}
}
