package wire

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// The sentinel of a header value that plain text cannot carry (2026-07-28,
// streamable HTTP, "Value Encoding").
const (
	sentinelHead = "=?base64?"
	sentinelTail = "?="
)

// Field is one header field.
type Field struct{ Name, Value string }

// Errors of header values. They name the fault, never the value.
var (
	errHeaderBytes   = errors.New("holds bytes outside visible ASCII, space and tab")
	errHeaderBase64  = errors.New("is not canonical base64 within its sentinel")
	errHeaderUTF8    = errors.New("does not decode to UTF-8")
	errHeaderControl = errors.New("decodes to a text with CR, LF or NUL")
)

// EncodeHeader returns s as a header value: as it is, or within the sentinel if
// it holds other than visible ASCII, space and tab, has white space at an end,
// or looks like the sentinel itself.
func EncodeHeader(s string) string {
	if isHeaderText(s) && s == strings.Trim(s, " \t") && !isSentinel(s) {
		return s
	}
	return sentinelHead + base64.StdEncoding.EncodeToString([]byte(s)) + sentinelTail
}

// DecodeHeader returns the text that a header value stands for. It refuses
// bytes that a header may not hold, base64 in any but its canonical spelling,
// text that is not UTF-8, and CR, LF and NUL in it (hostile case M02).
func DecodeHeader(s string) (string, error) {
	text, err := decodeHeader(s)
	if err == nil && strings.ContainsAny(text, "\r\n\x00") {
		return "", errHeaderControl
	}
	return text, err
}

// decodeHeader is DecodeHeader for argument values, where the specification's
// own example encodes a line break: it is compared and never becomes a header.
func decodeHeader(s string) (string, error) {
	if !isHeaderText(s) {
		return "", errHeaderBytes
	}
	if !isSentinel(s) {
		return s, nil
	}
	body := s[len(sentinelHead) : len(s)-len(sentinelTail)]
	text, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil || base64.StdEncoding.EncodeToString(text) != body {
		return "", errHeaderBase64
	}
	if !utf8.Valid(text) {
		return "", errHeaderUTF8
	}
	return string(text), nil
}

// isSentinel reports whether s begins and ends like an encoded value.
func isSentinel(s string) bool {
	return len(s) >= len(sentinelHead)+len(sentinelTail) &&
		strings.HasPrefix(s, sentinelHead) && strings.HasSuffix(s, sentinelTail)
}

// isHeaderText reports whether s holds visible ASCII, space and tab alone.
func isHeaderText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

// isToken reports whether s is an RFC 9110 token.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c-'0' < 10 || c|0x20 >= 'a' && c|0x20 <= 'z' {
			continue
		}
		if strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
