package issuer

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/registry"
)

func TestLoginGivesATokenForExactlyOneResource(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	g, bad := w.token(spend(id, w.code("alice", asked(id))))
	if bad != "" || g.Type != "Bearer" || g.Refresh == "" || g.Scope != "mcp:read mcp:write" || g.Seconds != 600 {
		t.Fatalf("%+v %s", g, bad)
	}
	c := w.claims(g.Access)
	if c.Issuer != at || c.Subject != "p-1" || c.Audience != mcp || c.Client != id || c.Agent != "helper" || c.ACR != "urn:ostiary:strength:3" ||
		c.Expires-c.Issued != 600 || c.AuthTime != w.now.Unix() || c.ID == "" || !slices.Equal(c.AMR, []string{"pwd", "otp"}) {
		t.Errorf("claims %+v", c)
	}
	if w.store.count(registry.KindLogin) != 1 || !w.recorded("oauth.allow") || !w.recorded("oauth.login") {
		t.Error("the login is not kept or not recorded")
	}
	if _, ok := w.store.nouns[registry.NounRef{Kind: registry.KindLogin, ID: c.Session}]; !ok {
		t.Error("the token does not name its login")
	}
}

// TestNothingIsKeptInClear: no stored value holds a code or token.
func TestNothingIsKeptInClear(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	code := w.code("alice", asked(id))
	g, _ := w.token(spend(id, code))
	for ref, n := range w.store.nouns {
		_, codeSecret, _ := strings.Cut(code, ".")
		_, refreshSecret, _ := strings.Cut(g.Refresh, ".")
		for _, secret := range []string{codeSecret, refreshSecret, g.Access} {
			if strings.Contains(string(n.Body), secret) {
				t.Errorf("%s holds a secret", ref.Kind)
			}
		}
		for _, name := range []string{"Alice", "helper"} {
			if strings.Contains(string(n.Body), name) {
				t.Errorf("%s holds the name %s", ref.Kind, name)
			}
		}
	}
}

func TestRefreshRotates(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	g, _ := w.token(spend(id, w.code("alice", asked(id))))
	w.now = w.now.Add(time.Hour)
	h, bad := w.token(renew(id, g.Refresh))
	if bad != "" || h.Refresh == "" || h.Refresh == g.Refresh || w.claims(h.Access).Session != w.claims(g.Access).Session {
		t.Fatalf("%+v %s", h, bad)
	}
	narrow := renew(id, h.Refresh)
	narrow.Set("scope", "mcp:read")
	n, bad := w.token(narrow)
	if bad != "" || n.Scope != "mcp:read" {
		t.Errorf("narrowed to %q %s", n.Scope, bad)
	}
	wide := renew(id, n.Refresh)
	wide.Set("scope", "mcp:modify")
	if _, bad := w.token(wide); bad != "invalid_scope" {
		t.Errorf("a scope that was not allowed: %s", bad)
	}
	if _, bad := w.token(renew(id, n.Refresh)); bad != "" {
		t.Errorf("a refused request used the token up: %s", bad)
	}
}

// TestA19RefreshReuse: a refresh token that was used ends the whole login.
func TestA19RefreshReuse(t *testing.T) {
	for name, thief := range map[string]func(w *world, id string, g given) url.Values{
		"used before": func(_ *world, id string, g given) url.Values { return renew(id, g.Refresh) },
		"made up": func(_ *world, id string, g given) url.Values {
			f, _, _ := strings.Cut(g.Refresh, ".")
			return renew(id, f+".x")
		},
		"other client's": func(w *world, _ string, g given) url.Values { return renew(w.dynamic(), g.Refresh) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.dynamic()
			g, _ := w.token(spend(id, w.code("alice", asked(id))))
			w.now = w.now.Add(time.Second) // another dynamic id
			next := g
			if name == "used before" {
				next, _ = w.token(renew(id, g.Refresh))
			}
			if _, bad := w.token(thief(w, id, g)); bad != "invalid_grant" {
				t.Errorf("the thief got %q", bad)
			}
			if _, bad := w.token(renew(id, next.Refresh)); bad != "invalid_grant" {
				t.Errorf("the login lives on: %q", bad)
			}
			if w.store.count(registry.KindLogin) != 0 || !w.recorded("oauth.refresh_replayed") {
				t.Error("the login is still kept, or the reuse not recorded")
			}
		})
	}
}

