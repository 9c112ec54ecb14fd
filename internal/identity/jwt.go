package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"ostiary.dev/ostiary/internal/wire"
)

// Bounds of a token of an outside issuer (security.md 3.3).
const (
	maxJWT     = 16 << 10
	maxSubject = 255
	maxAuds    = 16
	// JWTLeeway is how far the clocks of issuer and gateway may differ.
	JWTLeeway = 30 * time.Second
)

// Issuer is an outside issuer of access tokens that the operator trusts.
type Issuer struct {
	URL           string                         // exactly the iss of its tokens
	Audience      func(endpoint string) []string // one of these must be an aud, exactly; endpoint is a server or ""
	Algorithms    []string                       // of RFC 7518 and RFC 8037, asymmetric ones only
	Types         []string                       // of the header's typ, without regard to case; "" = none
	RequireScopes bool                           // a token must have one of ours
	MaxLife       time.Duration                  // a token that lives longer is refused
	Keys          *KeySet
}

// algorithms are those that may be configured: asymmetric ones. With them a
// public key is never a secret (A03).
var algorithms = []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

// CheckAlgorithm returns why tokens cannot be verified by the algorithm.
func CheckAlgorithm(name string) error {
	if !slices.Contains(algorithms, name) {
		return fmt.Errorf("is none of %s", strings.Join(algorithms, ", "))
	}
	return nil
}

// Claims are what a verified token says.
type Claims struct {
	Issuer, Subject, JTI, Scopes string
	Audience                     []string
	Issued, NotBefore, Expires   int64 // seconds since 1970; 0 = not told
	AuthTime                     int64
	JKT                          string // cnf: thumbprint of the key that must be proven (RFC 9449); "" = none
	X5T                          string // cnf: SHA-256 of the certificate that must be shown (RFC 8705); "" = none
}

// Causes of a refusal of a JWT. The caller is told none of them.
var (
	errJWTForm     = errors.New("not the form of a JWT")
	errJWTHeader   = errors.New("a header that is not allowed")
	errJWTIssuer   = errors.New("an issuer that is not configured")
	errJWTAlg      = errors.New("an algorithm that the issuer does not use")
	errJWTType     = errors.New("a type that is not an access token's")
	errJWTKey      = errors.New("no key of the issuer fits")
	errJWTSign     = errors.New("the signature does not fit")
	errJWTClaims   = errors.New("claims of another form")
	errJWTTime     = errors.New("not in force at this time")
	errJWTAudience = errors.New("for another audience")
	errJWTSubject  = errors.New("a subject that is bound to no agent")
	errJWTRevoked  = errors.New("revoked by its id")
)

// parts of a token, parsed strictly: one reading under any parser.
type jwtParts struct {
	header, claims wire.Value
	payload        []byte
}

// readJWT takes a token apart. Base64url is strict and JSON is the strict one
// of the data path: duplicate members, invalid UTF-8 and deep nesting are
// refused before anything is believed.
func readJWT(token string) (p jwtParts, err error) {
	if len(token) > maxJWT || strings.Count(token, ".") != 2 || strings.ContainsAny(token, "\r\n") {
		return p, errJWTForm
	}
	head, rest, _ := strings.Cut(token, ".")
	body, sig, _ := strings.Cut(rest, ".")
	b64 := base64.RawURLEncoding.Strict()
	h, e1 := b64.DecodeString(head)
	c, e2 := b64.DecodeString(body)
	s, e3 := b64.DecodeString(sig)
	if e1 != nil || e2 != nil || e3 != nil || len(s) == 0 {
		return p, errJWTForm
	}
	p.payload = c
	lim := wire.DefaultLimits()
	lim.Bytes, lim.Depth, lim.Members, lim.Elements, lim.Tokens, lim.Number = maxJWT, 8, 128, 512, 2048, 32
	if p.header, err = wire.ParseValue(h, lim); err != nil || p.header.Kind() != wire.Object {
		return p, errJWTForm
	}
	if p.claims, err = wire.ParseValue(c, lim); err != nil || p.claims.Kind() != wire.Object {
		return p, errJWTForm
	}
	return p, nil
}

// forbidden are header parameters that would choose a key, or change what the
// token means (A04): nothing in a token names its own key.
var forbidden = []string{"jku", "x5u", "jwk", "x5c", "crit", "zip", "b64", "enc", "cty"}

// verifyJWT returns the claims of a token that an issuer of the list signed
// for us, and the key that it was signed by.
func (f *Foreign) verifyJWT(ctx context.Context, token string, now time.Time) (Claims, *Issuer, any, error) {
	p, err := readJWT(token)
	if err != nil {
		return Claims{}, nil, nil, err
	}
	for _, name := range forbidden {
		if p.header.Get(name).Exists() {
			return Claims{}, nil, nil, errJWTHeader
		}
	}
	iss, _ := p.claims.Get("iss").Text()
	issuer := f.issuers[iss]
	if issuer == nil {
		return Claims{}, nil, nil, errJWTIssuer
	}
	alg, ok := p.header.Get("alg").Text()
	if !ok || !slices.Contains(issuer.Algorithms, alg) {
		return Claims{}, nil, nil, errJWTAlg
	}
	typ, _ := p.header.Get("typ").Text()
	if !slices.ContainsFunc(issuer.Types, func(t string) bool { return strings.EqualFold(t, typ) }) {
		return Claims{}, nil, nil, errJWTType
	}
	key, err := issuer.signed(ctx, token, alg, p, now)
	if err != nil {
		return Claims{}, nil, nil, err
	}
	claims, err := claimsOf(p.claims)
	return claims, issuer, key, err
}

