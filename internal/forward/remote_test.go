package forward

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

const (
	modernList = `"id":1,"method":"tools/list","params":{` + modernMeta + `}`
	legacyList = `"id":1,"method":"tools/list","params":{}`
	noTools    = `{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`
)

// always answers every request the same.
func always(t *testing.T, status int, kind, body string, extra ...string) *upstream {
	t.Helper()
	return newUpstream(t, http1.ServerConfig{}, func(w http1.Response, _ *http1.Request, _ string) { respond(t, w, status, kind, body, extra...) })
}

// TestRequestHead: an allow-list of headers, mirrors made from the body, the
// gateway's own credential, and nothing else.
func TestRequestHead(t *testing.T) {
	up, h := always(t, 200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`), newHouse(t)
	srv := up.server(func(s *registry.Server) {
		s.Secrets = []registry.Secret{{Name: "Authorization", Sealed: []byte("Bearer upstream")}}
	})
	x := modern(t, srv, `"id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":"\u00e4"},`+modernMeta+`}`)
	x.Tool = &registry.Tool{Name: "t", Digest: "d-head", Definition: `{"name":"t","inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"}}}}`}
	x.Mirrors = exchange.Mirrors{Version: "1999-01-01", Method: "other", Name: "other", Params: []wire.Field{{Name: "mcp-param-a", Value: "lie"}, {Name: "Mcp-Param-B", Value: "b"}}, Trace: []wire.Field{{Name: "traceparent", Value: "tp"}}}
	if got := lastOf(t, h, x); got != `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}` {
		t.Error(got)
	}
	r := up.requests()[0]
	if r.method != "POST" || r.target != "/mcp?k=v" || r.body != string(x.Request.Raw()) {
		t.Errorf("%s %s %s", r.method, r.target, r.body)
	}
	var names []string
	for _, f := range r.header {
		names = append(names, strings.ToLower(f.Name)+"="+f.Value)
	}
	slices.Sort(names)
	want := []string{
		"accept-encoding=identity", "accept=application/json, text/event-stream", "authorization=Bearer upstream", "content-length=" + contentLength(r), "content-type=application/json",
		"mcp-method=tools/call", "mcp-name=t", "mcp-param-a==?base64?w6Q=?=", "mcp-param-b=b", "mcp-protocol-version=2026-07-28", "traceparent=tp",
	}
	if !slices.Equal(names, want) {
		t.Errorf("%q\nwant %q", names, want)
	}
	if got := lastOf(t, h, legacy(t, srv, `"id":1,"method":"tools/call","params":{"name":"t"}`)); got == "" {
		t.Error("no answer")
	}
	r = up.requests()[1]
	id, _ := r.header.Get("Mcp-Session-Id")
	version, _ := r.header.Get("MCP-Protocol-Version")
	if id != "remote-1" || version != "2025-11-25" || r.header.Count("Mcp-Method") != 0 {
		t.Errorf("session %q, version %q, %v", id, version, r.header)
	}
}

func contentLength(r seen) string { v, _ := r.header.Get("Content-Length"); return v }

// TestAnswersRefused: what is not exactly one valid answer never reaches a
// caller (U14, U16, H09, M12, J01).
func TestAnswersRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		kind, body string
		extra      []string
		fault      fault.Kind
	}{
		"another id":         {200, "application/json", `{"jsonrpc":"2.0","id":2,"result":{}}`, nil, fault.UpstreamBad},
		"id of another type": {200, "application/json", `{"jsonrpc":"2.0","id":"1","result":{}}`, nil, fault.UpstreamBad},
		"a notification":     {200, "application/json", `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, nil, fault.UpstreamBad},
		"duplicate members":  {200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{},"result":{}}`, nil, fault.UpstreamBad},
		"half":               {200, "application/json", `{"jsonrpc":"2.0"`, nil, fault.UpstreamBad},
		"empty":              {200, "application/json", ``, nil, fault.UpstreamBad},
		"no type":            {200, "", noTools, nil, fault.UpstreamBad},
		"a page":             {200, "text/html", noTools, nil, fault.UpstreamBad},
		"compressed":         {200, "application/json", noTools, []string{"Content-Encoding", "gzip"}, fault.UpstreamBad},
		"too large":          {200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{"a":"` + strings.Repeat("x", 5000) + `"}}`, nil, fault.UpstreamTooLarge},
		"status 500":         {500, "application/json", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m"}}`, nil, fault.UpstreamBad},
		"status 401":         {401, "", "", []string{"WWW-Authenticate", "Bearer"}, fault.UpstreamBad},
		"accepted":           {202, "", "", nil, fault.UpstreamBad},
		"not found":          {404, "text/plain", "no", nil, fault.UpstreamBad},
		"error of another":   {404, "application/json", `{"jsonrpc":"2.0","id":9,"error":{"code":-32601,"message":"m"}}`, nil, fault.UpstreamBad},
		"400":                {400, "text/plain", "no", nil, fault.EraMismatch},
	} {
		up, h := always(t, c.status, c.kind, c.body, c.extra...), newHouse(t, func(c *Config) { c.Wire.Bytes = 4000 })
		x := modern(t, up.server(), modernList)
		got, err := sent(t, h, x)
		wantKind(t, name, err, c.fault)
		if len(got) > 0 && got[len(got)-1].text != "" {
			t.Errorf("%s: %+v", name, got)
		}
		if err != nil && strings.Contains(fault.As(err).Public, up.addr) {
			t.Errorf("%s: the sentence names the server's address", name)
		}
	}
}

