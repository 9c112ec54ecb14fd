package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"fmt"
)

// AES-SIV of RFC 5297: encryption that needs no nonce, where equal values under
// equal associated data give equal texts, and nothing else shows. It serves the
// pseudonyms that carry their value along, so that no row is needed to get it
// back. It is our own because the library that has it is linked only into builds
// for the clouds; the vectors of the RFC and of that library hold it.

// sivKey is the size of a key: two AES-256 keys. Halves of 128 bits would fall to
// whoever collects many keys (Chatterjee, Menezes, Sarkar: Another look at
// tightness, 5.1).
const sivKey = 64

// errSIV says that a text was not made by this key for this associated data. It
// does not say which of them is wrong.
var errSIV = errors.New("not sealed by this key")

// siv is AES-SIV under one key. It is safe for concurrent use.
type siv struct {
	mac, ctr cipher.Block
	k1, k2   [aes.BlockSize]byte // CMAC's subkeys
}

func newSIV(key []byte) (*siv, error) {
	if len(key) != sivKey {
		return nil, fmt.Errorf("siv: a key has %d bytes", sivKey)
	}
	return newSIVOf(key)
}

// newSIVOf takes a key of any AES size twice, which vectors need.
func newSIVOf(key []byte) (*siv, error) {
	mac, err := aes.NewCipher(key[:len(key)/2])
	if err != nil {
		return nil, fmt.Errorf("siv: %w", err)
	}
	ctr, err := aes.NewCipher(key[len(key)/2:])
	if err != nil {
		return nil, fmt.Errorf("siv: %w", err)
	}
	s := &siv{mac: mac, ctr: ctr}
	mac.Encrypt(s.k1[:], s.k1[:])
	double(&s.k1)
	s.k2 = s.k1
	double(&s.k2)
	return s, nil
}

// seal returns the synthetic IV and the encrypted plain, which is 16 bytes more.
func (s *siv) seal(plain []byte, ad ...[]byte) []byte {
	v := s.s2v(plain, ad)
	out := make([]byte, aes.BlockSize+len(plain))
	copy(out, v[:])
	s.stream(v, out[aes.BlockSize:], plain)
	return out
}

// open returns what seal was given, or errSIV.
func (s *siv) open(sealed []byte, ad ...[]byte) ([]byte, error) {
	if len(sealed) < aes.BlockSize {
		return nil, errSIV
	}
	v := [aes.BlockSize]byte(sealed[:aes.BlockSize])
	plain := make([]byte, len(sealed)-aes.BlockSize)
	s.stream(v, plain, sealed[aes.BlockSize:])
	want := s.s2v(plain, ad)
	if subtle.ConstantTimeCompare(v[:], want[:]) != 1 {
		return nil, errSIV
	}
	return plain, nil
}

// stream is CTR mode from v with two bits cleared (RFC 5297, 2.5).
func (s *siv) stream(v [aes.BlockSize]byte, out, in []byte) {
	v[8] &= 0x7f
	v[12] &= 0x7f
	cipher.NewCTR(s.ctr, v[:]).XORKeyStream(out, in)
}

// s2v is RFC 5297, 2.4.
func (s *siv) s2v(plain []byte, ad [][]byte) [aes.BlockSize]byte {
	var zero [aes.BlockSize]byte
	d := s.cmac(zero[:])
	for _, a := range ad {
		double(&d)
		m := s.cmac(a)
		subtle.XORBytes(d[:], d[:], m[:])
	}
	if len(plain) >= aes.BlockSize {
		t := make([]byte, len(plain))
		copy(t, plain)
		end := t[len(t)-aes.BlockSize:]
		subtle.XORBytes(end, end, d[:])
		return s.cmac(t)
	}
	double(&d)
	subtle.XORBytes(d[:], d[:len(plain)], plain)
	d[len(plain)] ^= 0x80
	return s.cmac(d[:])
}

// cmac is AES-CMAC (RFC 4493, NIST SP 800-38B).
func (s *siv) cmac(m []byte) [aes.BlockSize]byte {
	var x [aes.BlockSize]byte
	for len(m) > aes.BlockSize {
		subtle.XORBytes(x[:], x[:], m[:aes.BlockSize])
		s.mac.Encrypt(x[:], x[:])
		m = m[aes.BlockSize:]
	}
	last := s.k1
	if len(m) < aes.BlockSize {
		last = s.k2
		last[len(m)] ^= 0x80
	}
	subtle.XORBytes(last[:], last[:len(m)], m)
	subtle.XORBytes(x[:], x[:], last[:])
	s.mac.Encrypt(x[:], x[:])
	return x
}

// double multiplies by x in GF(2^128), in constant time.
func double(b *[aes.BlockSize]byte) {
	carry := b[0] >> 7
	for i := range len(b) - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[len(b)-1] = b[len(b)-1]<<1 ^ carry*0x87
}