func TestRefreshEnds(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"idle":               func(w *world) { w.now = w.now.Add(refreshIdle + time.Second) },
		"person gone":        func(w *world) { delete(w.people.all, "alice") },
		"agent taken away":   func(w *world) { p := w.people.all["alice"]; p.Agents = nil; w.people.all["alice"] = p },
		"agent erased":       func(w *world) { delete(w.store.names, "a-1") },
		"agent is suspended": func(w *world) { w.store.live.Swap(registry.NewSnapshot(2, nil, nil, nil, nil, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.dynamic()
			g, _ := w.token(spend(id, w.code("alice", asked(id))))
			end(w)
			if _, bad := w.token(renew(id, g.Refresh)); bad != "invalid_grant" {
				t.Errorf("got %q", bad)
			}
			if w.store.count(registry.KindLogin) != 0 {
				t.Error("the login is still kept")
			}
		})
	}
}

// TestA19CodeReplay: the second use of a code ends what the first began.
func TestA19CodeReplay(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	code := w.code("alice", asked(id))
	g, _ := w.token(spend(id, code))
	if _, bad := w.token(spend(id, code)); bad != "invalid_grant" {
		t.Errorf("second use: %q", bad)
	}
	if _, bad := w.token(renew(id, g.Refresh)); bad != "invalid_grant" || w.store.count(registry.KindLogin) != 0 || !w.recorded("oauth.code_replayed") {
		t.Errorf("the login lives on: %q", bad)
	}
}

// TestA19CodeInjection: a code is worth nothing to who did not start the login,
// and is spent by the attempt.
func TestA19CodeInjection(t *testing.T) {
	for name, change := range map[string]func(w *world, f url.Values){
		"no verifier":        func(_ *world, f url.Values) { f.Del("code_verifier") },
		"other verifier":     func(_ *world, f url.Values) { f.Set("code_verifier", strings.Repeat("x", 43)) },
		"short verifier":     func(_ *world, f url.Values) { f.Set("code_verifier", "x") },
		"other client":       func(w *world, f url.Values) { w.now = w.now.Add(time.Second); f.Set("client_id", w.dynamic()) },
		"other redirect":     func(_ *world, f url.Values) { f.Set("redirect_uri", "http://127.0.0.1:8888/callback") },
		"other resource":     func(_ *world, f url.Values) { f.Set("resource", at+"/s/crm/mcp") },
		"resource as prefix": func(_ *world, f url.Values) { f.Set("resource", mcp+"/") },
		"too late":           func(w *world, _ url.Values) { w.now = w.now.Add(codeLife) },
		"person gone":        func(w *world, _ url.Values) { delete(w.people.all, "alice") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.dynamic()
			code := w.code("alice", asked(id))
			f := spend(id, code)
			change(w, f)
			if _, bad := w.token(f); bad != "invalid_grant" && bad != "invalid_target" {
				t.Errorf("got %q", bad)
			}
			if _, bad := w.token(spend(id, code)); bad != "invalid_grant" {
				t.Errorf("afterwards: %q", bad)
			}
			if w.store.count(registry.KindLogin) != 0 {
				t.Error("a login began")
			}
		})
	}
}

// TestPKCEDowngrade and what else is refused at the redirect URI, with who
// refuses (RFC 9207) and the state.
func TestPKCEDowngradeAndOtherBadRequests(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	for name, one := range map[string]struct {
		change func(url.Values)
		want   string
	}{
		"plain":             {func(q url.Values) { q.Set("code_challenge_method", "plain"); q.Set("code_challenge", verifier) }, "invalid_request"},
		"no method":         {func(q url.Values) { q.Del("code_challenge_method") }, "invalid_request"},
		"no challenge":      {func(q url.Values) { q.Del("code_challenge") }, "invalid_request"},
		"short challenge":   {func(q url.Values) { q.Set("code_challenge", "abc") }, "invalid_request"},
		"token":             {func(q url.Values) { q.Set("response_type", "token") }, "unsupported_response_type"},
		"hybrid":            {func(q url.Values) { q.Set("response_type", "code token") }, "unsupported_response_type"},
		"fragment":          {func(q url.Values) { q.Set("response_mode", "fragment") }, "unsupported_response_type"},
		"request object":    {func(q url.Values) { q.Set("request", "e30.e30.") }, "request_not_supported"},
		"request URI":       {func(q url.Values) { q.Set("request_uri", "https://evil.example/r") }, "request_not_supported"},
		"no resource":       {func(q url.Values) { q.Del("resource") }, "invalid_target"},
		"foreign resource":  {func(q url.Values) { q.Set("resource", "https://evil.example/mcp") }, "invalid_target"},
		"resource in upper": {func(q url.Values) { q.Set("resource", "https://GATE.example/mcp") }, "invalid_target"},
		"resource and more": {func(q url.Values) { q.Set("resource", mcp+"/") }, "invalid_target"},
		"unknown scope":     {func(q url.Values) { q.Set("scope", "admin") }, "invalid_scope"},
		"prompt none":       {func(q url.Values) { q.Set("prompt", "none") }, "consent_required"},
	} {
		q := asked(id)
		one.change(q)
		back := w.location(w.get("alice", "/oauth/authorize?"+q.Encode()))
		if back.Get("error") != one.want || back.Get("iss") != at || back.Get("state") != "st" || back.Has("code") {
			t.Errorf("%s: %v", name, back)
		}
	}
	if w.store.count(registry.KindCode) != 0 {
		t.Error("a code was given")
	}
}