// TestOwnErrors: a server's own error passes with its status.
func TestOwnErrors(t *testing.T) {
	for _, body := range []string{`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m","data":{"x":1.0}}}`, `{"jsonrpc":"2.0","error":{"code":-32601,"message":"m","data":{"x":1.0}},"id":1}`} {
		up, h := always(t, 404, "application/json", body), newHouse(t)
		x := modern(t, up.server(), modernList)
		if got := lastOf(t, h, x); got != body || x.Status != 404 || !x.Sent {
			t.Errorf("%s, status %d", got, x.Status)
		}
	}
	up, h := always(t, 400, "application/json", `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"m"}}`), newHouse(t)
	if got := lastOf(t, h, modern(t, up.server(), modernList)); !strings.Contains(got, `"id":1`) || !strings.Contains(got, "-32600") {
		t.Error(got)
	}
}

// TestNoRedirects is U03: nothing is followed, so no credential goes elsewhere.
func TestNoRedirects(t *testing.T) {
	elsewhere := always(t, 200, "application/json", noTools)
	for _, status := range []int{301, 302, 303, 307, 308} {
		up, h := always(t, status, "", "", "Location", "http://"+elsewhere.addr+"/"), newHouse(t)
		_, err := sent(t, h, modern(t, up.server(), modernList))
		wantKind(t, "a redirect", err, fault.UpstreamBad)
		if len(up.requests()) != 1 {
			t.Errorf("%d requests", len(up.requests()))
		}
	}
	if len(elsewhere.requests()) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestVetting: without the operator's word the dialler refuses, and the server
// hears nothing.
func TestVetting(t *testing.T) {
	up, h := always(t, 200, "application/json", noTools), newHouse(t)
	_, err := sent(t, h, modern(t, up.server(func(s *registry.Server) { s.Private = false }), modernList))
	wantKind(t, "a private address", err, fault.EgressForbidden)
	if len(up.requests()) != 0 {
		t.Error("the server was reached")
	}
}

// TestEventAnswer: frames pass in order up to the answer; what follows is cut,
// answers to other requests are dropped and counted.
func TestEventAnswer(t *testing.T) {
	log := `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}`
	up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, _ *http1.Request, _ string) {
		events(t, w, log, `{"jsonrpc":"2.0","id":2,"result":{}}`, noTools, log)
	})
	h := newHouse(t)
	x := modern(t, up.server(), modernList)
	got, err := sent(t, h, x)
	if err != nil || len(got) != 3 || got[0].text != "" || got[1].text != log || got[2].text != noTools {
		t.Errorf("%+v, %v", got, err)
	}
	if x.Dropped != 1 || x.DropKind != fault.UpstreamBad {
		t.Errorf("dropped %d, %s", x.Dropped, x.DropKind)
	}
}

