package admin

import (
	"slices"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
)

// TestFactsForPolicies sets labels, zones, roles, clearance and purpose, keeps
// what is not named, and puts each change into the log.
func TestFactsForPolicies(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		secret := []string{"secret", "health", "secret"}
		must[Done[ServerView]](t)(api.SetServer(ctx, SetServer{Change: because, ID: "wiki", Labels: &secret, Zone: new("intern")}))
		must[Done[ServerView]](t)(api.SetServer(ctx, SetServer{Change: because, ID: "wiki", Zone: new("extern")}))
		must[Done[ToolView]](t)(api.SetTool(ctx, SetTool{Change: because, Server: "wiki", Tool: "read-file", Labels: &[]string{"pii"}}))
		must[Done[AgentView]](t)(api.SetAgent(ctx, SetAgent{Change: because, ID: "app", Roles: &[]string{"ops"}, Clearance: &[]string{"pii"}, Zone: new("intern")}))
		must[Done[AgentView]](t)(api.SetAgent(ctx, SetAgent{Change: because, ID: "app", Receipts: new(true)}))
		must[Done[GrantView]](t)(api.Grant(ctx, Grant{Change: because, Agent: "app", Server: "wiki", Access: registry.Read, Purpose: new("support")}))
		if g := must[Done[GrantView]](t)(api.Grant(ctx, Grant{Change: because, Agent: "app", Server: "wiki", Access: registry.Modify})).Item; g.Purpose != "support" {
			t.Errorf("the purpose is %q", g.Purpose)
		}
		must[Done[ServerView]](t)(api.ScanServer(ctx, Scan{Change: because, ID: "wiki"}))
		view := w.live.Load()
		srv, agent := view.Server("wiki"), view.Agent("app")
		if !slices.Equal(srv.Labels, []string{"health", "secret"}) || srv.Zone != "extern" || !slices.Equal(srv.Tool("read-file").Labels, []string{"pii"}) {
			t.Errorf("%v %q %v", srv.Labels, srv.Zone, srv.Tool("read-file").Labels)
		}
		if !slices.Equal(agent.Roles, []string{"ops"}) || !slices.Equal(agent.Clearance, []string{"pii"}) || agent.Zone != "intern" || !agent.Receipts {
			t.Errorf("%+v", agent)
		}
		var acts []string
		for _, e := range w.records.entries {
			acts = append(acts, e.Action)
		}
		for _, want := range []string{"server.set", "tool.set", "agent.set"} {
			if !slices.Contains(acts, want) {
				t.Errorf("%s is not in the log", want)
			}
		}
		for name, err := range map[string]error{
			"nothing":  second(api.SetServer(ctx, SetServer{ID: "wiki"})),
			"a space":  second(api.SetServer(ctx, SetServer{ID: "wiki", Labels: &[]string{"a b"}})),
			"capital":  second(api.SetTool(ctx, SetTool{Server: "wiki", Tool: "read-file", Labels: &[]string{"Secret"}})),
			"too many": second(api.SetAgent(ctx, SetAgent{ID: "app", Roles: new(slices.Repeat([]string{"a"}, 65))})),
			"no tool":  second(api.SetTool(ctx, SetTool{Server: "wiki", Tool: "none", Labels: &[]string{}})),
			"no agent": second(api.SetAgent(ctx, SetAgent{ID: "none", Zone: new("")})),
			"purpose":  second(api.Grant(ctx, Grant{Agent: "app", Server: "wiki", Access: registry.Read, Purpose: new("x\n")})),
		} {
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
