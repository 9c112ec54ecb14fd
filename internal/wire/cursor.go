package wire

import (
	"bytes"
	"unicode/utf8"
)

// Cursor walks along a string as it is written and knows how much of its decoded
// text it has passed. It goes forward only, so that many places cost one pass.
type Cursor struct {
	inside []byte
	raw    int // bytes passed as written
	text   int // bytes passed as decoded
}

// NewCursor returns a cursor at the beginning of the string v.
func NewCursor(v Value) *Cursor {
	raw := v.Raw()
	return &Cursor{inside: raw[1 : len(raw)-1]}
}

// Seek returns where byte at of the decoded text lies behind the opening quote, in
// bytes. It is never less than what the call before returned.
func (c *Cursor) Seek(at int) int {
	for c.text < at && c.raw < len(c.inside) {
		rest := c.inside[c.raw:]
		if rest[0] == '\\' {
			raw, text := escapeSize(rest)
			c.raw, c.text = c.raw+raw, c.text+text
			continue
		}
		n := bytes.IndexByte(rest, '\\')
		if n < 0 {
			n = len(rest)
		}
		n = min(n, at-c.text)
		c.raw, c.text = c.raw+n, c.text+n
	}
	return c.raw
}

// escapeSize returns the lengths of the escape at the start of b: as written, and of
// the character that it stands for. That it is whole was checked when it was parsed.
func escapeSize(b []byte) (raw, text int) {
	if b[1] != 'u' {
		return 2, 1
	}
	r, _ := hex4(b)
	if r >= 0xD800 && r <= 0xDBFF {
		return 12, utf8.UTFMax
	}
	return 6, utf8.RuneLen(r)
}
