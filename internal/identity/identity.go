// Package identity turns a credential into a Principal: it verifies API tokens
// and client certificates against what the registry holds.
//
// It reads what it is given and touches nothing else: no socket, no file, no
// key (the keyed hash of a token is injected). It deliberately does not decide
// what a principal may do: policy does. Names in certificates follow the
// SPIFFE ID and X.509-SVID standards
// (https://github.com/spiffe/spiffe/tree/main/standards).
package identity

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/keys"
)

// Credential is what a caller presented. identify erases it once verified. It
// prints as a marker.
type Credential struct {
	Token     string                // the bearer token, "" if none
	Malformed bool                  // there were Authorization headers, none of them usable
	Chain     []*x509.Certificate   // verified by the TLS handshake, leaf first; nil if none
	Others    [][]*x509.Certificate // further verified chains of the same leaf
	Local     string                // agent of the loopback-plaintext listener; only that listener sets it
	Endpoint  string                // server that it was shown at, "" = all of them; identify sets it

	DPoP   bool   // the token came with the scheme DPoP (RFC 9449)
	Proof  string // and with this proof; "" = none
	Method string // of the request, for the proof
	URL    string // of the request as a client names it, without query
}

// String returns a marker.
func (c Credential) String() string { return "[credential]" }

// GoString returns a marker.
func (c Credential) GoString() string { return c.String() }

// LogValue returns a marker.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Kinds of principals.
const (
	Client   = "client"   // an agent: an app, a model, a program
	Gateway  = "gateway"  // the gateway itself, when it examines a server
	Operator = "operator" // a person at the command line or the admin listener
)

// Methods by which a principal was verified.
const (
	ByToken       = "token"
	ByCertificate = "certificate"
	ByBoth        = "token+certificate"
	ByLoopback    = "loopback"
	ByInternal    = "internal"
	ByIssuer      = "issuer" // an access token of the built-in issuer
	ByJWT         = "jwt"    // an access token of an outside issuer
)

// Principal is who calls. It holds no secret and may be logged.
type Principal struct {
	Tenant  string // keys.DefaultTenant
	Kind    string // Client, Gateway or Operator
	ID      string // the agent's id
	TokenID string // visible id of the token, "" if none
	Serial  string // serial of the certificate, lower-case hex, "" if none; with SVID, that of its authority
	Method  string // how it was verified

	SVID SVID // the certificate of an outside trust domain, if it came with one

	Pseudonym string // what the log calls it; "" = the name stands for no person
	Receipts  bool   // its answers carry a signed receipt

	Issuer   string    // of the JWT, "" without one
	Subject  string    // keyed name of an outside issuer's subject, "" for any other token
	JTI      string    // of the JWT, for revocation and records
	Scopes   string    // of the token, separated by single spaces; "" = not limited by scopes
	Person   string    // pseudonym of the person that the agent acts for, "" if none
	Strength Strength  // how strongly that person, or else the agent, proved itself
	AuthTime time.Time // when the person did; zero = not told
	Expires  time.Time // when the credential ends; zero = the registry tells
	Session  string    // login of the built-in issuer that the token comes from and ends with
	Client   string    // client_id in a token of the built-in issuer
}

// Strength is how strongly somebody proved who they are. Policies see its number.
type Strength int

// The strengths.
const (
	Bearer  Strength = 1 // whoever holds the secret
	Bound   Strength = 2 // proof of a private key: a certificate, or a token bound to one
	TwoStep Strength = 3 // a person with two factors
	Passkey Strength = 4 // a person with a key that resists phishing
)

// Directory is what a Verifier asks of the registry; registry.Snapshot has it.
type Directory interface {
	// AgentActive reports whether the agent exists and may take part.
	AgentActive(id string) bool
	// TokenHolder returns a token's agent and hash, and whether it is in force.
	TokenHolder(id string, now time.Time) (agent string, hash []byte, live bool)
	// TokenLimits returns what a token reaches at most, and at whose endpoint
	// alone it is good; "" does not limit.
	TokenLimits(id string) (scope, server string)
	// CertificateHolder returns a certificate's agent and whether it is in force.
	CertificateHolder(serial string, now time.Time) (agent string, live bool)
	// ForeignHolder returns the agent that a subject of an outside issuer, by
	// its keyed name, is bound to, "" for none.
	ForeignHolder(issuer, name string) string
	// JWTRevoked reports whether an operator refused a token by its id.
	JWTRevoked(issuer, jti string) bool
}

