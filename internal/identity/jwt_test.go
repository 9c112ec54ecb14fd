package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
)

const (
	iss = "https://idp.example.com"
	aud = "https://mcp.example.com/mcp"
	sub = "workload-7"
)

var b64 = base64.RawURLEncoding

// idp is an issuer with a key of each sort; other is a second one.
type idp struct {
	*world
	ec, second, otherKey *ecdsa.PrivateKey
	ed                   ed25519.PrivateKey
	rsa                  *rsa.PrivateKey
	set                  *KeySet
	fetches              int
	doc                  []byte
	down                 error
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	i := &idp{world: newWorld(t)}
	i.ec, i.second, i.otherKey = p256(t), p256(t), p256(t)
	_, i.ed, _ = ed25519.GenerateKey(rand.Reader)
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	i.publish(jose.JSONWebKey{Key: &i.ec.PublicKey, KeyID: "ec"}, jose.JSONWebKey{Key: i.ed.Public(), KeyID: "ed"}, jose.JSONWebKey{Key: &i.rsa.PublicKey, KeyID: "rsa"})
	i.set = &KeySet{Fetch: func(context.Context) ([]byte, error) { i.fetches++; return i.doc, i.down }}
	other, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.otherKey.PublicKey, KeyID: "ec"}}})
	if err != nil {
		t.Fatal(err)
	}
	one := func(string) []string { return []string{aud} }
	types := []string{"at+jwt", "JWT"}
	i.v.Foreign = NewForeign([]*Issuer{
		{URL: iss, Audience: one, Algorithms: []string{"ES256", "EdDSA", "RS256"}, Types: types, MaxLife: 24 * time.Hour, Keys: i.set},
		{URL: "https://other.example.com", Audience: one, Algorithms: []string{"ES256"}, Types: types, MaxLife: 24 * time.Hour,
			Keys: &KeySet{Fetch: func(context.Context) ([]byte, error) { return other, nil }}},
	}, registry.ForeignID)
	i.bind(t, "robot", iss, sub)
	i.bind(t, "asleep", iss, "sleeper")
	i.bind(t, "other", "https://other.example.com", sub)
	return i
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (i *idp) publish(keys ...jose.JSONWebKey) {
	doc, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		panic(err)
	}
	i.doc = doc
}

