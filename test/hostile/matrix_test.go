package hostile

import (
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/admit"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
	"ostiary.dev/ostiary/test/doortest"
)

// shown is a client that a principal shows itself by.
type shown struct {
	*doortest.Client
	plain bool // comes to the plaintext loopback listener
}

// grid is the gateway of the matrix: three servers behind three transports, and
// a principal for each way to be somebody or nobody.
type grid struct {
	*doortest.Door
	idp     *doortest.IDP
	login   string // token of a person's login for the agent "personal"
	servers []*behind
	reasons map[string]int // refusals to be found in the log
}

// behind is one server.
type behind struct {
	name   string
	legacy bool       // speaks the legacy era only
	heard  func() int // what reached it since forget
	forget func()
}

// agents are those of the grid and what they are granted on every server.
var agents = map[string]string{"nobody": "", "reader": "read", "writer": "write", "modifier": "modify", "suspended": "modify",
	"single": "modify", "personal": "write", "outside": "write", "narrow": "modify", "local": "write"}

func newGrid(t *testing.T) *grid {
	t.Helper()
	const tasks = `{"jsonrpc":"2.0","id":%ID%,"result":{"tasks":[]}}`
	up, old := doortest.NewUpstream(t, doortest.Config{}), doortest.NewUpstream(t, doortest.Config{OldSSE: true, Legacy: true})
	up.On("tasks/list", doortest.Exactly(tasks))
	old.On("tasks/list", doortest.Exactly(tasks))
	io := doortest.NewStdio(t, doortest.Script{Answers: map[string]string{"tasks/list": tasks,
		"subscriptions/listen": `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":%ID%},"notifications":{"toolsListChanged":true}}}`}})
	w := &grid{idp: doortest.NewIDP(t), reasons: map[string]int{}}
	w.Door = doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{
			{Name: "s", URL: up.URL(), Access: toolNeeds}, {Name: "io", Command: io.Command, Env: io.Env, Access: toolNeeds},
			{Name: "old", URL: old.URL(), Access: toolNeeds, Flags: []string{"--transport", "sse"}},
		},
		Plain: "local", Down: true,
		Config: func(yaml string) string {
			return strings.Replace(yaml, "identity:\n", "identity:\n  issuers:\n"+w.idp.Entry(""), 1) + "limits: {calls_per_minute: 0}\n"
		},
	})
	lines := 0
	asked := func() (n int) { // of the child: what it is told, it may get late
		for _, line := range io.Received()[lines:] {
			if m := doortest.Envelope(line); m.ID != nil && m.Method != "initialize" {
				n++
			}
		}
		return n
	}
	w.servers = []*behind{
		{"s", false, func() int { return int(up.Bytes()) }, up.Forget},
		{"io", false, asked, func() { lines = len(io.Received()) }},
		{"old", true, func() int { return int(old.Bytes()) }, old.Forget},
	}
	for agent := range agents {
		switch agent {
		case "local": // init made it
		case "outside", "narrow":
			w.Bind(agent, w.idp.URL, "sub-"+agent)
		default:
			w.Register(agent)
		}
	}
	w.granted(t)
	w.Must("agent", "suspend", "suspended", "--reason", "matrix", "--yes")
	w.Up()
	b := w.Browser("127.0.0.1")
	w.Enrol(b, "pat", "--agent", "personal").SignIn("/login/account")
	w.login = loginToken(t, b, "personal", w.URL(""))
	return w
}

// granted gives the agents what the table says, over one connection: a command
// for each would take longer than the matrix.
func (w *grid) granted(t *testing.T) {
	t.Helper()
	api, done := w.API(t.Context())
	for agent, access := range agents {
		for _, b := range w.servers {
			if access == "" || agent == "single" && b.name != "s" {
				continue
			}
			if _, err := api.Grant(t.Context(), admin.Grant{Agent: agent, Server: b.name, Access: registry.Access(access)}); err != nil {
				t.Error(err)
			}
		}
	}
	if err := done(); err != nil {
		t.Error(err)
	}
}

// principals are the rows: nine that are nobody, then each access.
func (w *grid) principals() []principal {
	token := func(text string) func(*shown) { return func(c *shown) { c.Token = text } }
	cert := func(agent string) func(*shown) {
		return func(c *shown) { c.TLS.Certificates = []tls.Certificate{w.Agents[agent].Cert} }
	}
	plain := func(text string) func(*shown) { return func(c *shown) { c.plain, c.Token = true, text } }
	jwt := func(sub string, change map[string]any) func(*shown) {
		return token(w.idp.Token(w.idp.Claims(sub, w.URL("")), change))
	}
	api := func(agent string) string { return w.Agents[agent].Token }
	wrong := api("modifier")
	rows := []principal{
		{name: "none", unknown: true, show: token("")},
		{name: "a token that nobody has", unknown: true, show: token(wrong[:len(wrong)-6] + "aaaaaa")},
		{name: "an outside token of nobody", unknown: true, show: jwt("sub-nobody", nil)},
		{name: "an outside token that has ended", unknown: true, show: jwt("sub-outside", map[string]any{"exp": 1})},
		{name: "token and certificate of two", unknown: true, show: func(c *shown) { cert("reader")(c); c.Token = wrong }},
		{name: "another's token at the plain listener", unknown: true, show: plain(wrong)},
		{name: "suspended", unknown: true, show: token(api("suspended"))},
		{name: "suspended, by certificate", unknown: true, show: cert("suspended")},
		{name: "without a grant", show: token(api("nobody"))},
		{name: "granted one server", access: "modify", only: "s", show: token(api("single"))},
	}
	for _, agent := range []string{"reader", "writer", "modifier"} {
		rows = append(rows, principal{name: agent, access: agents[agent], show: token(api(agent))})
	}
	return append(rows,
		principal{name: "outside token", access: "write", show: jwt("sub-outside", nil)},
		principal{name: "outside token of narrow scope", access: "modify", scope: "mcp:read", show: jwt("sub-narrow", map[string]any{"scope": "mcp:read"})},
		principal{name: "a person's login", access: "write", show: token(w.login)},
		principal{name: "certificate", access: "write", show: cert("writer")},
		principal{name: "plain", access: "write", show: plain("")},
	)
}

