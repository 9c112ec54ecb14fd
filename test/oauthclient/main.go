// Command oauthclient is the client that the conformance suite's auth scenarios
// drive: it reaches the suite's server, the last argument, with the gateway's
// own rooms oauth and forward, and opens the login page as a browser would.
//
// It is a test program. It deliberately keeps tokens in memory and believes
// every login page, which the gateway does not.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/forward"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	err := run(ctx, os.Args[len(os.Args)-1])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "oauthclient:", err)
		os.Exit(1)
	}
}

// given is what the suite tells about a scenario.
type given struct {
	ClientID      string `json:"client_id"`
	ClientSecret  string `json:"client_secret"`
	Key           string `json:"private_key_pem"`
	Issuer        string `json:"issuer"`
	IdPClient     string `json:"idp_client_id"`
	IdPToken      string `json:"idp_id_token"`
	TokenEndpoint string `json:"idp_token_endpoint"`
}

const (
	typeIDToken = "urn:ietf:params:oauth:token-type:id_token"
	callback    = "http://localhost:3000/callback"
	document    = "https://conformance-test.local/client-metadata.json"
)

func settings(scenario string, g given) oauth.Settings {
	set := oauth.Settings{Grant: oauth.Code, Issuer: g.Issuer, ClientID: g.ClientID, ClientSecret: g.ClientSecret, ClientKey: g.Key,
		Redirect: callback, Document: document}
	switch scenario {
	case "auth/client-credentials-jwt", "auth/client-credentials-basic":
		set.Grant = oauth.Credentials
	case "auth/enterprise-managed-authorization", "auth/cross-app-access-complete-flow":
		set.Grant, set.TokenURL, set.IdPClientID, set.SubjectType = oauth.Assertion, g.TokenEndpoint, g.IdPClient, typeIDToken
	case "auth/2025-03-26-oauth-metadata-backcompat", "auth/2025-03-26-oauth-endpoint-fallback":
		set.Undiscovered = true
	}
	return set
}

func run(ctx context.Context, server string) error {
	var g given
	if text := os.Getenv("MCP_CONFORMANCE_CONTEXT"); text != "" {
		if err := json.Unmarshal([]byte(text), &g); err != nil {
			return err
		}
	}
	set := settings(os.Getenv("MCP_CONFORMANCE_SCENARIO"), g)
	text, err := json.Marshal(set)
	if err != nil {
		return err
	}
	n, err := registry.NewNoun(registry.KindCredential, "suite", "", registry.Credential{Server: "suite", Grant: set.Grant, Sealed: text, Round: 1})
	if err != nil {
		return err
	}
	view, err := (&registry.Snapshot{}).WithNouns([]registry.Noun{n}, nil)
	if err != nil {
		return err
	}
	live := &registry.Live{}
	live.Swap(view)
	kept := &vault{}
	guard := egress.New(egress.Config{})
	step := forward.New(forward.Config{
		Dial: func(ctx context.Context, network, addr string, private bool) (net.Conn, error) {
			return guard.Dial(ctx, network, addr, private)
		},
		Live: live, Unseal: func(_ string, sealed []byte) ([]byte, error) { return sealed, nil },
		Tokens: func(string) oauth.Vault { return kept }, Ask: browse,
		Budget: quota.NewBudget(64 << 20), Clock: clock.Clock{}, Wire: wire.DefaultLimits(), Log: func(string, string, error) {},
	})
	defer step.Close()
	srv := &registry.Server{ID: "suite", State: registry.Active, Transport: registry.HTTP, URL: server, Private: true}
	c := conversation{step, srv, g.IdPToken}
	list, err := c.ask(ctx, "tools/list", "")
	if err != nil {
		return fmt.Errorf("tools/list: %w", err)
	}
	for tool := range list.Result().Get("tools").Elements() {
		name, _ := tool.Get("name").Text()
		if _, err := c.ask(ctx, "tools/call", `"name":`+string(wire.Quote(name))+`,"arguments":{}`); err != nil {
			return fmt.Errorf("tools/call: %w", err)
		}
	}
	return nil
}

type conversation struct {
	step    *forward.Step
	server  *registry.Server
	subject string
}

const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"oauthclient","version":"1"}}`

// ask sends one request in the era of the scenario and returns the answer.
func (c conversation) ask(ctx context.Context, method, members string) (*wire.Message, error) {
	x := &exchange.Exchange{Server: c.server, Endpoint: "suite", Principal: identity.Principal{Kind: identity.Client, ID: "suite"},
		Carried: identity.Carry(identity.Credential{Token: c.subject})}

	params := "{" + members + "}"
	if os.Getenv("MCP_CONFORMANCE_PROTOCOL_VERSION") == string(wire.V20260728) {
		x.Era, x.Version = wire.Modern, wire.V20260728
		if members != "" {
			members = "," + members
		}
		params = "{" + meta + members + "}"
	} else {
		x.Era, x.Version = wire.Legacy, wire.V20251125
		x.Session = &exchange.Session{ID: "one", Version: wire.V20251125, Capabilities: "{}", Bound: true}
	}
	x.Fact, _ = wire.Lookup(method, x.Version, wire.FromClient)
	var err error
	if x.Request, err = wire.NewRequest(wire.IntID(7), method, []byte(params)); err != nil {
		return nil, err
	}
	if err := c.step.Send(ctx, x); err != nil {
		return nil, err
	}
	for a, err := range x.Answers {
		if err != nil {
			return nil, err
		}
		if a.Message != nil && a.Message.Kind() == wire.Response {
			return a.Message, nil
		}
	}
	return nil, errors.New("there was no result")
}

// browse opens the login page; the suite's sends back at once.
func browse(ctx context.Context, page string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return "", err
	}
	return back.RawQuery, nil
}

// vault keeps tokens in memory.
type vault struct {
	state   oauth.State
	version int64
}

// Load returns what was saved.
func (v *vault) Load(context.Context) (oauth.State, int64, error) { return v.state, v.version, nil }

// Save keeps st.
func (v *vault) Save(_ context.Context, st oauth.State, version int64) (int64, error) {
	if version != v.version {
		return 0, oauth.ErrConflict
	}
	v.state, v.version = st, v.version+1
	return v.version, nil
}