// TestA19RedirectURI: an address that is not the client's gets nothing, not
// even an error.
func TestA19RedirectURI(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	for _, uri := range []string{
		"", "https://evil.example/callback", "http://127.0.0.1:7777/callback/", "http://127.0.0.1:7777/callback#x", "http://127.0.0.1:7777/other",
		"http://127.0.0.1:7777/callback?x=1", "http://localhost:7777/callback", "http://127.0.0.2:7777/callback", "https://127.0.0.1:7777/callback",
		"http://a@127.0.0.1:7777/callback", "http://127.0.0.1:7777\\@evil.example/callback", "http://127.0.0.1.evil.example/callback",
		"http://127.0.0.1:7777/x/../callback", "javascript:alert(1)", "HTTP://127.0.0.1:7777/callback", "http://127.1:7777/callback",
		"http://127.0.0.1:7777/callback\r\nX: y", "http://*/callback", "http://127.0.0.1:7777/%63allback",
	} {
		q := asked(id)
		q.Set("redirect_uri", uri)
		rec := w.get("alice", "/oauth/authorize?"+q.Encode())
		if rec.Code != http.StatusBadRequest || rec.Header().Get("Location") != "" {
			t.Errorf("%q: %d %s", uri, rec.Code, rec.Header().Get("Location"))
		}
	}
	twice := asked(id).Encode() + "&redirect_uri=https%3A%2F%2Fevil.example%2F"
	if rec := w.get("alice", "/oauth/authorize?"+twice); rec.Code != http.StatusBadRequest {
		t.Errorf("two redirect URIs: %d", rec.Code)
	}
	w.now = w.now.Add(time.Minute)
	for _, port := range []string{":1", ":65535", ""} { // RFC 8252 7.3
		q := asked(id)
		q.Set("redirect_uri", "http://127.0.0.1"+port+"/callback")
		if rec := w.get("alice", "/oauth/authorize?"+q.Encode()); rec.Code != http.StatusOK {
			t.Errorf("port %q: %d", port, rec.Code)
		}
	}
}

// TestA19Registration: what may not be registered.
func TestA19Registration(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		`{}`, `{"redirect_uris":[]}`, `{"redirect_uris":["https://evil.example/cb"]}`, `{"redirect_uris":["http://evil.example/cb"]}`,
		`{"redirect_uris":["http://127.0.0.1/cb","https://evil.example/cb"]}`, `{"redirect_uris":["http://127.0.0.1/cb#f"]}`,
		`{"redirect_uris":["http://*/cb"]}`, `{"redirect_uris":["javascript:alert(1)"]}`, `{"redirect_uris":["http://127.0.0.1.evil.example/"]}`,
		`{"redirect_uris":"http://127.0.0.1/cb"}`, `[]`, ``, `{"redirect_uris":["` + strings.Repeat("a", 20<<10) + `"]}`,
	} {
		rec := w.do(httptest.NewRequest("POST", at+"/oauth/register", strings.NewReader(body)), "")
		if rec.Code != http.StatusBadRequest {
			t.Errorf("%.60s: %d", body, rec.Code)
		}
	}
}