// actions are the columns: every method that any side may send in any version,
// each tool, a tool and a method that there are not, and the verbs beside POST.
func actions() []action {
	all := []action{{method: "no/such", target: "s"}, {method: "GET"}}
	seen := map[string]bool{}
	for _, f := range wire.Facts() {
		switch {
		case seen[f.Method]:
			continue
		case f.Action == wire.ActTool:
			for tool := range toolNeeds {
				all = append(all, action{method: f.Method, tool: tool, target: "s"}, action{method: f.Method, tool: tool, target: "io"}, action{method: f.Method, tool: tool, target: "old"})
			}
			all = append(all, action{method: f.Method, tool: "ghost", target: "s"})
		default:
			all = append(all, action{method: f.Method, target: "s", notification: f.Notification})
		}
		seen[f.Method] = true
	}
	return append(all, action{method: "DELETE"}) // last: it ends the session
}

// TestP03Matrix sends every action in every version to every endpoint as every
// principal, and holds what comes back, what reached the servers and what was
// recorded to one function that says what must.
func TestP03Matrix(t *testing.T) {
	if got := strings.Join(admit.Routes(), " "); got != "/mcp /s/*/mcp" {
		t.Fatalf("the routes are %s: the matrix has no rule for one", got)
	}
	w := newGrid(t)
	cells := 0
	for _, p := range w.principals() {
		t.Run(p.name, func(t *testing.T) {
			for _, b := range append(slices.Clone(w.servers), &behind{}) {
				for _, v := range versions {
					if b.name == "s" || b.name == "" || slices.Contains(eras, v) {
						cells += w.row(t, p, b, wire.Version(v))
					}
				}
			}
		})
	}
	t.Logf("%d cells", cells)
	w.recorded(t)
	t.Run("wrap", w.wrapped)
	t.Run("pages", w.pages)
}

// recorded compares the refusals of the whole matrix with those in the log.
func (w *grid) recorded(t *testing.T) {
	t.Helper()
	got := map[string]int{}
	for _, r := range w.Records() {
		if r.Outcome != "refused" || r.Parent != "" || r.Detail == "TLS handshake failed" {
			continue
		}
		if got[r.Reason] += max(1, r.Count); r.Sent { // many strangers are counted in one line
			t.Errorf("sent and refused: %s", r.Line)
		}
	}
	if !maps.Equal(got, w.reasons) {
		t.Errorf("the log tells of the refusals %v, want %v", got, w.reasons)
	}
}

// row sends all actions of one principal to one endpoint in one version: first
// what must reach no server, then the rest.
func (w *grid) row(t *testing.T, p principal, b *behind, v wire.Version) int {
	t.Helper()
	c := &shown{Client: doortest.NewClient(t, "")}
	c.Version, c.TLS = string(v), &tls.Config{RootCAs: w.Agents["reader"].CA, MinVersion: tls.VersionTLS13}
	if p.show(c); c.plain {
		c.URL = w.PlainURL(b.name)
	} else {
		c.URL = w.URL(b.name)
	}
	if v.Era() == wire.Legacy && !p.unknown && (b.name == "" || p.on(b.name) != "") {
		c.Initialize(string(v), `{}`)
	}
	var silent, rest []cell
	for _, a := range actions() {
		one := cell{p, b.name, b.legacy || b.name == "" && a.target == "old", v, a}
		if b.name != "" && a.target != "s" && a.tool != "" {
			continue // names on a server's own endpoint are that server's
		}
		if expected(t, one).refused() || p.access == "" {
			silent = append(silent, one)
		} else {
			rest = append(rest, one)
		}
	}
	for _, other := range w.servers {
		other.forget()
	}
	for _, one := range silent {
		w.check(t, c, one)
	}
	for _, other := range w.servers {
		if n := other.heard(); n > 0 {
			t.Errorf("%s on %q in %s: what is refused reached %s", p.name, b.name, v, other.name)
		}
	}
	for _, one := range rest {
		w.check(t, c, one)
	}
	return len(silent) + len(rest)
}
