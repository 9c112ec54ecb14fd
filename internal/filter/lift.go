package filter

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/wire"
)

// lift turns edits of the text that string v holds into edits of the text that v
// stands in. What is not edited keeps the way it was escaped.
func lift(v wire.Value, edits []wire.Edit) []wire.Edit {
	if len(edits) == 0 {
		return nil
	}
	sortEdits(edits)
	start, _ := v.Range()
	raw := v.Raw()
	c := cursor{inside: raw[1 : len(raw)-1]}
	out := make([]wire.Edit, len(edits))
	for i, e := range edits {
		from := c.seek(e.Start)
		to := c.seek(e.End)
		out[i] = wire.Edit{Start: start + 1 + from, End: start + 1 + to}
		if len(e.Text) > 0 {
			quoted := wire.Quote(string(e.Text))
			out[i].Text = quoted[1 : len(quoted)-1]
		}
	}
	return out
}

func sortEdits(edits []wire.Edit) {
	slices.SortStableFunc(edits, func(a, b wire.Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
}

// cursor walks along the inside of a JSON string and knows how much text it has
// passed. It goes forward only, so that many edits cost one pass.
type cursor struct {
	inside []byte
	raw    int // bytes passed as written
	text   int // bytes passed as decoded
}

// seek returns where the decoded byte at lies in the string as it is written.
func (c *cursor) seek(at int) int {
	for c.text < at && c.raw < len(c.inside) {
		rest := c.inside[c.raw:]
		if rest[0] != '\\' {
			n := bytes.IndexByte(rest, '\\')
			if n < 0 {
				n = len(rest)
			}
			n = min(n, at-c.text)
			c.raw += n
			c.text += n
			continue
		}
		raw, text := escape(rest)
		c.raw += raw
		c.text += text
	}
	return c.raw
}

// escape returns the lengths of the valid escape at the start of b: as written,
// and of the character that it stands for.
func escape(b []byte) (raw, text int) {
	if b[1] != 'u' {
		return 2, 1
	}
	r := hex4(b[2:6])
	if r >= 0xD800 && r <= 0xDBFF {
		return 12, utf8.UTFMax
	}
	return 6, utf8.RuneLen(r)
}

// hex4 reads four valid hexadecimal digits.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// splice returns raw, which begins at byte base of its message, with the edits
// made. They do not overlap.
func splice(raw []byte, base int, edits []wire.Edit) []byte {
	sortEdits(edits)
	out := make([]byte, 0, len(raw))
	last := 0
	for _, e := range edits {
		out = append(out, raw[last:e.Start-base]...)
		out = append(out, e.Text...)
		last = e.End - base
	}
	return append(out, raw[last:]...)
}

// cutText returns the edit that shortens string v, which says text, to its first
// n bytes, without breaking a character.
func cutText(v wire.Value, text string, n int) wire.Edit {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	start, end := v.Range()
	raw := v.Raw()
	c := cursor{inside: raw[1 : len(raw)-1]}
	return wire.Edit{Start: start + 1 + c.seek(n), End: end - 1}
}

// runeAt returns where the n-th character of a text begins, -1 if there are not
// so many.
func runeAt(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}
