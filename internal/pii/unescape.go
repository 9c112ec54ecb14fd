package pii

import (
	"bytes"
	"unicode/utf8"
)

// What JSON writes with a backslash.

// unescape undoes JSON's escapes and keeps the way back to the source.
func unescape(v view) view {
	b := v.b
	out := make([]byte, 0, len(b)) // no escape is shorter than what it stands for
	var t trail
	for i := 0; i < len(b); {
		j := plainTo(b, i)
		t.addRun(&v, len(out), i, j)
		out = append(out, b[i:j]...)
		if i = j; i == len(b) {
			break
		}
		at, n := v.src(i), 2
		switch c := b[i+1]; c {
		case 'n', 'r', 't', 'b', 'f':
			t.add(len(out), at)
			out = append(out, "\n\r\t\b\f"[indexByte("nrtbf", c)])
		case 'u':
			var r rune
			r, n = unicodeEscape(b, i)
			from := len(out)
			out = utf8.AppendRune(out, r)
			for ; from < len(out); from++ {
				t.add(from, at)
			}
		default:
			t.add(len(out), at)
			out = append(out, c)
		}
		i += n
	}
	return v.decoded(out, t)
}

// plainTo returns where the run of b from i on ends that holds no escape. A
// backslash at the end of the text is none.
func plainTo(b []byte, i int) int {
	j := bytes.IndexByte(b[i:], '\\')
	if j < 0 || i+j+1 >= len(b) {
		return len(b)
	}
	return i + j
}

// unicodeEscape reads \uXXXX and a second half of a surrogate pair at b[i]; n is
// how many bytes it took.
func unicodeEscape(b []byte, i int) (r rune, n int) {
	hi, ok := hex4(b, i+2)
	if !ok {
		return 'u', 2
	}
	if hi >= 0xd800 && hi < 0xdc00 && i+7 < len(b) && b[i+6] == '\\' && b[i+7] == 'u' {
		if lo, ok := hex4(b, i+8); ok && lo >= 0xdc00 && lo < 0xe000 {
			return (hi-0xd800)<<10 + (lo - 0xdc00) + 0x10000, 12
		}
	}
	return hi, 6
}

func hex4(b []byte, i int) (r rune, ok bool) {
	if i+4 > len(b) {
		return 0, false
	}
	for _, c := range b[i : i+4] {
		x, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(x)
	}
	return r, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
