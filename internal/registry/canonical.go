package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrDefinition says that a tool's definition has no canonical form.
var ErrDefinition = errors.New("not a well-formed JSON object")

// Limits of a definition.
const (
	MaxDefinition      = 4 << 20 // bytes
	maxDefinitionDepth = 128
)

// CanonicalDigest returns the hex SHA-256 of a definition in canonical form:
// members ordered as in RFC 8785, no white space, strings escaped as there,
// numbers as their source text, so that 1 and 1.0 differ and no digit is lost.
// It refuses what two parsers may read differently: duplicate members, invalid
// UTF-8, lone surrogates, and anything but one object.
func CanonicalDigest(definition []byte) (string, error) {
	if len(definition) > MaxDefinition {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrDefinition, MaxDefinition)
	}
	if !utf8.Valid(definition) {
		return "", fmt.Errorf("%w: not UTF-8", ErrDefinition)
	}
	if !json.Valid(definition) {
		return "", ErrDefinition
	}
	c := canonicalizer{in: definition}
	c.space()
	if c.in[c.at] != '{' {
		return "", ErrDefinition
	}
	out, err := c.value(nil, 0)
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrDefinition, err)
	}
	sum := sha256.Sum256(out)
	return hex.EncodeToString(sum[:]), nil
}

// canonicalizer walks text that json.Valid accepted, so it needs no checks of
// its own for the grammar or for the end.
type canonicalizer struct {
	in []byte
	at int
}

func (c *canonicalizer) space() {
	for c.at < len(c.in) {
		switch c.in[c.at] {
		case ' ', '\t', '\r', '\n':
			c.at++
		default:
			return
		}
	}
}

// value appends the canonical form of the value at c.at.
func (c *canonicalizer) value(out []byte, depth int) ([]byte, error) {
	if depth > maxDefinitionDepth {
		return nil, errors.New("nested too deeply")
	}
	switch c.in[c.at] {
	case '{':
		return c.object(out, depth)
	case '[':
		return c.array(out, depth)
	case '"':
		s, err := c.text()
		return appendString(out, s), err
	}
	start := c.at
	for c.at < len(c.in) && !isBreak(c.in[c.at]) {
		c.at++
	}
	return append(out, c.in[start:c.at]...), nil
}

func isBreak(b byte) bool {
	switch b {
	case ' ', '\t', '\r', '\n', ',', ']', '}':
		return true
	}
	return false
}

func (c *canonicalizer) array(out []byte, depth int) ([]byte, error) {
	out = append(out, '[')
	c.at++
	for first := true; ; first = false {
		c.space()
		if c.in[c.at] == ']' {
			c.at++
			return append(out, ']'), nil
		}
		if !first {
			c.at++ // the comma
			c.space()
			out = append(out, ',')
		}
		var err error
		if out, err = c.value(out, depth+1); err != nil {
			return nil, err
		}
	}
}

type member struct {
	key   []uint16 // UTF-16, the order of RFC 8785
	name  string
	value []byte
}

func (c *canonicalizer) object(out []byte, depth int) ([]byte, error) {
	members, err := c.members(depth)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b member) int { return slices.Compare(a.key, b.key) })
	out = append(out, '{')
	for i, m := range members {
		if i > 0 {
			if slices.Equal(m.key, members[i-1].key) {
				return nil, errors.New("a member appears twice")
			}
			out = append(out, ',')
		}
		out = append(appendString(out, m.name), ':')
		out = append(out, m.value...)
	}
	return append(out, '}'), nil
}

func (c *canonicalizer) members(depth int) ([]member, error) {
	var members []member
	c.at++
	for {
		c.space()
		switch c.in[c.at] {
		case '}':
			c.at++
			return members, nil
		case ',':
			c.at++
			c.space()
		}
		name, err := c.text()
		if err != nil {
			return nil, err
		}
		c.space()
		c.at++ // the colon
		c.space()
		value, err := c.value(nil, depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{key: utf16.Encode([]rune(name)), name: name, value: value})
	}
}

// text reads the string at c.at.
func (c *canonicalizer) text() (string, error) {
	var out []byte
	for c.at++; ; {
		switch b := c.in[c.at]; b {
		case '"':
			c.at++
			return string(out), nil
		case '\\':
			r, err := c.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, b)
			c.at++
		}
	}
}

// escape reads the escape at c.at. A surrogate must come as one half of a
// pair: parsers differ in what they make of a lone one.
func (c *canonicalizer) escape() (rune, error) {
	b := c.in[c.at+1]
	if b != 'u' {
		c.at += 2
		return map[byte]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[b] | plainEscape(b), nil
	}
	high := c.unit()
	if !utf16.IsSurrogate(high) {
		return high, nil
	}
	if c.in[c.at] == '\\' && c.in[c.at+1] == 'u' {
		if r := utf16.DecodeRune(high, c.unit()); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, errors.New("a lone surrogate")
}

// plainEscape returns the character that stands for itself after a backslash.
func plainEscape(b byte) rune {
	if b == '"' || b == '\\' || b == '/' {
		return rune(b)
	}
	return 0
}

// unit reads \uXXXX at c.at.
func (c *canonicalizer) unit() rune {
	n, err := strconv.ParseUint(string(c.in[c.at+2:c.at+6]), 16, 16)
	if err != nil {
		panic("registry: valid JSON with an invalid escape")
	}
	c.at += 6
	return rune(n)
}

// appendString appends s quoted as RFC 8785 section 3.2.2.2 wants it.
func appendString(out []byte, s string) []byte {
	const short = "\b\t\n\f\r\"\\"
	const letter = "btnfr\"\\"
	out = append(out, '"')
	for i := range len(s) {
		b := s[i]
		if at := slices.Index([]byte(short), b); at >= 0 {
			out = append(out, '\\', letter[at])
			continue
		}
		if b < 0x20 {
			out = fmt.Appendf(out, `\u%04x`, b)
			continue
		}
		out = append(out, b)
	}
	return append(out, '"')
}
