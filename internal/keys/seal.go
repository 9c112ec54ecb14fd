package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrSeal says that a sealed value does not open: wrong key, wrong identity,
// edited, cut, or not a seal record. The text is the same for all of them, so
// that nothing can be learned by trying.
var ErrSeal = errors.New("sealed value does not open")

// MaxPlain is the longest value, in bytes, that one record seals. Larger ones
// belong in segments.
const MaxPlain = 16 << 20

// Layout of a seal record, version 1: magic, version, key_id, salt, commit,
// nonce, ciphertext, tag.
const (
	magic      = "OST\x01"
	keyIDSize  = 16
	saltSize   = 24
	commitSize = 16
	nonceSize  = 12
	tagSize    = 16
	keySize    = 32

	saltAt   = len(magic) + keyIDSize
	commitAt = saltAt + saltSize
	bodyAt   = commitAt + commitSize

	// Overhead is how many bytes a record is longer than what it seals.
	Overhead = bodyAt + nonceSize + tagSize
)

// Identity is where a sealed value belongs. It is never stored in the record:
// the reader supplies it from where the value was found, so a value that was
// moved to another tenant, row, column or version does not open.
type Identity struct {
	Tenant  string
	Kind    string
	Record  string
	Column  string
	Version string
}

// tuple encodes id with length prefixes, so that no two identities meet. It
// fails when a part is longer than 65,535 bytes.
func (id Identity) tuple() ([]byte, error) {
	var out []byte
	for _, part := range [...]string{id.Tenant, id.Kind, id.Record, id.Column, id.Version} {
		if len(part) > math.MaxUint16 {
			return nil, errors.New("seal: identity part is longer than 65535 bytes")
		}
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return out, nil
}

// dek is one data encryption key with the random id that finds it.
type dek struct {
	id  [keyIDSize]byte
	key [keySize]byte
}

// newDEK makes a key. Keys are always made here and never imported: 16 bytes
// of commitment would not stop somebody who may choose both keys.
func newDEK() *dek {
	d := &dek{}
	fillRandom(d.id[:])
	fillRandom(d.key[:])
	return d
}

// String keeps a key out of anything that prints it.
func (d *dek) String() string { return "[key]" }

// GoString keeps a key out of %#v.
func (d *dek) GoString() string { return "[key]" }

// fillRandom fills b from the system's generator, which never fails on Go 1.24
// or later (it ends the process instead).
func fillRandom(b []byte) {
	if _, err := rand.Read(b); err != nil {
		panic("keys: no randomness: " + err.Error())
	}
}

// derived is what one salt and one identity give under a key.
type derived struct {
	aead   cipher.AEAD
	commit [commitSize]byte
}

// derive makes the record key and the commitment. 24 random bytes of salt give
// each record its own key, so the limit of 2^32 random nonces per key is never
// near; the commitment stops one ciphertext from opening under two keys
// (TestSealTwoKeys).
func (d *dek) derive(salt, tuple []byte) (*derived, error) {
	prk, err := hkdf.Extract(sha256.New, d.key[:], salt)
	if err != nil {
		return nil, fmt.Errorf("seal: extract: %w", err)
	}
	key, err := hkdf.Expand(sha256.New, prk, "rec/v1"+string(tuple), keySize)
	if err != nil {
		return nil, fmt.Errorf("seal: expand: %w", err)
	}
	commit, err := hkdf.Expand(sha256.New, prk, "com/v1"+string(tuple), commitSize)
	if err != nil {
		return nil, fmt.Errorf("seal: expand: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	out := &derived{aead: aead}
	copy(out.commit[:], commit)
	return out, nil
}

// seal encrypts plain under d for id and returns the record.
func (d *dek) seal(id Identity, plain []byte) ([]byte, error) {
	if len(plain) > MaxPlain {
		return nil, fmt.Errorf("seal: value is longer than %d bytes", MaxPlain)
	}
	tuple, err := id.tuple()
	if err != nil {
		return nil, err
	}
	out := make([]byte, bodyAt, len(plain)+Overhead)
	copy(out, magic)
	copy(out[len(magic):], d.id[:])
	fillRandom(out[saltAt:commitAt])
	with, err := d.derive(out[saltAt:commitAt], tuple)
	if err != nil {
		return nil, err
	}
	copy(out[commitAt:], with.commit[:])
	return with.aead.Seal(out, nil, plain, tuple), nil
}

// open decrypts a record that d sealed for id, or returns ErrSeal.
func (d *dek) open(id Identity, record []byte) ([]byte, error) {
	tuple, err := id.tuple()
	if err != nil || !d.sealed(record) {
		return nil, ErrSeal
	}
	with, err := d.derive(record[saltAt:commitAt], tuple)
	if err != nil {
		return nil, ErrSeal
	}
	return with.open(record, tuple)
}

// sealed reports whether record has the form of a record under d's id.
func (d *dek) sealed(record []byte) bool {
	return len(record) >= Overhead && len(record) <= MaxPlain+Overhead &&
		string(record[:len(magic)]) == magic && bytes.Equal(record[len(magic):saltAt], d.id[:])
}

// open checks the commitment in constant time, then decrypts.
func (with *derived) open(record, tuple []byte) ([]byte, error) {
	if subtle.ConstantTimeCompare(record[commitAt:bodyAt], with.commit[:]) != 1 {
		return nil, ErrSeal
	}
	plain, err := with.aead.Open(nil, nil, record[bodyAt:], tuple)
	if err != nil {
		return nil, ErrSeal
	}
	return plain, nil
}

// Seal encrypts plain under the current key of p. Only the same purpose and
// identity open it. plain is at most MaxPlain bytes.
func (r *Ring) Seal(p Purpose, id Identity, plain []byte) ([]byte, error) {
	d := r.state.Load().current(p)
	if d == nil {
		return nil, fmt.Errorf("seal: no key for purpose %q", p)
	}
	return d.seal(id, plain)
}

// Open decrypts what Seal made for the same purpose and identity, under any
// version of the key that was not destroyed. Any failure is ErrSeal.
func (r *Ring) Open(p Purpose, id Identity, sealed []byte) ([]byte, error) {
	d := r.state.Load().find(p, sealed)
	if d == nil {
		return nil, ErrSeal
	}
	return d.open(id, sealed)
}
