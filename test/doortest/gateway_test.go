package doortest

import (
	"net/http"
	"strings"
	"testing"
)

// One gateway with every kind of fake server, from the operator's commands to
// the records: what every other test of this package's users builds on.
func TestGatewayServesBothErasOverEveryTransport(t *testing.T) {
	modern := NewUpstream(t, Config{Modern: true})
	legacy := NewUpstream(t, Config{Legacy: true, SSE: true})
	stdio := NewStdio(t, Script{})
	d := Gateway(t, Options{
		Servers: []Server{
			{Name: "modern", URL: modern.URL(), Access: map[string]string{"echo": "read"}},
			{Name: "legacy", URL: legacy.URL()},
			{Name: "stdio", Command: stdio.Command, Env: stdio.Env},
		},
		Agents: []string{"app"},
		Plain:  "local",
	})
	app := d.Agents["app"]
	for _, server := range []string{"modern", "stdio"} {
		for name, c := range map[string]*Client{"token": d.Client(app, server), "certificate": d.CertClient(app, server), "plain": d.PlainClient(server)} {
			if r := c.Tool(`"m"`, "echo", `{"text":"hi"}`); r.Status != http.StatusOK || r.Text() != "hi" {
				t.Errorf("%s by %s: %d %s", server, name, r.Status, r.Body)
			}
		}
	}
	for _, server := range []string{"legacy", "stdio"} {
		c := d.Client(app, server)
		c.Initialize(LegacyVersion, `{}`)
		if r := c.Tool(`9007199254740993`, "echo", `{"text":"hi"}`); r.Status != http.StatusOK || r.Text() != "hi" || string(r.Message().ID) != `9007199254740993` {
			t.Errorf("%s: %d %s", server, r.Status, r.Body)
		}
	}
	modern.Forget()
	c := d.Client(app, "modern")
	c.Token = "wrong"
	if r := c.Tool("1", "echo", `{}`); r.Status != http.StatusUnauthorized || modern.Bytes() != 0 {
		t.Errorf("a wrong token got %d, and %d bytes reached the server", r.Status, modern.Bytes())
	}
	r := d.AwaitRecord("the refusal", func(r Record) bool { return r.Reason == "unauthenticated" })
	if r.Kind != "call.decided" || r.Decision != "deny" || r.Sent {
		t.Errorf("record %s", r.Line)
	}
	d.AwaitRecord("a call", func(r Record) bool {
		return r.Actor == "app" && r.Method == "tools/call" && r.Name == "echo" && r.Decision == "allow" && r.Outcome == "ok" && r.Sent
	})
	var served float64
	for name, n := range d.Metrics() {
		if strings.HasPrefix(name, "ostiary_requests_total{") {
			served += n
		}
	}
	if served < 8 {
		t.Errorf("the metrics count %v requests", served)
	}
	for _, page := range []string{"/livez", "/readyz"} {
		if status, body := d.AdminGet(page); status != http.StatusOK {
			t.Errorf("%s: %d %s", page, status, body)
		}
	}
}

func TestGatewayComesBackAfterARestart(t *testing.T) {
	up := NewUpstream(t, Config{})
	d := Gateway(t, Options{Servers: []Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"}})
	c := d.Client(d.Agents["app"], "s")
	if r := c.Tool("1", "echo", `{"text":"a"}`); r.Text() != "a" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	before := len(d.Exchanges())
	d.Restart()
	if r := c.Tool("2", "echo", `{"text":"b"}`); r.Text() != "b" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	d.AwaitRecord("the second call", func(r Record) bool { return len(d.Exchanges()) > before && r.Method == "tools/call" })
}