// Verifier verifies credentials. It is safe for concurrent use.
type Verifier struct {
	match  func(token string, hash []byte) bool
	domain string
	Own    *Own // nil: there is no built-in issuer; set before use

	Foreign *Foreign // nil: no outside issuer is trusted; set before use
	Trust   *Trust   // nil: no outside authority is trusted; set before use
	// Root reports whether a certificate is our own root. Nil: the handshake
	// trusts no other one; set before use where it does.
	Root func(*x509.Certificate) bool
}

// NewVerifier returns a verifier that compares tokens with match and accepts
// certificates that name clients of the SPIFFE trust domain.
func NewVerifier(match func(token string, hash []byte) bool, domain string) *Verifier {
	return &Verifier{match: match, domain: domain}
}

// Verify returns the principal of c as of now. A token alone or a certificate
// alone suffices; when several are there, each must be valid and all must name
// the same agent, so that a stolen half gains nothing by adding another
// (TestVerifyContradiction). Every error is fault.Unauthenticated with the
// same sentence; its cause says why and goes to logs only.
func (v *Verifier) Verify(ctx context.Context, c Credential, s Directory, now time.Time) (Principal, error) {
	p, err := v.verify(ctx, c, s, now)
	if err != nil {
		return Principal{}, fault.Wrap(fault.Unauthenticated, err)
	}
	return p, nil
}

// Causes of a refusal. Their texts hold nothing that the caller sent.
var (
	errNone        = errors.New("no credential")
	errMalformed   = errors.New("malformed Authorization header")
	errToken       = errors.New("unknown, revoked or expired token")
	errElsewhere   = errors.New("the token is for another server's endpoint")
	errTokenForm   = errors.New("not the form of a token")
	errDisagree    = errors.New("the credentials name different agents")
	errInactive    = errors.New("the agent is unknown or not active")
	errCertificate = errors.New("unknown or revoked certificate")
	errNoSVID      = errors.New("the SPIFFE id is bound to no agent")
)

func (v *Verifier) verify(ctx context.Context, c Credential, s Directory, now time.Time) (Principal, error) {
	if c.Malformed {
		return Principal{}, errMalformed
	}
	p := Principal{Tenant: keys.DefaultTenant, Kind: Client}
	if c.Local != "" {
		p.ID, p.Method = c.Local, ByLoopback
	}
	if len(c.Chain) > 0 {
		agent, serial, svid, err := v.shown(c, s, now)
		if err != nil {
			return Principal{}, err
		}
		if p.ID != "" && p.ID != agent {
			return Principal{}, errDisagree
		}
		p.ID, p.Serial, p.SVID, p.Method = agent, serial, svid, ByCertificate
	}
	if c.Token != "" && signed(c.Token) {
		by, err := v.jwt(ctx, c, s, now)
		if err != nil {
			return Principal{}, err
		}
		if p.ID != "" && p.ID != by.ID {
			return Principal{}, errDisagree
		}
		by.Tenant, by.Kind, by.Serial, by.SVID = p.Tenant, p.Kind, p.Serial, p.SVID
		if by.Serial != "" {
			by.Strength = max(by.Strength, Bound)
		}
		p = by
	} else if c.DPoP {
		return Principal{}, errUnbound // an API token is bound to no key
	} else if c.Token != "" {
		agent, id, err := v.token(c.Token, s, now)
		if err != nil {
			return Principal{}, err
		}
		if p.ID != "" && p.ID != agent {
			return Principal{}, errDisagree
		}
		scope, server := s.TokenLimits(id)
		if server != "" && server != c.Endpoint {
			return Principal{}, errElsewhere
		}
		p.ID, p.TokenID, p.Method, p.Scopes = agent, id, ByToken, scope
		if p.Serial != "" {
			p.Method = ByBoth
		}
	}
	if p.ID == "" {
		return Principal{}, errNone
	}
	if !s.AgentActive(p.ID) {
		return Principal{}, errInactive
	}
	return p, nil
}

