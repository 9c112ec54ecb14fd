package registry

import (
	"encoding/json"
	"time"
)

// Kinds of what the built-in issuer keeps. Logins and registered clients live
// in snapshots, so that a token whose login was ended is refused on the next
// request; the rest is asked for once.
const (
	KindLogin       NounKind = "oauth-login"
	KindOAuthClient NounKind = "oauth-client"
	KindCode        NounKind = "oauth-code"
	KindRefresh     NounKind = "oauth-refresh"
	KindDevice      NounKind = "oauth-device"
)

// Login is what one person allowed one client: the family of all tokens that
// come of one consent. Access tokens name it in their claim sid and end with it.
type Login struct {
	Client   string    `json:"client"`           // client_id
	Name     string    `json:"name,omitempty"`   // what the client calls itself
	Agent    string    `json:"agent"`            // pseudonym of the agent it acts as
	Person   string    `json:"person,omitempty"` // pseudonym
	Resource string    `json:"resource"`         // aud of every token
	Scope    string    `json:"scope"`            // sorted, separated by single spaces
	Strength int       `json:"strength"`         // identity.Strength at the login
	AuthTime time.Time `json:"auth_time"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"` // no token of it lives longer
}

// OAuthClient is a client that an operator registered: a program with a key of
// its own, which acts as one agent without a person.
type OAuthClient struct {
	Name      string          `json:"name"`
	Agent     string          `json:"agent"` // pseudonym
	JWKS      json.RawMessage `json:"jwks,omitempty"`
	Redirects []string        `json:"redirects,omitempty"`
	Created   time.Time       `json:"created"`
}

// Code is an authorization code: what a person allowed, until a client fetches
// it. A code that was used stays until it expires, to notice a second use.
type Code struct {
	Hash      []byte    `json:"hash"` // keyed, of the whole code
	Login     Login     `json:"login"`
	Redirect  string    `json:"redirect"`
	Challenge string    `json:"challenge"` // PKCE, S256
	Expires   time.Time `json:"expires"`
	Spent     bool      `json:"spent,omitempty"`
	Family    string    `json:"family,omitempty"` // id of the login that it became
}

// Refresh is the one refresh token in force of the login with the same id.
type Refresh struct {
	Hash    []byte    `json:"hash"`
	Expires time.Time `json:"expires"` // unless it is used before
	Used    time.Time `json:"used"`    // when it was given
}

// Device is a login that a device asked for and a person may confirm. Its id is
// the keyed hash of the user code.
type Device struct {
	Hash    []byte    `json:"hash"` // keyed, of the device code
	Login   Login     `json:"login"`
	Expires time.Time `json:"expires"`
	State   string    `json:"state"` // pending, allowed or denied
}
