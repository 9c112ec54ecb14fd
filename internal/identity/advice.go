package identity

import (
	"errors"
	"time"
)

// Shown is what a token says of itself, for an operator who asks why it is
// refused. Nothing of it is verified, and its secret part, the signature, is
// not in it.
type Shown struct {
	Algorithm, Type, KeyID string
	Claims
	Until time.Time
}

// Show reads a signed token without believing it.
func Show(token string) (Shown, error) {
	p, err := readJWT(token)
	if err != nil {
		return Shown{}, err
	}
	var s Shown
	s.Algorithm, _ = p.header.Get("alg").Text()
	s.Type, _ = p.header.Get("typ").Text()
	s.KeyID, _ = p.header.Get("kid").Text()
	s.Claims, err = claimsOf(p.claims)
	if s.Expires > 0 {
		s.Until = time.Unix(s.Expires, 0).UTC()
	}
	return s, err
}

// Advice returns what an operator can do about a refusal, "" when the cause
// says it all.
func Advice(err error) string {
	for _, a := range []struct {
		cause error
		fix   string
	}{
		{errJWTIssuer, "add the issuer, exactly as in iss, to identity.issuers and restart"},
		{errJWTAlg, "add alg to the algorithms of the issuer's entry, when the issuer signs with it"},
		{errJWTType, "add typ to the types of the issuer's entry; an ID token is never accepted: ask for an access token"},
		{errJWTKey, "look whether the gateway reaches the issuer's jwks_uri, and whether its keys have the token's kid"},
		{errJWTSign, "the token was changed on its way, or another issuer made it"},
		{errJWTTime, "get a new token; compare the clocks; see max_life of the issuer's entry"},
		{errJWTAudience, "ask the issuer for a token for this gateway's resource, or set audience of its entry"},
		{errJWTSubject, "ostiary agent register NAME --jwt-issuer ISS --jwt-subject SUB"},
		{errJWTRevoked, "an operator revoked it: get a new one"},
		{errJWTClaims, "exp, iat and nbf must be whole numbers, sub and aud be there, and cnf be jkt or x5t#S256"},
		{errBound, "the token is bound to a key, so only its client can show it; everything else about it holds"},
		{errNoSVID, "ostiary agent register NAME --spiffe-id ID"},
		{errStale, "see ostiary status: the source of the trust domain's bundle cannot be read"},
		{errInactive, "ostiary agent resume NAME"},
		{errToken, "ostiary token create AGENT"},
		{errOwn, "let the client log in again; see ostiary login list"},
	} {
		if errors.Is(err, a.cause) {
			return a.fix
		}
	}
	return ""
}
