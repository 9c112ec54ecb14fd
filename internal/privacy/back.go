package privacy

import (
	"bytes"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

// This file is about the way back from values that carry themselves along.

// Code returns the part of a text that SIV made which keys.Transforms opens, and
// the type.
func Code(text string) (pii.Type, string, bool) {
	inner, ok := strings.CutPrefix(text, "[")
	inner, end := strings.CutSuffix(inner, "]")
	typ, code, mark := strings.Cut(inner, "~")
	if !ok || !end || !mark || !pii.Type(typ).Known() || code == "" {
		return "", "", false
	}
	return pii.Type(typ), code, true
}

// Codes returns where whole texts that SIV may have made stand in b, as half-open
// byte offsets, in order. It takes one pass.
func Codes(b []byte) (out [][2]int) {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '[')
		if i < 0 {
			return out
		}
		start := at + i
		end := start + 1
		for end < len(b) && (b[end] == '~' || b[end] == '_' || 'A' <= b[end] && b[end] <= 'Z' || '0' <= b[end] && b[end] <= '9') {
			end++
		}
		if at = end; end < len(b) && b[end] == ']' {
			if _, _, ok := Code(string(b[start : end+1])); ok {
				at = end + 1
				out = append(out, [2]int{start, at})
			}
		}
	}
}

// Encryptable reports whether FF1 could have made a value. A card that passes its
// check is somebody's: FF1 makes none.
func Encryptable(typ pii.Type, value string) bool {
	have := onlyDigits(value)
	return slices.Contains(digits, typ) && numberLike(value) && len(have) >= 6 && len(have) <= 38 && !looksInvented(have) &&
		(typ != pii.CreditCard || marked(have))
}

// looksInvented reports whether digits begin as those of invented numbers do.
func looksInvented(digits string) bool { return strings.HasPrefix(digits, "000") }

// walked applies a permutation of digits until what begins with a nought does so
// again, and what does not does not: a JSON number has no nought in front, and
// most schemas of numbers refuse one. The inverse walks the same way back.
func walked(digits string, step func(string) (string, error)) (string, error) {
	out := digits
	for range maxWalk {
		next, err := step(out)
		if err != nil || next == "" || (next[0] == '0') == (digits[0] == '0') {
			return next, err
		}
		out = next
	}
	return "", ErrShape
}

// maxWalk bounds a walk; one in ten steps ends it at worst.
const maxWalk = 1000

// marked reports whether the last digit is the wrong check that FF1 leaves a card.
func marked(have string) bool {
	return len(have) > 1 && check(have[:len(have)-1]) == '0'+(have[len(have)-1]-'0'+5)%10
}

// Decrypted undoes the digits of a value that FF1 made, given what opens them.
// FF1 has no authentication: a value that it did not make becomes another value.
func Decrypted(typ pii.Type, value string, open func(digits string) (string, error)) (string, error) {
	have := onlyDigits(value)
	card := typ == pii.CreditCard && marked(have)
	if card {
		have = have[:len(have)-1]
	}
	if have == "" {
		return value, nil
	}
	plain, err := walked(have, open)
	if err != nil {
		return "", err
	}
	if card {
		plain += string(check(plain))
	}
	return withDigits(value, plain), nil
}
