package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// world is an authorization server and a resource in memory.
type world struct {
	t      *testing.T
	mu     sync.Mutex
	docs   map[string]any // by URL; a Response is returned as it is
	asked  []Request
	tokens int
	grants map[string]bool // refresh tokens that are valid
	now    time.Time
	state  State
	ver    int64
	saved  func(State)
}

const (
	resourceURL = "https://mcp.example.com/mcp"
	issuerURL   = "https://as.example.com"
)

func newWorld(t *testing.T) *world {
	w := &world{t: t, docs: map[string]any{}, grants: map[string]bool{}, now: time.Unix(1_800_000_000, 0)}
	w.docs["https://mcp.example.com/.well-known/oauth-protected-resource/mcp"] = map[string]any{"resource": resourceURL, "authorization_servers": []string{issuerURL}}
	w.docs[issuerURL+"/.well-known/oauth-authorization-server"] = w.as(issuerURL)
	return w
}

func (w *world) as(issuer string) map[string]any {
	return map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
		"registration_endpoint": issuer + "/register", "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"none"}}
}

// fetch answers like the network.
func (w *world) fetch(_ context.Context, r Request) (Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r)
	if v, ok := w.docs[r.URL]; ok {
		if resp, ok := v.(Response); ok {
			return resp, nil
		}
		text, _ := json.Marshal(v)
		return Response{Status: 200, JSON: true, Body: text}, nil
	}
	switch {
	case strings.HasSuffix(r.URL, "/register"):
		return Response{Status: 201, Body: []byte(`{"client_id":"dyn-` + r.URL + `","token_endpoint_auth_method":"none"}`)}, nil
	case strings.HasSuffix(r.URL, "/token"):
		form, _ := url.ParseQuery(string(r.Body))
		if old := form.Get("refresh_token"); old != "" && !w.grants[old] {
			return Response{Status: 400, Body: []byte(`{"error":"invalid_grant"}`)}, nil
		}
		delete(w.grants, form.Get("refresh_token"))
		w.tokens++
		next := fmt.Sprintf("refresh-%d", w.tokens)
		w.grants[next] = true
		return Response{Status: 200, Body: fmt.Appendf(nil, `{"access_token":"access-%d","token_type":"Bearer","expires_in":60,"refresh_token":%q}`, w.tokens, next)}, nil
	}
	return Response{Status: 404}, nil
}

// Load and Save make a world a Vault.
func (w *world) Load(context.Context) (State, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state, w.ver, nil
}

func (w *world) Save(_ context.Context, st State, version int64) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if version != w.ver {
		return 0, ErrConflict
	}
	if w.state, w.ver = st, w.ver+1; w.saved != nil {
		w.saved(st)
	}
	return w.ver, nil
}

func (w *world) client(set Settings) *Client {
	if set.Grant == "" {
		set.Grant = Code
	}
	if set.Redirect == "" {
		set.Redirect = "http://127.0.0.1:7/callback"
	}
	return New(Config{Resource: resourceURL, Settings: set, Fetch: w.fetch, Clock: clock.Fixed(func() time.Time { return w.now })})
}

// sent returns every byte that went to host.
func (w *world) sent(host string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, r := range w.asked {
		if strings.HasPrefix(r.URL, host+"/") {
			fmt.Fprintln(&b, r.URL, r.Basic, string(r.Body))
		}
	}
	return b.String()
}
