package authorize

import (
	"context"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

const (
	listDef   = `{"name":"list","inputSchema":{"type":"object","properties":{"path":{"type":"string","x-mcp-header":"Path"}},"required":["path"],"additionalProperties":false}}`
	putDef    = `{"name":"put","inputSchema":{"type":"object"}}`
	plainDef  = `{"name":"plain"}`
	brokenDef = `{"name":"broken","inputSchema":{"$ref":"http://203.0.113.1/schema.json"}}`
	headerDef = `{"name":"header","inputSchema":{"type":"object","properties":{"a":{"type":"object","x-mcp-header":"A"}}}}`
)

// tool returns an approved tool pinned to its definition.
func tool(t *testing.T, name string, access registry.Access, definition string) registry.Tool {
	t.Helper()
	digest, err := registry.CanonicalDigest([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return registry.Tool{Name: name, Access: access, Definition: definition, Digest: digest, State: registry.ToolApproved}
}

// world is a step over one examined server "files", one that was never
// examined "raw", and three agents: reader and owner on both, nobody on none.
func world(t *testing.T, change ...func(*registry.Server)) *Step {
	t.Helper()
	changed := tool(t, "changed", registry.Read, `{"name":"changed"}`)
	changed.State = registry.ToolChanged
	files := registry.Server{ID: "files", State: registry.Active, Examined: true, Tools: []registry.Tool{
		tool(t, "list", registry.Read, listDef), tool(t, "put", registry.Modify, putDef), tool(t, "plain", registry.Read, plainDef),
		tool(t, "broken", registry.Read, brokenDef), tool(t, "header", registry.Read, headerDef), changed,
	}}
	for _, c := range change {
		c(&files)
	}
	servers := []registry.Server{files, {ID: "raw", State: registry.Active, Tools: []registry.Tool{{Name: "look", Access: registry.Read, State: registry.ToolApproved}}}}
	agents := []registry.Agent{
		{ID: "reader", State: registry.Active}, {ID: "owner", State: registry.Active}, {ID: "nobody", State: registry.Active},
		{ID: "old", State: registry.Active, Era: "legacy"},
	}
	var grants []registry.Grant
	for _, server := range []string{"files", "raw"} {
		grants = append(grants, registry.Grant{Agent: "reader", Server: server, Access: registry.Read},
			registry.Grant{Agent: "owner", Server: server, Access: registry.Modify}, registry.Grant{Agent: "old", Server: server, Access: registry.Read})
	}
	s := &Step{Live: &registry.Live{}}
	s.Live.Swap(registry.NewSnapshot(7, servers, agents, nil, nil, grants))
	return s
}

func parse(t *testing.T, text string, from wire.Side) *wire.Message {
	t.Helper()
	m, err := wire.Parse([]byte(text), wire.DefaultLimits(), from)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// legacy returns an exchange of agent on server in the legacy era.
func legacy(t *testing.T, agent, server, method, params string) *exchange.Exchange {
	t.Helper()
	return request(t, agent, server, wire.V20251125, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`)
}

// modern returns one of the modern era; members are the params after _meta,
// with a leading comma.
func modern(t *testing.T, agent, server, method, members string) *exchange.Exchange {
	t.Helper()
	x := request(t, agent, server, wire.V20260728, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":{`+modernMeta+members+`}}`)
	x.Mirrors = exchange.Mirrors{Version: "2026-07-28", Method: method, HasMethod: true}
	if x.Fact.Routed != "" {
		x.Mirrors.Name, x.Mirrors.HasName = wire.EncodeHeader(x.Request.Name()), true
	}
	return x
}

func request(t *testing.T, agent, server string, v wire.Version, text string) *exchange.Exchange {
	t.Helper()
	m := parse(t, text, wire.FromClient)
	fact, ok := wire.Lookup(m.Method(), v, wire.FromClient)
	if !ok {
		t.Fatalf("%s is no method of %s", m.Method(), v)
	}
	return &exchange.Exchange{
		ID: "x-1", Endpoint: server, Era: v.Era(), Version: v, Request: m, Fact: fact, Capable: "{}",
		Principal: identity.Principal{Kind: identity.Client, ID: agent},
	}
}

// called is legacy or modern after Call, which must not refuse.
func called(t *testing.T, s *Step, x *exchange.Exchange) *exchange.Exchange {
	t.Helper()
	if err := s.Call(context.Background(), x); err != nil {
		t.Fatalf("call: %v", err)
	}
	return x
}

// answered walks a server's message and returns what the caller gets.
func answered(t *testing.T, s *Step, x *exchange.Exchange, text string) error {
	t.Helper()
	x.Message, x.Drop, x.Back = parse(t, text, wire.FromServer), "", nil
	return s.Answer(context.Background(), x)
}

func result(body string) string { return `{"jsonrpc":"2.0","id":1,"result":` + body + `}` }

func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	switch {
	case kind == "" && err != nil:
		t.Errorf("%s: refused: %v", what, err)
	case kind != "" && !fault.Is(err, kind):
		t.Errorf("%s: %v, want %s", what, err, kind)
	}
}
