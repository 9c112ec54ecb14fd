package forward

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

const (
	initializeText = `"id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`
	initialized    = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}`
)

// sessions is a legacy server that gives out session ids and demands them.
func sessions(t *testing.T) *upstream {
	t.Helper()
	n := 0
	var mu sync.Mutex
	return newUpstream(t, http1.ServerConfig{}, func(w http1.Response, r *http1.Request, body string) {
		id, _ := r.Header.Get("Mcp-Session-Id")
		switch {
		case strings.Contains(body, `"initialize"`):
			mu.Lock()
			n++
			name := fmt.Sprintf("up-%d", n)
			mu.Unlock()
			respond(t, w, 200, "application/json", `{"jsonrpc":"2.0","id":1,"result":`+initialized+`}`, "Mcp-Session-Id", name)
		case r.Method == "DELETE":
			respond(t, w, 204, "", "")
		case id == "" || id == "gone":
			respond(t, w, 404, "", "")
		case r.Method == "GET":
			respond(t, w, 405, "", "")
		case strings.Contains(body, `"id"`):
			respond(t, w, 200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{"session":"`+id+`"}}`)
		default:
			respond(t, w, 202, "", "")
		}
	})
}

// methods lists what an upstream was asked, with the session.
func methods(u *upstream) string {
	var all []string
	for _, r := range u.requests() {
		id, _ := r.header.Get("Mcp-Session-Id")
		m, err := wire.Parse([]byte(r.body), wire.DefaultLimits(), wire.FromClient)
		name := r.method
		if err == nil {
			name = m.Method()
		}
		all = append(all, strings.TrimSpace(name+" "+id))
	}
	return strings.Join(all, ", ")
}

// TestInitialize: the server's session id goes into the session, and only one
// of the specified form.
func TestInitialize(t *testing.T) {
	for id, kind := range map[string]fault.Kind{"up-1": "", "": "", "a b": fault.UpstreamBad, strings.Repeat("x", 1025): fault.UpstreamBad} {
		for _, stream := range []bool{false, true} {
			up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, r *http1.Request, _ string) {
				text := `{"jsonrpc":"2.0","id":1,"result":` + initialized + `}`
				if !stream {
					respond(t, w, 200, "application/json", text, "Mcp-Session-Id", id)
					return
				}
				if err := w.Start(200, http1.Header{{Name: "Content-Type", Value: "text/event-stream"}, {Name: "Mcp-Session-Id", Value: id}}, -1); err != nil {
					t.Error(err)
				}
				if _, err := io.WriteString(w, "data: "+text+"\n\n"); err != nil {
					t.Log(err)
				}
			})
			x := legacy(t, up.server(), initializeText)
			x.Session.Remote = ""
			got, err := sent(t, newHouse(t), x)
			wantKind(t, "session id "+id, err, kind)
			if err == nil && (x.Session.Remote != id || len(got) != 1) {
				t.Errorf("session %q, %d frames", x.Session.Remote, len(got))
			}
			if r := up.requests()[0]; r.header.Count("Mcp-Session-Id") != 0 {
				t.Error("initialize was sent with a session")
			}
		}
	}
}

