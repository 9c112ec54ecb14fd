package verify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxLeaf and maxPart bound an entry (docs/formats/log.md).
const (
	maxLeaf = 400
	maxPart = 64 << 10
)

// leaf is what a leaf says. The strings are JSON texts, with their quotes.
type leaf struct {
	commitment [32]byte
	decision   []byte // nil: none
	kind       []byte
	log        []byte
	server     []byte // nil: none
	exchange   []byte // nil: none
	time       int64  // milliseconds
}

// parseLeaf reads a leaf in its one form: canonical JSON (RFC 8785) with these
// members in this order and no other. A leaf that says the same in other bytes
// is refused, so that two readers cannot read two things.
func parseLeaf(b []byte) (leaf, error) {
	if len(b) > maxLeaf {
		return leaf{}, fmt.Errorf("the leaf is longer than %d bytes", maxLeaf)
	}
	r := leafReader{rest: b}
	r.token("{")
	var l leaf
	l.decision = r.text(`"dec":`, true)
	l.commitment = r.hash(`"h":`)
	l.kind = r.text(`"kind":`, false)
	l.log = r.text(`"log":`, false)
	r.number(`"pol":`, true)
	l.server = r.text(`"srv":`, true)
	l.time = r.number(`"t":`, false)
	version := r.number(`"v":`, false)
	l.exchange = r.text(`"x":`, true)
	if r.err == nil && string(r.rest) != "}" {
		r.fail("has a member that is not known, or one at the wrong place")
	}
	if r.err == nil && version != 1 {
		r.fail("has a version that is not known")
	}
	return l, r.err
}

// leafReader walks over a leaf. After the first error it does nothing.
type leafReader struct {
	rest  []byte
	err   error
	begun bool
}

func (r *leafReader) fail(why string) {
	if r.err == nil {
		r.err = errors.New("the leaf is not canonical: it " + why)
	}
}

func (r *leafReader) token(t string) {
	if rest, ok := bytes.CutPrefix(r.rest, []byte(t)); ok {
		r.rest = rest
	} else {
		r.fail("has no " + t + " where it belongs")
	}
}

// member steps over a member's name; false when it is not there.
func (r *leafReader) member(name string, optional bool) bool {
	if r.err != nil {
		return false
	}
	rest := r.rest
	if r.begun {
		var ok bool
		if rest, ok = bytes.CutPrefix(rest, []byte(",")); !ok {
			rest = nil
		}
	}
	rest, ok := bytes.CutPrefix(rest, []byte(name))
	if !ok {
		if !optional {
			r.fail("lacks " + name[:len(name)-1])
		}
		return false
	}
	r.rest, r.begun = rest, true
	return true
}

// text reads a string and returns it with its quotes.
func (r *leafReader) text(name string, optional bool) []byte {
	if !r.member(name, optional) {
		return nil
	}
	n := canonicalString(r.rest)
	if n <= 2 {
		r.fail("has an empty or odd string at " + name[:len(name)-1])
		return nil
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// number reads a whole number that is not negative; JSON numbers are exact
// below 2^53.
func (r *leafReader) number(name string, optional bool) int64 {
	if !r.member(name, optional) {
		return 0
	}
	n := 0
	for n < len(r.rest) && '0' <= r.rest[n] && r.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(string(r.rest[:n]), 10, 64)
	if err != nil || v >= 1<<53 || n > 1 && r.rest[0] == '0' || optional && v == 0 {
		r.fail("has an odd number at " + name[:len(name)-1])
	}
	r.rest = r.rest[n:]
	return v
}

// hash reads 32 bytes in base64url without padding.
func (r *leafReader) hash(name string) (h [32]byte) {
	const chars = 43
	if !r.member(name, false) {
		return h
	}
	if len(r.rest) < chars+2 || r.rest[0] != '"' || r.rest[chars+1] != '"' {
		r.fail("has no hash at " + name[:len(name)-1])
		return h
	}
	// Decode ignores line breaks; they make it shorter than 32 bytes.
	n, err := base64.RawURLEncoding.Strict().Decode(h[:], r.rest[1:chars+1])
	if err != nil || n != len(h) {
		r.fail("has no hash at " + name[:len(name)-1])
		return h
	}
	r.rest = r.rest[chars+2:]
	return h
}

// canonicalString returns the length of the JSON string at the start of b, with
// its quotes, when it is spelled as RFC 8785 spells it; else 0.
func canonicalString(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i := 1; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			n := canonicalEscape(b[i:])
			if n == 0 {
				return 0
			}
			i += n
		case c < ' ':
			return 0
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return 0
			}
			i += n
		}
	}
	return 0
}

// canonicalEscape returns the length of the escape at the start of b, or 0 when
// RFC 8785 spells that character otherwise.
func canonicalEscape(b []byte) int {
	if len(b) >= 2 && bytes.IndexByte([]byte(`"\bfnrt`), b[1]) >= 0 {
		return 2
	}
	if len(b) < 6 || b[1] != 'u' || b[2] != '0' || b[3] != '0' {
		return 0
	}
	v, err := strconv.ParseUint(string(b[4:6]), 16, 8)
	short := v == '\b' || v == '\t' || v == '\n' || v == '\f' || v == '\r'
	if err != nil || v >= ' ' || short || !bytes.Equal(b[4:6], bytes.ToLower(b[4:6])) {
		return 0
	}
	return 6
}
