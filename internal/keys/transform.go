package keys

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The operators of values that change without a row in the vault: siv.go,
// ff1.go and what is derived from an HMAC.
const (
	opHash      = "hash"      // one way
	opShift     = "shift"     // days of a subject
	opSurrogate = "surrogate" // seed of an invented value
	opSIV       = "siv"       // AES-SIV, two keys
	opSIVMore   = "siv/2"
	opFF1       = "ff1"
)

// maxShift is how far a date moves at most, in days.
const maxShift = 365

// Transforms are the keyed functions that change values, on the key of
// Pseudonyms. What the newest version of the key made is what the same value
// gives; older versions only open. It is safe for concurrent use.
type Transforms struct{ r *Ring }

// Transforms returns the keyed functions that change values.
func (r *Ring) Transforms() Transforms { return Transforms{r} }

// Hash returns 80 bits of an HMAC of value in Crockford's base32, and "" without
// a key. Nothing gets the value back, but who has the key can try values.
func (t Transforms) Hash(scope, typ, value string) string {
	sum := t.sum(scope, typ, opHash, value)
	if sum == nil {
		return ""
	}
	return crockford.EncodeToString(sum[:tokenCode])
}

// Shift returns by how many days the dates of a subject move: -365 to 365 but
// never 0, which is for want of a key.
func (t Transforms) Shift(scope, subject string) int {
	sum := t.sum(scope, "DATE_TIME", opShift, subject)
	if sum == nil {
		return 0
	}
	days := int(binary.BigEndian.Uint64(sum)%(2*maxShift)) - maxShift // -365 to 364
	if days >= 0 {
		days++
	}
	return days
}

// Surrogate returns the seed of the invented value that takes value's place, and
// 0 for want of a key only.
func (t Transforms) Surrogate(scope, typ, value string) uint64 {
	sum := t.sum(scope, typ, opSurrogate, value)
	if sum == nil {
		return 0
	}
	return max(1, binary.BigEndian.Uint64(sum))
}

// sum is the HMAC of value under the newest version, or nil.
func (t Transforms) sum(scope, typ, operator, value string) []byte {
	all := t.r.pseudonymVersions()
	if len(all) == 0 {
		return nil
	}
	sum, err := all[0].pseudonymMAC(scope, typ, operator, value)
	if err != nil {
		return nil
	}
	return sum
}

// SIV returns value under AES-SIV, in Crockford's base32. The scope and the type
// are the associated data too: in another place nothing opens it.
func (t Transforms) SIV(scope, typ, value string) (string, error) {
	all := t.r.pseudonymVersions()
	if len(all) == 0 {
		return "", errNoPseudonyms
	}
	s, ad, err := all[0].siv(scope, typ)
	if err != nil {
		return "", err
	}
	return crockford.EncodeToString(s.seal([]byte(value), ad)), nil
}

// OpenSIV returns what SIV was given, under any version of the key. Another
// scope, another type and a forged text are the same ErrSeal.
func (t Transforms) OpenSIV(scope, typ, code string) (string, error) {
	sealed, err := crockford.DecodeString(code)
	if err != nil {
		return "", ErrSeal
	}
	for _, v := range t.r.pseudonymVersions() {
		s, ad, err := v.siv(scope, typ)
		if err != nil {
			return "", err
		}
		if plain, err := s.open(sealed, ad); err == nil {
			return string(plain), nil
		} else if !errors.Is(err, errSIV) {
			return "", err
		}
	}
	return "", ErrSeal
}

// siv returns the cipher of a scope and type, and the associated data.
func (v *version) siv(scope, typ string) (*siv, []byte, error) {
	key, err := v.pseudonymKey(scope, typ, opSIV)
	if err != nil {
		return nil, nil, err
	}
	more, err := v.pseudonymKey(scope, typ, opSIVMore)
	if err != nil {
		return nil, nil, err
	}
	s, err := newSIV(append(key, more...))
	if err != nil {
		return nil, nil, err
	}
	return s, fields(DefaultTenant, scope, typ, string(v.key.id[:])), nil
}

// fields joins parts with their lengths before them.
func fields(parts ...string) []byte {
	var out []byte
	for _, part := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

// FF1 returns as many other digits, under the newest version of the key. It
// refuses what is not digits, and fewer than six: ErrDomain.
func (t Transforms) FF1(scope, typ, digits string) (string, error) {
	all := t.r.pseudonymVersions()
	if len(all) == 0 {
		return "", errNoPseudonyms
	}
	return all[0].ff1(scope, typ, digits, false)
}

// OpenFF1 returns what FF1 was given if the newest version of the key made it,
// and after that what it was given if an older one did. FF1 has no
// authentication: nothing tells which of them it was, or whether any.
func (t Transforms) OpenFF1(scope, typ, digits string) (out []string, err error) {
	for _, v := range t.r.pseudonymVersions() {
		plain, err := v.ff1(scope, typ, digits, true)
		if err != nil {
			return nil, err
		}
		out = append(out, plain)
	}
	return out, nil
}

func (v *version) ff1(scope, typ, digits string, back bool) (string, error) {
	x := make([]byte, len(digits))
	for i := range digits {
		x[i] = digits[i] - '0' // what is not a digit is above 9, and refused
	}
	key, err := v.pseudonymKey(scope, typ, opFF1)
	if err != nil {
		return "", err
	}
	f, err := newFF1(key, 10)
	if err != nil {
		return "", err
	}
	y, err := f.crypt(fields(DefaultTenant, scope, typ), x, back)
	if err != nil {
		return "", fmt.Errorf("digits of a value: %w", err)
	}
	for i := range y {
		y[i] += '0'
	}
	return string(y), nil
}
