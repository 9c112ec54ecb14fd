package app

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/admin"
)

// stream opens a session of c and its stream of the server's messages.
func (s *served) stream(c *http.Client, token string) io.ReadCloser {
	s.t.Helper()
	session := ""
	send := func(method, body string) *http.Response {
		s.t.Helper()
		r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/mcp", bytes.NewReader([]byte(body)))
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if session != "" {
			r.Header.Set("Mcp-Session-Id", session)
			r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
		}
		resp, err := c.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		if resp.StatusCode >= 300 {
			text, _ := io.ReadAll(resp.Body)
			s.t.Fatalf("%s: %d %s", method, resp.StatusCode, text)
		}
		return resp
	}
	resp := send(http.MethodPost, initialize)
	session = resp.Header.Get("Mcp-Session-Id")
	resp.Body.Close()
	send(http.MethodPost, `{"jsonrpc":"2.0","method":"notifications/initialized"}`).Body.Close()
	return send(http.MethodGet, "").Body
}

// ended reads a stream until the gateway ends it.
func ended(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, body) // the end is all that matters
	body.Close()
}

// ending is a way to end what somebody has open.
type ending struct {
	name string
	act  func(s *served, agent string, cert, token string) error
}

func endings() []ending {
	why := admin.Change{Reason: "test"}
	stop := func(what string) func(s *served, agent, cert, token string) error {
		return func(s *served, agent, _, _ string) error {
			if what == "tenant" {
				agent = "default"
			}
			_, err := s.api.Kill(s.t.Context(), admin.Switch{What: what, Name: agent, Change: why})
			return err
		}
	}
	return []ending{
		{"token", func(s *served, _, _, token string) error {
			_, err := s.api.RevokeToken(s.t.Context(), admin.RevokeToken{ID: token, Change: why})
			return err
		}},
		{"certificate", func(s *served, _, cert, _ string) error {
			_, err := s.api.RevokeCertificate(s.t.Context(), admin.RevokeCert{Serial: cert, Change: why})
			return err
		}},
		{"agent", func(s *served, agent, _, _ string) error {
			_, err := s.api.MoveAgent(s.t.Context(), admin.Move{ID: agent, Action: admin.Suspend, Change: why})
			return err
		}},
		{"client switch", stop("client")},
		{"tenant switch", stop("tenant")},
	}
}

// opened registers an agent and opens a stream of it, with a token or a
// certificate as way asks for.
func (s *served) opened(agent, way string) (body io.ReadCloser, cert, token string) {
	s.t.Helper()
	reg, err := s.api.RegisterAgent(s.t.Context(), admin.RegisterAgent{ID: agent, Credentials: true})
	if err != nil {
		s.t.Fatal(err)
	}
	cred, tok := reg.Item.Credentials, reg.Item.Token
	if way == "certificate" {
		body = s.stream(s.client(cred.CertPEM, keyOf(s.t, cred.KeyPEM)), "")
	} else {
		body = s.stream(s.client(nil, nil), tok.Token)
	}
	return body, cred.Serial, tok.ID
}

// TestL10EndsOpenStreams: whatever ends a caller ends its open streams, without
// waiting for a message on them; the test hangs when it does not.
func TestL10EndsOpenStreams(t *testing.T) {
	s := serveGateway(t, nil)
	for i, e := range endings() {
		body, cert, token := s.opened("agent-"+string(rune('a'+i)), e.name)
		if err := e.act(s, "agent-"+string(rune('a'+i)), cert, token); err != nil {
			t.Fatal(err)
		}
		ended(body)
	}
}

// TestEndsWhileNothingAnswers: while a look at the database hangs, as it does
// for thirty seconds when PostgreSQL does not answer, what is revoked ends all
// the same; the test hangs when it does not.
func TestEndsWhileNothingAnswers(t *testing.T) {
	s := serveGateway(t, nil)
	asked, answer := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	s.app.health.Watch("hangs", func() (string, string) { once(); <-answer; return stateOK, "" })
	defer close(answer)
	body, cert, token := s.opened("agent-a", "token")
	<-asked // once a second
	if err := endings()[0].act(s, "agent-a", cert, token); err != nil {
		t.Fatal(err)
	}
	ended(body)
}

// TestRevocationTimes measures with -v how long an open stream outlives the
// command that ends it. It asserts nothing about time.
func TestRevocationTimes(t *testing.T) {
	if !testing.Verbose() {
		t.Skip("prints measurements; run it with -v")
	}
	for _, e := range endings() {
		if e.name == "tenant switch" {
			continue // would refuse the next round; as a client's
		}
		s := serveGateway(t, nil)
		var whole, after []time.Duration
		for i := range 20 {
			agent := "agent-" + string(rune('a'+i))
			body, cert, token := s.opened(agent, e.name)
			start := time.Now()
			if err := e.act(s, agent, cert, token); err != nil {
				t.Fatal(err)
			}
			done := time.Now()
			ended(body)
			whole, after = append(whole, time.Since(start)), append(after, time.Since(done))
		}
		slices.Sort(whole)
		slices.Sort(after)
		t.Logf("%s: from the command's start p50 %s, max %s; from its answer p50 %s, max %s", e.name,
			whole[10].Round(10*time.Microsecond), whole[19].Round(10*time.Microsecond), after[10].Round(10*time.Microsecond), after[19].Round(10*time.Microsecond))
	}
}
