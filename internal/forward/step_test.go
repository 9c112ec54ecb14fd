package forward

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

type parts struct{ exchange.Join }

func TestSendRefuses(t *testing.T) {
	h := newHouse(t)
	x := &exchange.Exchange{Join: parts{}}
	if err := h.Send(t.Context(), x); err != nil || x.Sent {
		t.Errorf("the whole of parts was sent: %v", err)
	}
	wantKind(t, "no server", h.Send(t.Context(), &exchange.Exchange{}), fault.Internal)
	for transport, url := range map[registry.Transport]string{"": "", "carrier": "", registry.HTTP: "http://[::1"} {
		srv := &registry.Server{ID: "s", Transport: transport, URL: url}
		if err := h.Send(t.Context(), modern(t, srv, modernList)); err == nil {
			t.Errorf("%q %q was sent", transport, url)
		}
		if err := h.Return(t.Context(), modern(t, srv, modernList)); err == nil {
			t.Errorf("%q %q was told", transport, url)
		}
	}
	srv := &registry.Server{ID: "t", Transport: registry.HTTP, URL: "http://127.0.0.1/", Secrets: []registry.Secret{{Name: "Authorization", Sealed: []byte("damaged")}}}
	wantKind(t, "a credential that does not open", h.Send(t.Context(), modern(t, srv, modernList)), fault.Internal)
	for raw, want := range map[string]string{"http://a.example/": "a.example:80", "https://a.example/": "a.example:443", "https://a.example:1/": "a.example:1", "http://[::1]/": "[::1]:80"} {
		r, err := newRemote(h.Step, &registry.Server{URL: raw})
		if err != nil || r.addr != want {
			t.Errorf("%s: %v, %v", raw, r, err)
		}
	}
}

// TestNewRevision: a change of how a server is reached makes a new backend, any
// other change keeps it with its sessions (S08).
func TestNewRevision(t *testing.T) {
	up, h := always(t, 200, "application/json", noTools), newHouse(t)
	token := func(r seen) string { v, _ := r.header.Get("Authorization"); return v }
	srv := up.server(func(s *registry.Server) {
		s.Revision, s.Secrets = 1, []registry.Secret{{Name: "Authorization", Sealed: []byte("first")}}
	})
	lastOf(t, h, modern(t, srv, modernList))
	b := h.backends["up"].backend
	same := *srv
	same.Revision, same.Reason = 2, "reviewed"
	lastOf(t, h, modern(t, &same, modernList))
	if h.backends["up"].backend != b || h.backends["up"].revision != 2 {
		t.Error("a change of the reason made a new backend")
	}
	next := same
	next.Revision, next.Secrets = 3, []registry.Secret{{Name: "Authorization", Sealed: []byte("second")}}
	lastOf(t, h, modern(t, &next, modernList))
	if h.backends["up"].backend == b {
		t.Error("the old credential's backend stays")
	}
	got := up.requests()
	if token(got[0]) != "first" || token(got[1]) != "first" || token(got[2]) != "second" {
		t.Errorf("%s %s %s", token(got[0]), token(got[1]), token(got[2]))
	}
}

// TestContact: everything that decides how a server is reached is compared.
func TestContact(t *testing.T) {
	base := registry.Server{ID: "s", Transport: registry.HTTP, URL: "https://a.example/"}
	seen := map[string]string{contactOf(&base): "nothing"}
	for name, change := range map[string]func(*registry.Server){
		"transport": func(s *registry.Server) { s.Transport = registry.SSE }, "url": func(s *registry.Server) { s.URL += "b" }, "private": func(s *registry.Server) { s.Private = true },
		"command": func(s *registry.Server) { s.Command = []string{"a", "b"} }, "command parts": func(s *registry.Server) { s.Command = []string{"a b"} }, "dir": func(s *registry.Server) { s.Dir = "/d" },
		"secret": func(s *registry.Server) { s.Secrets = []registry.Secret{{Name: "n", Sealed: []byte("v")}} }, "sealed": func(s *registry.Server) { s.Secrets = []registry.Secret{{Name: "n", Sealed: []byte("w")}} },
		"environment": func(s *registry.Server) { s.PassEnv = []string{"a"} }, "authority": func(s *registry.Server) { s.CAFile = "f" }, "pins": func(s *registry.Server) { s.Pins = []string{"p"} },
		"certificate": func(s *registry.Server) { s.ClientCert = "c" }, "key": func(s *registry.Server) { s.ClientKey = "c" }, "tls": func(s *registry.Server) { s.TLS12 = true }, "size": func(s *registry.Server) { s.MessageBytes = 1 },
	} {
		srv := base
		change(&srv)
		text := contactOf(&srv)
		if other, twice := seen[text]; twice {
			t.Errorf("%s and %s look the same", name, other)
		}
		seen[text] = name
	}
}

// TestRetain: servers that nobody may reach any more are let go (L07).
func TestRetain(t *testing.T) {
	up, h := always(t, 200, "application/json", noTools), newHouse(t)
	for _, id := range []string{"stays", "suspended", "gone"} {
		lastOf(t, h, modern(t, up.server(func(s *registry.Server) { s.ID = id }), modernList))
	}
	h.Retain(registry.NewSnapshot(1, []registry.Server{{ID: "stays", State: registry.Active}, {ID: "suspended", State: registry.Suspended}}, nil, nil, nil, nil))
	if len(h.backends) != 1 || h.backends["stays"] == nil {
		t.Errorf("%d backends stay", len(h.backends))
	}
	h.Close()
	wantKind(t, "a closed gateway", h.Send(t.Context(), modern(t, up.server(), modernList)), fault.Draining)
	wantKind(t, "a closed gateway", h.Return(t.Context(), modern(t, up.server(), modernList)), fault.Draining)
}

