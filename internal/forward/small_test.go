package forward

import (
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// TestPace: a second's allowance, counted and dropped beyond, new with the next
// second (M11, M15, U13).
func TestPace(t *testing.T) {
	now := time.Unix(100, 0)
	p := newPace(3, clock.Fixed(func() time.Time { return now }))
	allowed := 0
	for range 10 {
		if p.allow() {
			allowed++
		}
	}
	if allowed != 3 || p.dropped != 7 {
		t.Errorf("%d allowed, %d dropped", allowed, p.dropped)
	}
	now = now.Add(time.Second)
	if !p.allow() {
		t.Error("nothing passes in the next second")
	}
}

func TestBuffers(t *testing.T) {
	var b buffers
	for _, c := range []struct {
		n      int
		pooled bool
	}{{1, false}, {4095, false}, {4096, true}, {4097, true}, {1 << 22, true}, {1<<22 + 1, false}} {
		raw, release := b.take(c.n)
		if len(raw) != c.n || (release != nil) != c.pooled {
			t.Errorf("%d bytes: %d, pooled %v", c.n, len(raw), release != nil)
		}
		if release != nil {
			release()
		}
	}
	first, release := b.take(5000)
	second, other := b.take(5000)
	if &first[0] == &second[0] {
		t.Error("one buffer was given twice")
	}
	release()
	other()
}

// TestContentType: only JSON and event streams, unencoded, in UTF-8 (U12, H09).
func TestContentType(t *testing.T) {
	for _, c := range []struct {
		status       int
		kind, coding string
		want         mediaType
		fault        fault.Kind
	}{
		{200, "application/json", "", jsonBody, ""}, {200, "Application/JSON; charset=UTF-8", "", jsonBody, ""}, {200, `application/json;charset="utf-8"`, "", jsonBody, ""},
		{200, "text/event-stream", "identity", eventStream, ""}, {200, "text/event-stream ; charset=utf-8", "", eventStream, ""}, {200, "-", "", noBody, ""}, {202, "text/plain", "", noBody, ""},
		{404, "text/html; charset=utf-8", "", noBody, ""}, {200, "text/plain", "", 0, fault.UpstreamBad}, {200, "text/html", "", 0, fault.UpstreamBad}, {200, "", "", 0, fault.UpstreamBad},
		{200, "application/json-patch+json", "", 0, fault.UpstreamBad}, {200, "application/json; charset=utf-16", "", 0, fault.UpstreamBad}, {200, "application/json; charset=utf-7", "", 0, fault.UpstreamBad},
		{200, "application/json; boundary=x", "", 0, fault.UpstreamBad}, {200, "application/json", "gzip", 0, fault.UpstreamBad}, {404, "application/json", "br", 0, fault.UpstreamBad},
	} {
		resp := &http1.InResponse{Status: c.status}
		if c.kind != "-" {
			resp.Header = append(resp.Header, http1.Field{Name: "content-type", Value: c.kind})
		}
		if c.coding != "" {
			resp.Header = append(resp.Header, http1.Field{Name: "Content-Encoding", Value: c.coding})
		}
		got, err := contentType(resp)
		wantKind(t, c.kind+" "+c.coding, err, c.fault)
		if err == nil && got != c.want {
			t.Errorf("%d %q: %d, want %d", c.status, c.kind, got, c.want)
		}
	}
	for _, name := range []string{"Content-Type", "Content-Encoding"} {
		resp := &http1.InResponse{Status: 200, Header: http1.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "Content-Encoding", Value: "identity"}, {Name: name, Value: "text/html"}}}
		if _, err := contentType(resp); err == nil {
			t.Errorf("a second %s passes", name)
		}
	}
}

// TestSameOrigin is U03 for the address that an HTTP+SSE server names.
func TestSameOrigin(t *testing.T) {
	const base = "https://mcp.example:8443/sse?x=1"
	for endpoint, want := range map[string]string{
		"/messages?sessionId=1": "/messages?sessionId=1", "messages": "/messages", "?a=b": "/sse?a=b", "https://mcp.example:8443/m": "/m", "/a%2fb": "/a%2fb",
		"https://mcp.example/m": "", "http://mcp.example:8443/m": "", "//evil.example/m": "", "https://evil.example:8443/m": "", "https://user@mcp.example:8443/m": "",
		"https://mcp.example:8443@evil.example/": "", "file:///etc/passwd": "", "javascript:alert(1)": "", "http://[::1": "", "/a\nb": "", "/a?b c": "", "?\u00e4": "", "0? 00": "", "/" + strings.Repeat("a", 8<<10): "", "HTTPS://127.0.0.1:8443/": "",
	} {
		got, err := sameOrigin(base, endpoint)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", endpoint, got, err)
		}
	}
}

