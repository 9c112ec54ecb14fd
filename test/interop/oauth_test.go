package interop

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/issuer"
	"ostiary.dev/ostiary/test/doortest"
)

// signedIn is a login room with one person, who is signed in wherever the
// cookie says so, until she is removed.
type signedIn struct{ gone atomic.Bool }

func (s *signedIn) alice() issuer.Person {
	return issuer.Person{Name: "Alice", Pseudonym: "p-alice", Agents: []string{"helper"}, Strength: identity.TwoStep, AuthTime: time.Now(), Session: "s-1"}
}

func (s *signedIn) Session(r *http.Request) (issuer.Person, bool) {
	c, err := r.Cookie("who")
	return s.alice(), err == nil && c.Value == "alice" && !s.gone.Load()
}

func (s *signedIn) Require(w http.ResponseWriter, _ *http.Request, to string) {
	w.Header().Set("Location", "/login?next="+url.QueryEscape(to))
	w.WriteHeader(http.StatusSeeOther)
}

func (s *signedIn) Person(pseudonym string) (issuer.Person, bool) {
	return s.alice(), pseudonym == "p-alice" && !s.gone.Load()
}

// oauthGate is a gateway with its built-in issuer, one server and one person.
type oauthGate struct {
	people *signedIn
	url    string // of /mcp
	issuer string
	ca     string // file
	client *http.Client
	urls   string // of the browser
	app    *app.App
}

