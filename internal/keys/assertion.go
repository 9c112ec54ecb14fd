package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
)

// Asserter signs the assertions with which a client proves itself to an
// authorization server (RFC 7523). It prints as a marker.
type Asserter struct {
	key crypto.Signer
	alg string
}

// errAssertionKey says which keys are usable. It holds no part of the key.
var errAssertionKey = errors.New("the key is not one PKCS #8 PEM block with a P-256, Ed25519 or RSA key of at least 2048 bits")

// NewAsserter reads a private key in PKCS #8 PEM form. The algorithm follows
// from the key: ES256, EdDSA or RS256.
func NewAsserter(text []byte) (*Asserter, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errAssertionKey
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, errAssertionKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errAssertionKey
	}
	switch key := parsed.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return &Asserter{key, "ES256"}, nil
		}
	case ed25519.PrivateKey:
		return &Asserter{key, "EdDSA"}, nil
	case *rsa.PrivateKey:
		if key.N.BitLen() >= 2048 {
			return &Asserter{key, "RS256"}, nil
		}
	}
	return nil, errAssertionKey
}

// Alg is the JWS algorithm of the key.
func (a *Asserter) Alg() string { return a.alg }

// String returns a marker.
func (a *Asserter) String() string { return "[key]" }

// GoString returns a marker.
func (a *Asserter) GoString() string { return a.String() }

// Assert returns claims as a signed JWT in compact form (RFC 7515). kid may be
// empty.
func (a *Asserter) Assert(kid string, claims map[string]any) (string, error) {
	head := map[string]any{"alg": a.alg, "typ": "JWT"}
	if kid != "" {
		head["kid"] = kid
	}
	first, err := json.Marshal(head)
	if err != nil {
		return "", fmt.Errorf("assertion head: %w", err)
	}
	second, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("assertion claims: %w", err)
	}
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString(first) + "." + b64.EncodeToString(second)
	sig, err := a.sign([]byte(input))
	if err != nil {
		return "", fmt.Errorf("sign assertion: %w", err)
	}
	return input + "." + b64.EncodeToString(sig), nil
}

func (a *Asserter) sign(input []byte) ([]byte, error) {
	sum := sha256.Sum256(input)
	switch a.alg {
	case "EdDSA":
		return a.key.Sign(nil, input, crypto.Hash(0))
	case "RS256":
		return a.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	der, err := a.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return joseSignature(der)
}

// joseSignature turns an ASN.1 signature of P-256 into the two fixed-length
// numbers of RFC 7518, 3.4.
func joseSignature(der []byte) ([]byte, error) {
	var parts struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &parts)
	if err != nil || len(rest) > 0 {
		return nil, errors.New("signature is not one sequence of two numbers")
	}
	out := make([]byte, 64)
	parts.R.FillBytes(out[:32])
	parts.S.FillBytes(out[32:])
	return out, nil
}