func FuzzSameOrigin(f *testing.F) {
	for _, s := range []string{"/m", "//x/y", "https://mcp.example/", "\\\\x", "/\r\nX: y", "?#", "0? 00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, endpoint string) {
		target, err := sameOrigin("https://mcp.example/sse", endpoint)
		visible := func(r rune) bool { return r > ' ' && r <= '~' }
		if err == nil && (!strings.HasPrefix(target, "/") || strings.TrimFunc(target, visible) != "" || strings.ContainsAny(target, "\r\n \x00")) {
			t.Errorf("%q became %q", endpoint, target)
		}
	})
}

// TestSessionForm: a server's session id has the specified form, or there is none.
func TestSessionForm(t *testing.T) {
	for id, fine := range map[string]bool{
		"": true, "abc-123": true, "!~": true, strings.Repeat("a", 1024): true,
		strings.Repeat("a", 1025): false, "a b": false, "a\x00": false, "\u00e9": false, "a\x7f": false,
	} {
		if validSession(id) != fine {
			t.Errorf("%q: %v", id, !fine)
		}
	}
}

// TestAnswerTo: ids compare by type and digits (M12).
func TestAnswerTo(t *testing.T) {
	one := wire.IntID(1)
	for text, fine := range map[string]bool{
		`"id":1,"result":{}`: true, `"id":1,"error":{"code":1,"message":"m"}`: true, `"error":{"code":1,"message":"m"}`: true, `"id":null,"error":{"code":1,"message":"m"}`: true,
		`"id":"1","result":{}`: false, `"id":2,"result":{}`: false, `"id":2,"error":{"code":1,"message":"m"}`: false, `"method":"notifications/message","params":{"level":"info","data":1}`: false,
		`"id":1,"method":"ping"`: false,
	} {
		m, err := answerTo(one, parsed(t, `{"jsonrpc":"2.0",`+text+`}`, wire.FromServer))
		if (err == nil) != fine || err == nil && m.ID() != one || err != nil && !fault.Is(err, fault.UpstreamBad) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestEnvironment is U09: a child sees what is listed and nothing else.
func TestEnvironment(t *testing.T) {
	h := newHouse(t)
	h.env = map[string]string{"PATH": "/bin", "HOME": "/h", "OSTIARY_KEY": "canary", "AWS_SECRET_ACCESS_KEY": "canary", "LD_PRELOAD": "canary", "GIT_DIR": "g"}
	srv := &registry.Server{ID: "s", PassEnv: []string{"GIT_DIR", "ABSENT"}, Secrets: []registry.Secret{{Name: "API_KEY", Sealed: []byte("k")}}}
	env, err := environment(h.cfg, srv)
	if want := "PATH=/bin HOME=/h GIT_DIR=g API_KEY=k"; err != nil || strings.Join(env, " ") != want {
		t.Errorf("%q, %v", env, err)
	}
	srv.Secrets[0].Sealed = []byte("damaged")
	_, err = environment(h.cfg, srv)
	wantKind(t, "a credential that does not open", err, fault.Internal)
}

func TestHeaderParams(t *testing.T) {
	if p := headerParams(&registry.Tool{}); p != nil {
		t.Errorf("an unknown definition has %v", p)
	}
	known := &registry.Tool{Digest: "d-known", Definition: `{"name":"t","inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"}}}}`}
	for range 2 { // the second from the cache
		if p := headerParams(known); len(p) != 1 || p[0].Header != "Mcp-Param-A" {
			t.Errorf("%+v", p)
		}
	}
	if p := headerParams(&registry.Tool{Digest: "d-none", Definition: `{"name":"t"}`}); p == nil || len(p) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestLimits(t *testing.T) {
	l := Limits{InFlight: 5, Call: time.Second}.withDefaults()
	if l.InFlight != 5 || l.Call != time.Second || l.Idle != 5*time.Minute || l.Queue != 64 || l.PerSecond != 100 || l.Start != 30*time.Second {
		t.Errorf("%+v", l)
	}
	h := newHouse(t)
	srv := &registry.Server{CallTimeout: time.Hour}
	for want, x := range map[time.Duration]*exchange.Exchange{time.Second: {Deadline: time.Second}, time.Hour: {}} {
		if got := h.callLimit(x, srv); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if got := h.callLimit(&exchange.Exchange{}, &registry.Server{}); got != 5*time.Minute {
		t.Errorf("%v", got)
	}
}
