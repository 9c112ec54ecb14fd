package hostile

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// gateAS is the authorization server of a guarded tool server: it lets whoever
// comes in, and gives a token for a code and its verifier, once.
type gateAS struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	codes  map[string]url.Values // code -> what was asked for with it
	forms  []url.Values          // of the token endpoint
	tokens int
}

func newGateAS(t *testing.T) *gateAS {
	t.Helper()
	a := &gateAS{t: t, codes: map[string]url.Values{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// ServeHTTP serves metadata, the page of a person and the token endpoint.
func (a *gateAS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":true,"token_endpoint_auth_methods_supported":["none"]}`,
			a.URL, a.URL+"/authorize", a.URL+"/token")
	case "/authorize":
		code := rand.Text()
		a.codes[code] = r.URL.Query()
		back := url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}, "iss": {a.URL}}
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	case "/token":
		if err := r.ParseForm(); err != nil {
			a.t.Error(err)
		}
		a.forms = append(a.forms, r.PostForm)
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		given := a.codes[r.PostForm.Get("code")]
		delete(a.codes, r.PostForm.Get("code"))
		w.Header().Set("Content-Type", "application/json")
		if given == nil || given.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || given.Get("code_challenge_method") != "S256" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return
		}
		a.tokens++
		fmt.Fprintf(w, `{"access_token":"upstream-canary-%d","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-canary"}`, a.tokens)
	default:
		http.NotFound(w, r)
	}
}

// browse lets the person's browser follow what the command prints, through the
// authorization server back to the command.
func (a *gateAS) browse(t *testing.T, w *site, args ...string) (said string, code int) {
	t.Helper()
	cmd := w.Command(args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		said += line + "\n"
		if strings.HasPrefix(line, a.URL+"/authorize?") {
			r, err := http.Get(line)
			if err != nil {
				t.Error(err)
				continue
			}
			r.Body.Close()
		}
	}
	if err := cmd.Wait(); err != nil {
		return said, cmd.ProcessState.ExitCode()
	}
	return said, 0
}

// TestServerLogin: a person logs in at the authorization server of a tool server
// by `server login`; the server gets the token from there and nothing of the
// caller's, callers get nothing of it, and no word of it is in the log (A13,
// A14). A removed credential ends it.
func TestServerLogin(t *testing.T) {
	as := newGateAS(t)
	up := doortest.NewUpstream(t, doortest.Config{})
	up.OnEvery(func(c *doortest.Conn, r *doortest.Request) {
		base := "http://" + up.Addr()
		switch {
		case strings.Contains(r.Target, "/.well-known/oauth-protected-resource"):
			c.Respond(200, "application/json", fmt.Sprintf(`{"resource":%q,"authorization_servers":[%q]}`, up.URL(), as.URL))
		case !strings.HasPrefix(r.Get("Authorization"), "Bearer upstream-canary-"):
			c.Respond(401, "", "", doortest.Header{Name: "WWW-Authenticate", Value: `Bearer resource_metadata="` + base + `/.well-known/oauth-protected-resource/mcp"`})
		default:
			c.Standard()
		}
	})
	w := &site{up: up, Door: doortest.Gateway(t, doortest.Options{Agents: []string{"app"}})}
	w.Must("server", "submit", "guarded", "--url", up.URL(), "--private")
	w.Must("server", "credential", "set", "guarded", "--issuer", as.URL, "--client-id", "ostiary", "--reason", "test")
	if said, code := as.browse(t, w, "server", "login", "guarded", "--reason", "test"); code != 0 {
		t.Fatalf("login: exit %d %s", code, said)
	}
	form := as.forms[0]
	if form.Get("resource") != up.URL() || form.Get("client_id") != "ostiary" || !strings.HasPrefix(form.Get("redirect_uri"), "http://127.0.0.1:") {
		t.Errorf("the token was asked for with %v", form)
	}
	w.Must("server", "approve", "guarded", "--reason", "test")
	w.Grant("app", "guarded", "modify")
	up.Forget()
	c := w.client(t, "app", "guarded")
	r := c.Tool("1", "echo", `{"text":"x"}`)
	if r.Text() != "x" {
		t.Fatalf("a call: %d %s", r.Status, r.Body)
	}
	if got := up.AwaitCalls("tools/call", 1)[0].Get("Authorization"); got != "Bearer upstream-canary-1" {
		t.Errorf("the server was shown %q", got)
	}
	if strings.Contains(string(up.Received()), w.Agents["app"].Token) {
		t.Error("the caller's token reached the server")
	}
	for _, rec := range w.Records() {
		if line := string(rec.Line); strings.Contains(line, "canary") || strings.Contains(line, "code_verifier") {
			t.Errorf("the log tells %s", line)
		}
	}
	if out := w.Must("server", "credential", "list", "-o", "json"); strings.Contains(out, "canary") {
		t.Errorf("the list shows %s", out)
	}
	w.Must("server", "credential", "remove", "guarded", "--reason", "test", "--yes")
	if r := c.Tool("2", "echo", `{"text":"x"}`); r.Status != 502 || r.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("without its credential: %d %s", r.Status, r.Body)
	}
}
