package oauth

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const resourceDoc = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
const serverDoc = issuerURL + "/.well-known/oauth-authorization-server"

func refuses(t *testing.T, what string, w *world, set Settings) {
	t.Helper()
	if p, err := w.client(set).Begin(context.Background(), Challenge{}, State{}); !errors.Is(err, ErrRefused) {
		t.Errorf("%s: %v, %v; want a refusal", what, p, err)
	}
	if strings.Contains(w.sent(issuerURL), "/register") {
		t.Errorf("%s: a client was registered all the same", what)
	}
}

func TestU06MetadataOfAnotherIssuer(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"issuer of another":   func(w *world) { w.docs[serverDoc] = w.as("https://evil.example.com") },
		"issuer with a slash": func(w *world) { w.docs[serverDoc] = w.as(issuerURL + "/") },
		"issuer in capitals":  func(w *world) { w.docs[serverDoc] = w.as("https://AS.example.com") },
		"resource of another": func(w *world) {
			w.docs[resourceDoc] = map[string]any{"resource": "https://evil.example.com/mcp", "authorization_servers": []string{issuerURL}}
		},
		"resource that is longer": func(w *world) {
			w.docs[resourceDoc] = map[string]any{"resource": resourceURL + "x", "authorization_servers": []string{issuerURL}}
		},
		"resource half a path": func(w *world) {
			w.docs[resourceDoc] = map[string]any{"resource": "https://mcp.example.com/mc", "authorization_servers": []string{issuerURL}}
		},
		"no server": func(w *world) {
			w.docs[resourceDoc] = map[string]any{"resource": resourceURL, "authorization_servers": []string{}}
		},
		"servers not a list": func(w *world) {
			w.docs[resourceDoc] = map[string]any{"resource": resourceURL, "authorization_servers": issuerURL}
		},
		"private server": func(w *world) {
			w.docs[resourceDoc] = map[string]any{"resource": resourceURL, "authorization_servers": []string{"http://127.0.0.1:9"}}
		},
		"no PKCE": func(w *world) {
			d := w.as(issuerURL)
			delete(d, "code_challenge_methods_supported")
			w.docs[serverDoc] = d
		},
		"PKCE plain": func(w *world) {
			d := w.as(issuerURL)
			d["code_challenge_methods_supported"] = []string{"plain"}
			w.docs[serverDoc] = d
		},
		"not found": func(w *world) { delete(w.docs, serverDoc) },
		"names twice": func(w *world) {
			w.docs[serverDoc] = Response{Status: 200, Body: []byte(`{"issuer":"https://evil.example.com","issuer":"` + issuerURL + `"}`)}
		},
		"names in capitals": func(w *world) {
			w.docs[serverDoc] = Response{Status: 200, Body: []byte(`{"Issuer":"` + issuerURL + `","token_endpoint":"` + issuerURL + `/token"}`)}
		},
		"giant":   func(w *world) { w.docs[serverDoc] = Response{Status: 200, Body: bytes.Repeat([]byte(" "), MaxBody+1)} },
		"no JSON": func(w *world) { w.docs[serverDoc] = Response{Status: 200, Body: []byte("<html>")} },
	} {
		w := newWorld(t)
		change(w)
		refuses(t, name, w, Settings{})
	}
	refuses(t, "another issuer than configured", newWorld(t), Settings{Issuer: "https://other.example.com"})
	w := newWorld(t)
	delete(w.docs, resourceDoc)
	refuses(t, "no metadata of the resource", w, Settings{})
}

func TestU03RedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308, 500} {
		for _, place := range []string{resourceDoc, serverDoc} {
			w := newWorld(t)
			w.docs[place] = Response{Status: status}
			refuses(t, place, w, Settings{})
		}
		w := newWorld(t)
		w.docs[issuerURL+"/token"] = Response{Status: status, Body: []byte(`{"access_token":"x","token_type":"Bearer"}`)}
		w.client(Settings{})
		s := NewSession(w.client(Settings{Grant: Credentials, ClientID: "c", ClientSecret: "canary-secret", Issuer: issuerURL}), w)
		if token, err := s.Challenged(context.Background(), Challenge{Status: 401}, "", Subject{}); err == nil || token != "" {
			t.Errorf("status %d of the token endpoint gives %q, %v", status, token, err)
		}
	}
}

func TestU05EndpointsThatAreNoURLs(t *testing.T) {
	for _, evil := range []string{"javascript:alert(1)", "file:///etc/passwd", "http://a$(calc)/", `https://x" & calc`, "https://u:p@as.example.com/",
		"http://as.example.com/authorize", "https://127.0.0.1/", "https://169.254.169.254/", "data:text/html,x", "//as.example.com/x", "https://as.example.com/#x"} {
		for _, name := range []string{"authorization_endpoint", "token_endpoint", "registration_endpoint"} {
			w := newWorld(t)
			d := w.as(issuerURL)
			d[name] = evil
			w.docs[serverDoc] = d
			refuses(t, name+" "+evil, w, Settings{})
		}
	}
}

