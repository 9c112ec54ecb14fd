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
// whatever is asked for (A04). From keysRenew on they are fetched anew while
// the known ones still serve, so that a slow issuer delays nobody.
const (
	keysRenew = 4 * time.Minute
	keysFresh = 5 * time.Minute
	keysPause = 10 * time.Second
	maxKeys   = 64
	minRSA    = 2048
)

// KeySet is the keys of one issuer, fetched when they are needed. It is safe
// for concurrent use.
type KeySet struct {
	// Fetch returns the issuer's JWKS document (RFC 7517). It must end by
	// itself: nobody who waits for it can make it.
	Fetch func(context.Context) ([]byte, error)

	mu      sync.Mutex        // never held while one fetches (TestSlowIssuer)
	keys    []jose.JSONWebKey // replaced, never changed
	fetched time.Time         // when the fetch that brought keys began
	tried   time.Time         // when a fetch began last
	failed  error             // how the last one ended
	flight  *flight           // the fetch that is under way, nil for none
}

// flight is one fetch, whose outcome all who need it wait for.
type flight struct {
	done chan struct{} // closed at its end; what follows is valid then
	keys []jose.JSONWebKey
	err  error
}

// find returns the public keys that a token with kid and alg may be signed by.
func (k *KeySet) find(ctx context.Context, kid, alg string, now time.Time) ([]any, error) {
	keys, err := k.current(ctx, now)
	if err != nil {
		return nil, err
	}
	if all := fitting(keys, kid, alg); len(all) > 0 {
		return all, nil
	}
	k.mu.Lock()
	f := k.begin(ctx, now) // the issuer may have a new key
	k.mu.Unlock()
	if f == nil {
		return nil, errJWTKey
	}
	if keys, err = f.wait(ctx); err != nil {
		return nil, err
	}
	if all := fitting(keys, kid, alg); len(all) > 0 {
		return all, nil
	}
	return nil, errJWTKey
}

// holds reports whether key is one of the issuer's.
func (k *KeySet) holds(ctx context.Context, key any, now time.Time) bool {
	keys, err := k.current(ctx, now)
	if err != nil {
		return false
	}
	for i := range keys {
		if sameKey(keys[i].Key, key) {
			return true
		}
	}
	return false
}

// current returns the keys as they were at most keysFresh ago. Only who comes
// when they are older waits for a fetch. A failure is a refusal then: what
// cannot be checked is not believed.
func (k *KeySet) current(ctx context.Context, now time.Time) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	keys, failed, age := k.keys, k.failed, now.Sub(k.fetched)
	known := keys != nil && age >= 0 && age < keysFresh
	if known && age < keysRenew {
		k.mu.Unlock()
		return keys, nil
	}
	f := k.begin(ctx, now)
	k.mu.Unlock()
	switch {
	case known:
		return keys, nil
	case f != nil:
		return f.wait(ctx)
	case failed != nil:
		return nil, failed
	}
	return nil, errJWTKey
}

// begin returns the fetch that is under way, or one that it begins; nil when
// the last began less than keysPause ago. The caller holds mu. The fetch
// outlives the caller, whose client may go away: others wait for it too.
func (k *KeySet) begin(ctx context.Context, now time.Time) *flight {
	if since := now.Sub(k.tried); k.flight != nil || since >= 0 && since < keysPause {
		return k.flight
	}
	f := &flight{done: make(chan struct{})}
	k.flight, k.tried = f, now
	go k.fetch(context.WithoutCancel(ctx), f, now) // ends when Fetch does
	return f
}

// fetch brings the keys and hands them to all who wait.
func (k *KeySet) fetch(ctx context.Context, f *flight, now time.Time) {
	f.keys, f.err = k.document(ctx)
	k.mu.Lock()
	if k.failed = f.err; f.err == nil {
		k.keys, k.fetched = f.keys, now
	}
	k.flight = nil
	k.mu.Unlock()
	close(f.done)
}

// document fetches and reads the keys. What an issuer sends must not end the
// process, whatever a library does with it.
func (k *KeySet) document(ctx context.Context) (keys []jose.JSONWebKey, err error) {
	defer func() {
		if why := recover(); why != nil {
			err = errors.New("the issuer's keys cannot be read: panic")
		}
	}()
	text, err := k.Fetch(ctx)
	if err == nil {
		keys, err = parseKeys(text)
	}
	if err != nil {
		return nil, fmt.Errorf("the issuer's keys cannot be fetched: %w", err)
	}
	return keys, nil
}

// wait returns the outcome, or an error when the caller's client is gone.
func (f *flight) wait(ctx context.Context) ([]jose.JSONWebKey, error) {
	select {
	case <-f.done:
		return f.keys, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the issuer's keys: %w", ctx.Err())
	}
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
func fitting(keys []jose.JSONWebKey, kid, alg string) (all []any) {
	for i := range keys {
		one := &keys[i]
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
