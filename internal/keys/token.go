package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"hash"
	"strings"
	"sync"
)

// An API token is "ost_", an id of 16 characters that names it in lists, "_",
// and 256 random bits in 52 characters; both in lower-case base32 (RFC 4648)
// without padding. The prefix lets secret scanners find a leaked one.
const (
	tokenPrefix   = "ost_"
	tokenAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
	tokenIDBytes  = 10
	tokenIDChars  = 16
	tokenKeyBytes = 32
	tokenKeyChars = 52
	tokenChars    = len(tokenPrefix) + tokenIDChars + 1 + tokenKeyChars
)

// NewToken makes an API token and returns it with its id and its keyed hash.
// The token is shown once and never stored.
func (r *Ring) NewToken() (token, id string, hash []byte) {
	enc := base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding)
	name := make([]byte, tokenIDBytes)
	secret := make([]byte, tokenKeyBytes)
	fillRandom(name)
	fillRandom(secret)
	id = enc.EncodeToString(name)
	token = tokenPrefix + id + "_" + enc.EncodeToString(secret)
	return token, id, r.HashToken(token)
}

// HashToken returns the 32-byte HMAC-SHA256 of the whole token under the
// current token key. Without that key a stolen database cannot even confirm a
// token.
func (r *Ring) HashToken(token string) []byte {
	macs := r.macs.Load()
	return macs.hash(len(macs.pools)-1, token)
}

// MatchToken reports whether hash is the token's, under any version of the
// token key: a token lives on when the key is rotated. It makes as many hashes
// whether or not one fits.
func (r *Ring) MatchToken(token string, hash []byte) bool {
	macs := r.macs.Load()
	found := false
	for i := range macs.pools {
		found = EqualHash(macs.hash(i, token), hash) || found
	}
	return found
}

// tokenMACs are the keyed hashes of the versions of the token key.
type tokenMACs struct {
	keys  []*dek
	pools []sync.Pool // of hash.Hash, ready for Reset
}

func newTokenMACs(s *state) *tokenMACs {
	m := &tokenMACs{}
	for _, v := range s.keys[TokenHash] {
		if v.state != Destroying {
			m.keys = append(m.keys, v.key)
		}
	}
	m.pools = make([]sync.Pool, len(m.keys))
	return m
}

func (m *tokenMACs) hash(at int, token string) []byte {
	mac, ok := m.pools[at].Get().(hash.Hash)
	if !ok {
		mac = hmac.New(sha256.New, m.keys[at].key[:])
	}
	defer m.pools[at].Put(mac)
	mac.Reset()
	mac.Write([]byte(token))
	return mac.Sum(nil)
}

// TokenID returns the id in a token of exactly the form that NewToken makes,
// byte for byte: no other case, no white space, no second spelling of the same
// bits (hostile case A18, TestA18TokenForm).
func TokenID(token string) (string, bool) {
	if len(token) != tokenChars || !strings.HasPrefix(token, tokenPrefix) {
		return "", false
	}
	id := token[len(tokenPrefix) : len(tokenPrefix)+tokenIDChars]
	secret := token[len(token)-tokenKeyChars:]
	if token[len(tokenPrefix)+tokenIDChars] != '_' || !inAlphabet(id) || !inAlphabet(secret) {
		return "", false
	}
	// 52 characters carry 260 bits; the last four must be zero.
	if last := secret[tokenKeyChars-1]; last != 'a' && last != 'q' {
		return "", false
	}
	return id, true
}

func inAlphabet(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// EqualHash compares two hashes in constant time. Two empty ones are not
// equal, so that a missing hash admits nobody.
func EqualHash(a, b []byte) bool {
	return len(a) > 0 && subtle.ConstantTimeCompare(a, b) == 1
}