// begun returns a login that waits for its redirect.
func begun(t *testing.T, w *world) *Pending {
	t.Helper()
	p, err := w.client(Settings{}).Begin(context.Background(), Challenge{}, State{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestU06MixUp(t *testing.T) {
	for name, query := range map[string]func(p *Pending) string{
		"another issuer":      func(p *Pending) string { return "code=c&state=" + p.State + "&iss=https%3A%2F%2Fevil.example.com" },
		"issuer with a slash": func(p *Pending) string { return "code=c&state=" + p.State + "&iss=https%3A%2F%2Fas.example.com%2F" },
		"two issuers":         func(p *Pending) string { return "code=c&state=" + p.State + "&iss=https%3A%2F%2Fas.example.com&iss=x" },
		"an empty issuer":     func(p *Pending) string { return "code=c&iss=&state=" + p.State },
		"another state":       func(*Pending) string { return "code=c&state=x" },
		"no state":            func(*Pending) string { return "code=c" },
		"two states":          func(p *Pending) string { return "code=c&state=" + p.State + "&state=x" },
		"no code":             func(p *Pending) string { return "state=" + p.State },
		"an error":            func(p *Pending) string { return "error=access_denied&state=" + p.State },
		"a giant":             func(p *Pending) string { return "code=" + strings.Repeat("c", 20<<10) + "&state=" + p.State },
	} {
		w := newWorld(t)
		p := begun(t, w)
		if st, err := w.client(Settings{}).Finish(context.Background(), p, query(p)); !errors.Is(err, ErrRefused) || st.Token != "" {
			t.Errorf("%s: %v; want a refusal", name, err)
		}
		if strings.Contains(w.sent(issuerURL), "code_verifier") {
			t.Errorf("%s: the code was sent all the same", name)
		}
	}
	w := newWorld(t)
	d := w.as(issuerURL)
	d["authorization_response_iss_parameter_supported"] = true
	w.docs[serverDoc] = d
	p := begun(t, w)
	_, err := w.client(Settings{}).Finish(context.Background(), p, "error=canary_error&state="+p.State)
	if !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "canary") {
		t.Errorf("an issuer that is due and missing: %v", err)
	}
	w.now = w.now.Add(time.Hour)
	if _, err := w.client(Settings{}).Finish(context.Background(), p, "code=c&iss="+url.QueryEscape(issuerURL)+"&state="+p.State); !errors.Is(err, ErrRefused) {
		t.Errorf("a login of an hour ago: %v", err)
	}
}

// Nothing that one authorization server gave is shown to another.
func TestU06AnotherAuthorizationServer(t *testing.T) {
	w := newWorld(t)
	w.grants["canary-refresh"] = true
	w.state, w.ver = State{Issuer: issuerURL, Resource: resourceURL, ClientID: "canary-client", Secret: "canary-secret", Auth: authBasic,
		Token: "canary-token", Refresh: "canary-refresh", Expires: w.now}, 1
	const other = "https://evil.example.com"
	w.docs[resourceDoc] = map[string]any{"resource": resourceURL, "authorization_servers": []string{other}}
	w.docs[other+"/.well-known/oauth-authorization-server"] = w.as(other)
	s := NewSession(w.client(Settings{}), w)
	if token, err := s.Token(context.Background(), Subject{}); !errors.Is(err, ErrLogin) {
		t.Errorf("%q, %v; want that a person must log in", token, err)
	}
	if p, err := w.client(Settings{}).Begin(context.Background(), Challenge{}, w.state); err != nil || p.Client.ClientID == "canary-client" || p.Client.Secret != "" {
		t.Errorf("a new login begins with the old client: %v", err)
	}
	if sent := w.sent(other); strings.Contains(sent, "canary") {
		t.Errorf("the other authorization server saw %s", sent)
	}
}

func TestRefreshHappensOnceAndIsStoredFirst(t *testing.T) {
	w := newWorld(t)
	w.grants["first"] = true
	w.state, w.ver = State{Issuer: issuerURL, Resource: resourceURL, ClientID: "c", Auth: authNone, Token: "old", Refresh: "first", Expires: w.now}, 1
	one, two := NewSession(w.client(Settings{}), w), NewSession(w.client(Settings{}), w)
	var wait sync.WaitGroup
	for i := range 40 {
		s := one
		if i%2 == 1 {
			s = two // another node
		}
		wait.Go(func() {
			token, err := s.Token(context.Background(), Subject{})
			w.mu.Lock()
			stored := w.state.Token
			w.mu.Unlock()
			if errors.Is(err, ErrBusy) {
				return // the other one is at it
			}
			if err != nil || token != stored && token == "old" {
				t.Errorf("%q, %v", token, err)
			}
		})
	}
	wait.Wait()
	if n := strings.Count(w.sent(issuerURL), "grant_type=refresh_token"); n != 1 {
		t.Errorf("the refresh token was used %d times", n)
	}
	if w.state.Refresh == "first" || w.state.Login || !w.state.Lease.IsZero() {
		t.Errorf("the stored state is %q, login %t", w.state.Refresh, w.state.Login)
	}
}

func TestRefusedRefreshNeedsAPerson(t *testing.T) {
	w := newWorld(t)
	w.state, w.ver = State{Issuer: issuerURL, Resource: resourceURL, ClientID: "c", Auth: authNone, Token: "old", Refresh: "gone", Expires: w.now}, 1
	s := NewSession(w.client(Settings{}), w)
	for range 3 {
		if _, err := s.Token(context.Background(), Subject{}); !errors.Is(err, ErrLogin) {
			t.Errorf("%v; want that a person must log in", err)
		}
	}
	if n := strings.Count(w.sent(issuerURL), "grant_type=refresh_token"); n != 1 || !w.state.Login {
		t.Errorf("%d requests with a token that was refused, login %t", n, w.state.Login)
	}
}

func TestA13ExchangeGivesTheServerAnotherToken(t *testing.T) {
	w := newWorld(t)
	s := NewSession(w.client(Settings{Grant: Exchange, ClientID: "gw", ClientSecret: "gw-secret", Issuer: issuerURL, Audience: "mcp"}), w)
	if _, err := s.Challenged(context.Background(), Challenge{Status: 401}, "", Subject{}); !errors.Is(err, ErrSubject) {
		t.Errorf("a caller without a token: %v", err)
	}
	a, err := s.Challenged(context.Background(), Challenge{Status: 401}, "", Subject{"canary-a"})
	if err != nil || a == "" || a == "canary-a" {
		t.Fatalf("%q, %v", a, err)
	}
	b, err := s.Token(context.Background(), Subject{"canary-b"})
	if err != nil || b == a {
		t.Errorf("another token of the caller gives %q after %q, %v", b, a, err)
	}
	if w.state.Refresh != "" {
		t.Error("a refresh token of an exchange is kept")
	}
	if sent := w.sent("https://mcp.example.com"); strings.Contains(sent, "canary") {
		t.Errorf("the server saw %s", sent)
	}
}

func TestScopesAreAskedForACountedNumberOfTimes(t *testing.T) {
	w := newWorld(t)
	s := NewSession(w.client(Settings{Grant: Credentials, ClientID: "c", Issuer: issuerURL}), w)
	ch := Challenge{Status: 403, Error: "insufficient_scope", Scope: "more"}
	fails := 0
	for range 6 {
		if _, err := s.Challenged(context.Background(), ch, s.state.Token, Subject{}); err != nil {
			fails++
		}
	}
	if fails != 6-maxUps {
		t.Errorf("%d of 6 refused", fails)
	}
}

func TestChallenges(t *testing.T) {
	for field, want := range map[string]Challenge{
		`Bearer resource_metadata="https://a/b", scope="a b"`:         {Metadata: "https://a/b", Scope: "a b"},
		`Basic realm="x", Bearer error=insufficient_scope, scope="a"`: {Error: "insufficient_scope", Scope: "a"},
		`bearer`:                              {},
		`Negotiate abc==`:                     {},
		`Bearer scope="a", scope="b"`:         {},
		`Bearer scope="a`:                     {},
		`Bearer scope="a\"b"`:                 {},
		`DPoP algs="ES256", Bearer scope="x"`: {Scope: "x"},
	} {
		if got := ParseChallenge(0, []string{field}); got != want {
			t.Errorf("%s: %+v, want %+v", field, got, want)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer resource_metadata="https://a/b", scope="a b", Basic x=y`)
	f.Add(`Bearer a="\"`)
	f.Fuzz(func(t *testing.T, field string) {
		c := ParseChallenge(401, []string{field})
		if cleanScope(c.Scope) != c.Scope || len(c.Metadata) > len(field) {
			t.Errorf("%q gives %+v", field, c)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://as.example.com","token_endpoint":"https://as.example.com/token","authorization_endpoint":"https://as.example.com/a","code_challenge_methods_supported":["S256"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseDocument(raw)
		if err != nil {
			return
		}
		p, err := New(Config{Settings: Settings{Grant: Code}}).described(issuerURL, d)
		if err != nil {
			return
		}
		for _, one := range []string{p.Authorize, p.Token} {
			if u, err := url.Parse(one); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("endpoint %q", one)
			}
		}
	})
}
