// Package oauth is the gateway's OAuth client: it finds the authorization
// server of an MCP server, registers, obtains tokens, renews them and asks for
// more scopes when a server demands them.
//
// It sends nothing itself: whoever uses it hands in a Fetch that reaches vetted
// addresses, follows no redirect and bounds what it reads, and a Vault that
// keeps what must survive. It deliberately opens no browser, verifies no
// inbound token and never sees a credential of the gateway's own callers but
// where a server was configured for token exchange. It follows MCP 2026-07-28,
// basic/authorization, with RFC 6749, 7523, 7636, 8414, 8693, 8707, 9207 and
// 9728.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// Request is one request to a metadata document or an endpoint.
type Request struct {
	Method string
	URL    string // checked by the Fetch before anything is resolved
	Accept string
	Type   string // Content-Type; "" without a body
	Basic  string // value of the Authorization header, "" for none
	Body   []byte
}

// String hides everything but where it goes.
func (r Request) String() string { return r.Method + " " + r.URL }

// Response is what came back, whatever its status.
type Response struct {
	Status int
	JSON   bool // the media type is application/json
	Body   []byte
}

// MaxBody bounds a document, bytes. A Fetch gives an error for a larger one.
const MaxBody = 256 << 10

// Fetch sends a request. It follows no redirect: a status of 3xx comes back as
// it is, and is an error here (U03, TestU03RedirectsAreNotFollowed).
type Fetch func(context.Context, Request) (Response, error)

// Errors that a caller tells apart.
var (
	// ErrLogin says that a person must log in, or log in again.
	ErrLogin = errors.New("a person must log in at the server's authorization server")
	// ErrRefused says that the authorization server or what it says of itself
	// was not accepted.
	ErrRefused = errors.New("authorization at the server is refused")
	// ErrConflict says that another node changed the state meanwhile.
	ErrConflict = errors.New("the stored tokens changed meanwhile")
	// ErrBusy says that another node is renewing the token now.
	ErrBusy = errors.New("the token is being renewed")
	// ErrSubject says that the caller brought no token that could be exchanged.
	ErrSubject = errors.New("the caller has no token to exchange")
)

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}

// Grants: how tokens are obtained.
const (
	Code        = "authorization-code" // a person logs in once; then refresh tokens
	Credentials = "client-credentials" // the gateway as itself
	Exchange    = "token-exchange"     // RFC 8693: the caller's token against one for the server
	Assertion   = "id-jag"             // enterprise-managed: RFC 8693 at the identity provider, RFC 7523 at the server's
)

// Settings is what an operator decides about one credential. It holds secrets,
// is stored sealed and prints as a marker.
type Settings struct {
	Grant        string   `json:"grant"`
	Issuer       string   `json:"issuer,omitempty"` // the only authorization server that is accepted; "" = the first that the server names
	ClientID     string   `json:"clientId,omitempty"`
	ClientSecret string   `json:"clientSecret,omitempty"`
	ClientKey    string   `json:"clientKey,omitempty"` // PKCS #8 PEM for private_key_jwt
	KeyID        string   `json:"keyId,omitempty"`
	AuthMethod   string   `json:"authMethod,omitempty"` // "" = what the authorization server prefers
	Document     string   `json:"document,omitempty"`   // https URL of the client's metadata document (CIMD)
	Redirect     string   `json:"redirect,omitempty"`
	Scopes       []string `json:"scopes,omitempty"` // beyond what the server asks for
	// Undiscovered accepts a server without protected-resource metadata, as
	// MCP 2025-03-26 had it: the authorization server is the server's own origin.
	Undiscovered bool `json:"undiscovered,omitempty"`

	TokenURL  string `json:"tokenUrl,omitempty"`  // exchange: where; "" = the server's authorization server
	Audience  string `json:"audience,omitempty"`  // exchange: for whom; "" = the server
	Requested string `json:"requested,omitempty"` // exchange: requested_token_type; "" = access token
	// SubjectType is the type of the caller's token; "" = access token.
	SubjectType string `json:"subjectType,omitempty"`
	// IdPClientID is how the gateway is known at TokenURL; "" = ClientID. IdPClientSecret likewise.
	IdPClientID     string `json:"idpClientId,omitempty"`
	IdPClientSecret string `json:"idpClientSecret,omitempty"`
}

// String returns a marker.
func (s Settings) String() string { return "[settings of a credential]" }

// GoString returns a marker.
func (s Settings) GoString() string { return s.String() }

// LogValue returns a marker.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// State is what was obtained. It belongs to one issuer and one resource and is
// never shown to another. It is stored sealed and prints as a marker.
type State struct {
	Issuer   string    `json:"issuer"`
	Resource string    `json:"resource"`
	ClientID string    `json:"clientId,omitempty"`
	Secret   string    `json:"secret,omitempty"`   // of a client that registered itself
	Redirect string    `json:"redirect,omitempty"` // that it registered with
	Auth     string    `json:"auth,omitempty"`     // method of the token endpoint
	Token    string    `json:"token,omitempty"`
	Refresh  string    `json:"refresh,omitempty"`
	Scope    string    `json:"scope,omitempty"`
	Expires  time.Time `json:"expires,omitzero"` // zero = not told
	Lease    time.Time `json:"lease,omitzero"`   // until when one node has the refresh token to itself
	Login    bool      `json:"login,omitempty"`  // the refresh token was used up or refused
}

// String returns a marker.
func (s State) String() string { return "[state of a credential]" }

// GoString returns a marker.
func (s State) GoString() string { return s.String() }

// LogValue returns a marker.
func (s State) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Vault keeps the State of one credential.
type Vault interface {
	// Load returns the state and a version; version 0 = there is none.
	Load(context.Context) (State, int64, error)
	// Save replaces the state of that version and returns the new version. It
	// is durable on return; ErrConflict when another version is stored.
	Save(context.Context, State, int64) (int64, error)
}

// Ask shows a person the URL and returns the query with which the
// authorization server sent them back.
type Ask func(ctx context.Context, url string) (query string, err error)

// Config is what a Client is made of.
type Config struct {
	Resource string // URL of the MCP server as it is configured
	Private  bool   // the server may be on loopback and speak plain http, and so may its authorization server
	Settings Settings
	Fetch    Fetch
	Clock    clock.Clock
	Ask      Ask // nil: nobody can be asked while a call waits
}

// Client speaks to the authorization server of one MCP server.
type Client struct{ cfg Config }

// New returns a client.
func New(cfg Config) *Client { return &Client{cfg} }