// TestExamine: both eras are asked, every page is read, differences are found.
func TestExamine(t *testing.T) {
	up := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, r *http1.Request, body string) {
		if r.Method == "DELETE" {
			respond(t, w, 204, "", "")
			return
		}
		m, err := wire.Parse([]byte(body), wire.DefaultLimits(), wire.FromClient)
		if err != nil {
			t.Error(err)
			return
		}
		id := m.ID().Raw()
		result := func(text string) {
			respond(t, w, 200, "application/json", `{"jsonrpc":"2.0","id":`+id+`,"result":`+text+`}`, "Mcp-Session-Id", "e-1")
		}
		_, isModern := m.ProtocolVersion()
		cursor, _ := m.Params().Get("cursor").Text()
		switch {
		case m.Method() == "server/discover":
			result(`{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"},"instructions":"i"}`)
		case m.Method() == "initialize":
			result(initialized)
		case m.Kind() == wire.Notification:
			respond(t, w, 202, "", "")
		case isModern && cursor == "":
			result(`{"resultType":"complete","tools":[{"name":"a","description":"new"},{"title":"none"}],"nextCursor":"p\"2"}`)
		case isModern && cursor == `p"2`:
			result(`{"resultType":"complete","tools":[{"description":"b","name":"b"}]}`)
		default:
			result(`{"tools":[{"name":"a","description":"old"},{"name":"b","description":"b"}]}`)
		}
	})
	h := newHouse(t)
	e, err := h.Examine(t.Context(), *up.server())
	if err != nil || strings.Join(e.Eras, " ") != "modern legacy" || len(e.Tools) != 2 || e.Instructions != "i" || !strings.Contains(e.ServerInfo, `"name":"s"`) {
		t.Fatalf("%+v, %v", e, err)
	}
	if e.Tools[0].Name != "a" || e.Tools[0].Definition != `{"name":"a","description":"new"}` || e.Tools[1].Name != "b" || e.Tools[1].Digest == "" {
		t.Errorf("%+v", e.Tools)
	}
	if len(e.Findings) != 2 || !strings.Contains(e.Findings[0], "without a name") || !strings.Contains(e.Findings[1], `"a" has different definitions`) {
		t.Errorf("%q", e.Findings)
	}
	got := methods(up)
	if !strings.HasPrefix(got, "server/discover, tools/list, tools/list, initialize, notifications/initialized e-1, tools/list e-1, DELETE e-1") {
		t.Error(got)
	}
	if len(h.backends) != 0 {
		t.Error("an examination left a backend")
	}
}

// TestExamineFails: what is no server of either era is none.
func TestExamineFails(t *testing.T) {
	h := newHouse(t)
	for name, up := range map[string]*upstream{
		"a web page": always(t, 200, "text/html", "<p>"), "failing": always(t, 500, "", ""),
		"refusing":          always(t, 200, "application/json", `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m"}}`),
		"without abilities": always(t, 200, "application/json", `{"jsonrpc":"2.0","id":1,"result":{}}`),
	} {
		e, err := h.Examine(t.Context(), *up.server())
		wantKind(t, name, err, fault.UpstreamUnreachable)
		if len(e.Eras)+len(e.Tools) != 0 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	_, err := h.Examine(t.Context(), registry.Server{ID: "s", Transport: registry.HTTP, URL: "http://127.0.0.1:1/", Private: true})
	wantKind(t, "nobody there", err, fault.UpstreamUnreachable)
	endless := newUpstream(t, http1.ServerConfig{}, func(w http1.Response, _ *http1.Request, body string) {
		m, err := wire.Parse([]byte(body), wire.DefaultLimits(), wire.FromClient)
		if err != nil || m.Kind() != wire.Request {
			respond(t, w, 202, "", "")
			return
		}
		respond(t, w, 200, "application/json", `{"jsonrpc":"2.0","id":`+m.ID().Raw()+`,"result":{"protocolVersion":"2025-11-25","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"tools":[],"nextCursor":"c"}}`)
	})
	_, err = h.Examine(t.Context(), *endless.server())
	wantKind(t, "pages without end", err, fault.UpstreamUnreachable)
	if n := len(endless.requests()); n > 2*examinePages+10 {
		t.Errorf("%d requests", n)
	}
}

// TestExamineChild: a child is started for the examination alone.
func TestExamineChild(t *testing.T) {
	h := newHouse(t)
	e, err := h.Examine(t.Context(), *stdio(t))
	if err != nil || len(e.Tools) != 1 || e.Tools[0].Name != "env" || e.Instructions != "modern" || e.Eras[0] != "modern" {
		t.Errorf("%+v, %v", e, err)
	}
	_, err = h.Examine(t.Context(), *stdio(t, func(s *registry.Server) { s.Command = []string{"/nowhere/server"} }))
	wantKind(t, "no such program", err, fault.UpstreamUnreachable)
}
