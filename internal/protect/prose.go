package protect

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// maxInner is how many times JSON in a text is read as such.
const maxInner = 2

// prose is a text of a message, decoded, and the way back: where in the message
// each of its bytes was written.
type prose struct {
	text string
	base int   // where the first byte is, when every byte stands for itself
	off  []int // else where each byte is, and the end
	path string
}

func (p *prose) at(i int) int {
	if p.off == nil {
		return p.base + i
	}
	return p.off[i]
}

// part is the JSON string that stands, quotes included, at text[start:end],
// decoded.
func (p *prose) part(start, end int, path string) prose {
	start, end = start+1, end-1
	raw := p.text[start:end]
	if strings.IndexByte(raw, '\\') < 0 {
		q := prose{text: raw, base: p.base + start, path: path}
		if p.off != nil {
			q.off = p.off[start : end+1]
		}
		return q
	}
	var b strings.Builder
	off := make([]int, 0, len(raw)+1)
	for i := 0; i < len(raw); {
		r, n := escaped(raw[i:])
		before := b.Len()
		if n == 0 {
			b.WriteByte(raw[i])
			n = 1
		} else {
			b.WriteRune(r)
		}
		for range b.Len() - before {
			off = append(off, p.at(start+i))
		}
		i += n
	}
	return prose{text: b.String(), off: append(off, p.at(end)), path: path}
}

// escaped reads the escape that a valid JSON string begins with, n bytes long; 0:
// it begins with none.
func escaped(s string) (r rune, n int) {
	if s[0] != '\\' || len(s) < 2 {
		return 0, 0
	}
	if s[1] != 'u' {
		if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
			return rune("\"\\/\b\f\n\r\t"[i]), 2
		}
		return rune(s[1]), 2
	}
	r, n = unit(s), 6
	if utf16.IsSurrogate(r) && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		r, n = utf16.DecodeRune(r, unit(s[6:])), 12
	}
	return r, n
}

// unit reads the four hex digits of \uXXXX.
func unit(s string) rune {
	if len(s) < 6 {
		return utf8.RuneError
	}
	var r rune
	for _, c := range s[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | (c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | (c | 0x20 - 'a' + 10)
		default:
			return utf8.RuneError
		}
	}
	return r
}

// without returns the text with an asterisk for every byte that lies in one of
// the ranges. It is as long as the text, so that offsets in both are the same; a
// character is never masked in part.
func (p *prose) without(walls ranges) string {
	if len(walls) == 0 {
		return p.text
	}
	out := []byte(p.text)
	for i, r := range p.text {
		if walls.covers(p.at(i)) {
			for k := range max(utf8.RuneLen(r), 1) {
				out[i+k] = '*'
			}
		}
	}
	return string(out)
}

// proseOf returns the texts of a message that look like prose, and those in JSON
// that is written in a text.
func proseOf(m *wire.Message) ([]prose, error) {
	var out []prose
	whole := prose{text: string(m.Raw())}
	err := gather(&out, &whole, m.Root(), "", 0)
	return out, err
}

// gather appends the texts of a value, which was read from p.
func gather(out *[]prose, p *prose, v wire.Value, path string, depth int) error {
	for spot := range v.Spots() {
		if spot.Key || spot.Value.Kind() != wire.String {
			continue
		}
		at := path
		if depth == 0 {
			if at = spot.Path(); opaque(at) || handle(at) {
				continue
			}
		}
		q := p.part(spot.Start, spot.End, at)
		if inner, ok := innerJSON(q.text); ok && depth < maxInner {
			if err := gather(out, &q, inner, at, depth+1); err != nil {
				return err
			}
			continue
		}
		if !looksLikeProse(q.text) {
			continue
		}
		if len(*out) == maxProse {
			return fault.New(fault.Unscannable)
		}
		*out = append(*out, q)
	}
	return nil
}

// innerJSON reads a text that is JSON of an object or an array.
func innerJSON(text string) (wire.Value, bool) {
	t := strings.TrimSpace(text)
	if len(t) < 2 || t[0] != '{' && t[0] != '[' {
		return wire.Value{}, false
	}
	v, err := wire.ParseValue([]byte(text), wire.DefaultLimits())
	if err != nil || v.Kind() != wire.Object && v.Kind() != wire.Array {
		return wire.Value{}, false
	}
	return v, true
}
