package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Every byte of a word set to 0x01 and to 0x80.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special returns a word whose lowest set bit lies in the first byte of w that
// is a quote, a backslash or a control character; 0 if there is none. Bits
// above the lowest may be false, because the subtractions borrow.
func special(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs
}

// doubtful returns a word with a high bit set if w holds a special byte, and
// also for every byte beyond ASCII: it costs half of what special does.
func doubtful(w uint64) uint64 {
	quote, slash := w^ones*'"', w^ones*'\\'
	return (quote - ones) | (slash - ones) | (w - ones*0x20) | w
}

// text scans the string whose quote is at byte at, and pushes its token.
func (s *scanner) text(at int) int {
	src, i := s.src, at+1
	var flags uint8
	var top uint64
	for {
		i, top = plain(src, i, top)
		if i >= len(src) {
			return s.fail(i, "a string does not end")
		}
		switch c := src[i]; c {
		case '"':
			if top != 0 {
				if !utf8.Valid(src[at+1 : i]) {
					return s.fail(at, "a string holds invalid UTF-8")
				}
				flags |= high
			}
			if !s.push(String, at, i+1, flags) {
				return -1
			}
			return i + 1
		case '\\':
			n, zero := escape(src[i:])
			if n == 0 {
				return s.fail(i, "an escape is unknown, cut short or half a surrogate pair")
			}
			flags |= escaped
			if zero {
				flags |= nul
			}
			i += n
		default:
			return s.fail(i, "a string holds a raw control character")
		}
	}
}

// plain returns the offset of the first special byte of src at or after i, and
// top with the high bits of all bytes passed over.
func plain(src []byte, i int, top uint64) (int, uint64) {
	for i+32 <= len(src) { // four words at a time over long plain ASCII text
		b := src[i : i+32]
		v, w := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		x, y := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
		if (doubtful(v)|doubtful(w)|doubtful(x)|doubtful(y))&highs != 0 {
			break
		}
		i += 32
	}
	for i+16 <= len(src) { // two words at a time over other long plain text
		b := src[i : i+16]
		v, w := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		if special(v)|special(w) != 0 {
			break
		}
		top |= (v | w) & highs
		i += 16
	}
	for i+8 <= len(src) {
		w := binary.LittleEndian.Uint64(src[i:])
		stop := special(w)
		if stop == 0 {
			top |= w & highs
			i += 8
			continue
		}
		n := bits.TrailingZeros64(stop) / 8
		return i + n, top | w&highs&(1<<(8*n)-1)
	}
	for ; i < len(src); i++ {
		c := src[i]
		if c == '"' || c == '\\' || c < 0x20 {
			break
		}
		top |= uint64(c) & 0x80
	}
	return i, top
}

// escape returns the length of the escape at the start of b, 0 if it is not
// valid, and whether it stands for U+0000. A surrogate counts only as a pair.
func escape(b []byte) (n int, zero bool) {
	if len(b) < 2 {
		return 0, false
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, false
	case 'u':
	default:
		return 0, false
	}
	r, ok := hex4(b)
	switch {
	case !ok:
		return 0, false
	case r < 0xD800 || r > 0xDFFF:
		return 6, r == 0
	case r > 0xDBFF || len(b) < 12 || b[6] != '\\' || b[7] != 'u':
		return 0, false
	}
	if low, ok := hex4(b[6:]); !ok || low < 0xDC00 || low > 0xDFFF {
		return 0, false
	}
	return 12, false
}

// hex4 returns the code unit of the \uXXXX at the start of b.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendText appends the decoded form of a valid JSON string's inside to dst.
func appendText(dst, inside []byte) []byte {
	for i := 0; i < len(inside); {
		n := bytes.IndexByte(inside[i:], '\\')
		if n < 0 {
			return append(dst, inside[i:]...)
		}
		dst = append(dst, inside[i:i+n]...)
		r, size := unescape(inside[i+n:])
		dst = utf8.AppendRune(dst, r)
		i += n + size
	}
	return dst
}

// equalText reports whether the inside of a valid JSON string decodes to s. It
// stops at the first difference and allocates nothing, so that looking for a
// member among many escaped names stays cheap.
func equalText(inside []byte, s string) bool {
	for i := 0; i < len(inside); {
		if inside[i] != '\\' {
			if s == "" || inside[i] != s[0] {
				return false
			}
			i, s = i+1, s[1:]
			continue
		}
		r, size := unescape(inside[i:])
		want, n := utf8.DecodeRuneInString(s)
		if n == 0 || r != want || r == utf8.RuneError && n == 1 {
			return false
		}
		i, s = i+size, s[n:]
	}
	return s == ""
}

// unescape returns the character and length of the valid escape at the start
// of b.
func unescape(b []byte) (r rune, size int) {
	switch c := b[1]; c {
	case 'u':
		r, _ = hex4(b)
		if r < 0xD800 || r > 0xDBFF {
			return r, 6
		}
		low, _ := hex4(b[6:])
		return (r-0xD800)<<10 + (low - 0xDC00) + 0x10000, 12
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	default:
		return rune(c), 2
	}
}

// number scans the number at i (RFC 8259 section 6).
func (s *scanner) number(start int) int {
	src, i := s.src, start
	if src[i] == '-' {
		i++
	}
	switch n := digits(src, i); {
	case n == i:
		return s.fail(i, "a digit is missing")
	case src[i] == '0' && n > i+1:
		return s.fail(i, "a number begins with a zero")
	default:
		i = n
	}
	if i < len(src) && src[i] == '.' {
		n := digits(src, i+1)
		if n == i+1 {
			return s.fail(n, "a digit is missing")
		}
		i = n
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		n := digits(src, i)
		if n == i {
			return s.fail(n, "a digit is missing")
		}
		i = n
	}
	if i-start > s.lim.Number {
		return s.large(start, "a number is longer than the gateway accepts")
	}
	if !s.push(Number, start, i, 0) {
		return -1
	}
	return i
}

// digits returns the offset after the digits at i.
func digits(src []byte, i int) int {
	for i < len(src) && src[i]-'0' < 10 {
		i++
	}
	return i
}