func (i *idp) put(t *testing.T, n registry.Noun, err error) {
	t.Helper()
	if err == nil {
		i.view, err = i.view.WithNouns([]registry.Noun{n}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (i *idp) bind(t *testing.T, agent, issuer, subject string) {
	t.Helper()
	n, err := registry.NewNoun(registry.KindForeign, registry.ForeignID(issuer, subject), agent, registry.Foreign{Issuer: issuer, At: now})
	i.put(t, n, err)
}

func claims(change map[string]any) map[string]any {
	c := map[string]any{"iss": iss, "sub": sub, "aud": aud, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "jti": "j1"}
	maps.Copy(c, change)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

// token signs header and body, which may be anything, by hand.
func token(header, body any, key any) string {
	text := func(v any) string {
		if s, ok := v.(string); ok {
			return b64.EncodeToString([]byte(s))
		}
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return b64.EncodeToString(raw)
	}
	input := text(header) + "." + text(body)
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
		if err != nil {
			panic(err)
		}
		sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case ed25519.PrivateKey:
		sig = ed25519.Sign(k, []byte(input))
	case *rsa.PrivateKey:
		var err error
		if sig, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:]); err != nil {
			panic(err)
		}
	case []byte:
		m := hmac.New(sha256.New, k)
		m.Write([]byte(input))
		sig = m.Sum(nil)
	case string:
		return input + "." + k
	}
	return input + "." + b64.EncodeToString(sig)
}

func head(change map[string]any) map[string]any {
	h := map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": "ec"}
	maps.Copy(h, change)
	for k, v := range h {
		if v == nil {
			delete(h, k)
		}
	}
	return h
}

func (i *idp) accept(t *testing.T, name, token string) Principal {
	t.Helper()
	p, err := i.v.Verify(context.Background(), Credential{Token: token}, i.view, now)
	if err != nil || p.ID != "robot" || p.Kind != Client || p.Method != ByJWT {
		t.Errorf("%s: %+v, %v", name, p, err)
	}
	return p
}

func TestJWTAccepts(t *testing.T) {
	i := newIDP(t)
	p := i.accept(t, "ES256", token(head(nil), claims(map[string]any{"scope": "email mcp:read"}), i.ec))
	if p.Issuer != iss || p.JTI != "j1" || p.Scopes != "email mcp:read" || p.Strength != Bearer || !p.Expires.Equal(now.Add(10*time.Minute)) {
		t.Errorf("%+v", p)
	}
	i.accept(t, "EdDSA", token(head(map[string]any{"alg": "EdDSA", "kid": "ed"}), claims(nil), i.ed))
	i.accept(t, "RS256, typ JWT", token(head(map[string]any{"alg": "RS256", "kid": "rsa", "typ": "JWT"}), claims(nil), i.rsa))
	i.accept(t, "no kid", token(head(map[string]any{"kid": nil}), claims(nil), i.ec))
	i.accept(t, "several audiences", token(head(nil), claims(map[string]any{"aud": []string{"x", aud}}), i.ec))
	i.accept(t, "expired within the leeway", token(head(nil), claims(map[string]any{"exp": now.Add(time.Second - JWTLeeway).Unix(), "iat": nil}), i.ec))
	if p := i.accept(t, "foreign scopes", token(head(nil), claims(map[string]any{"scope": "email"}), i.ec)); p.Scopes != "" {
		t.Errorf("scopes that are not ours narrow: %q", p.Scopes)
	}
}

// refuseAll demands the one refusal for each token, cached or not.
func (i *idp) refuseAll(t *testing.T, all map[string]string) {
	t.Helper()
	for name, token := range all {
		i.refuse(t, name, Credential{Token: token})
		i.refuse(t, name+" again", Credential{Token: token})
	}
}

// TestA02None: a token without a signature is none.
func TestA02None(t *testing.T) {
	i := newIDP(t)
	all := map[string]string{}
	for _, alg := range []any{"none", "None", "nOnE", "NONE", "", nil, 5} {
		all[fmt.Sprintf("%v, no signature", alg)] = token(head(map[string]any{"alg": alg}), claims(nil), "")
		all[fmt.Sprintf("%v, signed", alg)] = token(head(map[string]any{"alg": alg}), claims(nil), i.ec)
	}
	good := token(head(nil), claims(nil), i.ec)
	all["empty signature"] = good[:strings.LastIndexByte(good, '.')+1]
	all["no signature part"] = good[:strings.LastIndexByte(good, '.')]
	all["four parts"] = good + ".x"
	i.refuseAll(t, all)
}

// TestA03AlgorithmConfusion: the algorithm comes from the configuration, and a
// key is used by the algorithm of its own sort only.
func TestA03AlgorithmConfusion(t *testing.T) {
	i := newIDP(t)
	ecDER, err := x509.MarshalPKIXPublicKey(&i.ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	rsaDER, err := x509.MarshalPKIXPublicKey(&i.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	h := func(alg, kid string) map[string]any { return head(map[string]any{"alg": alg, "kid": kid}) }
	n := elliptic.P256().Params().N
	high := token(head(nil), claims(nil), i.ec)
	i.refuseAll(t, map[string]string{
		"HS256 with the RSA key":        token(h("HS256", "rsa"), claims(nil), rsaDER),
		"HS256 with the EC key":         token(h("HS256", "ec"), claims(nil), ecDER),
		"HS256 with the modulus":        token(h("HS256", "rsa"), claims(nil), i.rsa.N.Bytes()),
		"ES256 of zeros":                token(head(nil), claims(nil), b64.EncodeToString(make([]byte, 64))),
		"ES256 of the order":            token(head(nil), claims(nil), b64.EncodeToString(append(n.Bytes(), n.Bytes()...))),
		"EdDSA by the EC key":           token(h("EdDSA", "ec"), claims(nil), i.ec),
		"ES256 by the Ed25519 key":      token(h("ES256", "ed"), claims(nil), i.ed),
		"RS256 by kid of EC":            token(h("RS256", "ec"), claims(nil), i.rsa),
		"PS256, not on the list":        token(h("PS256", "rsa"), claims(nil), i.rsa),
		"ES384, not on the list":        token(h("ES384", "ec"), claims(nil), i.ec),
		"a key that is not published":   token(head(nil), claims(nil), i.second),
		"another payload":               strings.Join([]string{strings.Split(high, ".")[0], b64.EncodeToString([]byte(`{}`)), strings.Split(high, ".")[2]}, "."),
		"padded base64":                 high + "=",
		"a signature with spare bits":   high[:len(high)-1] + string(high[len(high)-1]+1),
		"DER instead of two integers":   token(head(nil), claims(nil), b64.EncodeToString(der(t, i.ec))),
		"private key half is not asked": token(head(map[string]any{"jwk": map[string]any{}}), claims(nil), i.ec),
	})
}

func der(t *testing.T, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte("x"))
	sig, err := ecdsa.SignASN1(rand.Reader, k, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// TestA04NothingNamesItsKey: a token does not choose what it is verified by,
// and unknown kids do not make us fetch.
func TestA04NothingNamesItsKey(t *testing.T) {
	i := newIDP(t)
	jwk, err := json.Marshal(jose.JSONWebKey{Key: &i.second.PublicKey, KeyID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	i.accept(t, "first", token(head(nil), claims(nil), i.ec))
	all := map[string]string{}
	for name, value := range map[string]any{"jku": "https://evil.example/jwks", "x5u": "https://evil.example/x", "jwk": json.RawMessage(jwk), "x5c": []string{"AAAA"},
		"crit": []string{"exp"}, "zip": "DEF", "b64": false, "cty": "JWT"} {
		all[name+" by their key"] = token(head(map[string]any{name: value, "kid": nil}), claims(nil), i.second)
		all[name+" by the right key"] = token(head(map[string]any{name: value}), claims(nil), i.ec)
	}
	for _, kid := range []any{"../../dev/null", "' OR 1=1", "https://evil.example/k", strings.Repeat("k", 5000), strings.Repeat("k", 1<<20), "EC", "ec ", 7, nil} {
		all[fmt.Sprintf("kid %.20v", kid)] = token(head(map[string]any{"kid": kid}), claims(nil), i.second)
	}
	i.refuseAll(t, all)
	if i.fetches > 2 {
		t.Errorf("%d fetches for tokens that nobody knows", i.fetches)
	}
}

// TestA07Issuers: exactly the configured issuers, each with its own keys.
func TestA07Issuers(t *testing.T) {
	i := newIDP(t)
	all := map[string]string{}
	for _, name := range []any{"https://idp.example.com/", "https://IDP.example.com", "http://idp.example.com", "https://idp.example.com.evil.example",
		"https://idp.example.com:443", "", nil, 1, []string{iss}} {
		all[fmt.Sprint("iss ", name)] = token(head(nil), claims(map[string]any{"iss": name}), i.ec)
	}
	all["right issuer, key of another one"] = token(head(nil), claims(nil), i.otherKey)
	all["other issuer, our key"] = token(head(nil), claims(map[string]any{"iss": "https://other.example.com"}), i.ec)
	i.refuseAll(t, all)
	p, err := i.v.Verify(context.Background(), Credential{Token: token(head(nil), claims(map[string]any{"iss": "https://other.example.com"}), i.otherKey)}, i.view, now)
	if err != nil || p.ID != "other" {
		t.Errorf("the same subject of another issuer: %+v, %v", p, err)
	}
}

// TestA08Times: exp is there, is a number, and is in force.
func TestA08Times(t *testing.T) {
	i := newIDP(t)
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	all := map[string]string{}
	for name, change := range map[string]map[string]any{
		"expired": {"exp": at(-JWTLeeway)}, "exp missing": {"exp": nil}, "exp text": {"exp": "9999999999"}, "exp null": {"exp": json.RawMessage("null")},
		"exp fraction": {"exp": json.RawMessage("1799999999.5")}, "exp power": {"exp": json.RawMessage("1e20")}, "exp power in range": {"exp": json.RawMessage("18e8")},
		"exp negative": {"exp": -1}, "exp zero": {"exp": 0}, "exp list": {"exp": []int64{at(time.Minute)}}, "exp of 13 digits": {"exp": json.RawMessage("1799999999000")},
		"nbf ahead": {"nbf": at(JWTLeeway + time.Second)}, "nbf text": {"nbf": "0"}, "iat tomorrow": {"iat": at(24 * time.Hour), "exp": at(25 * time.Hour)},
		"lives too long": {"exp": at(25 * time.Hour)}, "lives too long, no iat": {"exp": at(25 * time.Hour), "iat": nil},
	} {
		all[name] = token(head(nil), claims(change), i.ec)
	}
	i.refuseAll(t, all)
}

// TestA09ClockJump: what was accepted once is looked at again at every use.
func TestA09ClockJump(t *testing.T) {
	i := newIDP(t)
	good := token(head(nil), claims(nil), i.ec)
	i.accept(t, "now", good)
	for _, d := range []time.Duration{-10 * 365 * 24 * time.Hour, -time.Hour, time.Hour, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		if p, err := i.v.Verify(context.Background(), Credential{Token: good}, i.view, now.Add(d)); err == nil {
			t.Errorf("%v later: %+v", d, p)
		}
	}
	i.accept(t, "now again", good)
}

// TestJWTClaimRefusals: for another audience, of another type, of another form.
func TestJWTClaimRefusals(t *testing.T) {
	i := newIDP(t)
	all := map[string]string{}
	for name, a := range map[string]any{"other": "https://other", "prefix": aud[:len(aud)-1], "longer": aud + "/", "case": strings.ToUpper(aud), "none": nil, "empty": "",
		"empty list": []string{}, "number": 1, "nested": []any{[]string{aud}}, "object": map[string]any{aud: true}} {
		all["aud "+name] = token(head(nil), claims(map[string]any{"aud": a}), i.ec)
	}
	for _, typ := range []any{"dpop+jwt", "id_token", "at-jwt", "", nil, 1, "logout+jwt"} {
		all[fmt.Sprint("typ ", typ)] = token(head(map[string]any{"typ": typ}), claims(nil), i.ec)
	}
	for name, change := range map[string]map[string]any{
		"no subject": {"sub": nil}, "empty subject": {"sub": ""}, "another subject": {"sub": "workload-8"}, "case": {"sub": "Workload-7"}, "long": {"sub": strings.Repeat("x", 300)},
		"number": {"sub": 7}, "suspended agent": {"sub": "sleeper"}, "ID token": {"nonce": "n"}, "ID token by hash": {"at_hash": "x"},
		"unknown confirmation": {"cnf": map[string]any{"kid": "x"}}, "empty confirmation": {"cnf": map[string]any{}}, "confirmation text": {"cnf": "x"},
		"bound to a key": {"cnf": map[string]any{"jkt": strings.Repeat("a", 43)}}, "bound to a certificate": {"cnf": map[string]any{"x5t#S256": strings.Repeat("a", 43)}},
	} {
		all[name] = token(head(nil), claims(change), i.ec)
	}
	body, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	all["iss twice"] = token(head(nil), strings.Replace(string(body), "{", `{"iss":"https://other.example.com",`, 1), i.ec)
	all["exp twice"] = token(head(nil), strings.Replace(string(body), "{", `{"exp":9999999999,`, 1), i.ec)
	all["alg twice"] = token(`{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"ec"}`, claims(nil), i.ec)
	all["claims are a list"] = token(head(nil), "[]", i.ec)
	all["claims with more behind"] = token(head(nil), string(body)+"{}", i.ec)
	all["a megabyte"] = token(head(nil), claims(map[string]any{"x": strings.Repeat("x", 1<<20)}), i.ec)
	i.refuseAll(t, all)
}

// TestA10TakenBack: the key, the binding and the token itself can be taken
// back, and what was accepted before is refused.
func TestA10TakenBack(t *testing.T) {
	i := newIDP(t)
	good := token(head(nil), claims(nil), i.ec)
	p := i.accept(t, "before", good)
	if !i.v.Foreign.Still(p, i.view, now) {
		t.Error("a token in force is not still in force")
	}
	full := i.view
	n, err := registry.NewNoun(registry.KindRevokedJWT, registry.ForeignID(iss, "j1"), "", registry.RevokedJWT{Issuer: iss, JTI: "j1", At: now})
	i.put(t, n, err)
	i.refuse(t, "revoked by id", Credential{Token: good})
	if i.v.Foreign.Still(p, i.view, now) {
		t.Error("a revoked token is still in force")
	}
	if i.view, err = full.WithNouns(nil, []registry.NounRef{{Kind: registry.KindForeign, ID: registry.ForeignID(iss, sub)}}); err != nil {
		t.Fatal(err)
	}
	i.refuse(t, "unbound", Credential{Token: good})
	if i.v.Foreign.Still(p, i.view, now) {
		t.Error("an unbound subject is still somebody")
	}
	i.view = full
	i.publish(jose.JSONWebKey{Key: &i.second.PublicKey, KeyID: "ec"})
	if _, err := i.v.Verify(context.Background(), Credential{Token: good}, i.view, now.Add(keysFresh)); err == nil {
		t.Error("a key that the issuer took back still verifies")
	}
	if i.v.Foreign.Still(p, i.view, now.Add(11*time.Minute)) {
		t.Error("an expired token is still in force")
	}
}

// TestKeysUnavailable: a failing issuer is a refusal, not an anonymous caller,
// and is not asked at every call.
func TestKeysUnavailable(t *testing.T) {
	i := newIDP(t)
	i.down = errors.New("no route")
	for range 50 {
		i.refuse(t, "down", Credential{Token: token(head(nil), claims(nil), i.ec)})
	}
	if i.fetches != 1 {
		t.Errorf("%d fetches", i.fetches)
	}
	i.down = nil
	if _, err := i.v.Verify(context.Background(), Credential{Token: token(head(nil), claims(nil), i.ec)}, i.view, now.Add(keysPause)); err != nil {
		t.Errorf("up again: %v", err)
	}
	for name, doc := range map[string]string{"not JSON": "<html>", "private key": `{"keys":[{"kty":"EC"}]}`, "symmetric": `{"keys":[{"kty":"oct","k":"AAAA","kid":"ec"}]}`, "empty": `{}`} {
		j := newIDP(t)
		j.doc = []byte(doc)
		j.refuse(t, name, Credential{Token: token(head(nil), claims(nil), j.ec)})
	}
}

// TestRotatedKey: a new key of the issuer is found by its kid.
func TestRotatedKey(t *testing.T) {
	i := newIDP(t)
	i.accept(t, "old key", token(head(nil), claims(nil), i.ec))
	i.publish(jose.JSONWebKey{Key: &i.ec.PublicKey, KeyID: "ec"}, jose.JSONWebKey{Key: &i.second.PublicKey, KeyID: "next"})
	next := token(head(map[string]any{"kid": "next"}), claims(nil), i.second)
	i.refuse(t, "a moment later", Credential{Token: next})
	if _, err := i.v.Verify(context.Background(), Credential{Token: next}, i.view, now.Add(keysPause)); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// proof makes a DPoP proof by key.
func proof(key *ecdsa.PrivateKey, header, change map[string]any, tok string) string {
	sum := sha256.Sum256([]byte(tok))
	h := map[string]any{"alg": "ES256", "typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: &key.PublicKey}}
	maps.Copy(h, header)
	c := map[string]any{"htm": "POST", "htu": "https://mcp.example.com/mcp", "iat": now.Unix(), "jti": rand.Text(), "ath": b64.EncodeToString(sum[:])}
	maps.Copy(c, change)
	return token(h, c, key)
}

// TestDPoP: a token that is bound to a key is good with a new proof by that
// key, for this very request, and with nothing less (RFC 9449).
func TestDPoP(t *testing.T) {
	i := newIDP(t)
	mine, theirs := p256(t), p256(t)
	key := jose.JSONWebKey{Key: &mine.PublicKey}
	thumb, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	bound := token(head(nil), claims(map[string]any{"cnf": map[string]any{"jkt": b64.EncodeToString(thumb)}}), i.ec)
	show := func(proof string) Credential {
		return Credential{Token: bound, DPoP: true, Proof: proof, Method: "POST", URL: "https://mcp.example.com/mcp"}
	}
	good := proof(mine, nil, nil, bound)
	p, err := i.v.Verify(context.Background(), show(good), i.view, now)
	if err != nil || p.ID != "robot" || p.Strength != Bound {
		t.Fatalf("%+v, %v", p, err)
	}
	i.refuse(t, "the same proof again", show(good))
	i.refuse(t, "without a proof", Credential{Token: bound})
	i.refuse(t, "proof, but as Bearer", Credential{Token: bound, Proof: proof(mine, nil, nil, bound), Method: "POST", URL: "https://mcp.example.com/mcp"})
	for name, text := range map[string]string{
		"empty": "", "by another key": proof(theirs, nil, nil, bound), "our key, their signature": proof(theirs, map[string]any{"jwk": key}, nil, bound),
		"for GET": proof(mine, nil, map[string]any{"htm": "GET"}, bound), "for another URL": proof(mine, nil, map[string]any{"htu": "https://evil.example/mcp"}, bound),
		"for another token": proof(mine, nil, nil, bound+"x"), "old": proof(mine, nil, map[string]any{"iat": now.Add(-6 * time.Minute).Unix()}, bound),
		"ahead": proof(mine, nil, map[string]any{"iat": now.Add(time.Minute).Unix()}, bound), "no jti": proof(mine, nil, map[string]any{"jti": ""}, bound),
		"an access token": token(head(nil), claims(nil), mine), "typ JWT": proof(mine, map[string]any{"typ": "JWT"}, nil, bound),
		"alg none": proof(mine, map[string]any{"alg": "none"}, nil, bound), "private key": proof(mine, map[string]any{"jwk": jose.JSONWebKey{Key: mine}}, nil, bound),
		"large": proof(mine, nil, map[string]any{"x": strings.Repeat("x", 9000)}, bound), "iat text": proof(mine, nil, map[string]any{"iat": "1"}, bound),
	} {
		i.refuse(t, name, show(text))
	}
	plain := token(head(nil), claims(nil), i.ec)
	unbound := show(proof(mine, nil, nil, plain))
	unbound.Token = plain
	i.refuse(t, "a proof beside a token that is bound to nothing", unbound)
	i.refuse(t, "a proof beside an API token", Credential{Token: i.tokens["robot"], DPoP: true, Proof: good, Method: "POST", URL: "u"})
	query := show(proof(mine, nil, map[string]any{"htu": "https://mcp.example.com/mcp?x=1"}, bound))
	if _, err := i.v.Verify(context.Background(), query, i.view, now); err != nil {
		t.Errorf("a query in htu counts: %v", err)
	}
}

// TestCertificateBound: a token that is bound to a certificate is good on the
// connection of that certificate (RFC 8705).
func TestCertificateBound(t *testing.T) {
	i := newIDP(t)
	template := *i.certs["robot"]
	raw, err := x509.CreateCertificate(rand.Reader, &template, &template, &i.ec.PublicKey, i.ec)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	bound := token(head(nil), claims(map[string]any{"cnf": map[string]any{"x5t#S256": b64.EncodeToString(sum[:])}}), i.ec)
	p, err := i.v.Verify(context.Background(), Credential{Token: bound, Chain: []*x509.Certificate{cert}}, i.view, now)
	if err != nil || p.Strength != Bound {
		t.Fatalf("%+v, %v", p, err)
	}
	i.refuse(t, "without the certificate", Credential{Token: bound})
	other := template
	other.SerialNumber = new(big.Int).Set(template.SerialNumber)
	i.refuse(t, "with another one", Credential{Token: bound, Chain: []*x509.Certificate{{Raw: []byte("x"), SerialNumber: other.SerialNumber, URIs: other.URIs,
		NotBefore: other.NotBefore, NotAfter: other.NotAfter, ExtKeyUsage: other.ExtKeyUsage}}})
}

// FuzzJWT: no text panics the reader, and none is accepted that nobody signed.
func FuzzJWT(f *testing.F) {
	t := &testing.T{}
	i := newIDP(t)
	f.Add(token(head(nil), claims(nil), i.second))
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := i.v.Verify(context.Background(), Credential{Token: text}, i.view, now); err == nil || !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("%q: %+v %v", text, p, err)
		}
	})
}

func BenchmarkJWT(b *testing.B) {
	t := &testing.T{}
	i := newIDP(t)
	c := Credential{Token: token(head(nil), claims(nil), i.ec)}
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if _, err := i.v.Verify(context.Background(), c, i.view, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if _, _, _, err := i.v.Foreign.verifyJWT(context.Background(), c.Token, now); err != nil {
				b.Fatal(err)
			}
		}
	})
}
