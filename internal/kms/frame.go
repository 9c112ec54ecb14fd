package kms

import (
	"bytes"
	"crypto/sha256"
)

// frameHead begins what a service encrypts that cannot bind a place by itself
// in every operation. After it come the SHA-256 of the place and the key.
const frameHead = "OSTW\x01"

// frame binds plain to aad by writing the digest of aad into what is
// encrypted. It stops a wrapped key from being opened in another place than it
// was wrapped for, provided that the service's encryption is authenticated,
// which Check demands (TestAnotherPlaceDoesNotOpen, FuzzFrame).
func frame(aad, plain []byte) []byte {
	sum := sha256.Sum256(aad)
	out := make([]byte, 0, len(frameHead)+len(sum)+len(plain))
	out = append(out, frameHead...)
	out = append(out, sum[:]...)
	return append(out, plain...)
}

// unframe returns what frame bound to aad.
func unframe(aad, framed []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(framed, []byte(frameHead))
	if !ok || len(rest) <= sha256.Size {
		return nil, why(ErrWrapped, "it holds no wrapped key of a gateway")
	}
	sum := sha256.Sum256(aad)
	if !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return nil, why(ErrWrapped, "it was wrapped for another place")
	}
	return bytes.Clone(rest[sha256.Size:]), nil
}
