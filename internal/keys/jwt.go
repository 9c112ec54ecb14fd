package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// TokenKey is the public half of a key that signs access tokens, for JWKS
// documents and for verifiers in this process.
type TokenKey struct {
	ID     string // kid: the id of the version
	Public *ecdsa.PublicKey
	X, Y   string // coordinates, base64url
}

// NewSecret returns 256 random bits in base64url, for codes and tokens that are
// shown once and stored as HashToken of them.
func (r *Ring) NewSecret() string {
	b := make([]byte, tokenKeyBytes)
	fillRandom(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// tokenKeyOverlap is how long a replaced key still verifies: longer than any
// token that it signed lives.
const tokenKeyOverlap = 20 * time.Minute

// SignToken returns the compact JWS of claims (RFC 7515, ES256) with the given
// typ, under the current key of TokenSigning.
func (r *Ring) SignToken(typ string, claims []byte) (string, error) {
	d := r.state.Load().current(TokenSigning)
	key, err := ecdsaOf(d)
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding
	input := tokenHeader(d.hexID(), typ) + "." + b64.EncodeToString(claims)
	sum := sha256.Sum256([]byte(input))
	rr, ss, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	var sig [64]byte
	rr.FillBytes(sig[:32])
	ss.FillBytes(sig[32:])
	return input + "." + b64.EncodeToString(sig[:]), nil
}

// tokenHeader is the one header that a token under a key has, encoded.
func tokenHeader(kid, typ string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"` + kid + `","typ":"` + typ + `"}`))
}

// ErrToken says that a token is not one that this gateway signed, or that its
// key is not in force any more. It never says which.
var ErrToken = errors.New("not a token of this gateway")

// maxToken bounds a token, bytes.
const maxToken = 8 << 10

// VerifyToken returns the claims of a token that SignToken made with typ under
// a key in force at now. The header is not parsed but compared with the ones
// that we write, byte for byte, so that nothing in it can choose an algorithm
// or a key (hostile cases A01 to A05, A16, TestVerifyTokenRefusals); base64 is
// strict, so that a token has one spelling.
func (r *Ring) VerifyToken(typ, token string, now time.Time) ([]byte, error) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 || strings.ContainsAny(token, "\r\n") {
		return nil, ErrToken
	}
	id := verifiedToken{r.state.Load(), sha256.Sum256([]byte(typ + " " + token))}
	if claims, ok := r.checked.get(id); ok {
		return claims, nil
	}
	all, err := r.TokenKeys(now)
	if err != nil {
		return nil, err
	}
	input, tail := token[:strings.LastIndexByte(token, '.')], token[strings.LastIndexByte(token, '.')+1:]
	header, body, _ := strings.Cut(input, ".")
	b64 := base64.RawURLEncoding.Strict()
	sig, err := b64.DecodeString(tail)
	if err != nil || len(sig) != 64 {
		return nil, ErrToken
	}
	sum := sha256.Sum256([]byte(input))
	for _, k := range all {
		if header != tokenHeader(k.ID, typ) {
			continue
		}
		if !ecdsa.Verify(k.Public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			return nil, ErrToken
		}
		claims, err := b64.DecodeString(body)
		if err != nil {
			return nil, ErrToken
		}
		r.checked.put(id, claims)
		return claims, nil
	}
	return nil, ErrToken
}

// verifiedToken names a token that verified under one state of the keystore: a
// rotation, and a compromise above all, forgets every one. Only the digest of
// the token is kept.
type verifiedToken struct {
	of     *state
	digest [sha256.Size]byte
}

// checkedTokens are the claims of tokens that verified, in two generations of
// bounded size. A key that ends by time alone lives longer than its tokens, whose
// expiry every caller checks.
type checkedTokens struct {
	mu         sync.RWMutex
	young, old map[verifiedToken][]byte
}

const checkedSize = 4096

func (c *checkedTokens) get(id verifiedToken) ([]byte, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if claims, ok := c.young[id]; ok {
		return claims, true
	}
	claims, ok := c.old[id]
	return claims, ok
}

func (c *checkedTokens) put(id verifiedToken, claims []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || len(c.young) >= checkedSize {
		c.young, c.old = map[verifiedToken][]byte{}, c.young
	}
	c.young[id] = claims
}

// tokenSet is the public keys of one state of the keystore.
type tokenSet struct {
	of   *state
	keys map[*dek]TokenKey
}

// tokenKeyOf returns the public half of a version; deriving it costs as much as
// a signature, so each is kept until the keystore changes.
func (r *Ring) tokenKeyOf(s *state, d *dek) (TokenKey, error) {
	if set := r.tokens.Load(); set != nil && set.of == s {
		return set.keys[d], nil
	}
	set := &tokenSet{of: s, keys: map[*dek]TokenKey{}}
	for _, v := range s.keys[TokenSigning] {
		k, err := tokenKeyOf(v.key)
		if err != nil {
			return TokenKey{}, err
		}
		set.keys[v.key] = k
	}
	r.tokens.Store(set)
	return set.keys[d], nil
}

// TokenKeys returns the keys whose tokens are in force at now: the current one
// first, and the one before it until every token of it has ended. A key that
// was rotated because it was compromised, or that is being destroyed, verifies
// nothing from that moment on (TestTokenKeysAfterRotation).
func (r *Ring) TokenKeys(now time.Time) ([]TokenKey, error) {
	s := r.state.Load()
	list := s.keys[TokenSigning]
	var out []TokenKey
	for i := len(list) - 1; i >= 0; i-- {
		v := list[i]
		if i < len(list)-1 {
			next := list[i+1]
			if v.state != Old || v.leaked || now.Sub(next.created) > tokenKeyOverlap {
				break
			}
		}
		k, err := r.tokenKeyOf(s, v.key)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// distrust marks every version of p but the current one.
func (s *state) distrust(p Purpose) {
	list := s.keys[p]
	for i := range list[:len(list)-1] {
		v := *list[i]
		v.leaked = true
		list[i] = &v
	}
}

func tokenKeyOf(d *dek) (TokenKey, error) {
	key, err := ecdsaOf(d)
	if err != nil {
		return TokenKey{}, err
	}
	point, err := key.PublicKey.Bytes() // 4 || X || Y
	if err != nil || len(point) != 65 {
		return TokenKey{}, fmt.Errorf("a token key without public half: %w", err)
	}
	b64 := base64.RawURLEncoding
	return TokenKey{ID: d.hexID(), Public: &key.PublicKey, X: b64.EncodeToString(point[1:33]), Y: b64.EncodeToString(point[33:])}, nil
}

// ecdsaOf derives the private key of a version: the first output of HKDF-SHA256
// that is a scalar of P-256. All but one in 2^32 keys need one attempt.
func ecdsaOf(d *dek) (*ecdsa.PrivateKey, error) {
	for i := range 8 {
		scalar, err := hkdf.Key(sha256.New, d.key[:], nil, fmt.Sprintf("ostiary token-signing/v1 %d", i), 32)
		if err != nil {
			return nil, fmt.Errorf("derive a token key: %w", err)
		}
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("derive a token key: %w", ErrDamaged)
}
