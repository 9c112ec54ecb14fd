package oauth

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Methods of the token endpoint.
const (
	authNone  = "none"
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authKey   = "private_key_jwt"
)

// register makes st hold a client of p's issuer: the configured one, the
// metadata document, a registration of its own; in this order. A client of
// another issuer is forgotten first: nothing that one authorization server gave
// is ever shown to another (U06, TestU06AnotherAuthorizationServer).
func (c *Client) register(ctx context.Context, p *Provider, st *State) error {
	if st.Issuer != p.Issuer || st.Resource != p.Resource {
		*st = State{Issuer: p.Issuer, Resource: p.Resource}
	}
	s := &c.cfg.Settings
	switch {
	case s.ClientID != "":
		st.ClientID, st.Secret = s.ClientID, ""
		st.Auth = c.method(p, s.ClientSecret != "")
	case st.ClientID != "" && (st.Redirect == "" || st.Redirect == s.Redirect || s.Redirect == ""):
	case p.Document && s.Document != "":
		st.ClientID, st.Auth = s.Document, authNone
	case p.Register != "":
		return c.dynamic(ctx, p, st)
	default:
		return refused("the authorization server knows no client of ours and offers no registration")
	}
	return nil
}

// method picks how the client proves itself at the token endpoint.
func (c *Client) method(p *Provider, secret bool) string {
	s := &c.cfg.Settings
	has := func(m string) bool { return len(p.Methods) == 0 && m == authBasic || slices.Contains(p.Methods, m) }
	switch {
	case s.AuthMethod != "":
		return s.AuthMethod
	case s.ClientKey != "":
		return authKey
	case !secret:
		return authNone
	case !has(authBasic) && has(authPost):
		return authPost
	}
	return authBasic
}

// dynamic registers a client (RFC 7591). MCP keeps it for servers that offer
// nothing better.
func (c *Client) dynamic(ctx context.Context, p *Provider, st *State) error {
	redirect := c.cfg.Settings.Redirect
	kind := "web"
	if u, err := url.Parse(redirect); err == nil && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost") {
		kind = "native"
	}
	method := authBasic
	if len(p.Methods) > 0 && !slices.Contains(p.Methods, method) {
		method = authNone
		for _, m := range []string{authPost, authNone} {
			if slices.Contains(p.Methods, m) {
				method = m
				break
			}
		}
	}
	body, err := json.Marshal(map[string]any{
		"client_name": "Ostiary", "redirect_uris": []string{redirect}, "application_type": kind,
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": method,
	})
	if err != nil {
		return err
	}
	r, err := c.cfg.Fetch(ctx, Request{Method: "POST", URL: p.Register, Accept: "application/json", Type: "application/json", Body: body})
	if err != nil {
		return err
	}
	if r.Status != 201 && r.Status != 200 {
		return refused("registration: status %d", r.Status)
	}
	d, err := parseDocument(r.Body)
	if err != nil {
		return refused("registration: %w", err)
	}
	st.Redirect = redirect
	st.ClientID, st.Secret, st.Auth = d.text("client_id"), d.text("client_secret"), d.text("token_endpoint_auth_method")
	if st.Auth == "" {
		st.Auth = method
	}
	if st.ClientID == "" || !slices.Contains([]string{authNone, authBasic, authPost}, st.Auth) || st.Auth != authNone && st.Secret == "" {
		return refused("registration: the answer holds no usable client")
	}
	return nil
}

// scopes returns what to ask for: what the challenge names, else what the
// resource publishes, else nothing; with what was granted before, and with
// offline_access where the authorization server has it (SEP-2207).
func (c *Client) scopes(p *Provider, ch Challenge, before string) string {
	want := ch.Scope
	if want == "" && ch.Error != "insufficient_scope" {
		want = p.Scopes
	}
	want = union(union(before, want), strings.Join(c.cfg.Settings.Scopes, " "))
	if c.cfg.Settings.Grant == Code && slices.Contains(p.Named, "offline_access") {
		want = union(want, "offline_access")
	}
	return want
}
