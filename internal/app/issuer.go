package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/issuer"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/registry"
)

// issuerScopes are what a token may have: the accesses, of which the broader
// imply the narrower.
var issuerScopes = []string{identity.ScopeModify, identity.ScopeRead, identity.ScopeWrite}

// issuerPages adds the pages of the built-in issuer.
func (a *App) issuerPages(all map[string]http.Handler) {
	c := a.config.Load().Identity.BuiltinIssuer
	if !c.Enabled || a.config.Load().follows() {
		return // whoever owns the store gives the tokens; followers accept them
	}
	a.issuer = issuer.New(issuer.Config{
		Issuer: a.publicURL, Resource: a.isResource, Scopes: issuerScopes, Register: c.DynamicRegistration == "loopback",
		Ring: a.ring, Live: a.live, Store: a.admin.Own(), Sessions: a.sessions(), Fetch: a.fetchDocument(), Clock: a.clock,
		Log: func(msg string, err error) { a.log.Info(msg, logs.Err(err)) },
	})
	for _, path := range []string{"/oauth", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		all[path] = a.issuer
	}
}

// publicURL is the origin under which clients reach the gateway, without a
// slash at the end: the name of the built-in issuer, and what every resource
// begins with.
func (a *App) publicURL() string {
	c := a.config.Load()
	if u, err := url.Parse(c.Listeners.Data.PublicURL); err == nil && u.Host != "" {
		return "https://" + u.Host
	}
	host, port, err := net.SplitHostPort(dialAddress(a.dataAddress()))
	if err != nil {
		return ""
	}
	if c.Listeners.Data.TLS.Cert != "" && len(c.Listeners.Data.Names) > 0 {
		host = c.Listeners.Data.Names[0]
	}
	return "https://" + net.JoinHostPort(host, port)
}

// isResource reports whether uri is exactly one of our MCP endpoints (RFC 8707):
// byte for byte, so that no token is ever good for something similar (A08).
func (a *App) isResource(uri string) bool {
	path, ok := strings.CutPrefix(uri, a.publicURL())
	if !ok {
		return false
	}
	server, ok := serverIn(path)
	return path == "/mcp" || ok && registry.ValidID(server) == nil
}

// own says how access tokens of the built-in issuer are verified. A token for
// one server's endpoint is good there alone; one for /mcp is good for every
// endpoint, because /mcp reaches all of them.
func (a *App) own() *identity.Own {
	if !a.config.Load().Identity.BuiltinIssuer.Enabled {
		return nil
	}
	people := a.sessions()
	return &identity.Own{Issuer: a.publicURL,
		Claims: func(token string, now time.Time) ([]byte, error) { return a.ring.VerifyToken("at+jwt", token, now) },
		Audience: func(aud, endpoint string) bool {
			return aud == a.publicURL()+"/mcp" || aud == a.publicURL()+endpointPath(endpoint)
		},
		Login: func(p identity.Principal) bool { return a.loginStands(people, p) },
	}
}

// loginStands reports whether the consent behind a token stands: the login or
// registered client is there, and the person may still act as the agent.
func (a *App) loginStands(people issuer.Sessions, p identity.Principal) bool {
	view := a.live.Load()
	agent := view.Agent(p.ID)
	if agent == nil {
		return false
	}
	if p.Session == "" {
		c := registry.Get[registry.OAuthClient](view, registry.KindOAuthClient, p.Client)
		return c != nil && c.Agent == agent.Pseudonym
	}
	l := registry.Get[registry.Login](view, registry.KindLogin, p.Session)
	if l == nil || l.Client != p.Client || l.Person != p.Person || l.Agent != agent.Pseudonym || !a.clock.Now().Before(l.Expires) {
		return false
	}
	person, ok := people.Person(p.Person)
	return ok && slices.Contains(person.Agents, p.ID)
}

// fetchDocument returns how client ID metadata documents are fetched: over
// https through the guarded dialler, never from a private address, without
// following a redirect (A21, TestA21Fetch).
func (a *App) fetchDocument() issuer.Fetcher {
	return documentFetcher(&tls.Config{MinVersion: tls.VersionTLS12}, func(ctx context.Context, network, addr string) (net.Conn, error) {
		return a.guard.Dial(ctx, network, addr, false)
	})
}

func documentFetcher(config *tls.Config, dial func(context.Context, string, string) (net.Conn, error)) issuer.Fetcher {
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: true,
			TLSHandshakeTimeout: 4 * time.Second, ResponseHeaderTimeout: 4 * time.Second, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, target string, limit int64) ([]byte, error) {
		u, err := egress.CheckURL(target, false)
		if err != nil {
			return nil, err
		}
		if u.Scheme != "https" {
			return nil, errors.New("a client's document is not behind https")
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Accept", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
		// What was cut off when the time was over can look whole.
		err = errors.Join(err, ctx.Err(), resp.Body.Close())
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("the answer for a client's document has status %d", resp.StatusCode)
		case kind != "application/json" && !strings.HasSuffix(kind, "+json"):
			return nil, errors.New("a client's document is not JSON")
		case int64(len(body)) > limit:
			return nil, fmt.Errorf("a client's document is longer than %d bytes", limit)
		}
		return body, nil
	}
}

// sessions returns who is signed in.
func (a *App) sessions() issuer.Sessions {
	if a.options.People != nil {
		return a.options.People
	}
	if a.portal != nil {
		return signedIn{members{a}, a.portal}
	}
	return members{a}
}

// sweepIssuer deletes codes and logins that have ended.
func (a *App) sweepIssuer(ctx context.Context) {
	if a.issuer == nil {
		return
	}
	every := time.NewTicker(5 * time.Minute)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if err := a.issuer.Sweep(ctx); err != nil {
				a.logError("delete logins that have ended", err)
			}
		}
	}
}
