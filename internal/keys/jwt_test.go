package keys

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

// verified checks a compact JWS with the keys that are in force at now.
func verified(t *testing.T, r *Ring, token string, now time.Time) bool {
	t.Helper()
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	var head struct{ Alg, Kid, Typ string }
	if err := json.Unmarshal(raw, &head); err != nil || head.Alg != "ES256" || head.Typ != "at+jwt" {
		t.Fatalf("header %s: %v", raw, err)
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(sig) != 64 {
		t.Fatalf("signature of %d bytes: %v", len(sig), err)
	}
	all, err := r.TokenKeys(now)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	for _, k := range all {
		if k.ID == head.Kid {
			return ecdsa.Verify(k.Public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		}
	}
	return false
}

func signed(t *testing.T, r *Ring) string {
	t.Helper()
	token, err := r.SignToken("at+jwt", []byte(`{"iss":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestTokenKeysAfterRotation: a token lives on when the key is rotated, for as
// long as tokens live, and not at all after a compromise.
func TestTokenKeysAfterRotation(t *testing.T) {
	r := newTestRing(t)
	first := signed(t, r)
	if !verified(t, r, first, epoch) {
		t.Fatal("a token does not verify")
	}
	rotate(t, r, string(TokenSigning))
	second := signed(t, r)
	for _, r := range []*Ring{r, reopen(t, r)} {
		if !verified(t, r, first, epoch.Add(time.Minute)) || !verified(t, r, second, epoch.Add(time.Minute)) {
			t.Error("a token ended with a rotation")
		}
		if verified(t, r, first, epoch.Add(time.Hour)) {
			t.Error("a replaced key verifies for ever")
		}
	}
	if _, err := r.Rotate(string(TokenSigning), RotateOptions{Compromised: true, now: epoch}); err != nil {
		t.Fatal(err)
	}
	third := signed(t, r)
	for _, r := range []*Ring{r, reopen(t, r)} {
		if verified(t, r, first, epoch) || verified(t, r, second, epoch) {
			t.Error("a key that leaked still verifies")
		}
		if !verified(t, r, third, epoch) {
			t.Error("the new key does not verify")
		}
	}
}

// TestTokenKeyOfOlderKeystore: a keystore that knew no token key gets one and
// keeps it.
func TestTokenKeyOfOlderKeystore(t *testing.T) {
	r := newTestRing(t)
	s := r.state.Load().clone()
	delete(s.keys, TokenSigning)
	if err := r.save(s); err != nil {
		t.Fatal(err)
	}
	r = reopen(t, r)
	token := signed(t, r)
	if again := reopen(t, r); !verified(t, again, token, epoch) || again.Generation() != r.Generation() {
		t.Error("the key that was made at a start is another one at the next")
	}
}

// TestVerifyTokenRefusals: only what SignToken made verifies, in one spelling.
func TestVerifyTokenRefusals(t *testing.T) {
	r := newTestRing(t)
	token := signed(t, r)
	if claims, err := r.VerifyToken("at+jwt", token, epoch); err != nil || string(claims) != `{"iss":"x"}` {
		t.Fatalf("%s %v", claims, err)
	}
	parts := strings.Split(token, ".")
	b64 := base64.RawURLEncoding
	head, err := b64.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, replaced string) string {
		return b64.EncodeToString([]byte(strings.Replace(string(head), old, replaced, 1))) + "." + parts[1] + "." + parts[2]
	}
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", token[len(token)-1])
	for name, bad := range map[string]string{
		"A01 none":             with("ES256", "none"),
		"A02 none, unsigned":   b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"A03 HMAC":             with("ES256", "HS256"),
		"A04 a key of its own": with(`{"alg"`, `{"jwk":{},"alg"`),
		"A04 a key elsewhere":  with(`{"alg"`, `{"jku":"https://evil.example","alg"`),
		"A16 unknown crit":     with(`{"alg"`, `{"crit":["x"],"alg"`),
		"another typ":          with("at+jwt", "JWT"),
		"unknown key":          with(`"kid":"`, `"kid":"0`),
		"white space":          with(`,"kid"`, `, "kid"`),
		"other claims":         parts[0] + "." + b64.EncodeToString([]byte(`{"iss":"y"}`)) + "." + parts[2],
		"no signature":         parts[0] + "." + parts[1] + ".",
		"zero signature":       parts[0] + "." + parts[1] + "." + b64.EncodeToString(make([]byte, 64)),
		"second spelling":      token[:len(token)-1] + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1:last^1+1],
		"padding":              token + "=",
		"a line break":         token + "\n",
		"four parts":           token + ".x",
		"too long":             token + strings.Repeat("a", maxToken),
		"nothing":              "",
	} {
		if _, err := r.VerifyToken("at+jwt", bad, epoch); err == nil {
			t.Errorf("%s verifies", name)
		}
	}
}

func BenchmarkVerifyToken(b *testing.B) {
	r := newTestRing(b)
	token, err := r.SignToken("at+jwt", []byte(`{"iss":"https://gate.example","aud":"https://gate.example/mcp"}`))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.VerifyToken("at+jwt", token, epoch); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			r.checked = checkedTokens{}
			if _, err := r.VerifyToken("at+jwt", token, epoch); err != nil {
				b.Fatal(err)
			}
		}
	})
}
