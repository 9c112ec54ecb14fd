package keys

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// This file derives what pseudonyms of values need from the key of Pseudonyms:
// docs/formats/pseudonym.md. Each use, scope and type of value has a key of its
// own, so that the same value in two scopes gives tokens that nobody can link,
// and a token tells nothing about the index that finds its value
// (TestPseudonymKeysApart).

// The operators, one derived key each. A name is never reused.
const (
	opToken = "token" // MAC of a value, which is its keyed token
	opIndex = "index" // blind index of a value, which finds its random token
	opSeal  = "seal"  // the value behind a token
)

// TokenSize is the length of the code in a token: 80 bits in Crockford's
// base32. Two of 2^20 values meet with a chance of 2^-40.
const TokenSize = 16

const (
	tokenCode      = TokenSize * 5 / 8
	pseudonymLabel = "tok"
)

// crockford is Crockford's base32: no I, L, O and U.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// DataSubject begins the names of people whom data is about, so that none meets
// the name of an agent or an operator.
const DataSubject = "data-subject:"

// pseudonymKey derives the key of one operator for a scope and a type. Fields
// have their lengths before them: no two tuples meet.
func (v *version) pseudonymKey(scope, typ, operator string) ([]byte, error) {
	info := []byte(pseudonymLabel)
	for _, part := range [...]string{DefaultTenant, scope, typ, operator, strconv.FormatUint(uint64(v.number), 10)} {
		info = binary.BigEndian.AppendUint32(info, uint32(len(part)))
		info = append(info, part...)
	}
	key, err := hkdf.Expand(sha256.New, v.key.key[:], string(info), keySize)
	if err != nil {
		return nil, fmt.Errorf("derive a key of %s: %w", Pseudonyms, err)
	}
	return key, nil
}

// pseudonymVersions returns the versions that may be used, newest first; the
// first one writes.
func (r *Ring) pseudonymVersions() (out []*version) {
	all := r.state.Load().keys[Pseudonyms]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].state != Destroying {
			out = append(out, all[i])
		}
	}
	return out
}

// pseudonymMAC is the HMAC of a value under a derived key.
func (v *version) pseudonymMAC(scope, typ, operator, value string) ([]byte, error) {
	key, err := v.pseudonymKey(scope, typ, operator)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	return mac.Sum(nil), nil
}

// errNoPseudonyms says that the purpose has no key.
var errNoPseudonyms = errors.New("no key for pseudonyms")

// first returns what do makes with the current version.
func (r *Ring) first(do func(*version) (string, error)) (string, error) {
	all := r.pseudonymVersions()
	if len(all) == 0 {
		return "", errNoPseudonyms
	}
	return do(all[0])
}

// each returns what do makes with every version, newest first.
func (r *Ring) each(do func(*version) (string, error)) (out []string, err error) {
	for _, v := range r.pseudonymVersions() {
		one, err := do(v)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// TokenCode returns the code of the keyed token of a normalized value.
func (r *Ring) TokenCode(scope, typ, value string) (string, error) {
	return r.first(tokenCodeOf(scope, typ, value))
}

// TokenCodes returns the codes under every version of the key, newest first.
func (r *Ring) TokenCodes(scope, typ, value string) ([]string, error) {
	return r.each(tokenCodeOf(scope, typ, value))
}

func tokenCodeOf(scope, typ, value string) func(*version) (string, error) {
	return func(v *version) (string, error) {
		sum, err := v.pseudonymMAC(scope, typ, opToken, value)
		if err != nil {
			return "", err
		}
		return crockford.EncodeToString(sum[:tokenCode]), nil
	}
}

// RandomCode returns the code of a token that is derived from nothing.
func RandomCode() string {
	b := make([]byte, tokenCode)
	fillRandom(b)
	return crockford.EncodeToString(b)
}

// ValueIndex returns the blind index of a normalized value, which never leaves
// the vault: 32 characters.
func (r *Ring) ValueIndex(scope, typ, value string) (string, error) {
	return r.first(valueIndexOf(scope, typ, value))
}

// ValueIndexes returns the indexes under every version of the key, newest first.
func (r *Ring) ValueIndexes(scope, typ, value string) ([]string, error) {
	return r.each(valueIndexOf(scope, typ, value))
}

func valueIndexOf(scope, typ, value string) func(*version) (string, error) {
	return func(v *version) (string, error) {
		sum, err := v.pseudonymMAC(scope, typ, opIndex, value)
		if err != nil {
			return "", err
		}
		return base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding).EncodeToString(sum[:indexBytes]), nil
	}
}

// PseudonymPlace is where a sealed value belongs.
type PseudonymPlace struct {
	Scope, Type, Token string
	Subject            string // pseudonym of the data subject; "": the scope's key seals
}

// identity binds a value to its scope, type and token: a row that was moved to
// another one does not open.
func (p PseudonymPlace) identity() Identity {
	var record []byte
	for _, part := range [...]string{p.Scope, p.Type, p.Token} {
		record = binary.BigEndian.AppendUint16(record, uint16(len(part)))
		record = append(record, part...)
	}
	return Identity{Tenant: DefaultTenant, Kind: "pseudonym", Record: string(record), Column: "value", Version: "1"}
}

// sealing is the key that seals the values of a scope and type. It keeps the id
// of the key that it is derived from, which finds it again.
func (v *version) sealing(p PseudonymPlace) (*dek, error) {
	key, err := v.pseudonymKey(p.Scope, p.Type, opSeal)
	if err != nil {
		return nil, err
	}
	d := &dek{id: v.key.id}
	copy(d.key[:], key)
	return d, nil
}

// SealPseudonym seals the value behind a token: under the data subject's own
// key, so that its destruction erases every value of the subject, or under the
// key of the scope and type.
func (r *Ring) SealPseudonym(p PseudonymPlace, value []byte) ([]byte, error) {
	if p.Subject != "" {
		s, ok := r.SubjectOf(p.Subject)
		if !ok {
			return nil, fmt.Errorf("seal a pseudonym: %w", ErrSubject)
		}
		return s.Seal(p.identity(), value)
	}
	all := r.pseudonymVersions()
	if len(all) == 0 {
		return nil, errNoPseudonyms
	}
	d, err := all[0].sealing(p)
	if err != nil {
		return nil, err
	}
	return d.seal(p.identity(), value)
}

// OpenPseudonym opens what SealPseudonym made, under any version of the key that
// was not destroyed. Any failure is ErrSeal.
func (r *Ring) OpenPseudonym(p PseudonymPlace, sealed []byte) ([]byte, error) {
	if p.Subject != "" {
		s, ok := r.SubjectOf(p.Subject)
		if !ok {
			return nil, ErrSeal
		}
		return s.Open(p.identity(), sealed)
	}
	for _, v := range r.pseudonymVersions() {
		if !v.key.sealed(sealed) {
			continue
		}
		d, err := v.sealing(p)
		if err != nil {
			return nil, ErrSeal
		}
		return d.open(p.identity(), sealed)
	}
	return nil, ErrSeal
}