func newOAuthGate(t *testing.T) *oauthGate {
	t.Helper()
	door := doortest.Gateway(t, doortest.Options{Down: true, Agents: []string{"helper"},
		Servers: []doortest.Server{{Name: "everything", URL: "http://" + startGoServer(t, true)}}})
	g := &oauthGate{people: &signedIn{}, url: "https://" + door.Data + "/mcp", issuer: "https://" + door.Data, ca: filepath.Join(door.Dir, "ca.pem")}
	a, err := app.Open(t.Context(), door.Dir, app.Options{People: g.people, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	g.app = a
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- a.Up(ctx, app.UpOptions{Ready: func(at string) { ready <- at }}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	pem, err := os.ReadFile(g.ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}}
	t.Cleanup(transport.CloseIdleConnections)
	g.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	g.serveBrowser(t, func(target string) string { return g.browse(t, target) })
	return g
}

// serveBrowser lets programs open a URL as a person would.
func (g *oauthGate) serveBrowser(t *testing.T, open func(string) string) {
	browser := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.WriteString(w, open(r.URL.Query().Get("url"))); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(browser.Close)
	g.urls = browser.URL
}

var consentForm = regexp.MustCompile(`name="request" value="([^"]*)"`)

// browse opens an authorization URL as Alice, allows what is asked, and returns
// where she is sent.
func (g *oauthGate) browse(t *testing.T, target string) string {
	page := g.open(t, "GET", target, "")
	m := consentForm.FindStringSubmatch(page.body)
	if page.status != http.StatusOK || m == nil {
		t.Errorf("the consent page: %d %s %s", page.status, page.location, page.body)
		return ""
	}
	form := url.Values{"request": {m[1]}, "agent": {"helper"}, "decision": {"allow"}}
	return g.open(t, "POST", g.issuer+"/oauth/authorize", form.Encode()).location
}

type opened struct {
	status         int
	location, body string
}

func (g *oauthGate) open(t *testing.T, method, target, body string) opened {
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return opened{}
	}
	r.AddCookie(&http.Cookie{Name: "who", Value: "alice"})
	if body != "" { // as a browser sends its own page's form
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", g.issuer)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := g.client.Do(r)
	if err != nil {
		t.Error(err)
		return opened{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return opened{resp.StatusCode, resp.Header.Get("Location"), string(text)}
}

// oauthReport is what the clients of other languages print.
type oauthReport struct {
	Text      string `json:"text"`
	Again     string `json:"again"`
	Refreshed bool   `json:"refreshed"`
	Scope     string `json:"scope"`
	Issuer    string `json:"iss"`
}

const (
	oauthTool = "everything__test_simple_text" // as /mcp names it
	oauthText = "This is a simple text response for testing."
)

// TestStandardLogin: the OAuth clients inside three SDKs discover the issuer
// from a 401, register, log in, call a tool, and refresh.
func TestStandardLogin(t *testing.T) {
	for name, run := range map[string]func(*testing.T, *oauthGate) oauthReport{
		"go":           goLogin,
		"typescript 1": func(t *testing.T, g *oauthGate) oauthReport { return g.script(t, node(t), "clients/oauth.mjs", 1) },
		"typescript 2": func(t *testing.T, g *oauthGate) oauthReport { return g.script(t, node(t), "clients/oauth.mjs", 2) },
		"python": func(t *testing.T, g *oauthGate) oauthReport {
			return g.script(t, need(t, ".venv/bin/python"), "clients/oauth.py", 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newOAuthGate(t)
			got := run(t, g)
			if got.Text != oauthText || got.Again != oauthText || !got.Refreshed || got.Issuer != g.issuer || !strings.Contains(got.Scope, identity.ScopeModify) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// script runs a client of another language.
func (g *oauthGate) script(t *testing.T, interpreter, path string, generation int) oauthReport {
	t.Helper()
	if generation != 0 {
		need(t, everything) // installed together
	}
	plan, err := json.Marshal(map[string]any{"url": g.url, "browser": g.urls, "ca": g.ca, "tool": oauthTool, "generation": generation})
	if err != nil {
		t.Fatal(err)
	}
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, full, string(plan))
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "NODE_EXTRA_CA_CERTS="+g.ca)
	r := doortest.Run(t, cmd)
	var out oauthReport
	if r.Code != 0 || json.Unmarshal([]byte(r.Stdout), &out) != nil {
		t.Fatalf("the client failed, exit %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	return out
}

// TestMCPRemoteLogin: mcp-remote, which brings clients that know stdio only to
// servers elsewhere, logs in with a browser and as a device without one.
func TestMCPRemoteLogin(t *testing.T) {
	for name, flags := range map[string][]string{"browser": nil, "device": {"--device-code"}} {
		t.Run(name, func(t *testing.T) {
			g := newOAuthGate(t)
			_, port, err := net.SplitHostPort(doortest.FreeAddr(t))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(node(t), append([]string{need(t, "node_modules/mcp-remote/dist/proxy.js"), g.url, port, "--host", "127.0.0.1"}, flags...)...)
			// Without a PATH it opens no browser, and says what it would open.
			cmd.Env = []string{"HOME=" + t.TempDir(), "NODE_EXTRA_CA_CERTS=" + g.ca, "PATH="}
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			go g.follow(t, stderr)
			s, err := mcp.NewClient(&mcp.Implementation{Name: "oauth", Version: "1"}, nil).Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: oauthTool, Arguments: map[string]any{}})
			if err != nil || len(r.Content) != 1 {
				t.Fatalf("call: %v %v", r, err)
			}
			if text, _ := r.Content[0].(*mcp.TextContent); text.Text != oauthText {
				t.Errorf("got %q", text.Text)
			}
		})
	}
}

// TestConformanceAuthorization: the official suite's scenarios for an
// authorization server, with its own client as a person's program.
func TestConformanceAuthorization(t *testing.T) {
	g := newOAuthGate(t)
	_, port, err := net.SplitHostPort(doortest.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, node(t), need(t, newSuite), "authorization", "--url", g.issuer, "--client-id", g.register(t), "--resource", g.url, "--port", port)
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+g.ca)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	g.follow(t, io.TeeReader(out, &all))
	if err := cmd.Wait(); err != nil {
		t.Errorf("the suite: %v", err)
	}
	t.Log(all.String())
}

// follow reads what a program tells the person to do, and does it.
func (g *oauthGate) follow(t *testing.T, said io.Reader) {
	lines := bufio.NewScanner(said)
	early, target := false, "" // the suite says the URL before it listens for the answer
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		early = early || strings.HasPrefix(line, "Access the following URL")
		if line = line[strings.LastIndex(line, "] ")+1:]; strings.Contains(line, "/oauth/authorize?") {
			target = strings.TrimSpace(line)
		}
		if target != "" && (!early || strings.HasPrefix(line, "Callback server started")) {
			back := g.browse(t, target)
			target = ""
			resp, err := http.Get(back)
			if err != nil {
				t.Error(err)
				continue
			}
			resp.Body.Close()
		}
		if _, code, ok := strings.Cut(line, "enter the code: "); ok {
			page := g.open(t, "POST", g.issuer+"/oauth/device", url.Values{"user_code": {code}}.Encode())
			m := consentForm.FindStringSubmatch(page.body)
			if m == nil {
				t.Errorf("the device page: %d %s", page.status, page.body)
				continue
			}
			g.open(t, "POST", g.issuer+"/oauth/device", url.Values{"request": {m[1]}, "agent": {"helper"}, "decision": {"allow"}}.Encode())
		}
	}
}

// goLogin logs in with the Go SDK. Its sessions refresh when a token has
// expired, which nobody waits for here: the refresh is done by hand with what
// it was given.
func goLogin(t *testing.T, g *oauthGate) oauthReport {
	t.Helper()
	const redirect = "http://127.0.0.1:45678/callback"
	var out oauthReport
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		Client: g.client, RedirectURL: redirect,
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName: "Go", RedirectURIs: []string{redirect}, GrantTypes: []string{"authorization_code", "refresh_token"}, TokenEndpointAuthMethod: "none",
		}},
		AuthorizationCodeFetcher: func(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			back, err := url.Parse(g.browse(t, args.URL))
			if err != nil {
				return nil, err
			}
			q := back.Query()
			out.Issuer = q.Get("iss")
			return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func() string {
		c := mcp.NewClient(&mcp.Implementation{Name: "oauth", Version: "1"}, nil)
		s, err := c.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: g.url, HTTPClient: g.client, OAuthHandler: handler}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: oauthTool, Arguments: map[string]any{}})
		if err != nil || len(r.Content) != 1 {
			t.Fatalf("call: %v %v", r, err)
		}
		text, _ := r.Content[0].(*mcp.TextContent)
		return text.Text
	}
	out.Text = call()
	source, err := handler.TokenSource(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	out.Scope, _ = token.Extra("scope").(string)
	out.Refreshed = token.RefreshToken != ""
	out.Again = call()
	return out
}

// send posts a request of the modern era with a token. The caller closes the
// answer's body.
func (g *oauthGate) send(t *testing.T, token, method, members string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("POST", g.url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":{"_meta":`+
		`{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`+members+`}}`))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method} {
		r.Header.Set(k, v)
	}
	resp, err := g.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// try returns the status of a request and the challenge in its answer.
