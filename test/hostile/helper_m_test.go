package hostile

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// site is one gateway with a server behind it, shared by the cases of a test.
type site struct {
	*doortest.Door
	up *doortest.Upstream // the server called "main"
}

// client speaks to a server as an agent, on behalf of one case.
func (w *site) client(t *testing.T, agent, server string) *doortest.Client {
	a := w.Agents[agent]
	c := doortest.NewClient(t, w.URL(server))
	c.Token, c.TLS = a.Token, &tls.Config{RootCAs: a.CA, MinVersion: tls.VersionTLS13}
	return c
}

// legacy is client after a handshake in the newest legacy version.
func (w *site) legacy(t *testing.T, agent, server, capabilities string) *doortest.Client {
	t.Helper()
	c := w.client(t, agent, server)
	c.Initialize(doortest.LegacyVersion, capabilities)
	return c
}

// since returns the records of exchanges after the first n.
func (w *site) since(n int) []doortest.Record { return w.Exchanges()[n:] }

// quiet does what must be refused: it demands that no byte reaches the main
// server and that exactly one exchange is recorded, with this reason. The
// answer is status and code.
func (w *site) quiet(t *testing.T, reason string, status, code int, do func() doortest.Reply) doortest.Reply {
	t.Helper()
	w.up.Forget()
	n := len(w.Exchanges())
	r := do()
	if r.Status != status || r.Code() != code {
		t.Errorf("answered %d %s, want %d and code %d", r.Status, r.Body, status, code)
	}
	if got := w.up.Bytes(); got != 0 {
		t.Errorf("%d bytes reached the server: %q", got, w.up.Received())
	}
	records := w.since(n)
	if len(records) != 1 || records[0].Reason != reason || records[0].Sent {
		t.Errorf("records %s, want one of %s", listing(records), reason)
	}
	return r
}

// passes does what must be let through: exactly one request of the method
// reaches the main server and one exchange is recorded as ok.
func (w *site) passes(t *testing.T, method string, do func() doortest.Reply) (doortest.Reply, *doortest.Request) {
	t.Helper()
	w.up.Forget()
	n := len(w.Exchanges())
	r := do()
	calls := w.up.Calls(method)
	if r.Status != 200 || r.Message().Result == nil || len(calls) != 1 {
		t.Fatalf("answered %d %s; %d calls reached the server", r.Status, r.Body, len(calls))
	}
	records := w.since(n)
	if len(records) != 1 || records[0].Outcome != "ok" || !records[0].Sent || records[0].Decision != "allow" {
		t.Errorf("records %s, want one that is ok", listing(records))
	}
	return r, calls[0]
}

// last is the newest exchange recorded after the first n.
func (w *site) last(t *testing.T, n int) doortest.Record {
	t.Helper()
	records := w.since(n)
	if len(records) == 0 {
		t.Fatal("nothing was recorded")
	}
	return records[len(records)-1]
}

func listing(records []doortest.Record) string {
	var b strings.Builder
	for _, r := range records {
		b.Write(r.Line)
		b.WriteByte('\n')
	}
	return b.String()
}

// withCaps builds a modern request of a client with these capabilities.
func withCaps(id, method, capabilities, members string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":%s},%s}}`,
		id, method, capabilities, members)
}

// offers makes a server list these tools, a JSON array, in either era.
func offers(u *doortest.Upstream, tools string) {
	u.On("tools/list", func(w *doortest.Conn, r *doortest.Request) { w.Result(toolsResult(r, tools)) })
}

func toolsResult(r *doortest.Request, tools string) string {
	if r.Message().Modern() {
		return `{"resultType":"complete","tools":` + tools + `,"ttlMs":0,"cacheScope":"private"}`
	}
	return `{"tools":` + tools + `}`
}

// done is a result without content, in the request's era.
func done(w *doortest.Conn, r *doortest.Request) {
	if r.Message().Modern() {
		w.Result(`{"resultType":"complete","content":[]}`)
		return
	}
	w.Result(`{"content":[]}`)
}