// signed finds the issuer's key that signed the token.
func (i *Issuer) signed(ctx context.Context, token, alg string, p jwtParts, now time.Time) (any, error) {
	kid := ""
	if v := p.header.Get("kid"); v.Exists() {
		var ok bool
		if kid, ok = v.Text(); !ok || len(kid) > 256 {
			return nil, errJWTHeader
		}
	}
	all, err := i.Keys.find(ctx, kid, alg, now)
	if err != nil {
		return nil, err
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return nil, errJWTForm
	}
	for _, k := range all {
		if got, err := jws.Verify(k); err == nil && string(got) == string(p.payload) {
			return k, nil
		}
	}
	return nil, errJWTSign
}

// claimsOf reads the claims. What has another form than the standard's is
// refused, not overlooked.
func claimsOf(v wire.Value) (c Claims, err error) {
	text := func(name string, most int, into *string) bool {
		m := v.Get(name)
		if !m.Exists() {
			return true
		}
		var ok bool
		*into, ok = m.Text()
		return ok && len(*into) <= most
	}
	moment := func(name string, into *int64) bool {
		m := v.Get(name)
		if !m.Exists() {
			return true
		}
		n, ok := whole(m)
		*into = n
		return ok
	}
	ok := text("iss", 512, &c.Issuer) && text("sub", maxSubject, &c.Subject) && text("jti", 256, &c.JTI) && text("scope", 4096, &c.Scopes) &&
		moment("exp", &c.Expires) && moment("nbf", &c.NotBefore) && moment("iat", &c.Issued) && moment("auth_time", &c.AuthTime) &&
		c.Subject != "" && c.Expires > 0
	if !ok {
		return c, errJWTClaims
	}
	if foreignUse(v) {
		return c, errJWTType
	}
	if c.Audience, ok = texts(v.Get("aud"), maxAuds); !ok || len(c.Audience) == 0 {
		return c, errJWTClaims
	}
	if scp := v.Get("scp"); scp.Exists() && c.Scopes == "" {
		list, ok := texts(scp, 128)
		if !ok {
			return c, errJWTClaims
		}
		c.Scopes = strings.Join(list, " ")
	}
	return c, confirmation(v.Get("cnf"), &c)
}

// foreignUse reports whether claims are those of an ID, refresh or logout
// token: of the standard, or of the products that give all their tokens one typ
// (A16).
func foreignUse(v wire.Value) bool {
	for _, name := range []string{"nonce", "at_hash", "c_hash", "events"} {
		if v.Get(name).Exists() {
			return true
		}
	}
	typ, use := v.Get("typ"), v.Get("token_use")
	kind, _ := typ.Text() // Keycloak: Bearer, DPoP, ID, Refresh, Offline, Logout
	how, _ := use.Text()  // Cognito: access, id
	return typ.Exists() && kind != "Bearer" && kind != "DPoP" || use.Exists() && how != "access"
}

// confirmation reads cnf. A way of confirming that we do not know cannot be
// checked, so the token is refused.
func confirmation(v wire.Value, c *Claims) error {
	if !v.Exists() {
		return nil
	}
	if v.Kind() != wire.Object || v.Len() == 0 {
		return errJWTClaims
	}
	for m, value := range v.Members() {
		text, ok := value.Text()
		switch {
		case ok && m.Key == "jkt" && len(text) == 43:
			c.JKT = text
		case ok && m.Key == "x5t#S256" && len(text) == 43:
			c.X5T = text
		default:
			return errJWTClaims
		}
	}
	return nil
}

// whole reads a number that is written as a plain positive integer (A08: no
// text, no fraction, no exponent).
func whole(v wire.Value) (int64, bool) {
	raw := v.Raw()
	if v.Kind() != wire.Number || len(raw) == 0 || len(raw) > 12 {
		return 0, false
	}
	n := int64(0)
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// texts reads a text or a list of texts.
func texts(v wire.Value, most int) ([]string, bool) {
	if text, ok := v.Text(); ok {
		return []string{text}, true
	}
	if v.Kind() != wire.Array || v.Len() > most {
		return nil, false
	}
	var all []string
	for e := range v.Elements() {
		text, ok := e.Text()
		if !ok {
			return nil, false
		}
		all = append(all, text)
	}
	return all, true
}

// inForce reports whether the times of c allow now.
func (c *Claims) inForce(i *Issuer, now time.Time) error {
	at, slack := now.Unix(), int64(JWTLeeway/time.Second)
	began := at
	if c.Issued > 0 {
		began = c.Issued
	}
	switch {
	case at >= c.Expires+slack, c.NotBefore > at+slack, c.Issued > at+slack, c.Expires-began > int64(i.MaxLife/time.Second)+slack:
		return errJWTTime
	}
	return nil
}

// meant reports whether c is for us at an endpoint.
func (c *Claims) meant(i *Issuer, endpoint string) error {
	for _, ours := range i.Audience(endpoint) {
		if ours != "" && slices.Contains(c.Audience, ours) {
			return nil
		}
	}
	return errJWTAudience
}
