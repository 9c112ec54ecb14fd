package oauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

// URNs of RFC 7523, RFC 8693 and the ID-JAG draft.
const (
	grantExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertionBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	typeAccess      = "urn:ietf:params:oauth:token-type:access_token"
	typeIDJAG       = "urn:ietf:params:oauth:token-type:id-jag"
)

// errGrant says that the authorization server does not honour the refresh
// token, code or assertion any more.
var errGrant = errors.New("invalid_grant")

// token asks endpoint for a token for st's client and resource, and puts it
// into st.
func (c *Client) token(ctx context.Context, endpoint string, form url.Values, st *State) error {
	if st.Resource != "" {
		form.Set("resource", st.Resource)
	}
	secret := st.Secret
	if st.ClientID == c.cfg.Settings.ClientID {
		secret = c.cfg.Settings.ClientSecret
	}
	d, err := c.ask(ctx, endpoint, form, client{st.ClientID, secret, st.Auth, st.Issuer})
	if err != nil {
		return err
	}
	if !strings.EqualFold(d.text("token_type"), "Bearer") {
		return refused("the token is not a bearer token")
	}
	token := d.text("access_token")
	if !sendable(token) {
		return refused("the answer holds no usable token")
	}
	st.Token, st.Expires, st.Login = token, expiry(d, c.cfg.Clock.Now()), false
	if next := d.text("refresh_token"); next != "" {
		st.Refresh = next
	}
	if scope := cleanScope(d.text("scope")); scope != "" {
		st.Scope = scope
	}
	return nil
}

// client is who asks at a token endpoint.
type client struct{ id, secret, method, audience string }

// ask sends one form to a token endpoint.
func (c *Client) ask(ctx context.Context, endpoint string, form url.Values, as client) (document, error) {
	r := Request{Method: "POST", URL: endpoint, Accept: "application/json", Type: "application/x-www-form-urlencoded"}
	switch as.method {
	case authBasic:
		pair := url.QueryEscape(as.id) + ":" + url.QueryEscape(as.secret) // RFC 6749, 2.3.1
		r.Basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	case authPost:
		form.Set("client_id", as.id)
		form.Set("client_secret", as.secret)
	case authKey:
		assertion, err := c.assertion(as)
		if err != nil {
			return nil, err
		}
		form.Set("client_assertion_type", assertionBearer)
		form.Set("client_assertion", assertion)
	case authNone:
		form.Set("client_id", as.id)
	default:
		return nil, refused("the method of the token endpoint is not known")
	}
	r.Body = []byte(form.Encode())
	answer, err := c.cfg.Fetch(ctx, r)
	if err != nil {
		return nil, err
	}
	d, err := parseDocument(answer.Body)
	if answer.Status != 200 {
		if err == nil && d.text("error") == "invalid_grant" {
			return nil, refused("token endpoint: %w", errGrant)
		}
		return nil, refused("token endpoint: status %d, %s", answer.Status, errorCode(d.text("error")))
	}
	if err != nil {
		return nil, refused("token endpoint: %w", err)
	}
	return d, nil
}

// assertion proves the client by its private key. Its audience is the issuer
// alone, so that a token endpoint that lies cannot use it elsewhere.
func (c *Client) assertion(as client) (string, error) {
	key, err := keys.NewAsserter([]byte(c.cfg.Settings.ClientKey))
	if err != nil {
		return "", err
	}
	now := c.cfg.Clock.Now()
	return key.Assert(c.cfg.Settings.KeyID, map[string]any{
		"iss": as.id, "sub": as.id, "aud": as.audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
}

// errorCode returns a known form of an error code of OAuth; its description is
// text of a stranger and shown to nobody.
func errorCode(s string) string {
	if s == "" || len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "an error"
	}
	return s
}

// sendable reports whether a token can stand in a header (RFC 6750, 2.1).
func sendable(token string) bool {
	for i := range len(token) {
		if token[i] < 0x21 || token[i] > 0x7e || token[i] == '"' || token[i] == ',' || token[i] == '\\' {
			return false
		}
	}
	return token != ""
}

// maxLife bounds what a token endpoint may say of a token's life.
const maxLife = 366 * 24 * time.Hour

func expiry(d document, now time.Time) time.Time {
	n, ok := d["expires_in"].(json.Number)
	if !ok {
		return time.Time{}
	}
	seconds, err := n.Int64()
	if err != nil || seconds < 0 {
		return now
	}
	if seconds > int64(maxLife/time.Second) {
		return now.Add(maxLife)
	}
	return now.Add(time.Duration(seconds) * time.Second)
}