// TestPartSessions: a part of /mcp opens its server's session when it is first
// needed, once, however many calls come at the same time, and ends it.
func TestPartSessions(t *testing.T) {
	up, h := sessions(t), newHouse(t)
	srv := up.server()
	part := func(text string) *exchange.Exchange {
		x := legacy(t, srv, text)
		x.Parent, x.Session.Bound, x.Session.Remote, x.Session.Capabilities = "x-0", true, "", `{"roots":{}}`
		return x
	}
	var wait sync.WaitGroup
	for range 8 {
		x := part(legacyList)
		wait.Go(func() {
			if err := h.Send(context.Background(), x); err != nil {
				t.Error(err)
				return
			}
			if got, err := frames(x); err != nil || len(got) != 1 || !strings.Contains(got[0].text, `"session":"up-1"`) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	wait.Wait()
	seen := methods(up)
	if !strings.HasPrefix(seen, "initialize, notifications/initialized up-1, tools/list up-1") || strings.Count(seen, "initialize,") != 1 {
		t.Error(seen)
	}
	if hello := up.requests()[0].body; !strings.Contains(hello, `"capabilities":{"roots":{}}`) {
		t.Error(hello)
	}
	if v, _ := up.requests()[2].header.Get("MCP-Protocol-Version"); v != "2025-06-18" {
		t.Errorf("version %q", v)
	}
	end := part(legacyList)
	end.Verb, end.Request = exchange.End, nil
	for range 2 { // there is nothing to end the second time
		if err := h.Send(t.Context(), end); err != nil || end.Answers != nil {
			t.Error(err)
		}
	}
	if got := strings.TrimPrefix(methods(up), seen); got != ", DELETE up-1" {
		t.Error(got)
	}
	h.Forget("s-1")
	if got := lastOf(t, h, part(legacyList)); !strings.Contains(got, "up-2") {
		t.Error(got)
	}
	first := part(initializeText)
	first.Session.New = true
	if _, err := sent(t, h, first); err != nil {
		t.Fatal(err)
	}
	if got := lastOf(t, h, part(legacyList)); !strings.Contains(got, "up-3") || first.Session.Remote != "up-3" {
		t.Errorf("%s, %q", got, first.Session.Remote)
	}
}

// TestPartSessionRefused: a server that does not let the gateway in is tried
// again at the next call.
func TestPartSessionRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		kind, body string
		fault      fault.Kind
	}{
		"an error":            {200, "application/json", `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"m"}}`, fault.UpstreamBad},
		"a modern version":    {200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2026-07-28","capabilities":{}}}`, fault.UpstreamBad},
		"an unknown version":  {200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"9","capabilities":{}}}`, fault.UpstreamBad},
		"another id":          {200, "application/json", `{"jsonrpc":"2.0","id":2,"result":` + initialized + `}`, fault.UpstreamBad},
		"no answer":           {202, "", "", fault.UpstreamBad},
		"a page":              {200, "text/html", "<p>", fault.UpstreamBad},
		"a stream without it": {200, "text/event-stream", ": x\n\n", fault.UpstreamBad},
		"a stream of junk":    {200, "text/event-stream", "data: x\n\n", fault.UpstreamBad},
	} {
		up, h := always(t, c.status, c.kind, c.body), newHouse(t)
		for n := range 2 {
			x := legacy(t, up.server(), legacyList)
			x.Session.Bound = true
			_, err := sent(t, h, x)
			wantKind(t, name, err, c.fault)
			if len(up.requests()) != n+1 || x.Sent {
				t.Errorf("%s: %s, sent %v", name, methods(up), x.Sent)
			}
		}
	}
}

// TestLostSession: the server's 404 means that the client starts anew; a
// session is never opened again behind its back.
func TestLostSession(t *testing.T) {
	up, h := sessions(t), newHouse(t)
	x := legacy(t, up.server(), legacyList)
	x.Session.Remote = "gone"
	_, err := sent(t, h, x)
	wantKind(t, "404", err, fault.SessionUnknown)
	x = legacy(t, up.server(), legacyList)
	x.Verb, x.Request, x.Session.Remote = exchange.Stream, nil, "gone"
	_, err = sent(t, h, x)
	wantKind(t, "404 to a stream", err, fault.SessionUnknown)
	if got := methods(up); got != "tools/list gone, GET gone" {
		t.Error(got)
	}
	end := legacy(t, up.server(), legacyList)
	end.Verb, end.Request = exchange.End, nil
	if err := h.Send(t.Context(), end); err != nil || !end.Sent {
		t.Error(err)
	}
	end.Session.Remote = ""
	if err := h.Send(t.Context(), end); err != nil || len(up.requests()) != 3 {
		t.Errorf("a session that the server never named was ended there: %v", err)
	}
}

// TestSessionStream: a GET stream yields what comes; refusals are told apart.
func TestSessionStream(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		kind   string
		fault  fault.Kind
	}{
		"none": {405, "", fault.MethodNotAllowed}, "taken": {409, "", fault.StreamTaken}, "a page": {200, "text/html", fault.UpstreamBad},
		"json": {200, "application/json", fault.UpstreamBad}, "failing": {500, "", fault.UpstreamBad},
	} {
		up := always(t, c.status, c.kind, "")
		x := legacy(t, up.server(), legacyList)
		x.Verb, x.Request = exchange.Stream, nil
		_, err := sent(t, newHouse(t), x)
		wantKind(t, name, err, c.fault)
	}
	up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, r *http1.Request, _ string) {
		events(t, w, toolsChanged, `{"jsonrpc":"2.0","id":5,"result":{}}`, toolsChanged)
	})
	x := legacy(t, up.server(), legacyList)
	x.Verb, x.Request, x.Fact = exchange.Stream, nil, wire.Fact{}
	got, err := sent(t, newHouse(t), x)
	if err != nil || len(got) != 2 || got[0].text != toolsChanged || x.Dropped != 1 {
		t.Errorf("%+v, %v, dropped %d", got, err, x.Dropped)
	}
	r := up.requests()[0]
	if accept, _ := r.header.Get("Accept"); r.method != "GET" || accept != "text/event-stream" || r.header.Count("Last-Event-ID") != 0 {
		t.Errorf("%s %v", r.method, r.header)
	}
}

// TestReturn: the refusal of a server's question goes to the server in its
// session.
func TestReturn(t *testing.T) {
	up, h := sessions(t), newHouse(t)
	x := legacy(t, up.server(), legacyList)
	x.Back = wire.NewError(wire.StringID("q"), x.Version, fault.New(fault.CapabilityMissing), "x-1")
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // the caller is gone, the server is told all the same
	if err := h.Return(ctx, x); err != nil {
		t.Fatal(err)
	}
	r := up.requests()[0]
	if id, _ := r.header.Get("Mcp-Session-Id"); id != "remote-1" || !strings.Contains(r.body, `"id":"q"`) || !strings.Contains(r.body, `"error"`) {
		t.Errorf("%q %s", id, r.body)
	}
}

// TestListenOverHTTP: the hub's stream to a server, its head and its refusals.
func TestListenOverHTTP(t *testing.T) {
	const text = `"id":"l","method":"subscriptions/listen","params":{` + modernMeta + `,"notifications":{"toolsListChanged":true}}`
	up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, r *http1.Request, _ string) {
		events(t, w, acked("1", `{"toolsListChanged":true}`), toolsChanged, complete("1"))
	})
	h := newHouse(t)
	got, err := sent(t, h, modern(t, up.server(), text))
	if err != nil || len(got) != 3 || got[0].text != acked(`"l"`, `{"toolsListChanged":true}`) || got[2].text != complete(`"l"`) {
		t.Errorf("%+v, %v", got, err)
	}
	r := up.requests()[0]
	if method, _ := r.header.Get("Mcp-Method"); method != "subscriptions/listen" || !strings.Contains(r.body, `"notifications":{"toolsListChanged":true}`) || !strings.Contains(r.body, `"id":1`) {
		t.Errorf("%q %s", method, r.body)
	}
	for name, c := range map[string]struct {
		status     int
		kind, body string
		fault      fault.Kind
	}{
		"not offered":  {404, "application/json", `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m"}}`, fault.MethodUnknown},
		"plain answer": {200, "application/json", complete("1"), fault.UpstreamBad},
		"failing":      {500, "", "", fault.UpstreamBad},
		"a page":       {200, "text/html", "", fault.UpstreamBad},
		"empty":        {200, "text/event-stream", "", fault.UpstreamGone},
		"junk":         {200, "text/event-stream", "data: x\n\n", fault.UpstreamBad},
	} {
		up := always(t, c.status, c.kind, c.body)
		_, err := sent(t, newHouse(t), modern(t, up.server(), text))
		wantKind(t, name, err, c.fault)
	}
}
