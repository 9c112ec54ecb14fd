package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// How an issuer's keys are kept. A key that the issuer took back is used no
// longer than keysFresh; an unknown kid makes one fetch at most each keysPause,
// whatever is asked for (A04).
const (
	keysFresh = 5 * time.Minute
	keysPause = 10 * time.Second
	maxKeys   = 64
	minRSA    = 2048
)

// KeySet is the keys of one issuer, fetched when they are needed. It is safe
// for concurrent use.
type KeySet struct {
	// Fetch returns the issuer's JWKS document (RFC 7517).
	Fetch func(context.Context) ([]byte, error)

	mu      sync.Mutex // held while one fetches: the others wait for its result
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were fetched
	tried   time.Time // when a fetch began last
	failed  error     // how the last one ended
}

// find returns the public keys that a token with kid and alg may be signed by.
func (k *KeySet) find(ctx context.Context, kid, alg string, now time.Time) ([]any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.fresh(ctx, now); err != nil {
		return nil, err
	}
	all := k.fitting(kid, alg)
	if len(all) == 0 && now.Sub(k.tried) >= keysPause { // the issuer may have a new key
		if err := k.fetch(ctx, now); err != nil {
			return nil, err
		}
		all = k.fitting(kid, alg)
	}
	if len(all) == 0 {
		return nil, errJWTKey
	}
	return all, nil
}

// holds reports whether key is one of the issuer's.
func (k *KeySet) holds(ctx context.Context, key any, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.fresh(ctx, now); err != nil {
		return false
	}
	for i := range k.keys {
		if sameKey(k.keys[i].Key, key) {
			return true
		}
	}
	return false
}

func sameKey(a, b any) bool {
	switch a := a.(type) {
	case *ecdsa.PublicKey:
		return a.Equal(publicOf(b))
	case ed25519.PublicKey:
		return a.Equal(publicOf(b))
	case *rsa.PublicKey:
		return a.Equal(publicOf(b))
	}
	return false
}

func publicOf(key any) any { return key }

// fresh fetches the keys when they are too old. A failure is a refusal: what
// cannot be checked is not believed.
func (k *KeySet) fresh(ctx context.Context, now time.Time) error {
	if age := now.Sub(k.fetched); k.keys != nil && age >= 0 && age < keysFresh {
		return nil
	}
	if k.failed != nil && now.Sub(k.tried) >= 0 && now.Sub(k.tried) < keysPause {
		return k.failed
	}
	return k.fetch(ctx, now)
}

func (k *KeySet) fetch(ctx context.Context, now time.Time) error {
	k.tried = now
	text, err := k.Fetch(ctx)
	if err == nil {
		var keys []jose.JSONWebKey
		if keys, err = parseKeys(text); err == nil {
			k.keys, k.fetched, k.failed = keys, now, nil
			return nil
		}
	}
	k.failed = fmt.Errorf("the issuer's keys cannot be fetched: %w", err)
	return k.failed
}

// parseKeys reads a JWKS document. Keys that are of no use here are left out:
// private and symmetric ones, those for encryption, weak ones.
func parseKeys(text []byte) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, errors.New("not a JWKS document")
	}
	if len(doc.Keys) > maxKeys {
		return nil, errors.New("too many keys")
	}
	keys := []jose.JSONWebKey{}
	for _, raw := range doc.Keys {
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err != nil || !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue
		}
		if r, ok := k.Key.(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
			continue
		}
		k.Certificates, k.CertificatesURL = nil, nil
		keys = append(keys, k)
	}
	return keys, nil
}

// fitting returns the keys of that kid and of the sort that alg needs. The sort
// is looked at here, so that no key is ever used by another algorithm (A03).
func (k *KeySet) fitting(kid, alg string) (all []any) {
	for i := range k.keys {
		one := &k.keys[i]
		if kid != "" && one.KeyID != kid || one.Algorithm != "" && one.Algorithm != alg || !fits(one.Key, alg) {
			continue
		}
		all = append(all, one.Key)
	}
	return all
}

// fits reports whether a key is of the sort that an algorithm needs.
func fits(key any, alg string) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return map[string]int{"ES256": 256, "ES384": 384, "ES512": 521}[alg] == k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return alg == "EdDSA"
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	}
	return false
}