// jwt returns the principal of a signed token. Whose it is, it says itself, and
// only the keys of the one that it names can make that true (A07).
func (v *Verifier) jwt(ctx context.Context, c Credential, s Directory, now time.Time) (Principal, error) {
	if v.Foreign != nil && v.Foreign.knows(c.Token) {
		return v.Foreign.verify(ctx, c, s, now)
	}
	switch {
	case v.Own == nil:
		return Principal{}, errJWTIssuer
	case c.DPoP:
		return Principal{}, errUnbound
	}
	p, err := v.Own.verify(c.Token, c.Endpoint, now)
	if err == nil && s.JWTRevoked(p.Issuer, p.JTI) {
		err = errJWTRevoked
	}
	if err != nil {
		if t, bad := Show(c.Token); bad == nil && t.Issuer != v.Own.Issuer() {
			err = errJWTIssuer // for logs and operators; the caller is told the same either way
		}
	}
	return p, err
}

// token returns the agent of a token. The hash is made and compared whether or
// not the id is known, so that time does not tell which ids exist.
func (v *Verifier) token(token string, s Directory, now time.Time) (agent, id string, err error) {
	id, ok := keys.TokenID(token)
	if !ok {
		return "", "", errTokenForm
	}
	agent, hash, live := s.TokenHolder(id, now)
	equal := v.match(token, hash)
	if !equal || !live || agent == "" {
		return "", "", errToken
	}
	return agent, id, nil
}

// shown returns the agent of the certificate that came with c: one of our own, or
// of an outside trust domain. The name in it says which rules hold, and no
// authority vouches for a name that is not its own.
func (v *Verifier) shown(c Credential, s Directory, now time.Time) (agent, serial string, svid SVID, err error) {
	if _, known := v.Trust.SPIFFEOf(c.Chain[0]); !known {
		chain := v.ours(c)
		if chain == nil {
			return "", "", SVID{}, errors.New("the certificate is not of our own authority")
		}
		agent, serial, err = v.certificate(chain, s, now)
		return agent, serial, SVID{}, err
	}
	if svid, err = v.Trust.Verify(append([][]*x509.Certificate{c.Chain}, c.Others...), now); err != nil {
		return "", "", SVID{}, err
	}
	if agent = s.ForeignHolder(SPIFFESource(svid.Domain), svid.Who); agent == "" {
		return "", "", SVID{}, errNoSVID
	}
	return agent, keys.Serial(c.Chain[0]), svid, nil
}

// ours returns the chain that ends in our own root, nil without one: an outside
// authority never vouches for a name of ours (T02, TestT02CrossDomain).
func (v *Verifier) ours(c Credential) []*x509.Certificate {
	if v.Root == nil {
		return c.Chain
	}
	for _, chain := range append([][]*x509.Certificate{c.Chain}, c.Others...) {
		if v.Root(chain[len(chain)-1]) {
			return chain
		}
	}
	return nil
}

// certificate returns the agent of a leaf. The handshake verified the chain;
// what is checked here again (times, usage) protects a resumed session whose
// certificate has expired meanwhile (hostile cases T02, T03).
func (v *Verifier) certificate(chain []*x509.Certificate, s Directory, now time.Time) (agent, serial string, err error) {
	leaf := chain[0]
	if now.Before(leaf.NotBefore) || !now.Before(leaf.NotAfter) {
		return "", "", errors.New("the certificate is expired or not yet valid")
	}
	if !forClients(leaf) {
		return "", "", errors.New("the certificate is not for client authentication")
	}
	if len(chain) > 1 && keys.SignsListeners(chain[1]) {
		return "", "", errors.New("the issuer of listeners does not sign for agents")
	}
	named, err := AgentOf(leaf, v.domain)
	if err != nil {
		return "", "", err
	}
	serial = keys.Serial(leaf)
	agent, live := s.CertificateHolder(serial, now)
	if !live || agent == "" {
		return "", "", errCertificate
	}
	if agent != named {
		return "", "", fmt.Errorf("%w: it was not issued to the agent it names", errCertificate)
	}
	return agent, serial, nil
}

func forClients(leaf *x509.Certificate) bool {
	for _, use := range leaf.ExtKeyUsage {
		if use == x509.ExtKeyUsageClientAuth {
			return true
		}
	}
	return false
}
