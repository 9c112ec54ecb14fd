package verify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
)

// maxLeaf and maxPart bound an entry (docs/formats/log.md).
const (
	maxLeaf = 400
	maxPart = 64 << 10
)

// unquote takes the quotes off a string of a leaf.
func unquote(text []byte) string { return string(text[1 : len(text)-1]) }

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

// open reports whether the entry says that a call may go on: its outcome is in
// another. A refusal is the outcome by itself.
func (l leaf) open() bool {
	return string(l.kind) == `"call.decided"` && string(l.decision) != `"deny"`
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

// text reads a string and returns it with its quotes. Strings are printable
// ASCII without space, quotes and backslash, so none has a second spelling.
func (r *leafReader) text(name string, optional bool) []byte {
	if !r.member(name, optional) {
		return nil
	}
	if len(r.rest) == 0 {
		r.fail("ends early")
		return nil
	}
	n := 1
	for n < len(r.rest) && ' ' < r.rest[n] && r.rest[n] <= '~' && r.rest[n] != '"' && r.rest[n] != '\\' {
		n++
	}
	if r.rest[0] != '"' || n < 2 || n >= len(r.rest) || r.rest[n] != '"' {
		r.fail("has an empty or odd string at " + name[:len(name)-1])
		return nil
	}
	s := r.rest[:n+1]
	r.rest = r.rest[n+1:]
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
