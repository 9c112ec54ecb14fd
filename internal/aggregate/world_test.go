package aggregate

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// ring makes handles; its keys stay in memory.
var ring = sync.OnceValues(func() (*keys.Ring, error) {
	dir, err := os.MkdirTemp("", "ring")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return keys.Create(dir)
})

// world is /mcp over the servers one, two and three for the agent a. Server
// "old" speaks the legacy era only, "hidden" is not granted.
func world(t *testing.T) *Step {
	t.Helper()
	r, err := ring()
	if err != nil {
		t.Fatal(err)
	}
	s := &Step{Live: &registry.Live{}, Handles: r.Handles(), Clock: clock.Fixed(func() time.Time { return start }), Wire: wire.DefaultLimits(), Patience: time.Minute, Version: "1.2.3"}
	s.Live.Swap(snapshot(3, "one", "two", "three", "old"))
	return s
}

// snapshot grants these servers to a and b.
func snapshot(version uint64, granted ...string) *registry.Snapshot {
	var servers []registry.Server
	var grants []registry.Grant
	for _, id := range []string{"one", "two", "three", "old", "hidden"} {
		srv := registry.Server{ID: id, State: registry.Active}
		if id == "old" {
			srv.Eras = []string{"legacy"}
		}
		servers = append(servers, srv)
		if slices.Contains(granted, id) {
			grants = append(grants, registry.Grant{Agent: "a", Server: id, Access: registry.Read}, registry.Grant{Agent: "b", Server: id, Access: registry.Read})
		}
	}
	agents := []registry.Agent{{ID: "a", State: registry.Active}, {ID: "b", State: registry.Active}}
	return registry.NewSnapshot(version, servers, agents, nil, nil, grants)
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

// legacy returns an exchange of agent a on /mcp; params "" leaves them out.
func legacy(t *testing.T, method, params string) *exchange.Exchange {
	t.Helper()
	if params != "" {
		params = `,"params":` + params
	}
	id := `"id":"r-1",`
	if strings.HasPrefix(method, "notifications/") {
		id = ""
	}
	x := request(t, wire.V20251125, `{"jsonrpc":"2.0",`+id+`"method":"`+method+`"`+params+`}`)
	x.Session = &exchange.Session{ID: "s-1", Version: wire.V20251125, Bound: true}
	return x
}

// modern returns one of the modern era; members follow _meta, with a comma.
func modern(t *testing.T, method, members string) *exchange.Exchange {
	t.Helper()
	return request(t, wire.V20260728, `{"jsonrpc":"2.0","id":7,"method":"`+method+`","params":{`+modernMeta+members+`}}`)
}

func request(t *testing.T, v wire.Version, text string) *exchange.Exchange {
	t.Helper()
	m := parse(t, text, wire.FromClient)
	fact, ok := wire.Lookup(m.Method(), v, wire.FromClient)
	if !ok {
		t.Fatalf("%s is no method of %s", m.Method(), v)
	}
	return &exchange.Exchange{
		ID: "x-1", Start: start, Era: v.Era(), Version: v, Request: m, Fact: fact, Capable: "{}",
		Principal: identity.Principal{Kind: identity.Client, ID: "a"},
		Mirrors:   exchange.Mirrors{Version: string(v), Method: m.Method(), HasMethod: true},
	}
}

// servers plays the path and the servers for parts. Each part is handed to the
// function of its server, which may reply and sets Final or Fault.
type servers struct {
	mu    sync.Mutex
	says  map[string]func(ctx context.Context, p *exchange.Exchange)
	saw   map[string][]*exchange.Exchange // parts by server
	other func(ctx context.Context, p *exchange.Exchange)
}

func (s *servers) run(ctx context.Context, p *exchange.Exchange) {
	s.mu.Lock()
	if s.saw == nil {
		s.saw = map[string][]*exchange.Exchange{}
	}
	s.saw[p.Endpoint] = append(s.saw[p.Endpoint], p)
	do := s.says[p.Endpoint]
	s.mu.Unlock()
	if do == nil {
		do = s.other
	}
	if do != nil {
		do(ctx, p)
	} else {
		p.Fault = fault.New(fault.UpstreamUnreachable)
	}
	p.Face.Finish(ctx, p)
}

// asked returns the text of the n-th request that a server got.
func (s *servers) asked(server string, n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.saw[server]) <= n {
		return ""
	}
	return string(s.saw[server][n].Request.Raw())
}

// answers returns a server that gives its results one after the other, and the
// last one again.
func answers(t *testing.T, results ...string) func(context.Context, *exchange.Exchange) {
	var mu sync.Mutex
	n := 0
	return func(_ context.Context, p *exchange.Exchange) {
		mu.Lock()
		text := results[min(n, len(results)-1)]
		n++
		mu.Unlock()
		if code, refuses := strings.CutPrefix(text, "error "); refuses {
			p.Final = parse(t, `{"jsonrpc":"2.0","id":`+p.Request.ID().Raw()+`,"error":{"code":`+code+`,"message":"no"}}`, wire.FromServer)
		} else {
			p.Final = parse(t, `{"jsonrpc":"2.0","id":`+p.Request.ID().Raw()+`,"result":`+text+`}`, wire.FromServer)
		}
		p.Sent = true
	}
}

// collect runs a split exchange and returns what its caller sees.
func collect(t *testing.T, x *exchange.Exchange, s *servers) ([]*wire.Message, error) {
	t.Helper()
	var got []*wire.Message
	for a, err := range x.Join.Answers(context.Background(), s.run) {
		if err != nil {
			return got, err
		}
		if a.Message != nil {
			got = append(got, a.Message)
		}
	}
	return got, nil
}

// split splits x, which must work.
func split(t *testing.T, s *Step, x *exchange.Exchange) *exchange.Exchange {
	t.Helper()
	if err := s.Split(context.Background(), x); err != nil {
		t.Fatalf("%s: %v", x.Request.Raw(), err)
	}
	if x.Join == nil {
		t.Fatal("nothing was split")
	}
	return x
}

// only returns the one message of a joined exchange.
func only(t *testing.T, x *exchange.Exchange, s *servers) *wire.Message {
	t.Helper()
	got, err := collect(t, x, s)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	return got[0]
}

func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if kind == "" && err != nil || kind != "" && !fault.Is(err, kind) {
		t.Errorf("%s: %v, want %q", what, err, kind)
	}
}
