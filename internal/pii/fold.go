package pii

import (
	"unicode"
	"unicode/utf8"
)

// needsFold reports whether b has a character that fold would change. Latin
// letters with accents, CJK, Thai and emoji are left alone.
func needsFold(b []byte) bool {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c < 0x80:
		case c == 0xc2:
			if i+1 < len(b) && (b[i+1] == 0xad || b[i+1] == 0xa0) {
				return true
			}
		case c == 0xcc || c == 0xcd || c == 0xd9 || c == 0xdb || c == 0xe0 || c == 0xe1:
			return true
		case c == 0xce || c == 0xcf || c == 0xd0 || c == 0xd1:
			// Greek and Cyrillic: only beside Latin letters or digits.
			if i > 0 && isAlnum(b[i-1]) || i+2 < len(b) && isAlnum(b[i+2]) {
				return true
			}
		case c == 0xe2:
			if i+1 < len(b) && (b[i+1] == 0x80 || b[i+1] == 0x81 || b[i+1] == 0x91 || b[i+1] == 0x92 || b[i+1] == 0x93 || b[i+1] == 0x88) {
				return true
			}
		case c == 0xef || c == 0xf3:
			return true
		case c == 0xf0:
			if i+1 < len(b) && b[i+1] == 0x9d {
				return true
			}
		}
	}
	return false
}

// fold makes the view in which disguised characters look like what they stand
// for, with a map back: full-width forms, digits of other scripts, mathematical
// and enclosed letters, look-alikes beside Latin letters; marks over Latin
// letters and invisible characters are dropped. A zero-width joiner between
// letters of scripts that need it, or between emoji, has no Latin neighbour and
// makes no difference to any rule.
func fold(v view) view {
	b := v.b
	out := make([]byte, 0, len(b))
	var t trail
	for i := 0; i < len(b); {
		if j := asciiTo(b, i); j > i {
			t.addRun(&v, len(out), i, j)
			out = append(out, b[i:j]...)
			i = j
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		before := byte(0)
		if len(out) > 0 {
			before = out[len(out)-1]
		}
		after := byte(0)
		if i+n < len(b) {
			after = b[i+n]
		}
		switch f := foldRune(r, before, after); {
		case f == 0:
		case f < 0x80:
			t.add(len(out), v.src(i))
			out = append(out, byte(f))
		default:
			t.addRun(&v, len(out), i, i+n)
			out = append(out, b[i:i+n]...)
		}
		i += n
	}
	return v.decoded(out, t)
}

// asciiTo returns where the run of ASCII from i on ends.
func asciiTo(b []byte, i int) int {
	for i < len(b) && b[i] < 0x80 {
		i++
	}
	return i
}

// foldRune returns the ASCII character that r stands for, 0 to drop it, or r.
func foldRune(r rune, before, after byte) rune {
	switch {
	case r == 0xa0 || r >= 0x2000 && r <= 0x200a || r == 0x202f || r == 0x205f || r == 0x3000:
		return ' '
	case invisible(r):
		return 0
	case r >= 0xff01 && r <= 0xff5e:
		return r - 0xff01 + '!'
	case r >= 0x2010 && r <= 0x2015 || r == 0x2212:
		return '-'
	case r == 0x2024:
		return '.'
	case r >= 0x2018 && r <= 0x201b:
		return '\''
	case r >= 0x1d400 && r <= 0x1d7ff:
		return mathLetter(r)
	case r >= 0x2460 && r <= 0x2468:
		return '1' + r - 0x2460
	case r >= 0x24b6 && r <= 0x24cf:
		return 'A' + r - 0x24b6
	case r >= 0x24d0 && r <= 0x24e9:
		return 'a' + r - 0x24d0
	case unicode.Is(unicode.Nd, r):
		return '0' + digitValue(r)
	case unicode.Is(unicode.Mn, r) && before != 0 && before < 0x80:
		return 0
	case isAlnum(before) || isAlnum(after):
		if f := lookalike(r); f != 0 {
			return f
		}
	}
	return r
}

// invisible: soft hyphen, zero-width, bidirectional controls, word joiners, the
// byte order mark, variation selectors and tags.
func invisible(r rune) bool {
	switch {
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x180e, r == 0x3164, r == 0xfeff, r == 0xffa0:
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r >= 0xfe00 && r <= 0xfe0f,
		r >= 0xe0000 && r <= 0xe0fff, r >= 0x180b && r <= 0x180d:
		return true
	}
	return false
}

// digitValue counts back to the zero of r's block: the decimal digits of every
// script are ten characters in a row.
func digitValue(r rune) rune {
	n := rune(0)
	for n < 9 && unicode.Is(unicode.Nd, r-n-1) && sameBlock(r, n+1) {
		n++
	}
	return n
}

func sameBlock(r, back rune) bool {
	lo := r - back
	for _, rt := range unicode.Nd.R16 {
		if lo >= rune(rt.Lo) && lo <= rune(rt.Hi) {
			return r <= rune(rt.Hi)
		}
	}
	for _, rt := range unicode.Nd.R32 {
		if lo >= rune(rt.Lo) && lo <= rune(rt.Hi) {
			return r <= rune(rt.Hi)
		}
	}
	return false
}

// mathLetter maps the mathematical alphanumerics, which repeat A-Z a-z and 0-9.
func mathLetter(r rune) rune {
	if r >= 0x1d7ce {
		return '0' + (r-0x1d7ce)%10
	}
	if r >= 0x1d6a4 {
		return r
	}
	k := (r - 0x1d400) % 52
	if k < 26 {
		return 'A' + k
	}
	return 'a' + k - 26
}

// lookalike maps the Greek and Cyrillic letters that look like Latin ones.
func lookalike(r rune) rune {
	const from = "АВЕКМНОРСТХаеорсухіјѕІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧοԁԛԝ"
	const to = "ABEKMHOPCTXaeopcyxijsIJSABEZHIKMNOPTYXodqw"
	k := 0
	for _, f := range from {
		if f == r {
			return rune(to[k])
		}
		k++
	}
	return 0
}
