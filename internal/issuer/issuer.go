// Package issuer is the built-in authorization server of a gateway that has no
// other: it lets MCP clients ask a person for permission, and gives them short
// access tokens for exactly one resource of this gateway.
//
// It serves the pages below /oauth/ and its metadata, keeps what it gave as
// nouns through Store, and signs through the key ring. It deliberately knows no
// password and no second factor (Sessions does), has no implicit flow, no plain
// PKCE, no client secrets, and decides no call: a token says who calls, and
// what that agent may do is decided on each request.
//
// It follows OAuth 2.1 (draft-ietf-oauth-v2-1), RFC 7009, 7523, 7591, 7636,
// 8252, 8414, 8628, 8707, 9068 and 9207, and Client ID Metadata Documents
// (draft-ietf-oauth-client-id-metadata-document), as MCP 2026-07-28 asks.
package issuer

import (
	"context"
	"net/http"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/registry"
)

// Person is somebody who may allow clients to act.
type Person struct {
	Name      string   // shown to that person only
	Pseudonym string   // the sub of tokens
	Agents    []string // agents that the operator lets this person use
	Strength  identity.Strength
	AuthTime  time.Time
	Session   string // names the browser's session; binds forms to it
}

// Sessions knows who is signed in. The login room has it.
type Sessions interface {
	// Session returns who is signed in in the browser that sent r.
	Session(r *http.Request) (Person, bool)
	// Require sends the browser to sign in and back to returnTo, a path and
	// query of ours.
	Require(w http.ResponseWriter, r *http.Request, returnTo string)
	// Person returns a person by pseudonym as they are now; false when they
	// may not sign in any more. Strength, AuthTime and Session are empty.
	Person(pseudonym string) (Person, bool)
}

// Store keeps what was given. admin.Own has it.
type Store interface {
	Noun(kind registry.NounKind, id string) (registry.Noun, error)
	Nouns(kind registry.NounKind) ([]registry.Noun, error)
	Name(pseudonym string) (string, error)
	// Change runs fn in a transaction that holds its record too, or makes
	// nothing.
	Change(ctx context.Context, fn func(registry.NounStore) ([]auditlog.Act, error)) error
	Note(acts ...auditlog.Act) error
}

// Config is what the issuer is made of.
type Config struct {
	Issuer   func() string         // https origin, without a slash at the end
	Resource func(uri string) bool // whether uri is exactly a resource of this gateway
	Scopes   []string              // that a token may have
	Register bool                  // dynamic registration of clients on this machine (RFC 7591)

	Ring     *keys.Ring
	Live     *registry.Live
	Store    Store
	Sessions Sessions
	Fetch    Fetcher // of client ID metadata documents
	Clock    clock.Clock
	Log      func(msg string, err error)
}

// How long things live.
const (
	accessLife   = 10 * time.Minute
	codeLife     = time.Minute
	consentLife  = 10 * time.Minute
	refreshIdle  = 14 * 24 * time.Hour
	loginLife    = 90 * 24 * time.Hour
	deviceLife   = 10 * time.Minute
	deviceEvery  = 5 * time.Second
	maxAssertion = 5 * time.Minute
)

// Issuer serves the pages. It is safe for concurrent use.
type Issuer struct {
	cfg       Config
	mux       *http.ServeMux
	peers     *quota.Rate  // requests by address
	starts    *quota.Rate  // what anybody may make us store or fetch, by address
	guesses   *quota.Rate  // user codes, by person
	polls     *quota.Rate  // polls, by device
	fetches   *quota.Slots // documents that are fetched at once
	documents *documents
	used      *usedIDs
}

// Requests a minute.
const (
	perPeer   = 120
	perStart  = 60
	perPerson = 10
	perDevice = int(time.Minute/deviceEvery) + 2
)

// New returns the issuer.
func New(cfg Config) *Issuer {
	i := &Issuer{cfg: cfg, mux: http.NewServeMux(), peers: quota.NewRate(perPeer), starts: quota.NewRate(perStart),
		guesses: quota.NewRate(perPerson), polls: quota.NewRate(perDevice), fetches: quota.NewSlots(fetchesAtOnce), documents: newDocuments(), used: newUsedIDs()}
	i.mux.HandleFunc("GET /.well-known/oauth-authorization-server", i.metadata)
	i.mux.HandleFunc("GET /.well-known/openid-configuration", i.metadata)
	i.mux.HandleFunc("GET /oauth/jwks", i.jwks)
	i.mux.HandleFunc("GET /oauth/authorize", i.authorize)
	i.mux.HandleFunc("POST /oauth/authorize", i.consented)
	i.mux.HandleFunc("POST /oauth/token", i.token)
	i.mux.HandleFunc("POST /oauth/revoke", i.revoke)
	i.mux.HandleFunc("POST /oauth/device_authorization", i.deviceStart)
	i.mux.HandleFunc("GET /oauth/device", i.devicePage)
	i.mux.HandleFunc("POST /oauth/device", i.deviceEntered)
	if cfg.Register {
		i.mux.HandleFunc("POST /oauth/register", i.register)
	}
	return i
}

// ServeHTTP answers one request. Too many from one address are refused before
// anything is read.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make the Origin of our own forms null
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	if err := i.peers.Take(peer(r), i.now()); err != nil {
		h.Set("Retry-After", "60")
		fail(w, http.StatusTooManyRequests, "slow_down", "Too many requests.")
		return
	}
	i.mux.ServeHTTP(w, r)
}

func (i *Issuer) now() time.Time { return i.cfg.Clock.Now() }

// start spends one of what an address may make us store or fetch.
func (i *Issuer) start(r *http.Request) error { return i.starts.Take(peer(r), i.now()) }

// id is the issuer's own name.
func (i *Issuer) id() string { return i.cfg.Issuer() }

func (i *Issuer) log(msg string, err error) {
	if i.cfg.Log != nil {
		i.cfg.Log(msg, err)
	}
}
