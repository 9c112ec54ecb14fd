package http1

import (
	"iter"
	"strings"
)

// Field is one header field: a name as it was sent and its value without the
// optional white space around it.
type Field struct{ Name, Value string }

// Header is a list of fields in the order of arrival. Names compare without
// regard to ASCII case.
type Header []Field

// Get returns the value of the first field called name.
func (h Header) Get(name string) (string, bool) {
	for i := range h {
		if same(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	return "", false
}

// Count returns how many fields are called name.
func (h Header) Count(name string) int {
	n := 0
	for i := range h {
		if same(h[i].Name, name) {
			n++
		}
	}
	return n
}

// All yields the values of the fields called name, in order.
func (h Header) All(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range h {
			if same(h[i].Name, name) && !yield(h[i].Value) {
				return
			}
		}
	}
}

// Byte classes of RFC 9110 section 5.6.2 and of the values accepted here.
const (
	tokenByte  = 1 << iota // tchar
	valueByte              // SP, HTAB, VCHAR: no obs-text, no other control
	targetByte             // VCHAR but '#'
	hostByte               // letters, digits and "-._:[]"
	hexByte
)

// classes says for each byte what it may be part of; lower folds ASCII case.
var classes, lower = tables()

func tables() (class, fold [256]byte) {
	for i := range 256 {
		c := byte(i)
		fold[i] = c
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		digit := '0' <= c && c <= '9'
		if 'A' <= c && c <= 'Z' {
			fold[i] = c + 'a' - 'A'
		}
		if letter || digit || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			class[i] |= tokenByte
		}
		if c == '\t' || c >= ' ' && c < 0x7f {
			class[i] |= valueByte
		}
		if c > ' ' && c < 0x7f && c != '#' {
			class[i] |= targetByte
		}
		if letter || digit || strings.IndexByte("-._:[]", c) >= 0 {
			class[i] |= hostByte
		}
		if digit || 'a' <= fold[i] && fold[i] <= 'f' {
			class[i] |= hexByte
		}
	}
	return class, fold
}

// only reports whether every byte of s is of the class.
func only(s string, class byte) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// same reports whether a and b are equal without regard to ASCII case.
func same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lower[a[i]] != lower[b[i]] {
			return false
		}
	}
	return true
}

// trim returns s without SP and HTAB at its ends (OWS).
func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// elements yields the trimmed elements of a comma-separated list.
func elements(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(list, ",") {
			if !yield(trim(part)) {
				return
			}
		}
	}
}