func (g *oauthGate) try(t *testing.T, token string) (int, string) {
	t.Helper()
	resp := g.send(t, token, "tools/list", "")
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("WWW-Authenticate")
}

// TestLoginEnds: what a person allowed ends with the person, on the next
// request, and says again where to log in.
func TestLoginEnds(t *testing.T) {
	g := newOAuthGate(t)
	token := g.token(t, "mcp:read")
	if status, _ := g.try(t, token); status != http.StatusOK {
		t.Fatalf("with a token: %d", status)
	}
	g.people.gone.Store(true)
	status, challenge := g.try(t, token)
	if status != http.StatusUnauthorized || !strings.Contains(challenge, `error="invalid_token"`) ||
		!strings.Contains(challenge, `resource_metadata="`+g.issuer+`/.well-known/oauth-protected-resource/mcp"`) {
		t.Errorf("afterwards: %d %s", status, challenge)
	}
}

// TestEndedLoginEndsItsStream: an operator ends a login, and its open stream and
// its next request are over.
func TestEndedLoginEndsItsStream(t *testing.T) {
	g := newOAuthGate(t)
	token, other := g.token(t, "mcp:read"), g.token(t, "mcp:read")
	stream := g.send(t, token, "subscriptions/listen", `,"notifications":{"toolsListChanged":true}`)
	defer stream.Body.Close()
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("listen: %d", stream.StatusCode)
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	var claims struct {
		Login string `json:"sid"`
	}
	if err != nil || json.Unmarshal(body, &claims) != nil {
		t.Fatalf("claims %s", body)
	}
	if _, err := g.app.API().EndLogin(t.Context(), admin.EndLogin{ID: claims.Login, Change: admin.Change{Reason: "test"}}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Logf("the stream ended with %v", err)
	}
	t.Logf("the stream ended after %v", time.Since(began))
	if status, _ := g.try(t, token); status != http.StatusUnauthorized {
		t.Errorf("its token: %d", status)
	}
	if status, _ := g.try(t, other); status != http.StatusOK {
		t.Errorf("another login of the same person: %d", status)
	}
}

