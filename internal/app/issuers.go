package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/identity"
)

// Bounds of what is fetched from an issuer.
const (
	maxMetadata  = 256 << 10
	maxJWKS      = 512 << 10
	issuerWait   = 5 * time.Second
	issuerLength = 512 // bytes of its URL
)

// foreign returns the verifier of outside issuers' tokens; nil without one.
func (a *App) foreign() (*identity.Foreign, error) {
	var all []*identity.Issuer
	for _, c := range a.config.Load().Identity.Issuers {
		from, err := a.issuerKeys(c)
		if err != nil {
			return nil, err
		}
		all = append(all, &identity.Issuer{URL: c.URL, Algorithms: c.Algorithms, Types: c.Types, MaxLife: time.Duration(c.MaxLife),
			RequireScopes: c.RequireScopes, Audience: a.audience(c.Audience), Keys: &identity.KeySet{Fetch: from}})
	}
	if len(all) == 0 {
		return nil, nil
	}
	return identity.NewForeign(all, func(issuer, subject string) string { return admin.ForeignName(a.ring, issuer, subject) }), nil
}

// proofNonces makes proofs of keys beside tokens of f need a nonce, when the
// operator says so, and returns what tells callers; nil when they need none.
func (a *App) proofNonces(f *identity.Foreign) func(proof string) (string, bool) {
	if f == nil || !a.config.Load().Identity.DPoPNonce {
		return nil
	}
	n := &identity.Nonces{Fresh: a.ring.NewSecret}
	f.DemandNonce(n)
	return func(proof string) (string, bool) { return n.Ask(proof, a.clock.Now()) }
}

// audience returns which aud a token must have at an endpoint. Without a
// configured one it is our own resource (RFC 8707): the public URL or /mcp,
// which reach everything, or the very endpoint.
func (a *App) audience(configured string) func(endpoint string) []string {
	if configured != "" {
		only := []string{configured}
		return func(string) []string { return only }
	}
	return func(endpoint string) []string {
		base := a.publicURL()
		all := []string{base, base + "/mcp"}
		if endpoint != "" {
			all = append(all, base+"/s/"+endpoint+"/mcp")
		}
		return all
	}
}

// issuerKeys returns what fetches the issuer's keys.
func (a *App) issuerKeys(c IssuerConfig) (func(context.Context) ([]byte, error), error) {
	if strings.HasPrefix(c.JWKS, "file:") {
		path := a.filePath(c.JWKS)
		return func(context.Context) ([]byte, error) { return readBounded(path, maxJWKS) }, nil
	}
	client, err := a.issuerClient(c)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]byte, error) {
		// The caller may go away; who waits for the same keys must not suffer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), issuerWait)
		defer cancel()
		at := c.JWKS
		if at == "" {
			var err error
			if at, err = client.discover(ctx, c.URL); err != nil {
				return nil, err
			}
		}
		return client.get(ctx, at, maxJWKS)
	}, nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return text, err
}

// issuerClient fetches documents of one issuer.
type issuerClient struct {
	http    *http.Client
	issuer  string // host of its URL: the operator chose it, wherever it is
	private bool
}

func (a *App) issuerClient(c IssuerConfig) (*issuerClient, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		text, err := readBounded(a.filePath(c.CA), 1<<20)
		if err != nil {
			return nil, fmt.Errorf("the authorities of issuer %s: %w", c.URL, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the authorities of issuer %s: no certificate in %s", c.URL, c.CA)
		}
	}
	out := &issuerClient{issuer: u.Host, private: c.Private}
	out.http = &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return a.guard.Dial(ctx, network, addr, out.near(addr))
			},
			TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: true,
			TLSHandshakeTimeout: issuerWait, ResponseHeaderTimeout: issuerWait, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return out, nil
}

// near reports whether a private address may be dialled for "host:port": that
// of the issuer itself when it is named by a loopback address, or any with the
// operator's permission. What a document says gives no permission (U03).
func (c *issuerClient) near(addr string) bool {
	return c.private || hostPort(c.issuer) == addr && loopbackHost(c.issuer)
}

func hostPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "443")
}

// loopbackHost reports whether host, with or without a port, is this machine.
func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// discover finds the JWKS document by the issuer's metadata, which must name
// the issuer itself (RFC 8414 section 3.3; U06).
func (c *issuerClient) discover(ctx context.Context, issuer string) (string, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(u.Path, "/")
	base := u.Scheme + "://" + u.Host
	var errs []error
	for _, at := range []string{
		strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration",
		base + "/.well-known/oauth-authorization-server" + path,
		base + "/.well-known/openid-configuration" + path,
	} {
		text, err := c.get(ctx, at, maxMetadata)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		var doc struct {
			Issuer string `json:"issuer"`
			JWKS   string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(text, &doc); err != nil || doc.Issuer != issuer || doc.JWKS == "" {
			errs = append(errs, errors.New("its metadata does not name the issuer, or no keys"))
			continue
		}
		return doc.JWKS, nil
	}
	return "", errors.Join(errs...)
}

// get fetches one document.
func (c *issuerClient) get(ctx context.Context, target string, limit int64) ([]byte, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	near := c.near(hostPort(u.Host)) || c.near(u.Host)
	if u, err = egress.CheckURL(target, near); err != nil {
		return nil, err
	}
	if u.Scheme == "http" && !loopbackHost(u.Host) {
		return nil, errors.New("keys are fetched over https, or from this machine")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	err = errors.Join(err, resp.Body.Close())
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the issuer answered with status %d", resp.StatusCode)
	case int64(len(body)) > limit:
		return nil, fmt.Errorf("the issuer's answer is longer than %d bytes", limit)
	}
	return body, nil
}

// fillIssuers sets the defaults of outside issuers.
func fillIssuers(all []IssuerConfig) {
	for i := range all {
		c := &all[i]
		if len(c.Algorithms) == 0 {
			c.Algorithms = []string{"ES256"}
		}
		if len(c.Types) == 0 {
			c.Types = []string{"at+jwt", "application/at+jwt", "JWT"}
		}
		c.MaxLife = cmp.Or(c.MaxLife, Duration(24*time.Hour))
	}
}

// issuers reports what is wrong with the outside issuers.
func (d *decoder) issuers(all []IssuerConfig) {
	seen := map[string]int{}
	for i, c := range all {
		key := fmt.Sprintf("identity.issuers[%d]", i)
		if first, twice := seen[c.URL]; twice {
			d.problem(key+".url", fmt.Sprintf("is that of identity.issuers[%d] already", first))
		}
		seen[c.URL] = i
		d.check(key+".url", c.URL, issuerURL)
		for _, alg := range c.Algorithms {
			d.check(key+".algorithms", alg, identity.CheckAlgorithm)
		}
		d.check(key+".ca", c.CA, fileReference)
		if c.JWKS != "" && !strings.HasPrefix(c.JWKS, "file:") {
			d.check(key+".jwks", c.JWKS, issuerURL)
		}
		if len(c.Audience) > issuerLength {
			d.problem(key+".audience", fmt.Sprintf("is longer than %d bytes", issuerLength))
		}
	}
}

// issuerURL returns why text cannot be an issuer's URL.
func issuerURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" || len(text) > issuerLength:
		return errors.New("is not an issuer's URL: https://HOST or https://HOST/PATH")
	case u.Scheme == "https", u.Scheme == "http" && loopbackHost(u.Host):
		return nil
	}
	return errors.New("must begin with https://, or http:// for a loopback address")
}
