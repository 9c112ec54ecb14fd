package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/fault"
)

// TestA21Fetch: a client's document comes from where its URL says, over https,
// in one small piece, and never from a private address.
func TestA21Fetch(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/good":
			w.Write([]byte(`{"client_id":"x"}`))
		case "/redirect":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/large":
			w.Write([]byte(`"` + strings.Repeat("x", 10<<20) + `"`))
		case "/html":
			w.Header().Set("Content-Type", "text/html")
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/slow":
			w.Write([]byte(`{`))
			http.NewResponseController(w).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	}))
	defer s.Close()
	defer close(release)
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com" // the name in the test server's certificate
	// As if doc.example were a public address.
	fetch := documentFetcher(config, func(ctx context.Context, network, _ string) (net.Conn, error) {
		return net.Dial(network, s.Listener.Addr().String())
	})
	if body, err := fetch(t.Context(), "https://doc.example/good", 5<<10); err != nil || string(body) != `{"client_id":"x"}` {
		t.Fatalf("%s %v", body, err)
	}
	for _, target := range []string{
		"https://doc.example/redirect", "https://doc.example/large", "https://doc.example/html", "https://doc.example/missing",
		"http://doc.example/good", "file:///etc/passwd", "https://127.0.0.1/good", "https://169.254.169.254/latest", "https://[::1]/good",
		"https://127.1/good", "https://u:p@doc.example/good",
	} {
		if body, err := fetch(t.Context(), target, 5<<10); err == nil {
			t.Errorf("%s: got %d bytes", target, len(body))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if body, err := fetch(ctx, "https://doc.example/slow", 5<<10); !errors.Is(err, context.DeadlineExceeded) {
		t.Logf("%q", body)
		t.Errorf("a slow body: %v", err)
	}
	// Through the guard the same server is out of reach, whatever its name.
	guard := egress.New(egress.Config{})
	guarded := documentFetcher(&tls.Config{MinVersion: tls.VersionTLS12}, func(ctx context.Context, network, addr string) (net.Conn, error) {
		return guard.Dial(ctx, network, addr, false)
	})
	if _, err := guarded(t.Context(), "https://localhost:"+port(s.Listener.Addr())+"/good", 5<<10); err == nil {
		t.Error("a private address was reached")
	} else if !fault.Is(err, fault.EgressForbidden) && !strings.Contains(err.Error(), "private") && !strings.Contains(err.Error(), "local") {
		t.Logf("refused with %v", err)
	}
}

func port(a net.Addr) string {
	_, p, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return p
}

// TestProtectedMetadata: every name that a server could have is answered alike.
func TestProtectedMetadata(t *testing.T) {
	a, err := Open(t.Context(), gatewayIn(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	handler, page := mount(a.pagesOf(), nil)
	if handler == nil {
		t.Fatal("no pages")
	}
	all := a.pagesOf()
	get := func(path string) (int, string) {
		rec := httptest.NewRecorder()
		all[protectedAt].ServeHTTP(rec, httptest.NewRequest("GET", "https://evil.example"+path, nil))
		var m struct {
			Resource string `json:"resource"`
		}
		if rec.Code == http.StatusOK {
			if err := json.Unmarshal(rec.Body.Bytes(), &m); err != nil {
				t.Fatal(err)
			}
		}
		return rec.Code, strings.TrimPrefix(m.Resource, a.publicURL())
	}
	for path, want := range map[string]string{"": "/mcp", "/mcp": "/mcp", "/s/any/mcp": "/s/any/mcp"} {
		if code, got := get(protectedAt + path); code != http.StatusOK || got != want {
			t.Errorf("%q: %d %q", path, code, got)
		}
	}
	for _, path := range []string{"/", "/mcp/", "/s/", "/s//mcp", "/s/A/mcp", "/s/a/mcp/", "/s/a/b/mcp", "/other"} {
		if code, _ := get(protectedAt + path); code != http.StatusNotFound {
			t.Errorf("%q: %d", path, code)
		}
	}
	for path, want := range map[string]bool{"/oauth/token": true, "/oauth": true, "/oauthx": false, protectedAt + "/mcp": true, "/": false,
		"/.well-known/oauth-authorization-server": true, "/.well-known/other": false, "/mcp": false} {
		if page(path) != want {
			t.Errorf("page %q: %v", path, page(path))
		}
	}
	for uri, want := range map[string]bool{"/mcp": true, "/s/crm/mcp": true, "/mcp/": false, "/MCP": false, "": false, "/s/CRM/mcp": false, "/s/crm/mcp?x": false, "/s/../mcp": false} {
		if a.isResource(a.publicURL()+uri) != want {
			t.Errorf("resource %q: %v", uri, !want)
		}
	}
	if a.isResource("https://evil.example/mcp") || a.isResource(a.publicURL()+".evil.example/mcp") {
		t.Error("a foreign resource is ours")
	}
}

// TestPagesAreSharedWithPrograms: an app of a configured origin reads what
// programs read, and no page for people; any other origin reads nothing.
func TestPagesAreSharedWithPrograms(t *testing.T) {
	const app = "http://localhost:6274"
	for _, c := range []struct {
		method, path, origin string
		shared, done         bool
	}{
		{"POST", "/oauth/token", app, true, false},
		{"OPTIONS", "/oauth/token", app, true, true},
		{"OPTIONS", protectedAt + "/mcp", app, true, true},
		{"GET", "/.well-known/oauth-authorization-server", app, true, false},
		{"GET", "/oauth/authorize", app, false, false},
		{"POST", "/oauth/device", app, false, false},
		{"OPTIONS", "/login", app, false, false},
		{"OPTIONS", "/oauth/token", "https://evil.example", false, false},
		{"POST", "/oauth/token", "", false, false},
		{"POST", "/oauth/token", "null", false, false},
	} {
		r := httptest.NewRequest(c.method, "https://gate.example"+c.path, nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		rec := httptest.NewRecorder()
		done := shared(rec, r, []string{app})
		h := rec.Header()
		if done != c.done || (h.Get("Access-Control-Allow-Origin") == app) != c.shared || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%+v: %v %v", c, done, h)
		}
	}
}