// TestEventFailures: a stream that breaks the rules ends the exchange.
func TestEventFailures(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		fault fault.Kind
	}{
		"ends early":    {": hello\n\n", fault.UpstreamGone},
		"cut":           {"data: {\"jsonrpc\"", fault.UpstreamGone},
		"two values":    {"data: " + noTools + noTools + "\n\n", fault.UpstreamBad},
		"two lines":     {"data: " + noTools + "\ndata: " + noTools + "\n\n", fault.UpstreamBad},
		"unknown event": {"event: endpoint\ndata: /x\n\n", fault.UpstreamBad},
		"no message":    {"data: hello\n\n", fault.UpstreamBad},
		"large":         {"data: {\"a\":\"" + strings.Repeat("x", 5000) + "\"}\n\n", fault.UpstreamTooLarge},
	} {
		up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, _ *http1.Request, _ string) {
			if err := w.Start(200, http1.Header{{Name: "Content-Type", Value: "text/event-stream"}}, -1); err != nil {
				t.Error(err)
			}
			if _, err := io.WriteString(w, c.text); err != nil {
				t.Log(err)
			}
		})
		h := newHouse(t, func(c *Config) { c.Wire.Bytes = 4000 })
		_, err := sent(t, h, modern(t, up.server(), modernList))
		wantKind(t, name, err, c.fault)
	}
}

// TestResumable: a legacy stream that gave event ids may end early; the client
// resumes it.
func TestResumable(t *testing.T) {
	up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, r *http1.Request, _ string) {
		if err := w.Start(200, http1.Header{{Name: "Content-Type", Value: "text/event-stream"}}, -1); err != nil {
			t.Error(err)
		}
		text := "id: e1\nretry: 10\ndata:\n\n"
		if last, ok := r.Header.Get("Last-Event-ID"); ok {
			text = "id: e2\ndata: " + noTools + "\n\n"
			if last != "e1" || r.Method != "GET" {
				t.Errorf("%s %q", r.Method, last)
			}
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Log(err)
		}
	})
	h := newHouse(t)
	got, err := sent(t, h, legacy(t, up.server(), legacyList))
	if err != nil || len(got) != 2 || got[1].event.ID != "e1" || got[1].event.Retry != "10" || got[1].text != "" {
		t.Errorf("%+v, %v", got, err)
	}
	x := legacy(t, up.server(), legacyList)
	x.Verb, x.Request, x.Fact = exchange.Stream, nil, wire.Fact{}
	x.Resume = &exchange.Resume{Server: "up", Event: "e1", Request: wire.IntID(1)}
	got, err = sent(t, h, x)
	if err != nil || len(got) != 1 || got[0].text != noTools || got[0].event.ID != "e2" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestFlood: notifications beyond the pace reach nobody; the answer does.
func TestFlood(t *testing.T) {
	up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, _ *http1.Request, _ string) {
		events(t, w, append(slices.Repeat([]string{toolsChanged}, 50), noTools)...)
	})
	h := newHouse(t, func(c *Config) { c.Limits.PerSecond, c.Clock = 5, noon() })
	got, err := sent(t, h, modern(t, up.server(), modernList))
	if err != nil || len(got) != 7 {
		t.Errorf("%d frames, %v", len(got), err)
	}
}

// TestBudget: what is held of an answer is counted, and refused beyond.
func TestBudget(t *testing.T) {
	body := `{"jsonrpc":"2.0","id":1,"result":{"a":"` + strings.Repeat("x", 5000) + `"}}`
	up := always(t, 200, "application/json", body)
	budget := quota.NewBudget(8000)
	h := newHouse(t, func(c *Config) { c.Budget = budget })
	first := modern(t, up.server(), modernList)
	if got := lastOf(t, h, first); got != body || first.Held != int64(len(body)) || len(first.Release) != 1 {
		t.Errorf("held %d, %d buffers", first.Held, len(first.Release))
	}
	second := modern(t, up.server(), modernList)
	_, err := sent(t, h, second)
	wantKind(t, "beyond the budget", err, fault.Overloaded)
	if second.Held != 0 || budget.Used() != int64(len(body)) {
		t.Errorf("held %d, used %d", second.Held, budget.Used())
	}
	for _, release := range append(first.Release, second.Release...) {
		release()
	}
	budget.Give(first.Held)
	if got := lastOf(t, h, modern(t, up.server(), modernList)); got != body {
		t.Error("nothing passes after the bytes were given back")
	}
}

