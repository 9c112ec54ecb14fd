package privacy

import (
	"errors"
	"strings"
)

// Limits of one path expression.
const (
	maxPath     = 512
	maxSegments = 32
)

// element is the segment of a place in an array.
const element = "[*]"

// path is a compiled path expression: names and "[*]", "*" for any one
// name, "**" for any number.
type path []string

// parsePath reads `patient.name`, `rows[*].email` and `**.note`.
func parsePath(s string) (path, error) {
	if s == "" || len(s) > maxPath {
		return nil, errors.New("a path has 1 to 512 bytes")
	}
	var out path
	for rest := s; rest != ""; {
		name := rest
		if end := strings.IndexAny(rest[1:], ".["); end >= 0 {
			name = rest[:1+end]
		}
		switch rest = rest[len(name):]; {
		case name[0] == '.' || strings.HasPrefix(rest, ".") && len(rest) == 1:
			return nil, errors.New("a path has an empty segment")
		case strings.ContainsAny(name, "[]") && name != element:
			return nil, errors.New("in brackets stands *: the places of an array are alike")
		}
		if out = append(out, name); len(out) > maxSegments {
			return nil, errors.New("a path has at most 32 segments")
		}
		rest = strings.TrimPrefix(rest, ".")
	}
	return out, nil
}

// match reports whether the expression names a place, which is written as wire
// writes it: to[*].email. Its work is bounded: each "**" is tried once per
// segment of the place (TestPathIsBounded).
func (p path) match(place string) bool {
	if place == "" {
		return false
	}
	at, after := 0, place // the next segment of p, and what is left
	star, retry := -1, ""
	for after != "" {
		name, rest := cutSegment(after)
		switch {
		case at < len(p) && p[at] == "**":
			star, retry = at, after
			at++
			continue
		case at < len(p) && same(p[at], name):
			at, after = at+1, rest
			continue
		case star < 0:
			return false
		}
		_, retry = cutSegment(retry)
		at, after = star+1, retry
	}
	for at < len(p) && p[at] == "**" {
		at++
	}
	return at == len(p)
}

// cutSegment returns the first segment of a place. A name with a dot in it is
// two: what a member is called cannot be told from where it is.
func cutSegment(place string) (name, rest string) {
	if strings.HasPrefix(place, element) {
		return element, strings.TrimPrefix(place[len(element):], ".")
	}
	for i := 1; i < len(place); i++ {
		if place[i] == '.' {
			return place[:i], place[i+1:]
		}
		if strings.HasPrefix(place[i:], element) {
			return place[:i], place[i:]
		}
	}
	return place, ""
}

func same(want, name string) bool {
	return want == name || want == "*" && name != element
}

// glob reports whether s is what pattern says, where "*" is any run of bytes.
func glob(pattern, s string) bool {
	star, retry, i := -1, 0, 0
	p := 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p, i = p+1, i+1
		case star >= 0:
			retry++
			p, i = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// anyOf reports whether one of the patterns matches; none given match all.
func anyOf(patterns []string, s string) bool {
	for _, p := range patterns {
		if glob(p, s) {
			return true
		}
	}
	return len(patterns) == 0
}

// anyPath is anyOf for paths.
func anyPath(paths []path, place string) bool {
	for _, p := range paths {
		if p.match(place) {
			return true
		}
	}
	return len(paths) == 0
}
