package hostile

import (
	"crypto/tls"
	"slices"
	"testing"

	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/test/doortest"
)

// page is a row of the matrix for what is no MCP endpoint. What an agent may do
// with servers changes nothing on a page: all get the status of a caller without
// any credential but those that differs names, and none of these gets in.
type page struct {
	prefix       string // of app.PagePaths or app.OperatorPaths
	method, path string
	status       int
	differs      map[string]int
}

var dataPages = []page{
	{"/.well-known/oauth-protected-resource", "GET", "/s/s/mcp", 200, nil},
	{"/.well-known/oauth-authorization-server", "GET", "", 200, nil},
	{"/.well-known/openid-configuration", "GET", "", 200, nil},
	{"/approvals", "GET", "/x", 404, nil},
	{"/enrol", "POST", "", 403, nil},                                                                           // without a join token
	{"/enrol", "POST", "/renew", 403, map[string]int{"token and certificate of two": 409, "certificate": 409}}, // too young
	{"/login", "GET", "", 200, nil},
	{"/oauth", "POST", "/token", 400, nil},
	{"", "GET", "/nothing", 404, nil},
	{"", "GET", "/metrics", 404, nil},
}

var operatorPages = []page{
	{"/api/v1/", "POST", "status", 401, nil},
	{"/log/", "GET", "calls/checkpoint", 401, map[string]int{"modifier": 403, "certificate": 403}}, // no auditors
	{"/livez", "GET", "", 200, nil},
	{"/readyz", "GET", "", 200, nil},
	{"/metrics", "GET", "", 200, nil},
	{"/login", "GET", "", 200, nil},
	{"/login/", "GET", "", 404, nil},
	{"/approvals", "GET", "", 303, nil}, // to sign in
	{"/approvals/", "GET", "x", 404, nil},
	{"", "POST", "/mcp", 404, nil},
	{"", "POST", "/s/s/mcp", 404, nil},
}

// callers are one principal for each kind of credential. More would be too many:
// pages count by address how often they are asked.
var callers = []string{"none", "token and certificate of two", "suspended, by certificate", "modifier", "outside token", "certificate"}

// pages shows the credentials to every page of both listeners.
func (w *grid) pages(t *testing.T) {
	for _, l := range []struct {
		at    string
		rows  []page
		paths []string
	}{{w.Data, dataPages, app.PagePaths()}, {w.Admin, operatorPages, app.OperatorPaths()}} {
		for _, path := range l.paths {
			if !slices.ContainsFunc(l.rows, func(p page) bool { return p.prefix == path }) {
				t.Errorf("no row of the matrix says who may see %s", path)
			}
		}
		for _, p := range w.principals() {
			if !slices.Contains(callers, p.name) {
				continue
			}
			for _, row := range l.rows {
				w.page(t, p, l.at, row)
			}
		}
	}
}

func (w *grid) page(t *testing.T, p principal, at string, row page) {
	t.Helper()
	c := &shown{Client: doortest.NewClient(t, "https://"+at+row.prefix+row.path)}
	c.TLS = &tls.Config{RootCAs: w.Agents["reader"].CA, MinVersion: tls.VersionTLS13}
	p.show(c)
	want := row.status
	if other := row.differs[p.name]; other != 0 {
		want = other
	}
	if got := c.Send(row.method, ""); got.Status != want {
		t.Errorf("%s: %s %s%s on %s answers %d, want %d: %.100s", p.name, row.method, row.prefix, row.path, at, got.Status, want, got.Body)
	}
}
