package issuer

import (
	"crypto/sha256"

	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

// The grants.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantClient  = "client_credentials"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// given is the answer of the token endpoint.
type given struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Seconds int    `json:"expires_in"`
	Refresh string `json:"refresh_token,omitempty"`
	Scope   string `json:"scope"`
}

// token answers the token endpoint.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	out, err := i.exchange(r)
	if err != nil {
		i.refuse(w, "give a token", err)
		return
	}
	w.Header().Set("Pragma", "no-cache")
	answer(w, http.StatusOK, out)
}

func (i *Issuer) exchange(r *http.Request) (given, error) {
	f, err := form(r)
	if err != nil {
		return given{}, err
	}
	c, err := i.prove(r, f)
	if err != nil {
		return given{}, err
	}
	switch f["grant_type"] {
	case grantCode:
		return i.byCode(r.Context(), c, f)
	case grantRefresh:
		return i.byRefresh(r.Context(), c, f)
	case grantDevice:
		return i.byDevice(r.Context(), c, f)
	case grantClient:
		return i.byClient(c, f)
	}
	return given{}, bad("unsupported_grant_type", "This grant is not supported.")
}

// hash is the keyed hash of a secret of one use.
func (i *Issuer) hash(use, secret string) []byte {
	return i.cfg.Ring.HashToken("oauth-" + use + ":" + secret)
}

func (i *Issuer) matches(use, secret string, hash []byte) bool {
	return i.cfg.Ring.MatchToken("oauth-"+use+":"+secret, hash)
}

// isChallenge reports whether text is the base64url of a SHA-256.
func isChallenge(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == sha256.Size && len(text) == 43
}

// fits reports whether a verifier is the one behind a challenge (RFC 7636 4.6).
func fits(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "" {
		return false
	}
	return keys.EqualHash([]byte(challengeOf(verifier)), []byte(challenge))
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// claims are those of an access token (RFC 9068) with what policies need.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Client   string   `json:"client_id"`
	Agent    string   `json:"agent"`
	Scope    string   `json:"scope"`
	ID       string   `json:"jti"`
	Session  string   `json:"sid,omitempty"` // the login that it ends with
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	Issued   int64    `json:"iat"`
	NotYet   int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
}

// mint signs an access token of a login, or of a client without a person when
// family is "".
func (i *Issuer) mint(family string, l registry.Login) (given, error) {
	agent, err := i.cfg.Store.Name(l.Agent)
	if err != nil || !i.cfg.Live.Load().AgentActive(agent) {
		return given{}, errGrant("the agent may not take part any more")
	}
	now := i.now()
	until := now.Add(accessLife)
	if !l.Expires.IsZero() && l.Expires.Before(until) {
		until = l.Expires
	}
	c := claims{Issuer: i.id(), Subject: l.Person, Audience: l.Resource, Client: l.Client, Agent: agent, Scope: l.Scope, ID: i.cfg.Ring.NewSecret(),
		Session: family, Issued: now.Unix(), NotYet: now.Unix(), Expires: until.Unix(), ACR: identity.Strength(l.Strength).ACR()}
	switch {
	case l.Person == "":
		c.Subject = l.Client
	case identity.Strength(l.Strength) >= identity.Passkey:
		c.AMR = []string{"hwk", "user"}
	case identity.Strength(l.Strength) == identity.TwoStep:
		c.AMR = []string{"pwd", "otp"}
	}
	if !l.AuthTime.IsZero() {
		c.AuthTime = l.AuthTime.Unix()
	}
	body, err := json.Marshal(c)
	if err != nil {
		return given{}, fmt.Errorf("write a token: %w", err)
	}
	signed, err := i.cfg.Ring.SignToken("at+jwt", body)
	if err != nil {
		return given{}, err
	}
	return given{Access: signed, Type: "Bearer", Seconds: int(until.Sub(now) / time.Second), Scope: l.Scope}, nil
}

// still checks that the person of a login may still act as its agent, and
// returns their name and the agent's.
func (i *Issuer) still(l registry.Login) (person, agent string, err error) {
	p, ok := i.cfg.Sessions.Person(l.Person)
	if !ok {
		return "", "", errGrant("the person may not sign in any more")
	}
	agent, err = i.cfg.Store.Name(l.Agent)
	if errors.Is(err, registry.ErrNotFound) || err == nil && !slices.Contains(i.active(p.Agents), agent) {
		return "", "", errGrant("the agent is not open to the person any more")
	}
	if err != nil {
		return "", "", fmt.Errorf("find the agent of a login: %w", err)
	}
	return p.Name, agent, nil
}

// narrower returns the scope that is asked for, which lies within have.
func narrower(have, asked string) (string, error) {
	if asked == "" {
		return have, nil
	}
	all := strings.Fields(have)
	var out []string
	for _, s := range strings.Fields(asked) {
		if slices.Contains(all, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) == 0 {
		return "", bad("invalid_scope", "The scope is not part of what the person allowed.")
	}
	return strings.Join(out, " "), nil
}

// sameResource checks a resource in a token request (RFC 8707): absent, or
// exactly the one that was allowed.
func sameResource(f params, l registry.Login) error {
	if r, ok := f["resource"]; ok && r != l.Resource {
		return bad("invalid_target", "The resource is not the one that was allowed.")
	}
	return nil
}

// byClient gives a token to a program that proved a key which an operator
// registered: no person, no refresh token.
func (i *Issuer) byClient(c client, f params) (given, error) {
	if c.Agent == "" || c.JWKS == nil {
		return given{}, bad("unauthorized_client", "Only clients that an operator registered with a key may use this grant.")
	}
	scope, err := i.scope(f["scope"])
	if err != nil {
		return given{}, err
	}
	if !i.cfg.Resource(f["resource"]) {
		return given{}, bad("invalid_target", "The resource is not one of this gateway.")
	}
	return i.mint("", registry.Login{Client: c.ID, Agent: c.Agent, Resource: f["resource"], Scope: scope, Strength: int(identity.Bearer)})
}

// subjectOf names a client in the log: short, and without what a dynamic one
// calls itself.
func subjectOf(id string) string {
	if strings.HasPrefix(id, registeredPrefix) {
		return registeredPrefix + id[len(id)-min(len(id), 16):]
	}
	return id
}

// there refuses what is not kept, before a transaction is begun for it: those
// who only guess do not hold up those who change something.
func (i *Issuer) there(kind registry.NounKind, id, what string) error {
	_, err := i.cfg.Store.Noun(kind, idOr(id))
	if errors.Is(err, registry.ErrNotFound) {
		return errGrant(what)
	}
	return err
}

// remove deletes a noun that may be gone already.
func remove(s registry.NounStore, kind registry.NounKind, id string) error {
	if err := s.DeleteNoun(kind, id); err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	return nil
}

// endFamily ends every token of a login.
func endFamily(s registry.NounStore, family string) error {
	return errors.Join(remove(s, registry.KindLogin, family), remove(s, registry.KindRefresh, family))
}
