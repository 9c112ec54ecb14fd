package forward

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
)

// guarded is an upstream that wants tokens of an authorization server of its
// own, at the same address.
func guarded(t *testing.T, answer func(token string) (status int, body string)) *upstream {
	n, mu := 0, sync.Mutex{}
	var u *upstream
	u = newUpstream(t, http1.ServerConfig{}, func(w http1.Response, r *http1.Request, body string) {
		base := "http://" + u.addr
		switch {
		case strings.Contains(r.Target, "oauth-protected-resource"):
			respond(t, w, 200, "application/json", `{"resource":"`+base+`/mcp","authorization_servers":["`+base+`"]}`)
		case strings.Contains(r.Target, "oauth-authorization-server"):
			respond(t, w, 200, "application/json", `{"issuer":"`+base+`","token_endpoint":"`+base+`/token"}`)
		case r.Target == "/token":
			mu.Lock()
			n++
			token := fmt.Sprintf("upstream-token-%d", n)
			mu.Unlock()
			respond(t, w, 200, "application/json", `{"access_token":"`+token+`","token_type":"Bearer"}`)
		default:
			auth, _ := r.Header.Get("Authorization")
			token, bearer := strings.CutPrefix(auth, "Bearer ")
			if !bearer {
				respond(t, w, 401, "", "", "WWW-Authenticate", "Bearer", "Set-Cookie", "canary=1", "Location", "https://evil.example.com/")
				return
			}
			status, body := answer(token)
			respond(t, w, status, "application/json", body, "Authorization", "Bearer "+token, "WWW-Authenticate", "Bearer canary")
		}
	})
	return u
}

