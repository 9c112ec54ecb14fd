package authorize

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

func TestCallRefuses(t *testing.T) {
	s := world(t)
	for _, c := range []struct {
		agent, server, method, params string
		kind                          fault.Kind
	}{
		{"reader", "files", "tools/list", `{}`, ""},
		{"reader", "files", "tools/call", `{"name":"list","arguments":{"path":"a"}}`, ""},
		{"reader", "files", "tools/call", `{"name":"put"}`, fault.Denied},
		{"owner", "files", "tools/call", `{"name":"put"}`, ""},
		{"owner", "files", "tools/call", `{"name":"changed"}`, fault.Denied},
		{"owner", "files", "tools/call", `{"name":"unknown"}`, fault.Denied},
		{"owner", "raw", "tools/call", `{"name":"unknown"}`, ""},
		{"reader", "raw", "tools/call", `{"name":"unknown"}`, fault.Denied},
		{"reader", "raw", "tools/call", `{"name":"look","arguments":{"any":1}}`, ""},
		{"nobody", "files", "tools/list", `{}`, fault.ServerUnknown},
		{"reader", "nowhere", "tools/list", `{}`, fault.ServerUnknown},
		{"stranger", "files", "tools/list", `{}`, fault.Denied},
		{"old", "files", "prompts/list", `{}`, ""},
	} {
		x := legacy(t, c.agent, c.server, c.method, c.params)
		err := s.Call(context.Background(), x)
		wantKind(t, c.agent+" "+c.server+" "+c.params, err, c.kind)
		if x.Decision.Version != 7 || x.View.Version() != 7 {
			t.Errorf("%s: decided on version %d", c.params, x.Decision.Version)
		}
		if c.kind != "" && x.Decision.Allow {
			t.Errorf("%s: refused but the decision allows", c.params)
		}
	}
}

// TestUnknownLooksForbidden: the sentence, the code and the status do not tell
// whether a tool exists.
func TestUnknownLooksForbidden(t *testing.T) {
	s := world(t)
	var seen []fault.Error
	for _, name := range []string{"put", "changed", "unknown", "broken"} {
		f := fault.As(s.Call(context.Background(), legacy(t, "reader", "files", "tools/call", `{"name":"`+name+`"}`)))
		if f == nil {
			t.Fatalf("%s is allowed", name)
		}
		seen = append(seen, *f)
	}
	for _, f := range seen[1:] {
		if f.Public != seen[0].Public || f.Code() != seen[0].Code() || f.Status() != seen[0].Status() {
			t.Errorf("%v differs from %v", f, seen[0])
		}
	}
}

func TestEraPin(t *testing.T) {
	s := world(t)
	x := modern(t, "old", "files", "tools/list", "")
	wantKind(t, "an agent pinned to legacy", s.Call(context.Background(), x), fault.EraMismatch)
	if x.Decision.Allow || x.Decision.Reason == "" {
		t.Errorf("decision %+v", x.Decision)
	}
	called(t, s, legacy(t, "old", "files", "tools/list", "{}"))
}

// TestServersEra: the refusal to a modern client must not look modern, so that
// it falls back; the one to a legacy client names the versions.
func TestServersEra(t *testing.T) {
	for _, c := range []struct {
		eras []string
		old  fault.Kind
		new  fault.Kind
	}{
		{nil, "", ""}, {[]string{"legacy"}, "", fault.EraMismatch}, {[]string{"modern"}, fault.EraMismatch, ""}, {[]string{"legacy", "modern"}, "", ""},
	} {
		s := world(t, func(srv *registry.Server) { srv.Eras = c.eras })
		old := s.Call(context.Background(), legacy(t, "reader", "files", "tools/list", "{}"))
		wantKind(t, "legacy", old, c.old)
		if c.old != "" && !strings.Contains(fault.As(old).Public, "2026-07-28") {
			t.Errorf("the error does not name the version: %s", fault.As(old).Public)
		}
		now := s.Call(context.Background(), modern(t, "reader", "files", "tools/list", ""))
		wantKind(t, "modern", now, c.new)
		if f := fault.As(now); c.new != "" && (f.Code() != -32600 || f.Status() != 400 || !strings.Contains(f.Public, "2025-11-25")) {
			t.Errorf("code %d, status %d, %q", f.Code(), f.Status(), f.Public)
		}
	}
}

type joined struct{ exchange.Join }

// TestWholeOfParts: what is split is decided per part.
func TestWholeOfParts(t *testing.T) {
	s := world(t)
	x := legacy(t, "stranger", "", "tools/list", "{}")
	x.Join = joined{}
	called(t, s, x)
	if !x.Decision.Allow || x.Server != nil || x.Decision.Need != registry.Read {
		t.Errorf("%+v", x.Decision)
	}
	if err := answered(t, s, x, result(`{"tools":[{"name":"hidden"}]}`)); err != nil || x.Message.Result().Get("tools").Len() != 1 {
		t.Errorf("a joined answer was filtered again: %v", err)
	}
	if err := s.Still(x); err != nil {
		t.Errorf("still: %v", err)
	}
}