// TestA19OneOfManyGetsTheCode: of many who show one code at the same moment, at
// most one gets tokens, and since one of them must be a thief, they end at once.
func TestA19OneOfManyGetsTheCode(t *testing.T) {
	g := newOAuthGate(t)
	id, code := g.code(t, "mcp:read")
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "code": {code}, "code_verifier": {anyVerifier}}.Encode()
	var tokens atomic.Int64
	var last atomic.Pointer[string]
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			resp, err := g.client.Post(g.issuer+"/oauth/token", "application/x-www-form-urlencoded", strings.NewReader(form))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			var out struct {
				Access string `json:"access_token"`
			}
			if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
				t.Error(err)
			}
			if resp.StatusCode == http.StatusOK {
				tokens.Add(1)
				last.Store(&out.Access)
			}
		})
	}
	wait.Wait()
	if tokens.Load() > 1 {
		t.Errorf("%d of 8 got tokens", tokens.Load())
	}
	if token := last.Load(); token != nil {
		if status, _ := g.try(t, *token); status != http.StatusUnauthorized {
			t.Errorf("the token lives on: %d", status)
		}
	}
}

// token logs in by hand and returns an access token.
func (g *oauthGate) token(t *testing.T, scope string) string {
	t.Helper()
	id, code := g.code(t, scope)
	var out struct {
		Access string `json:"access_token"`
	}
	g.post(t, "/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "code": {code}, "code_verifier": {anyVerifier}}.Encode(), &out)
	return out.Access
}

// code registers a client and lets Alice allow it.
func (g *oauthGate) code(t *testing.T, scope string) (client, code string) {
	t.Helper()
	id := g.register(t)
	q := url.Values{"client_id": {id}, "redirect_uri": {anyRedirect}, "response_type": {"code"}, "scope": {scope}, "resource": {g.url},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
	back, err := url.Parse(g.browse(t, g.issuer+"/oauth/authorize?"+q.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	return id, back.Query().Get("code")
}

// anyVerifier is that of RFC 7636, appendix B.
const anyVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

const anyRedirect = "http://127.0.0.1:45678/callback"

// register gives a client an id.
func (g *oauthGate) register(t *testing.T) string {
	t.Helper()
	var client struct {
		ID string `json:"client_id"`
	}
	g.post(t, "/oauth/register", `{"client_name":"by hand","redirect_uris":["`+anyRedirect+`"]}`, &client)
	return client.ID
}

func (g *oauthGate) post(t *testing.T, path, body string, into any) {
	t.Helper()
	kind := "application/x-www-form-urlencoded"
	if strings.HasPrefix(body, "{") {
		kind = "application/json"
	}
	resp, err := g.client.Post(g.issuer+path, kind, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || !slices.Contains([]int{200, 201}, resp.StatusCode) {
		t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
	}
}
