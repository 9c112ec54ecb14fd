package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"net/url"
	"time"
)

// Pending is a login that a person has begun. Whoever keeps it seals it; it
// prints as a marker.
type Pending struct {
	URL      string    `json:"url"` // what the person opens
	State    string    `json:"state"`
	Verifier string    `json:"verifier"`
	Redirect string    `json:"redirect"`
	Scope    string    `json:"scope,omitempty"`
	Token    string    `json:"token"` // the token endpoint that was discovered
	SaysIss  bool      `json:"saysIss,omitempty"`
	Client   State     `json:"client"`
	Expires  time.Time `json:"expires"`
}

// String returns a marker.
func (p Pending) String() string { return "[login]" }

// GoString returns a marker.
func (p Pending) GoString() string { return p.String() }

// LogValue returns a marker.
func (p Pending) LogValue() slog.Value { return slog.StringValue(p.String()) }

// loginLife is how long a person may take.
const loginLife = 10 * time.Minute

// Begin starts a login at the authorization server of the resource. before is
// what is stored, or nothing.
func (c *Client) Begin(ctx context.Context, ch Challenge, before State) (*Pending, error) {
	p, err := c.Discover(ctx, ch)
	if err != nil {
		return nil, err
	}
	client := before
	if err := c.register(ctx, p, &client); err != nil {
		return nil, err
	}
	granted := client.Scope
	client.Token, client.Refresh, client.Scope, client.Expires, client.Login = "", "", "", time.Time{}, false
	out := &Pending{
		State: rand.Text(), Verifier: rand.Text() + rand.Text(), Redirect: c.cfg.Settings.Redirect, Scope: c.scopes(p, ch, granted),
		Token: p.Token, SaysIss: p.SaysIss, Client: client, Expires: c.cfg.Clock.Now().Add(loginLife),
	}
	u, err := url.Parse(p.Authorize)
	if err != nil {
		return nil, refused("authorization endpoint: %w", err)
	}
	sum := sha256.Sum256([]byte(out.Verifier))
	q := u.Query()
	for _, kv := range [][2]string{
		{"response_type", "code"}, {"client_id", client.ClientID}, {"redirect_uri", out.Redirect}, {"state", out.State},
		{"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:])}, {"code_challenge_method", "S256"},
		{"resource", p.Resource}, {"scope", out.Scope},
	} {
		if kv[1] != "" {
			q.Set(kv[0], kv[1])
		}
	}
	u.RawQuery = q.Encode()
	out.URL = u.String()
	return out, nil
}

// Finish ends a login with the query of the redirect. The issuer is compared
// before anything else is read, so that an answer of another authorization
// server shows nothing, not even its error (U06, TestU06MixUp; RFC 9207, 2.4).
func (c *Client) Finish(ctx context.Context, p *Pending, query string) (State, error) {
	if len(query) > 16<<10 {
		return State{}, refused("the redirect is too long")
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return State{}, refused("the redirect cannot be read")
	}
	for _, name := range []string{"state", "iss", "code", "error"} {
		if len(q[name]) > 1 {
			return State{}, refused("the redirect names %s twice", name)
		}
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(p.State)) != 1:
		return State{}, refused("the redirect does not belong to this login")
	case q.Has("iss") && q.Get("iss") != p.Client.Issuer, p.SaysIss && !q.Has("iss"):
		return State{}, refused("the redirect is not of the authorization server that was asked")
	case !c.cfg.Clock.Now().Before(p.Expires):
		return State{}, refused("the login took too long")
	case q.Has("error"):
		return State{}, refused("the authorization server answered %s", errorCode(q.Get("error")))
	case q.Get("code") == "":
		return State{}, refused("the redirect has no code")
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {p.Redirect}, "code_verifier": {p.Verifier}}
	st := p.Client
	if err := c.token(ctx, p.Token, form, &st); err != nil {
		return State{}, err
	}
	if st.Scope == "" {
		st.Scope = p.Scope
	}
	return st, nil
}