// lived is a house whose view holds credentials of the server "up", by whose
// they are.
func lived(t *testing.T, creds map[string]oauth.Settings) *house {
	t.Helper()
	var all []registry.Noun
	for whom, set := range creds {
		text, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		n, err := registry.NewNoun(registry.KindCredential, registry.CredentialID("up", whom), "",
			registry.Credential{Server: "up", For: whom, Grant: set.Grant, Sealed: text, Round: 1})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	view, err := (&registry.Snapshot{}).WithNouns(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	live := &registry.Live{}
	live.Swap(view)
	return newHouse(t, func(c *Config) {
		c.Live = live
		c.Unseal = func(_ string, sealed []byte) ([]byte, error) { return sealed, nil }
		c.Tokens = func(string) oauth.Vault { return &memory{} }
	})
}

const toolCall = `"id":1,"method":"tools/call","params":{"name":"t","arguments":{}}`

// by is a call of one agent.
func by(t *testing.T, u *upstream, agent, token string) *exchange.Exchange {
	srv := u.server(func(s *registry.Server) { s.URL = "http://" + u.addr + "/mcp" })
	x := legacy(t, srv, toolCall)
	x.Principal = identity.Principal{Kind: identity.Client, ID: agent, Pseudonym: "p-" + agent}
	x.Carried = identity.Carry(identity.Credential{Token: token})
	return x
}

func echo(token string) (int, string) {
	return 200, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"you sent ` + token + `"}]}}`
}

func credentialsOf(u *upstream, id string) oauth.Settings {
	return oauth.Settings{Grant: oauth.Credentials, Issuer: "http://" + u.addr, ClientID: id, ClientSecret: "canary-secret-" + id}
}

// Each agent's calls carry its own credential, over connections of its own.
func TestS08PoolsAreKeyedByCredential(t *testing.T) {
	u := guarded(t, echo)
	h := lived(t, map[string]oauth.Settings{"p-a": credentialsOf(u, "a"), "p-b": credentialsOf(u, "b"), "": credentialsOf(u, "all")})
	for range 3 {
		for _, agent := range []string{"a", "b", "c", "d"} {
			lastOf(t, h, by(t, u, agent, ""))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Step.mu.Lock()
	defer h.Step.mu.Unlock()
	pools := map[string]bool{}
	for _, e := range h.backends {
		pools[e.backend.(*remote).pool] = true
	}
	if len(h.backends) != 3 || len(pools) != 3 {
		t.Errorf("%d backends with %d pools; want one for a, for b and for the others", len(h.backends), len(pools))
	}
	tokens := map[string]int{}
	for _, r := range u.requests() {
		if auth, ok := r.header.Get("Authorization"); ok && r.target == "/mcp" {
			tokens[auth]++
		}
	}
	if len(tokens) != 3 || tokens["Bearer upstream-token-1"] != 3 {
		t.Errorf("the server saw %v", tokens)
	}
}

// What the server hands back of the gateway's token does not reach the caller.
func TestA14TokensAreRedacted(t *testing.T) {
	u := guarded(t, echo)
	h := lived(t, map[string]oauth.Settings{"": credentialsOf(u, "all")})
	if got := lastOf(t, h, by(t, u, "a", "")); strings.Contains(got, "upstream-token") || !strings.Contains(got, redacted) {
		t.Errorf("the caller sees %s", got)
	}
	u = guarded(t, func(string) (int, string) {
		return 200, `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"canary-secret-all","data":["upstream-token-1"]}}`
	})
	h = lived(t, map[string]oauth.Settings{"": credentialsOf(u, "all")})
	if got := lastOf(t, h, by(t, u, "a", "")); strings.Contains(got, "canary") || strings.Contains(got, "upstream-token") {
		t.Errorf("the caller sees %s", got)
	}
}

// A refusal of the server is a failure of the server: no 401, no 403 and no
// challenge of its own reaches the caller, whatever the gateway tried.
func TestA14ChallengesStayHere(t *testing.T) {
	for _, status := range []int{401, 403} {
		u := guarded(t, func(string) (int, string) { return status, `{}` })
		for _, creds := range []map[string]oauth.Settings{nil, {"": credentialsOf(u, "all")}} {
			h := lived(t, creds)
			_, err := sent(t, h, by(t, u, "a", ""))
			wantKind(t, fmt.Sprint("status ", status), err, fault.UpstreamBad)
			if e := fault.As(err); e == nil || e.Status() != 502 || strings.Contains(e.Public, "canary") {
				t.Errorf("status %d: the caller sees %v", status, e)
			}
		}
		if n := len(u.requests()); n > 16 {
			t.Errorf("status %d: %d requests", status, n)
		}
	}
}

// The server sees the token that was exchanged, and never the caller's own.
func TestA13TheExchangedTokenAlone(t *testing.T) {
	const canary = "canary-inbound-token"
	u := guarded(t, echo)
	set := credentialsOf(u, "gw")
	set.Grant = oauth.Exchange
	h := lived(t, map[string]oauth.Settings{"": set})
	for _, agent := range []string{"a", "b"} {
		if got := lastOf(t, h, by(t, u, agent, canary+agent)); strings.Contains(got, canary) {
			t.Errorf("the caller sees %s", got)
		}
	}
	if _, err := sent(t, h, by(t, u, "c", "")); err == nil {
		t.Error("a caller without a token gets through")
	}
	seen := map[string]bool{}
	for _, r := range u.requests() {
		all := fmt.Sprint(r.target, r.header, r.body)
		if r.target == "/token" {
			form, _ := url.ParseQuery(r.body)
			if !strings.HasPrefix(form.Get("subject_token"), canary) {
				t.Errorf("the authorization server saw no token to exchange: %s", r.body)
			}
			continue
		}
		if strings.Contains(all, canary) {
			t.Errorf("the server saw %s", all)
		}
		if auth, ok := r.header.Get("Authorization"); ok {
			seen[auth] = true
		}
	}
	if len(seen) != 2 {
		t.Errorf("two callers have %d tokens", len(seen))
	}
}

// TestA10ExchangedTokensGoWithTheirAgent: the token that was exchanged for an
// agent's own is forgotten when the agent is suspended or switched off, and
// those of others stay.
func TestA10ExchangedTokensGoWithTheirAgent(t *testing.T) {
	u := guarded(t, echo)
	set := credentialsOf(u, "gw")
	set.Grant = oauth.Exchange
	h := lived(t, map[string]oauth.Settings{"": set})
	for _, agent := range []string{"a", "b", "c"} {
		lastOf(t, h, by(t, u, agent, "inbound-"+agent))
	}
	held := func() (all []string) {
		h.Step.mu.Lock()
		defer h.Step.mu.Unlock()
		for _, e := range h.backends {
			all = append(all, e.backend.(*remote).auth.agent)
		}
		slices.Sort(all)
		return all
	}
	if got := held(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Fatalf("tokens are held for %v", got)
	}
	srv := by(t, u, "a", "").Server
	srv.State = registry.Active
	agents := []registry.Agent{{ID: "a", State: registry.Active}, {ID: "b", State: registry.Suspended}, {ID: "c", State: registry.Active}}
	var nouns []registry.Noun
	registry.All(h.cfg.Live.Load(), registry.KindCredential, func(n *registry.Noun, _ *registry.Credential) { nouns = append(nouns, *n) })
	kill, err := registry.NewNoun(registry.KindKill, registry.KillID("client", "c"), "", registry.Kill{Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	view, err := registry.NewSnapshot(2, []registry.Server{*srv}, agents, nil, nil, nil).WithNouns(append(nouns, kill), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Retain(view)
	if got := held(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("tokens are held for %v, want a alone", got)
	}
}