func TestStill(t *testing.T) {
	s := world(t)
	x := called(t, s, legacy(t, "owner", "files", "tools/call", `{"name":"put"}`))
	if err := s.Still(x); err != nil {
		t.Fatalf("nothing changed: %v", err)
	}
	s.Live.Swap(registry.NewSnapshot(8, []registry.Server{{ID: "files", State: registry.Suspended}}, []registry.Agent{{ID: "owner", State: registry.Active}}, nil, nil, nil))
	wantKind(t, "the server was suspended", s.Still(x), fault.ServerUnknown)
}

// TestListAgreesWithCall: in any registry a tool is on the list that an agent
// gets exactly when the agent's call of it would go on.
func TestListAgreesWithCall(t *testing.T) {
	definitions := []string{listDef, putDef, plainDef, brokenDef, headerDef}
	pick := map[string]string{}
	var pinned []registry.Tool
	for _, d := range definitions {
		one := tool(t, parseTool(t, d), "", d)
		pick[one.Name] = d
		pinned = append(pinned, one)
	}
	rapid.Check(t, func(r *rapid.T) {
		srv := registry.Server{ID: "files", State: rapid.SampledFrom([]registry.State{registry.Active, registry.Active, registry.Suspended}).Draw(r, "state"), Examined: rapid.Bool().Draw(r, "examined")}
		for _, one := range pinned {
			if rapid.Bool().Draw(r, "has "+one.Name) {
				one.Access = rapid.SampledFrom([]registry.Access{"", registry.Read, registry.Write, registry.Modify}).Draw(r, "class")
				one.State = rapid.SampledFrom([]registry.ToolState{registry.ToolApproved, registry.ToolChanged, registry.ToolNew}).Draw(r, "tool state")
				srv.Tools = append(srv.Tools, one)
			}
		}
		grant := registry.Grant{Agent: "a", Server: "files", Access: rapid.SampledFrom([]registry.Access{registry.Read, registry.Write, registry.Modify}).Draw(r, "access")}
		if rapid.Bool().Draw(r, "narrow") {
			grant.Tools = []string{"list", "broken"}
		}
		s := &Step{Live: &registry.Live{}}
		s.Live.Swap(registry.NewSnapshot(1, []registry.Server{srv}, []registry.Agent{{ID: "a", State: registry.Active}}, nil, nil, []registry.Grant{grant}))
		isModern := rapid.Bool().Draw(r, "modern")
		make := func(method, members string) *exchange.Exchange {
			if isModern {
				return modern(t, "a", "files", method, members)
			}
			if members == "" {
				members = ",\"_meta\":{}"
			}
			return legacy(t, "a", "files", method, "{"+members[1:]+"}")
		}
		x := make("tools/list", "")
		if err := s.Call(context.Background(), x); err != nil {
			if srv.State == registry.Active {
				r.Fatalf("list: %v", err)
			}
			return
		}
		shown := map[string]bool{}
		if err := answered(t, s, x, result(`{"tools":[`+strings.Join(definitions, ",")+`]}`)); err != nil {
			r.Fatalf("answer: %v", err)
		}
		for v := range x.Message.Result().Get("tools").Elements() {
			name, _ := v.Get("name").Text()
			shown[name] = true
		}
		for name := range pick {
			call := make("tools/call", `,"name":"`+name+`","arguments":{"path":"p"}`)
			if name == "list" && srv.Tools != nil && isModern {
				call.Mirrors.Params = []wire.Field{{Name: "Mcp-Param-Path", Value: "p"}}
			}
			err := s.Call(context.Background(), call)
			allowed := err == nil
			if known := s.Live.Load().Server("files").Tool(name); known == nil && name == "header" && isModern {
				allowed = false // an unpinned tool with invalid headers is never shown, though a call of it is possible
			}
			if shown[name] != allowed {
				r.Fatalf("%s: on the list %v, call: %v", name, shown[name], err)
			}
		}
	})
}

func parseTool(t *testing.T, definition string) string {
	t.Helper()
	v, err := wire.ParseValue([]byte(definition), wire.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	name, _ := v.Get("name").Text()
	return name
}

// TestQueryOfCallAndList: a call asks policy the very question that the filter
// of the list asks.
func TestQueryOfCallAndList(t *testing.T) {
	x := legacy(t, "reader", "files", "tools/call", `{"name":"list"}`)
	q := queryOf(x.View, x)
	if !q.IsTool || q.Tool != "list" || q.Server != "files" || q.Method != "tools/call" || q.Principal.ID != "reader" {
		t.Errorf("%+v", q)
	}
	list := policy.Query{Principal: identity.Principal{Kind: identity.Client, ID: "reader"}, Server: "files", Method: "tools/call", Tool: "list", IsTool: true}
	view := world(t).Live.Load()
	if !reflect.DeepEqual(policy.Decide(view, q), policy.Decide(view, list)) {
		t.Error("the two differ")
	}
	other := queryOf(x.View, legacy(t, "reader", "files", "resources/read", `{"uri":"file:///a"}`))
	if other.IsTool || other.Tool != "" || other.Need != registry.Read {
		t.Errorf("%+v", other)
	}
}
