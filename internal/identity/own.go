package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

// Own says how access tokens of the built-in issuer are verified, in this
// process.
type Own struct {
	Issuer func() string // exactly the iss of its tokens
	// Claims returns the claims of a token that this gateway signed as an
	// access token and whose key is in force.
	Claims func(token string, now time.Time) ([]byte, error)
	// Audience reports whether a token for aud may be used at an endpoint: a
	// server, or "" for all of them.
	Audience func(aud, endpoint string) bool
	// Login reports whether the login p.Session that a token comes from is in
	// force, and is p's. For a token without a login, which a registered client
	// got for itself, it is "".
	Login func(p Principal) bool
}

// ownLife is how long a token of ours lives at most; a longer one was not made
// by us as we are now.
const ownLife = 15 * time.Minute

// ownClaims are those that the issuer writes, and no other.
type ownClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Client   string   `json:"client_id"`
	Agent    string   `json:"agent"`
	Scope    string   `json:"scope"`
	ID       string   `json:"jti"`
	Session  string   `json:"sid"`
	AuthTime int64    `json:"auth_time"`
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"`
	Issued   int64    `json:"iat"`
	NotYet   int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
}

var errOwn = errors.New("a token of the built-in issuer that is not in force here")

// verify returns the principal of a token that is shown at endpoint. Whatever
// is wrong, the cause is the same: the caller learns nothing either way.
func (o *Own) verify(token, endpoint string, now time.Time) (Principal, error) {
	body, err := o.Claims(token, now)
	if err != nil {
		return Principal{}, err
	}
	var c ownClaims
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Principal{}, errOwn
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Principal{}, errOwn
	}
	at := now.Unix()
	switch {
	case c.Issuer != o.Issuer() || c.Agent == "" || c.Client == "" || c.ID == "" || c.Subject == "":
		return Principal{}, errOwn
	case at >= c.Expires || at < c.NotYet-int64(leeway/time.Second) || c.Expires-c.Issued > int64(ownLife/time.Second):
		return Principal{}, errOwn
	case !o.Audience(c.Audience, endpoint):
		return Principal{}, errOwn
	case c.Session == "" && c.Subject != c.Client:
		return Principal{}, errOwn
	}
	p := Principal{ID: c.Agent, Method: ByIssuer, Issuer: c.Issuer, JTI: c.ID, Scopes: c.Scope, Session: c.Session, Client: c.Client,
		Strength: StrengthOf(c.ACR), Expires: time.Unix(c.Expires, 0)}
	if c.Session != "" {
		p.Person = c.Subject
	}
	if c.AuthTime != 0 {
		p.AuthTime = time.Unix(c.AuthTime, 0)
	}
	if !o.Login(p) {
		return Principal{}, errOwn
	}
	return p, nil
}

// Still reports whether the token that p came with is in force.
func (o *Own) Still(p Principal, now time.Time) bool {
	return now.Before(p.Expires) && o.Login(p)
}

// leeway is how far the clocks of two nodes of one gateway may differ.
const leeway = 30 * time.Second

// signed reports whether a token has the form of a signed one.
func signed(token string) bool { return strings.Count(token, ".") == 2 }
