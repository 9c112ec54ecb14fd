package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"time"
)

// Foreign verifies tokens of outside issuers: JWTs of RFC 9068 or of OpenID
// Connect. It is safe for concurrent use.
type Foreign struct {
	issuers map[string]*Issuer
	name    func(issuer, subject string) string
	proofs  *proofs

	mu    sync.Mutex
	young map[[sha256.Size]byte]*verifiedJWT // by the digest of the whole token
	old   map[[sha256.Size]byte]*verifiedJWT
}

// verifiedJWT is a token whose signature was verified.
type verifiedJWT struct {
	claims Claims
	issuer *Issuer
	key    any
	who    string // the keyed name of its subject
}

// cachedJWTs is how many verified tokens each of two generations keeps.
const cachedJWTs = 4096

// NewForeign returns a verifier of the issuers' tokens. name is the keyed name
// under which the registry knows a subject: a subject names a person perhaps,
// so no room behind this one, no row and no line holds it.
func NewForeign(issuers []*Issuer, name func(issuer, subject string) string) *Foreign {
	f := &Foreign{issuers: map[string]*Issuer{}, proofs: newProofs(), name: name}
	for _, i := range issuers {
		f.issuers[i.URL] = i
	}
	f.young = map[[sha256.Size]byte]*verifiedJWT{}
	return f
}

// DemandNonce makes every proof need one of n. Call it before use.
func (f *Foreign) DemandNonce(n *Nonces) { f.proofs.nonces = n }

// verify returns the principal of a token, without its agent's standing.
// Signatures are remembered by the digest of the whole token, so that no two
// tokens can be taken for each other; times, audience, key, revocation and
// binding are looked at every time (A09, A10).
func (f *Foreign) verify(ctx context.Context, c Credential, s Directory, now time.Time) (Principal, error) {
	v, err := f.verified(ctx, c.Token, now)
	if err != nil {
		return Principal{}, err
	}
	if err := errors.Join(v.claims.inForce(v.issuer, now), v.claims.meant(v.issuer, c.Endpoint)); err != nil {
		return Principal{}, err
	}
	if s.JWTRevoked(v.claims.Issuer, v.claims.JTI) {
		return Principal{}, errJWTRevoked
	}
	strength, err := f.bound(v, c, now)
	if err != nil {
		return Principal{}, err
	}
	agent := s.ForeignHolder(v.claims.Issuer, v.who)
	if agent == "" {
		return Principal{}, errJWTSubject
	}
	p := Principal{ID: agent, Method: ByJWT, Issuer: v.claims.Issuer, JTI: v.claims.JTI, Scopes: v.issuer.scopes(v.claims.Scopes),
		Subject: v.who, Strength: strength, Expires: time.Unix(v.claims.Expires, 0)}
	if v.claims.AuthTime > 0 {
		p.AuthTime = time.Unix(v.claims.AuthTime, 0)
	}
	return p, nil
}

// knows reports whether a token says that it is by one of the issuers.
func (f *Foreign) knows(token string) bool {
	p, err := readJWT(token)
	if err != nil {
		return false
	}
	iss, ok := p.claims.Get("iss").Text()
	return ok && f.issuers[iss] != nil
}

// scopes returns what the token's scopes allow here. Without one of ours the
// agent's grants alone count, unless the operator demands them.
func (i *Issuer) scopes(text string) string {
	ours := false
	for s := range strings.FieldsSeq(text) {
		ours = ours || s == ScopeRead || s == ScopeWrite || s == ScopeModify
	}
	switch {
	case ours:
		return text
	case i.RequireScopes:
		return "none"
	}
	return ""
}

// verified returns a token whose signature fits a key that is still the
// issuer's.
func (f *Foreign) verified(ctx context.Context, token string, now time.Time) (*verifiedJWT, error) {
	if len(token) > maxJWT {
		return nil, errJWTForm
	}
	sum := sha256.Sum256([]byte(token))
	f.mu.Lock()
	v := f.young[sum]
	if v == nil {
		v = f.old[sum]
	}
	f.mu.Unlock()
	if v != nil && v.issuer.Keys.holds(ctx, v.key, now) {
		return v, nil
	}
	claims, issuer, key, err := f.verifyJWT(ctx, token, now)
	if err != nil {
		return nil, err
	}
	v = &verifiedJWT{claims, issuer, key, f.name(claims.Issuer, claims.Subject)}
	v.claims.Subject = ""
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.young) >= cachedJWTs {
		f.young, f.old = map[[sha256.Size]byte]*verifiedJWT{}, f.young
	}
	f.young[sum] = v
	return v, nil
}

var (
	errBound   = errors.New("the token is bound to a key that was not proven")
	errUnbound = errors.New("a proof of a key beside a token that is bound to none")
)

// bound checks the key that the token is bound to. A bound token without its
// proof is a stolen one (RFC 9449, RFC 8705).
func (f *Foreign) bound(v *verifiedJWT, c Credential, now time.Time) (Strength, error) {
	strength := Bearer
	if v.claims.X5T != "" {
		if len(c.Chain) == 0 {
			return 0, errBound
		}
		sum := sha256.Sum256(c.Chain[0].Raw)
		if base64.RawURLEncoding.EncodeToString(sum[:]) != v.claims.X5T {
			return 0, errBound
		}
		strength = Bound
	}
	switch {
	case v.claims.JKT == "" && c.DPoP:
		return 0, errUnbound
	case v.claims.JKT == "":
		return strength, nil
	case !c.DPoP:
		return 0, errBound
	}
	return Bound, f.proofs.check(c, v.claims.JKT, now)
}

// Still reports whether a token that p came with is in force.
func (f *Foreign) Still(p Principal, s Directory, now time.Time) bool {
	i := f.issuers[p.Issuer]
	return i != nil && now.Before(p.Expires.Add(JWTLeeway)) && !s.JWTRevoked(p.Issuer, p.JTI) && s.ForeignHolder(p.Issuer, p.Subject) == p.ID
}
