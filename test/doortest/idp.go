package doortest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// IDP is an issuer of access tokens at a loopback address: discovery, keys and
// any token that a test wants signed.
type IDP struct {
	URL string
	tb  testing.TB

	mu      sync.Mutex
	keys    map[string]*ecdsa.PrivateKey
	current string
	fetched map[string]int // by path
}

// NewIDP starts an issuer with one ES256 key.
func NewIDP(tb testing.TB) *IDP {
	tb.Helper()
	i := &IDP{tb: tb, keys: map[string]*ecdsa.PrivateKey{}, fetched: map[string]int{}}
	s := httptest.NewServer(i)
	tb.Cleanup(s.Close)
	i.URL = s.URL
	i.NewKey()
	return i
}

// ServeHTTP serves metadata and keys.
func (i *IDP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetched[r.URL.Path]++
	var doc any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		doc = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/jwks"}
	case "/jwks":
		set := jose.JSONWebKeySet{}
		for kid, k := range i.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"})
		}
		doc = set
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err := json.NewEncoder(w).Encode(doc); err != nil {
		i.tb.Errorf("serve an issuer's document: %v", err)
	}
}

// Fetched returns how often a path was asked for.
func (i *IDP) Fetched(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetched[path]
}

// NewKey adds a key and signs with it from now on.
func (i *IDP) NewKey() {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.tb.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current = fmt.Sprintf("key-%d", len(i.keys))
	i.keys[i.current] = k
}

// Key returns the key that signs.
func (i *IDP) Key() *ecdsa.PrivateKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[i.current]
}

// Claims are those of a token that subject may use at audience for ten minutes.
func (i *IDP) Claims(subject, audience string) map[string]any {
	now := time.Now().Unix()
	return map[string]any{"iss": i.URL, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + 600, "jti": fmt.Sprint(time.Now().UnixNano())}
}

// Token signs claims, changed by change (nil removes), as an access token.
func (i *IDP) Token(claims, change map[string]any) string {
	c := maps.Clone(claims)
	for k, v := range change {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	i.mu.Lock()
	kid, key := i.current, i.keys[i.current]
	i.mu.Unlock()
	return Sign(i.tb, key, map[string]any{"typ": "at+jwt", "kid": kid}, c)
}

// Sign returns the compact JWS of claims with ES256.
func Sign(tb testing.TB, key *ecdsa.PrivateKey, header, claims map[string]any) string {
	tb.Helper()
	o := &jose.SignerOptions{}
	for k, v := range header {
		o.WithHeader(jose.HeaderKey(k), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, o)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	jws, err := s.Sign(body)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Thumbprint is the RFC 7638 thumbprint of a key, for cnf.jkt.
func Thumbprint(tb testing.TB, key *ecdsa.PrivateKey) string {
	tb.Helper()
	k := jose.JSONWebKey{Key: key.Public()}
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Entry is the entry of identity.issuers for the issuer.
func (i *IDP) Entry(more string) string {
	return fmt.Sprintf("    - {url: %q, private: true, algorithms: [ES256]%s}\n", i.URL, more)
}

// Bind registers an agent for a subject of the issuer; it gets no credential.
func (d *Door) Bind(agent, issuer, subject string) {
	d.tb.Helper()
	d.Must("agent", "register", agent, "--jwt-issuer", issuer, "--jwt-subject", subject)
}
