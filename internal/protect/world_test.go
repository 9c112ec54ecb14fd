package protect

import (
	"context"
	"slices"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

// memory is a vault that numbers its pseudonyms, and forgets nothing.
type memory struct {
	byValue map[string]string
	byToken map[string]vault.Value
	fail    error
	made    int
}

func newMemory() *memory {
	return &memory{byValue: map[string]string{}, byToken: map[string]vault.Value{}}
}

func (m *memory) Hide(_ context.Context, scope string, _ bool, values []vault.Value) ([]string, error) {
	if m.fail != nil {
		return nil, m.fail
	}
	var out []string
	for _, v := range values {
		key := scope + "\x00" + v.Type + "\x00" + v.Value
		if m.byValue[key] == "" {
			m.made++
			digits := "0000000000000000"
			n := m.made
			code := []byte(digits)
			for i := len(code) - 1; n > 0; i-- {
				code[i] = "0123456789"[n%10]
				n /= 10
			}
			m.byValue[key] = "<" + v.Type + "_" + string(code) + ">"
			m.byToken[scope+"\x00"+m.byValue[key]] = v
		}
		out = append(out, m.byValue[key])
	}
	return out, nil
}

func (m *memory) Restore(_ context.Context, scope string, tokens []string) ([]vault.Value, error) {
	if m.fail != nil {
		return nil, m.fail
	}
	out := make([]vault.Value, len(tokens))
	for i, t := range tokens {
		out[i] = m.byToken[scope+"\x00"+t]
	}
	return out, nil
}

// world is a step with a profile over one server "crm" and one agent "bot".
type world struct {
	*Step
	vault *memory
	seen  []string // labels that passed in clear
	view  *registry.Snapshot
}

// newWorld makes one. The agent's zone and the server's are those of cfg's words.
func newWorld(t testing.TB, cfg privacy.Config, agentZone, serverZone string) *world {
	t.Helper()
	p, err := privacy.Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{vault: newMemory()}
	definition := `{"name":"find","inputSchema":{"type":"object","properties":{"path":{"type":"string","x-mcp-header":"Path"}}},` +
		`"outputSchema":{"type":"object","properties":{"n":{"type":"integer"},"mail":{"type":"string"}}}}`
	digest, err := registry.CanonicalDigest([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	w.view = registry.NewSnapshot(1,
		[]registry.Server{{ID: "crm", State: registry.Active, Zone: serverZone, Tools: []registry.Tool{{Name: "find", State: registry.ToolApproved, Definition: definition, Digest: digest}}}},
		[]registry.Agent{{ID: "bot", State: registry.Active, Zone: agentZone}}, nil, nil,
		[]registry.Grant{{Agent: "bot", Server: "crm", Access: registry.Modify, Purpose: "support"}})
	w.Step = New(Config{Profile: func() *privacy.Profile { return p }, Vault: w.vault, Tenant: "default",
		Read: func(_ *exchange.Exchange, labels []string) { w.seen = append(w.seen, labels...) }})
	return w
}

// call returns the exchange of a call of the tool find.
func (w *world) call(t testing.TB, arguments string) *exchange.Exchange {
	t.Helper()
	return w.ask(t, "tools/call", `{"name":"find","arguments":`+arguments+`}`)
}

func (w *world) ask(t testing.TB, method, params string) *exchange.Exchange {
	t.Helper()
	m := parse(t, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`, wire.FromClient)
	f, ok := wire.Lookup(method, wire.V20251125, wire.FromClient)
	if !ok {
		t.Fatalf("no method %s", method)
	}
	x := &exchange.Exchange{ID: "x", Endpoint: "crm", Era: wire.Legacy, Version: wire.V20251125, Principal: identity.Principal{ID: "bot"},
		Request: m, Fact: f, View: w.view, Server: w.view.Server("crm"), Session: &exchange.Session{ID: "s1"}}
	if f.Action == wire.ActTool {
		x.Tool = x.Server.Tool(m.Name())
	}
	return x
}

func parse(t testing.TB, text string, from wire.Side) *wire.Message {
	t.Helper()
	m, err := wire.Parse([]byte(text), wire.DefaultLimits(), from)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// answered walks one message of the server and returns what is left of it.
func (w *world) answered(t testing.TB, x *exchange.Exchange, text string) (string, error) {
	t.Helper()
	x.Message, x.Drop, x.Back = parse(t, text, wire.FromServer), "", nil
	err := w.Answer(t.Context(), x)
	return string(x.Message.Raw()), err
}

// result is the answer to a call with the members of a result.
func result(members string) string { return `{"jsonrpc":"2.0","id":1,"result":{` + members + `}}` }

func wantBlocked(t testing.TB, err error) {
	t.Helper()
	if !fault.Is(err, fault.ContentBlocked) {
		t.Fatalf("got %v, want %s", err, fault.ContentBlocked)
	}
}

func counted(x *exchange.Exchange, toward string, typ pii.Type, a privacy.Action) int {
	i := slices.IndexFunc(x.Privacy.Counts, func(f exchange.Finding) bool {
		return f.Toward == toward && f.Type == string(typ) && f.Action == string(a)
	})
	if i < 0 {
		return 0
	}
	return x.Privacy.Counts[i].Count
}

// secret is a random fake in the form of a vendor's.
const secret = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"

var secretsOnly = privacy.Config{Profile: "secrets-only"}
