package privacy

import (
	"strings"
	"unicode"
)

// Mask keeps at most these many of the last characters, and of a short value
// less: the last four of five would be the value.
const maskKeeps = 4

// mask puts a star in place of every character but the last four. Characters are
// what a reader sees as one: a letter with its marks, a flag, a family of emoji.
// Spaces and punctuation between them stay.
func mask(s string) string {
	all := characters(s)
	count := 0
	for _, c := range all {
		if !plain(c) {
			count++
		}
	}
	keep := maskKeeps
	if count < 2*maskKeeps {
		keep = count / 4
	}
	var out strings.Builder
	for _, c := range all {
		switch {
		case plain(c):
			out.WriteString(c)
			continue
		case count <= keep && !marks(c):
			out.WriteString(c)
		default:
			out.WriteByte('*')
		}
		count--
	}
	return out.String()
}

// marks reports whether c would end a string, where the value stands in JSON inside a
// text.
func marks(c string) bool { return c == `"` || c == `\` || c < " " }

// plain reports whether c says nothing by itself.
func plain(c string) bool {
	return len(c) == 1 && strings.Contains(" -./()+:,@_", c)
}

// characters parts s into what a reader sees as one character each. It follows
// the rules of Unicode's annex 29 as far as text of people needs them: marks,
// joiners, variation selectors, skin tones, flags and tags.
func characters(s string) []string {
	var out []string
	start, joined, flags := 0, false, 0
	for i, r := range s {
		extends := i > 0 && (unicode.In(r, unicode.M) || r == '\u200d' || 0x1f3fb <= r && r <= 0x1f3ff || 0xe0020 <= r && r <= 0xe007f)
		flag := 0x1f1e6 <= r && r <= 0x1f1ff
		// A joiner joins pictures only: joined letters would all stay together.
		joined = joined && !unicode.IsLetter(r) && !unicode.IsNumber(r)
		if i > 0 && !extends && !joined && (!flag || flags%2 == 0) {
			out = append(out, s[start:i])
			start = i
		}
		if joined = r == '\u200d'; flag {
			flags++
		} else {
			flags = 0
		}
	}
	if s != "" {
		out = append(out, s[start:])
	}
	return out
}
