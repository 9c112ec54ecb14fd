package protect

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/wire"
)

// A server writes the same value in more than one way: as JSON, and as JSON inside
// a text, where the libraries of its language escape more than JSON asks for.

// style says what a library escapes beside what JSON asks for.
type style struct {
	marks  string // besides quotes and backslashes
	high   bool   // everything beyond ASCII
	upper  bool   // hex digits
	quotes bool   // the quote is written as a number too
	slash  bool   // "/" behind a backslash
}

// styles are those of widely used libraries as they come: Python, Go, PHP with and
// without characters as they are, .NET.
var styles = [...]style{{high: true}, {marks: "<>&"}, {high: true, slash: true}, {slash: true},
	{marks: "<>&'+`", high: true, upper: true, quotes: true}}

// mostForms bounds, in bytes, what is looked for beside the plain forms of the values
// of one message: four times the longest message.
const mostForms = 16 << 20

// stylesIn returns the styles of which a message has a sign.
func stylesIn(raw []byte) (in []style) {
	numbers, slashes := bytes.Contains(raw, []byte(`\u`)), bytes.Contains(raw, []byte(`\/`))
	for _, s := range styles {
		if numbers && (s.high || s.marks != "") || slashes && s.slash {
			in = append(in, s)
		}
	}
	return in
}

// written returns the plain ways in which a value may stand in a message, and those
// of the styles.
func written(value, stands string, in []style) (plain, styled []string) {
	once := plainJSON(value)
	plain = append(plain, once)
	if strings.ContainsAny(stands, "\\\"") {
		plain = append(plain, plainJSON(stands))
	}
	for _, s := range in {
		inner := s.text(value)
		again := inner
		if once != value {
			again = s.text(once)
		}
		if inner == once && again == once {
			continue // nothing in it that this style writes in its own way
		}
		for _, form := range []string{inner, plainJSON(inner), s.text(inner), again} {
			if !slices.Contains(styled, form) {
				styled = append(styled, form)
			}
		}
	}
	if len(in) > 0 && once != value {
		styled = append(styled, plainJSON(once))
	}
	return plain, styled
}

func plainJSON(text string) string {
	quoted := wire.Quote(text)
	return string(quoted[1 : len(quoted)-1])
}

// text is a text as it stands inside a string of this style.
func (s style) text(text string) string {
	b := make([]byte, 0, 2*len(text))
	for _, r := range text {
		switch {
		case r == '/' && s.slash:
			b = append(b, '\\', '/')
		case r < 0x80 && strings.ContainsRune(s.marks, r), r >= 0x80 && s.high, r == '"' && s.quotes:
			b = s.number(b, r)
		case r < ' ' || r == '"' || r == '\\':
			b = append(b, plainJSON(string(r))...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}

// number writes a character by its number, in two halves beyond 16 bits.
func (s style) number(b []byte, r rune) []byte {
	digits := "0123456789abcdef"
	if s.upper {
		digits = "0123456789ABCDEF"
	}
	if r >= 0x10000 {
		r -= 0x10000
		b = s.number(b, 0xd800+r>>10)
		r = 0xdc00 + r&0x3ff
	}
	return append(b, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// byNumber reads the character that is written by its number behind the backslash
// at raw[i], and how many bytes that takes; 0: none is.
func byNumber(raw []byte, i int) (r rune, n int) {
	if i < 0 || i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
		return 0, 0
	}
	x, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
	if err != nil {
		return 0, 0
	}
	return rune(x), 6
}
