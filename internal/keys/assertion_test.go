package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func TestAssertionsVerify(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	a, err := NewAsserter(text)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if out := fmt.Sprintf("%v %+v %#v", a, a, a); strings.Contains(out, new(big.Int).SetBytes(secret).String()) {
		t.Error("the key prints")
	}
	jwt, err := a.Assert("k1", map[string]any{"iss": "me"})
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(jwt, ".")
	sig, _ := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if len(sig) != 64 || !ecdsa.Verify(&key.PublicKey, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		t.Error("the signature does not verify")
	}
	small, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	der, _ = x509.MarshalPKCS8PrivateKey(small)
	for name, bad := range map[string][]byte{
		"nothing": nil, "another block": []byte(strings.ReplaceAll(string(text), "PRIVATE", "PUBLIC")),
		"two keys": append(append([]byte{}, text...), text...), "P-224": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		if _, err := NewAsserter(bad); err == nil {
			t.Errorf("%s is accepted as a key", name)
		}
	}
}