func TestSomebodyHasToSignIn(t *testing.T) {
	w := newWorld(t)
	q := asked(w.dynamic())
	rec := w.get("", "/oauth/authorize?"+q.Encode())
	if to := w.location(rec).Get("next"); to != "/oauth/authorize?"+q.Encode() {
		t.Errorf("next %q", to)
	}
	if rec := w.get("none", "/oauth/authorize?"+q.Encode()); rec.Code != http.StatusForbidden {
		t.Errorf("a person without agents: %d", rec.Code)
	}
	w.now = w.now.Add(time.Hour)
	q.Set("max_age", "60")
	if rec := w.get("alice", "/oauth/authorize?"+q.Encode()); rec.Code != http.StatusSeeOther {
		t.Errorf("an old login: %d", rec.Code)
	}
}

// TestK02ConsentCSRF: a form counts once, in the browser and for the person
// that it was made for, and only when it comes from our own page.
func TestK02ConsentCSRF(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	good := func() url.Values {
		return url.Values{"request": {w.form("alice", asked(id))}, "agent": {"helper"}, "decision": {"allow"}}
	}
	refused := func(name string, rec *httptest.ResponseRecorder) {
		t.Helper()
		if rec.Code != http.StatusForbidden || rec.Header().Get("Location") != "" {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Header().Get("Location"))
		}
	}
	refused("nobody", w.post("", "/oauth/authorize", good()))
	refused("somebody else", w.post("bob", "/oauth/authorize", good()))
	p := w.people.all["alice"]
	form := good()
	p.Session = "s-9"
	w.people.all["alice"] = p
	refused("another session", w.post("alice", "/oauth/authorize", form))
	for _, agent := range []string{"other", "asleep", "", "nobody"} {
		f := good()
		f.Set("agent", agent)
		refused("agent "+agent, w.post("alice", "/oauth/authorize", f))
	}
	f := good()
	f.Set("request", "AAAA")
	refused("a form that is not ours", w.post("alice", "/oauth/authorize", f))
	for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
		r := httptest.NewRequest("POST", at+"/oauth/authorize", strings.NewReader(good().Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(header, value)
		refused(header, w.do(r, "alice"))
	}
	f = good()
	w.now = w.now.Add(consentLife + time.Second)
	refused("too late", w.post("alice", "/oauth/authorize", f))
	if w.store.count(registry.KindCode) != 0 {
		t.Fatal("a code was given")
	}
	f = good()
	if rec := w.post("alice", "/oauth/authorize", f); rec.Code != http.StatusSeeOther {
		t.Fatalf("the good form: %d", rec.Code)
	}
	refused("twice", w.post("alice", "/oauth/authorize", f))
}

func TestDenial(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	rec := w.post("alice", "/oauth/authorize", url.Values{"request": {w.form("alice", asked(id))}, "decision": {"deny"}})
	if back := w.location(rec); back.Get("error") != "access_denied" || back.Get("iss") != at || back.Get("state") != "st" {
		t.Errorf("%v", back)
	}
	if !w.recorded("oauth.deny") {
		t.Error("the denial is not recorded")
	}
}

// TestA22ConsentIsAskedForEachClient: what was allowed to one client opens
// nothing for another, whatever cookie the browser holds.
func TestA22ConsentIsAskedForEachClient(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	w.code("alice", asked(id))
	w.now = w.now.Add(time.Second)
	for _, client := range []string{id, w.dynamic()} {
		rec := w.get("alice", "/oauth/authorize?"+asked(client).Encode())
		if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "Allow") {
			t.Errorf("no consent is asked: %d", rec.Code)
		}
	}
}

