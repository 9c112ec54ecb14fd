package registry

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// KindForeign is the kind of bindings of outside identities to agents.
const KindForeign NounKind = "foreign"

// Foreign binds one subject of an outside issuer of tokens to an agent, which
// owns the noun. Its id is a keyed hash of issuer and subject
// (admin.ForeignName); the subject itself is kept nowhere.
type Foreign struct {
	Issuer string    `json:"issuer"` // exactly the iss of its tokens
	At     time.Time `json:"at"`
}

// KindRevokedJWT is the kind of tokens of issuers that are refused by their id.
const KindRevokedJWT NounKind = "revoked-jwt"

// RevokedJWT refuses one token of an issuer until it would have ended anyway.
type RevokedJWT struct {
	Issuer string    `json:"issuer,omitempty"` // "" = of any issuer
	JTI    string    `json:"jti"`
	At     time.Time `json:"at"`
}

// ForeignID names what two texts name together.
func ForeignID(issuer, name string) string {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(issuer))))
	h.Write([]byte(issuer))
	h.Write([]byte(name))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// ForeignHolder returns the agent that a subject of an issuer, by its keyed
// name, is bound to, "" when there is none.
func (s *Snapshot) ForeignHolder(issuer, name string) string {
	f := Get[Foreign](s, KindForeign, name)
	if f == nil || f.Issuer != issuer {
		return ""
	}
	return s.nouns[KindForeign][name].Owner
}

// JWTRevoked reports whether an operator refused the token of an issuer, or the
// one of any issuer that has this id.
func (s *Snapshot) JWTRevoked(issuer, jti string) bool {
	return jti != "" && (Get[RevokedJWT](s, KindRevokedJWT, ForeignID(issuer, jti)) != nil ||
		Get[RevokedJWT](s, KindRevokedJWT, ForeignID("", jti)) != nil)
}
