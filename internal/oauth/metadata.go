package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/egress"
)

// document is a JSON object from outside. Names are compared exactly, which
// decoding into a struct would not do.
type document map[string]any

// text returns a string member of at most 8 KiB, or "".
func (d document) text(name string) string {
	s, _ := d[name].(string)
	if len(s) > 8<<10 {
		return ""
	}
	return s
}

// list returns an array of strings; ok is false when it is absent or holds
// anything else.
func (d document) list(name string) (out []string, ok bool) {
	all, ok := d[name].([]any)
	if !ok || len(all) > 256 {
		return nil, false
	}
	for _, v := range all {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

func (d document) flag(name string) bool { b, _ := d[name].(bool); return b }

// parseDocument reads one JSON object. A name that occurs twice is refused:
// two readers could take different ones.
func parseDocument(raw []byte) (document, error) {
	if len(raw) > MaxBody {
		return nil, errors.New("the document is too large")
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&d); err != nil || d == nil {
		return nil, errors.New("the document is not a JSON object")
	}
	if dec.More() || twice(raw) {
		return nil, errors.New("the document is not one plain JSON object")
	}
	return d, nil
}

// twice reports whether the outer object of raw, which is valid JSON, names a
// member more than once.
func twice(raw []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	seen := map[string]bool{}
	if _, err := dec.Token(); err != nil {
		return true
	}
	for dec.More() {
		name, err := dec.Token()
		key, ok := name.(string)
		if err != nil || !ok || seen[key] {
			return true
		}
		seen[key] = true
		var skip json.RawMessage
		if dec.Decode(&skip) != nil {
			return true
		}
	}
	return false
}

// Provider is one authorization server as it described itself, for one
// resource.
type Provider struct {
	Resource                   string
	Scopes                     string // of the resource's metadata, what to ask for without a challenge
	Issuer                     string
	Authorize, Token, Register string
	Methods                    []string // token_endpoint_auth_methods_supported
	Named                      []string // scopes_supported of the authorization server
	Grants                     []string
	Document                   bool // client_id_metadata_document_supported
	SaysIss                    bool // authorization_response_iss_parameter_supported
	Assumed                    bool // nothing was discovered: endpoints by the convention of 2025-03-26
}

// Discover finds the authorization server of the client's resource. From the
// challenge it takes where the resource's metadata is; everything else is
// verified: the metadata must be of this resource, and the authorization
// server's must be of the issuer that was asked for (U06,
// TestU06MetadataOfAnotherIssuer).
func (c *Client) Discover(ctx context.Context, ch Challenge) (*Provider, error) {
	resource, err := c.resourceMetadata(ctx, ch)
	if err != nil {
		return nil, err
	}
	if resource == nil {
		return c.undiscovered(ctx)
	}
	if !within(c.cfg.Resource, resource.text("resource")) {
		return nil, refused("the protected-resource metadata is of another resource than the server's URL")
	}
	servers, ok := resource.list("authorization_servers")
	if !ok || len(servers) == 0 {
		return nil, refused("the protected-resource metadata names no authorization server")
	}
	issuer := servers[0]
	if want := c.cfg.Settings.Issuer; want != "" {
		if !slices.Contains(servers, want) {
			return nil, refused("the server no longer names the configured authorization server")
		}
		issuer = want
	}
	p, err := c.provider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, refused("the authorization server publishes no metadata")
	}
	p.Resource = resource.text("resource")
	if scopes, ok := resource.list("scopes_supported"); ok {
		p.Scopes = cleanScope(strings.Join(scopes, " "))
	}
	return p, nil
}

// resourceMetadata returns the document, or nil when there is none.
func (c *Client) resourceMetadata(ctx context.Context, ch Challenge) (document, error) {
	if ch.Metadata != "" {
		d, err := c.fetch(ctx, ch.Metadata)
		if err == nil && d == nil {
			err = refused("there is no protected-resource metadata where the server says")
		}
		return d, err
	}
	u, err := egress.CheckURL(c.cfg.Resource, c.cfg.Private)
	if err != nil {
		return nil, refused("server's URL: %w", err)
	}
	paths := []string{strings.TrimSuffix(u.EscapedPath(), "/"), ""}
	if paths[0] == "" {
		paths = paths[:1]
	}
	for _, path := range paths {
		d, err := c.fetch(ctx, originOf(u)+"/.well-known/oauth-protected-resource"+path)
		if err != nil || d != nil {
			return d, err
		}
	}
	return nil, nil
}

// within reports whether metadata of resource is about server: the same URL,
// or one that holds it as a whole path, of the same origin.
func within(server, resource string) bool {
	s, err := url.Parse(server)
	if err != nil || strings.ContainsAny(resource, "#?") {
		return false
	}
	r, err := url.Parse(resource)
	if err != nil || r.User != nil || r.Scheme != s.Scheme || !strings.EqualFold(r.Host, s.Host) {
		return false
	}
	have, want := strings.TrimSuffix(s.EscapedPath(), "/"), strings.TrimSuffix(r.EscapedPath(), "/")
	return have == want || strings.HasPrefix(have, want+"/")
}

// undiscovered is how MCP 2025-03-26 found an authorization server: at the
// origin of the server itself.
func (c *Client) undiscovered(ctx context.Context) (*Provider, error) {
	if !c.cfg.Settings.Undiscovered {
		return nil, refused("the server publishes no protected-resource metadata")
	}
	u, err := egress.CheckURL(c.cfg.Resource, c.cfg.Private)
	if err != nil {
		return nil, refused("server's URL: %w", err)
	}
	origin := originOf(u)
	p, err := c.provider(ctx, origin)
	if err != nil {
		return nil, err
	}
	if p == nil {
		p = &Provider{Issuer: origin, Authorize: origin + "/authorize", Token: origin + "/token", Register: origin + "/register", Assumed: true}
	}
	p.Resource = c.cfg.Resource
	return p, nil
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// provider reads the metadata of issuer in the three places of RFC 8414 and
// OpenID Connect; nil when there is none.
func (c *Client) provider(ctx context.Context, issuer string) (*Provider, error) {
	u, err := egress.CheckURL(issuer, c.cfg.Private)
	if err != nil {
		return nil, refused("issuer: %w", err)
	}
	if u.RawQuery != "" {
		return nil, refused("the issuer has a query")
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	places := []string{"/.well-known/oauth-authorization-server" + path, "/.well-known/openid-configuration" + path}
	if path != "" {
		places = append(places, path+"/.well-known/openid-configuration")
	}
	for _, place := range places {
		d, err := c.fetch(ctx, originOf(u)+place)
		if err != nil {
			return nil, err
		}
		if d != nil {
			return c.described(issuer, d)
		}
	}
	return nil, nil
}

// described checks an authorization server's metadata.
func (c *Client) described(issuer string, d document) (*Provider, error) {
	if d.text("issuer") != issuer {
		return nil, refused("the authorization server's metadata is of another issuer")
	}
	p := &Provider{
		Issuer: issuer, Authorize: d.text("authorization_endpoint"), Token: d.text("token_endpoint"), Register: d.text("registration_endpoint"),
		Document: d.flag("client_id_metadata_document_supported"), SaysIss: d.flag("authorization_response_iss_parameter_supported"),
	}
	for _, endpoint := range []string{p.Authorize, p.Token, p.Register} {
		if endpoint == "" {
			continue
		}
		// What is given to a person's browser is an https URL and nothing
		// else, whatever the metadata says (U05, TestU05EndpointsThatAreNoURLs).
		if _, err := egress.CheckURL(endpoint, c.cfg.Private); err != nil {
			return nil, refused("endpoint of the authorization server: %w", err)
		}
	}
	if p.Token == "" {
		return nil, refused("the authorization server has no token endpoint")
	}
	if c.cfg.Settings.Grant == Code {
		methods, _ := d.list("code_challenge_methods_supported")
		if p.Authorize == "" || !slices.Contains(methods, "S256") {
			return nil, refused("the authorization server does not offer codes with PKCE S256")
		}
	}
	p.Methods, _ = d.list("token_endpoint_auth_methods_supported")
	p.Named, _ = d.list("scopes_supported")
	p.Grants, _ = d.list("grant_types_supported")
	return p, nil
}

// fetch reads a document; nil when the place says that it has none.
func (c *Client) fetch(ctx context.Context, place string) (document, error) {
	if _, err := egress.CheckURL(place, c.cfg.Private); err != nil {
		return nil, refused("metadata: %w", err)
	}
	r, err := c.cfg.Fetch(ctx, Request{Method: "GET", URL: place, Accept: "application/json"})
	switch {
	case err != nil:
		return nil, err
	case r.Status/100 == 4:
		return nil, nil
	case r.Status != 200:
		return nil, refused("metadata: status %d", r.Status)
	}
	d, err := parseDocument(r.Body)
	if err != nil {
		return nil, refused("metadata: %w", err)
	}
	return d, nil
}
