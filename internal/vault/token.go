package vault

import (
	"bytes"

	"ostiary.dev/ostiary/internal/keys"
)

// maxType is the longest name of a type in a token, in bytes.
const maxType = 32

// Token is the text that stands for a value: <EMAIL_7K3QX2M9PD4TBW6H>.
func tokenText(typ, code string) string { return "<" + typ + "_" + code + ">" }

// Find returns where whole tokens stand in b, as half-open byte offsets, in
// order. It takes one pass; whatever has not the whole form is text.
func Find(b []byte) (out [][2]int) {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '<')
		if i < 0 {
			return out
		}
		at += i
		if n := tokenAt(b[at:]); n > 0 {
			out = append(out, [2]int{at, at + n})
			at += n
			continue
		}
		at++
	}
}

// IsToken reports whether text is one whole token.
func IsToken(text string) bool {
	return len(text) <= maxType+keys.TokenSize+3 && len(text) > 0 && tokenAt([]byte(text)) == len(text)
}

// tokenAt returns the length of the token that b begins with, or 0. The code is
// what stands between the last underscore and the closing bracket: a type may
// have underscores of its own.
func tokenAt(b []byte) int {
	if len(b) < keys.TokenSize+4 || b[0] != '<' || !upper(b[1]) {
		return 0
	}
	end := 1
	for end < len(b) && end <= maxType+keys.TokenSize+1 && (upper(b[end]) || digit(b[end]) || b[end] == '_') {
		end++
	}
	code := end - keys.TokenSize
	if end == len(b) || b[end] != '>' || code < 3 || b[code-1] != '_' || !validType(b[1:code-1]) {
		return 0
	}
	for _, c := range b[code:end] {
		if !crockford(c) {
			return 0
		}
	}
	return end + 1
}

// validType reports whether a type can stand in a token.
func validType[T string | []byte](typ T) bool {
	if len(typ) == 0 || len(typ) > maxType || !upper(typ[0]) {
		return false
	}
	for i := range len(typ) {
		if c := typ[i]; !upper(c) && !digit(c) && c != '_' {
			return false
		}
	}
	return true
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

// crockford reports whether c is a digit of Crockford's base32.
func crockford(c byte) bool {
	return digit(c) || upper(c) && c != 'I' && c != 'L' && c != 'O' && c != 'U'
}