// TestInFlight: a server has so many calls at once; each gives its slot back.
func TestInFlight(t *testing.T) {
	up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, _ *http1.Request, _ string) { events(t, w, noTools) })
	h := newHouse(t, func(c *Config) { c.Limits.InFlight = 1 })
	srv := up.server()
	first := modern(t, srv, modernList)
	if err := h.Send(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a second call", h.Send(t.Context(), modern(t, srv, modernList)), fault.Busy)
	if _, err := frames(first); err != nil {
		t.Fatal(err)
	}
	if got := lastOf(t, h, modern(t, srv, modernList)); got != noTools {
		t.Error(got)
	}
}

// TestCallerCancels: the reason of the end is kept, and the server's connection
// ends with it.
func TestCallerCancels(t *testing.T) {
	up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, _ *http1.Request, _ string) {
		if err := w.Start(200, http1.Header{{Name: "Content-Type", Value: "text/event-stream"}}, -1); err != nil {
			t.Error(err)
		}
		if _, err := io.WriteString(w, "data: "+toolsChanged+"\n\n"); err != nil || w.Flush() != nil {
			t.Log("left early")
		}
		for w.Flush() == nil {
			if _, err := io.WriteString(w, strings.Repeat(": wait\n\n", 1000)); err != nil {
				return
			}
		}
	})
	h := newHouse(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	x := modern(t, up.server(), modernList)
	if err := h.Send(ctx, x); err != nil {
		t.Fatal(err)
	}
	var last error
	for a, err := range x.Answers {
		last = err
		if a.Message != nil {
			cancel(fault.New(fault.Unauthenticated))
		}
	}
	wantKind(t, "cancelled", last, fault.Unauthenticated)
}

// TestNotifications: accepted or not, nothing is answered.
func TestNotifications(t *testing.T) {
	for status, kind := range map[int]fault.Kind{202: "", 200: "", 204: "", 400: fault.UpstreamBad, 500: fault.UpstreamBad} {
		up, h := always(t, status, "", ""), newHouse(t)
		x := legacy(t, up.server(), `"method":"notifications/roots/list_changed"`)
		err := h.Send(t.Context(), x)
		wantKind(t, "a notification", err, kind)
		if x.Answers != nil || len(up.requests()) != 1 {
			t.Errorf("status %d: %d requests", status, len(up.requests()))
		}
	}
	up, h := always(t, 202, "", ""), newHouse(t)
	x := modern(t, up.server(), `"method":"notifications/cancelled","params":{"requestId":1}`)
	if err := h.Send(t.Context(), x); err != nil || len(up.requests()) != 0 {
		t.Errorf("a modern cancellation had an effect: %v", err)
	}
}

// TestIdempotence: what is not a plain read is never sent again, also on a
// connection that was cut.
func TestIdempotence(t *testing.T) {
	for _, c := range []struct {
		need registry.Access
		tool bool
	}{{registry.Read, true}, {registry.Write, true}, {registry.Modify, false}} {
		var n atomic.Int32
		up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, r *http1.Request, _ string) {
			if n.Add(1) == 2 {
				panic(http1.ErrAbort) // a kept connection that is cut
			}
			respond(t, w, 200, "application/json", noTools)
		})
		h := newHouse(t)
		send := func() error {
			x := modern(t, up.server(), modernList)
			x.Decision = policy.Decision{Allow: true, Need: c.need}
			if c.tool {
				x.Tool = &registry.Tool{Name: "t"}
			}
			_, err := sent(t, h, x)
			return err
		}
		if err := send(); err != nil {
			t.Fatal(err)
		}
		if err := send(); err == nil || n.Load() != 2 {
			t.Errorf("%s, tool %v: %v after %d requests", c.need, c.tool, err, n.Load())
		}
	}
}
