package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go/types"

	"ostiary.dev/ostiary/internal/wire"
)

// look is how strings of arguments are looked at before rules compare them.
type look struct {
	rules []*rule
	paths bool // some rule that reads arguments compares with what holds a slash
}

func lookOf(rules []*rule) look {
	l := look{rules: rules}
	for _, r := range rules {
		l.paths = l.paths || len(r.reads.args) > 0 && len(r.reads.patterns)+len(r.reads.literals) > 0
	}
	return l
}

// pathPattern is the right side of a like that holds a slash, as it is written
// and in folded letters.
type pathPattern struct{ exact, folded types.Pattern }

// comparable reports whether a string may be compared. One that is a path or an
// address, by its look, by the schema or by what rules compare it with, must be
// written in the one canonical way: a rule for /srv/data/* must not let
// /srv/data/../secret through, and one against /secret/* must not miss
// /%73ecret, //secret or, where files are found by any case, /SECRET (P06).
func (l *look) comparable(s string, named bool) bool {
	if !named && !l.paths && !looksLikePath(s) {
		return true
	}
	return canonical(s) && !l.nearMiss(s)
}

// nearMiss reports whether s would match a rule if only its letters had another
// case.
func (l *look) nearMiss(s string) bool {
	if !l.paths {
		return false
	}
	folded := fold(s)
	for _, r := range l.rules {
		if len(r.reads.args) > 0 && r.reads.nearMiss(s, folded) {
			return true
		}
	}
	return false
}

func (r *reads) nearMiss(s, folded string) bool {
	for _, p := range r.patterns {
		if p.folded.Match(types.String(folded)) && !p.exact.Match(types.String(s)) {
			return true
		}
	}
	for _, lit := range r.literals {
		if lit != s && fold(lit) == folded {
			return true
		}
	}
	return false
}

// fold makes strings equal that differ in the case of their letters alone.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.ToLower(strings.ToUpper(s))
		}
	}
	return strings.ToLower(s) // the same, where all is ASCII
}

// pathPatternOf returns a pattern for paths; ok is false when it holds no slash.
func pathPatternOf(p types.Pattern) (out pathPattern, ok bool) {
	raw, err := p.MarshalJSON()
	if err != nil {
		return out, false
	}
	list, err := wire.ParseValue(raw, wire.DefaultLimits())
	if err != nil {
		return out, false
	}
	var parts []any
	for e := range list.Elements() {
		text, literal := e.Get("Literal").Text()
		if !literal {
			parts = append(parts, types.Wildcard{})
			continue
		}
		ok = ok || strings.ContainsAny(text, `/\`)
		parts = append(parts, fold(text))
	}
	return pathPattern{p, types.NewPattern(parts...)}, ok
}

// looksLikePath reports whether a string starts as a path or an address does.
func looksLikePath(s string) bool {
	switch {
	case s == "":
		return false
	case strings.ContainsAny(s[:1], `/\~.`), len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/'):
		return true
	}
	scheme, _, ok := strings.Cut(s, "://")
	return ok && !strings.ContainsAny(scheme, " /")
}

// slashes and dots that programs and file systems take for / and .
const lookalikes = "\u2044\u2215\u29f5\u29f8\u29f9\ufe68\uff0f\uff3c\u2024\u2025\u2026\ufe52\uff0e"

// canonical reports whether a path or an address is written so that it can be
// read in one way only. It is stricter than any one standard: what it refuses
// can be written otherwise.
func canonical(s string) bool {
	for _, r := range s {
		if r < utf8.RuneSelf {
			if r < ' ' || r == 0x7f || r == '\\' {
				return false
			}
			continue
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Mn) || r == unicode.ReplacementChar || unicode.IsSpace(r) ||
			strings.ContainsRune(lookalikes, r) {
			return false
		}
	}
	rest := s
	if scheme, after, ok := strings.Cut(s, "://"); ok && scheme != "" && !strings.ContainsAny(scheme, "/.%") {
		if rest = after; strings.EqualFold(scheme, "file") {
			rest = strings.TrimPrefix(after, "/")
		}
		if authority, _, _ := strings.Cut(rest, "/"); scheme != strings.ToLower(scheme) || authority != strings.ToLower(authority) || strings.Contains(authority, "@") {
			return false
		}
	}
	if badEscape(rest) || strings.Contains(rest, "//") {
		return false
	}
	path, _, _ := strings.Cut(rest, "?")
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." || part != strings.TrimSpace(part) || len(part) > 1 && strings.HasSuffix(part, ".") {
			return false
		}
	}
	return true
}

// badEscape reports whether a percent sign hides what could be written plainly,
// or another percent sign, slash or control character.
func badEscape(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		if i+2 >= len(s) {
			return true
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return true
		}
		switch c := byte(hi<<4 | lo); {
		case c < 0x20, c == 0x7f, c >= 0x80, c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte(`-._~/\%:@`, c) >= 0:
			return true
		}
		i += 2
	}
	return false
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