// TestK02Pages: pages run no script, stand in no frame and escape what clients
// call themselves.
func TestK02Pages(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("POST", at+"/oauth/register",
		strings.NewReader(`{"client_name":"<script>x</script>\u202e\u0000 \"'","redirect_uris":["http://127.0.0.1/callback"]}`))
	rec := w.do(r, "")
	var out struct {
		ID string `json:"client_id"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	rec = w.get("alice", "/oauth/authorize?"+asked(out.ID).Encode())
	body := rec.Body.String()
	if strings.Contains(body, "<script") || strings.ContainsAny(body, "\u202e\x00") || !strings.Contains(body, "&lt;script&gt;") {
		t.Errorf("not escaped: %s", body)
	}
	csp := rec.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http://127.0.0.1:7777", "style-src 'sha256-"} {
		if !strings.Contains(csp, part) {
			t.Errorf("policy %q lacks %q", csp, part)
		}
	}
	if strings.Contains(csp, "unsafe") || rec.Header().Get("X-Frame-Options") != "DENY" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", rec.Header())
	}
}

// TestH26StateAndRedirectHoldNoHeaders: what a client sends back to itself
// stays a value in the query.
func TestH26StateAndRedirectHoldNoHeaders(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	q := asked(id)
	state := "a\r\nSet-Cookie: x=y&code=evil#frag"
	q.Set("state", state)
	form := w.form("alice", q)
	rec := w.post("alice", "/oauth/authorize", url.Values{"request": {form}, "agent": {"helper"}, "decision": {"allow"}})
	to := rec.Header().Get("Location")
	if strings.ContainsAny(to, "\r\n#") || !strings.HasPrefix(to, callback+"?") || w.location(rec).Get("state") != state {
		t.Errorf("%q", to)
	}
}

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		r := httptest.NewRequest("GET", "https://evil.example"+path, nil)
		rec := w.do(r, "")
		var m map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &m); err != nil || m["issuer"] != at || m["token_endpoint"] != at+"/oauth/token" ||
			m["authorization_response_iss_parameter_supported"] != true || m["client_id_metadata_document_supported"] != true {
			t.Errorf("%s: %v %v", path, m, err)
		}
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(w.get("", "/oauth/jwks").Body.Bytes(), &set); err != nil || len(set.Keys) != 1 || set.Keys[0]["d"] != "" || set.Keys[0]["x"] == "" {
		t.Errorf("keys %v %v", set, err)
	}
}

func TestRevocation(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	g, _ := w.token(spend(id, w.code("alice", asked(id))))
	w.now = w.now.Add(time.Second)
	for _, f := range []url.Values{{"client_id": {w.dynamic()}, "token": {g.Refresh}}, {"client_id": {id}, "token": {"unknown"}}} {
		if rec := w.post("", "/oauth/revoke", f); rec.Code != http.StatusOK || w.store.count(registry.KindLogin) != 1 {
			t.Errorf("%v: %d", f, rec.Code)
		}
	}
	if rec := w.post("", "/oauth/revoke", url.Values{"client_id": {id}, "token": {g.Refresh}}); rec.Code != http.StatusOK || w.store.count(registry.KindLogin) != 0 {
		t.Errorf("revoked: %d", rec.Code)
	}
	if _, bad := w.token(renew(id, g.Refresh)); bad != "invalid_grant" {
		t.Errorf("after: %q", bad)
	}
}

func TestSweep(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	if _, bad := w.token(spend(id, w.code("alice", asked(id)))); bad != "" {
		t.Fatal(bad)
	}
	if err := w.issuer.Sweep(t.Context()); err != nil || len(w.store.nouns) != 3 {
		t.Errorf("%d nouns, %v", len(w.store.nouns), err)
	}
	w.now = w.now.Add(refreshIdle + time.Hour)
	if err := w.issuer.Sweep(t.Context()); err != nil || len(w.store.nouns) != 0 {
		t.Errorf("%d nouns, %v", len(w.store.nouns), err)
	}
}

// TestTooManyRequests: one address cannot keep the pages busy.
func TestTooManyRequests(t *testing.T) {
	w := newWorld(t)
	for range perPeer {
		w.get("", "/oauth/jwks")
	}
	if rec := w.get("", "/oauth/jwks"); rec.Code != http.StatusTooManyRequests {
		t.Errorf("%d", rec.Code)
	}
	w.now = w.now.Add(time.Minute)
	if rec := w.get("", "/oauth/jwks"); rec.Code != http.StatusOK {
		t.Errorf("a minute later: %d", rec.Code)
	}
}

// TestPersonAllowsLess: a person may allow less than a client asks for, and
// never more.
func TestPersonAllowsLess(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	decide := func(scope string) *httptest.ResponseRecorder {
		return w.post("alice", "/oauth/authorize", url.Values{"request": {w.form("alice", asked(id))}, "agent": {"helper"}, "decision": {"allow"}, "scope": {scope}})
	}
	g, bad := w.token(spend(id, w.location(decide("mcp:read")).Get("code")))
	if bad != "" || g.Scope != "mcp:read" || w.claims(g.Access).Scope != "mcp:read" {
		t.Errorf("%+v %s", g, bad)
	}
	if rec := decide("mcp:modify"); rec.Code != http.StatusForbidden {
		t.Errorf("more than was asked: %d", rec.Code)
	}
	if got := levels("mcp:modify mcp:read mcp:write"); !slices.Equal(got, []string{"mcp:read mcp:write mcp:modify", "mcp:read mcp:write", "mcp:read"}) {
		t.Errorf("levels %q", got)
	}
	if got := levels("mcp:write"); got != nil {
		t.Errorf("levels %q", got)
	}
}
