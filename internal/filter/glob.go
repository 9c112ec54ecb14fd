package filter

import "strings"

// maxGlob bounds one pattern in bytes.
const maxGlob = 512

// globs are patterns in which * stands for any text. A value fits when one of
// them does, or there is none, and none of those that begin with ! does.
type globs []string

func (g globs) fit(s string) bool {
	fits := true
	for _, p := range g {
		if not, ok := strings.CutPrefix(p, "!"); ok {
			if globbed(not, s) {
				return false
			}
		} else {
			fits = false
		}
	}
	return fits || g.some(s)
}

// some reports whether one of the patterns that do not begin with ! fits.
func (g globs) some(s string) bool {
	for _, p := range g {
		if p[0] != '!' && globbed(p, s) {
			return true
		}
	}
	return false
}

// literal returns the one text that fits, if there is only one.
func (g globs) literal() (string, bool) {
	if len(g) == 1 && !strings.ContainsAny(g[0], "*!") {
		return g[0], true
	}
	return "", false
}

// globbed reports whether s fits a pattern. It takes each part at its first
// place, so the time is at most that of one search for each part.
func globbed(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}
