package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"ostiary.dev/ostiary/internal/registry"
)

const document1 = "https://app.example/client.json"

func doc(id, more string) string {
	return `{"client_id":"` + id + `","client_name":"App","redirect_uris":["https://app.example/cb","http://localhost/cb"]` + more + `}`
}

func TestClientByItsDocument(t *testing.T) {
	w := newWorld(t)
	w.docs[document1] = doc(document1, `,"grant_types":["authorization_code"],"token_endpoint_auth_method":"none"`)
	q := asked(document1)
	q.Set("redirect_uri", "https://app.example/cb")
	f := spend(document1, w.code("alice", q))
	f.Set("redirect_uri", "https://app.example/cb")
	if _, bad := w.token(f); bad != "" {
		t.Error(bad)
	}
	if w.fetched != 1 {
		t.Errorf("fetched %d times", w.fetched)
	}
	if body := w.get("alice", "/oauth/authorize?"+q.Encode()).Body.String(); !strings.Contains(body, "app.example") {
		t.Error("the page does not say whose document names the client")
	}
}

// TestA21ClientDocument: what a client_id must not be, and what its document
// must not say. Redirects, private addresses and slow bodies are refused by the
// fetcher (TestA21Fetch in internal/app).
func TestA21ClientDocument(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{
		"https://app.example", "https://app.example/", "http://app.example/c.json", "https://app.example/c.json#f", "https://u:p@app.example/c.json",
		"https://APP.example/c.json", "https://app.example./c.json", "https://app.example/a/../c.json", "https://app.example/%63.json/..",
		"https:app.example/c.json", "https:///c.json", "https://app.example/" + strings.Repeat("c", 600), "file:///etc/passwd", "javascript:alert(1)", "",
		"https://app.example/unknown.json",
	} {
		if rec := w.get("alice", "/oauth/authorize?"+asked(id).Encode()); rec.Code != http.StatusBadRequest || rec.Header().Get("Location") != "" {
			t.Errorf("%.60q: %d", id, rec.Code)
		}
	}
	if w.fetched != 1 {
		t.Errorf("fetched %d times", w.fetched)
	}
	for name, text := range map[string]string{
		"another id":        doc("https://app.example/other.json", ""),
		"id in upper case":  doc("https://APP.example/client.json", ""),
		"no id":             `{"redirect_uris":["https://app.example/cb"]}`,
		"no redirects":      `{"client_id":"` + document1 + `"}`,
		"http redirect":     `{"client_id":"` + document1 + `","redirect_uris":["http://app.example/cb"]}`,
		"wildcard redirect": `{"client_id":"` + document1 + `","redirect_uris":["https://*.example/cb"]}`,
		"secret":            doc(document1, `,"client_secret":"x"`),
		"secret method":     doc(document1, `,"token_endpoint_auth_method":"client_secret_basic"`),
		"keys by URL":       doc(document1, `,"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://app.example/jwks"`),
		"method, no keys":   doc(document1, `,"token_endpoint_auth_method":"private_key_jwt"`),
		"no JSON":           `<html>`,
		"too large":         doc(document1, `,"x":"`+strings.Repeat("y", documentBytes)+`"`),
	} {
		w.docs[document1] = text
		if rec := w.get("alice", "/oauth/authorize?"+asked(document1).Encode()); rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(doc(document1, "")))
	f.Add([]byte(`{"client_id":"https://app.example/client.json","redirect_uris":["http://127.0.0.1:1/x?y"],"jwks":{"keys":[]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseDocument(document1, body)
		if err != nil {
			return
		}
		if c.ID != document1 || len(c.Redirects) == 0 {
			t.Errorf("%+v", c)
		}
		for _, r := range c.Redirects {
			if !strings.HasPrefix(r, "https://") && !strings.HasPrefix(r, "http://") || strings.ContainsAny(r, "#\r\n *") {
				t.Errorf("redirect %q", r)
			}
		}
	})
}

func FuzzRedirect(f *testing.F) {
	f.Add("http://127.0.0.1:7777/callback")
	f.Add("https://evil.example\\@127.0.0.1/callback")
	f.Fuzz(func(t *testing.T, uri string) {
		if !redirects([]string{"http://127.0.0.1/callback"}, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/callback" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			t.Errorf("accepted %q", uri)
		}
	})
}

func FuzzParams(f *testing.F) {
	f.Add("client_id=a&scope=b")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := parseParams(raw)
		if err == nil && len(p) > 64 {
			t.Errorf("%d parameters", len(p))
		}
	})
}

// machine registers a program with a key, as an operator would.
func machine(t *testing.T, w *world) (id string, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := registry.NewNoun(registry.KindOAuthClient, "client:robot", "", registry.OAuthClient{Name: "robot", Agent: "a-2", JWKS: jwks, Created: w.now})
	if err != nil {
		t.Fatal(err)
	}
	view, err := w.store.live.Load().WithNouns([]registry.Noun{n}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.store.live.Swap(view)
	return "client:robot", key
}

func assertion(t *testing.T, key any, alg jose.SignatureAlgorithm, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func byKey(text string) url.Values {
	return url.Values{"grant_type": {grantClient}, "client_assertion_type": {assertionType}, "client_assertion": {text}, "resource": {mcp}, "scope": {"mcp:read"}}
}

func TestMachineProvesItsKey(t *testing.T) {
	w := newWorld(t)
	id, key := machine(t, w)
	n := 0
	good := func() map[string]any {
		n++
		return map[string]any{"iss": id, "sub": id, "aud": at, "jti": fmt.Sprint(n), "exp": w.now.Add(time.Minute).Unix()}
	}
	g, bad := w.token(byKey(assertion(t, key, jose.ES256, good())))
	if c := w.claims(g.Access); bad != "" || g.Refresh != "" || c.Agent != "other" || c.Subject != id || c.Scope != "mcp:read" || c.Session != "" {
		t.Fatalf("%s %+v", bad, g)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) map[string]any {
		c := good()
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	once := assertion(t, key, jose.ES256, good())
	if _, bad := w.token(byKey(once)); bad != "" {
		t.Fatal(bad)
	}
	for name, text := range map[string]string{
		"A03 HMAC with the public key": assertion(t, []byte(strings.Repeat("k", 32)), jose.HS256, good()),
		"A02 none":                     "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjbGllbnQ6cm9ib3QifQ.",
		"another key":                  assertion(t, other, jose.ES256, good()),
		"another audience":             assertion(t, key, jose.ES256, with("aud", "https://evil.example")),
		"two audiences":                assertion(t, key, jose.ES256, with("aud", []string{at, "https://evil.example"})),
		"our address as prefix":        assertion(t, key, jose.ES256, with("aud", at+"/")),
		"no audience":                  assertion(t, key, jose.ES256, with("aud", nil)),
		"expired":                      assertion(t, key, jose.ES256, with("exp", w.now.Unix())),
		"no expiry":                    assertion(t, key, jose.ES256, with("exp", nil)),
		"too long":                     assertion(t, key, jose.ES256, with("exp", w.now.Add(time.Hour).Unix())),
		"from the future":              assertion(t, key, jose.ES256, with("nbf", w.now.Add(time.Hour).Unix())),
		"no jti":                       assertion(t, key, jose.ES256, with("jti", nil)),
		"used before":                  once,
		"another issuer":               assertion(t, key, jose.ES256, with("iss", "client:x")),
		"unknown client":               assertion(t, key, jose.ES256, map[string]any{"iss": "client:x", "sub": "client:x", "aud": at, "jti": "9", "exp": w.now.Add(time.Minute).Unix()}),
		"nonsense":                     "x.y.z",
	} {
		if _, bad := w.token(byKey(text)); bad != "invalid_client" {
			t.Errorf("%s: %q", name, bad)
		}
	}
	for name, f := range map[string]url.Values{
		"no proof":  {"grant_type": {grantClient}, "client_id": {id}, "resource": {mcp}},
		"a secret":  {"grant_type": {grantClient}, "client_id": {id}, "client_secret": {"x"}, "resource": {mcp}},
		"a public":  {"grant_type": {grantClient}, "client_id": {w.dynamic()}, "resource": {mcp}},
		"wrong way": {"grant_type": {grantClient}, "client_id": {id}, "client_assertion": {once}, "client_assertion_type": {"x"}, "resource": {mcp}},
	} {
		if _, bad := w.token(f); bad != "invalid_client" && bad != "unauthorized_client" {
			t.Errorf("%s: %q", name, bad)
		}
	}
	f := byKey(assertion(t, key, jose.ES256, good()))
	f.Set("resource", "https://evil.example/mcp")
	if _, bad := w.token(f); bad != "invalid_target" {
		t.Errorf("a foreign resource: %q", bad)
	}
}

// TestTokensNotInURIs: nothing secret is taken from a query.
func TestTokensNotInURIs(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	code := w.code("alice", asked(id))
	r := httptest.NewRequest("POST", at+"/oauth/token?"+spend(id, code).Encode(), strings.NewReader("grant_type=authorization_code"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if rec := w.do(r, ""); rec.Code != http.StatusBadRequest {
		t.Errorf("%d", rec.Code)
	}
	r = httptest.NewRequest("POST", at+"/oauth/token", strings.NewReader(`{"grant_type":"authorization_code"}`))
	r.Header.Set("Content-Type", "application/json")
	if rec := w.do(r, ""); rec.Code != http.StatusBadRequest {
		t.Errorf("JSON: %d", rec.Code)
	}
}

// started starts a device login and returns both codes.
func started(t *testing.T, w *world, id string) (device, user string) {
	t.Helper()
	rec := w.post("", "/oauth/device_authorization", url.Values{"client_id": {id}, "resource": {mcp}, "scope": {"mcp:read"}})
	var out struct {
		Device string `json:"device_code"`
		User   string `json:"user_code"`
		URI    string `json:"verification_uri"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != http.StatusOK || out.URI != at+"/oauth/device" || len(out.User) != 9 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return out.Device, out.User
}

func poll(id, device string) url.Values {
	return url.Values{"grant_type": {grantDevice}, "client_id": {id}, "device_code": {device}}
}

func TestDeviceLogin(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	device, user := started(t, w, id)
	if _, bad := w.token(poll(id, device)); bad != "authorization_pending" {
		t.Fatalf("before: %q", bad)
	}
	rec := w.post("alice", "/oauth/device", url.Values{"user_code": {strings.ToLower(strings.Replace(user, "-", " ", 1))}})
	m := hidden.FindStringSubmatch(rec.Body.String())
	if rec.Code != http.StatusOK || m == nil {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	form := url.Values{"request": {m[1]}, "agent": {"helper"}, "decision": {"allow"}}
	if rec := w.post("bob", "/oauth/device", form); rec.Code != http.StatusForbidden {
		t.Errorf("somebody else's form: %d", rec.Code)
	}
	if rec := w.post("alice", "/oauth/device", form); rec.Code != http.StatusOK {
		t.Fatalf("%d", rec.Code)
	}
	if rec := w.post("alice", "/oauth/device", form); rec.Code != http.StatusForbidden {
		t.Errorf("twice: %d", rec.Code)
	}
	w.now = w.now.Add(time.Second)
	if _, bad := w.token(poll(w.dynamic(), device)); bad != "invalid_grant" {
		t.Errorf("another client: %q", bad)
	}
	g, bad := w.token(poll(id, device))
	if c := w.claims(g.Access); bad != "" || c.Agent != "helper" || c.Subject != "p-1" || c.Scope != "mcp:read" || g.Refresh == "" {
		t.Fatalf("%q %+v", bad, g)
	}
	if _, bad := w.token(poll(id, device)); bad != "invalid_grant" {
		t.Errorf("a second time: %q", bad)
	}
}

func TestDeviceLoginRefused(t *testing.T) {
	w := newWorld(t)
	id := w.dynamic()
	device, user := started(t, w, id)
	rec := w.post("alice", "/oauth/device", url.Values{"user_code": {user}})
	m := hidden.FindStringSubmatch(rec.Body.String())
	w.post("alice", "/oauth/device", url.Values{"request": {m[1]}, "decision": {"deny"}})
	if _, bad := w.token(poll(id, device)); bad != "access_denied" {
		t.Errorf("denied: %q", bad)
	}
	device, _ = started(t, w, id)
	w.now = w.now.Add(deviceLife)
	if _, bad := w.token(poll(id, device)); bad != "expired_token" {
		t.Errorf("expired: %q", bad)
	}
	head, _, _ := strings.Cut(device, ".")
	for _, code := range []string{"", "x", head, head + ".x", strings.Repeat("0", 64) + ".x"} {
		if _, bad := w.token(poll(id, code)); bad != "invalid_grant" {
			t.Errorf("%.20q: %q", code, bad)
		}
	}
	for range perDevice + 1 {
		w.token(poll(id, device))
	}
	if _, bad := w.token(poll(id, device)); bad != "slow_down" {
		t.Errorf("polled too often: %q", bad)
	}
}

// TestA19DeviceCodeGuessing: a person's browser tries ten codes a minute of
// 2^34, each at most ten minutes old.
func TestA19DeviceCodeGuessing(t *testing.T) {
	w := newWorld(t)
	_, user := started(t, w, w.dynamic())
	for n := range perPerson {
		guess := []byte("BBBBBBBB")
		guess[n%8] = 'C'
		if rec := w.post("alice", "/oauth/device", url.Values{"user_code": {string(guess)}}); rec.Code != http.StatusNotFound {
			t.Fatalf("guess %d: %d", n, rec.Code)
		}
	}
	if rec := w.post("alice", "/oauth/device", url.Values{"user_code": {user}}); rec.Code != http.StatusTooManyRequests {
		t.Errorf("the right one after ten wrong ones: %d", rec.Code)
	}
	if rec := w.post("", "/oauth/device", url.Values{"user_code": {user}}); rec.Code != http.StatusForbidden {
		t.Errorf("without a login: %d", rec.Code)
	}
}
