package privacy

import (
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Limits of a schema's expression, which comes from a server.
const (
	maxPattern    = 1000 // bytes
	maxCandidate  = 4096 // bytes of a value that is held against one
	maxExpression = 256  // expressions that a profile keeps compiled
)

// expressions are compiled patterns of schemas: a server chooses them, and asks
// once per value. The attack: an expression that is slow to compile in the schema
// of an array of many values (TestPatternsAreCompiledOnce).
type expressions struct {
	mu   sync.Mutex
	kept map[string]*regexp.Regexp // nil: RE2 refuses it
}

// of returns the compiled pattern, or nil if there is none to be had.
func (e *expressions) of(pattern string) *regexp.Regexp {
	if len(pattern) > maxPattern {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	re, known := e.kept[pattern]
	if known {
		return re
	}
	if e.kept == nil || len(e.kept) >= maxExpression {
		e.kept = map[string]*regexp.Regexp{}
	}
	re, err := regexp.Compile(pattern) // RE2: linear time for every input
	if err != nil {
		re = nil
	}
	e.kept[pattern] = re
	return re
}

// shape is a schema with its expression compiled.
type shape struct {
	Schema
	re *regexp.Regexp
}

func (p *Profile) shape(s Schema) *shape {
	out := &shape{Schema: s}
	if s.Pattern != "" {
		out.re = p.compiled.of(s.Pattern)
	}
	return out
}

// fits reports whether a value is one that the schema takes. A format that is not
// ours to judge fits, as JSON Schema says of formats; a pattern that RE2 refuses
// fits nothing.
func (s *shape) fits(v string) bool {
	if s.Max > 0 && utf8.RuneCountInString(v) > s.Max || s.Numeric && !numeric(v) {
		return false
	}
	if s.Pattern != "" && (s.re == nil || len(v) > maxCandidate || !s.re.MatchString(v)) {
		return false
	}
	return formatted(s.Format, v)
}

// numeric reports whether v is a JSON number.
func numeric(v string) bool {
	rest := strings.TrimPrefix(v, "-")
	whole := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	if whole == 0 || whole > 1 && rest[0] == '0' {
		return false
	}
	if rest = rest[whole:]; rest == "" {
		return true
	}
	return rest[0] == '.' && len(rest) > 1 && strings.Trim(rest[1:], "0123456789") == ""
}

func formatted(format, v string) bool {
	switch format {
	case "email", "idn-email":
		local, host, ok := strings.Cut(v, "@")
		return ok && local != "" && strings.Contains(host, ".") && !strings.ContainsAny(v, " <>[]\"(),:;\\") && !strings.Contains(host, "@")
	case "date":
		_, err := time.Parse(time.DateOnly, v)
		return err == nil
	case "date-time":
		_, err := time.Parse(time.RFC3339, v)
		return err == nil
	case "time":
		_, err := time.Parse("15:04:05Z07:00", v)
		return err == nil
	case "uri", "iri", "url":
		scheme, rest, ok := strings.Cut(v, ":")
		return ok && scheme != "" && rest != "" && !strings.ContainsAny(v, " <>\"{}|\\^`[]")
	case "ipv4", "ipv6":
		a, err := netip.ParseAddr(v)
		return err == nil && a.Is4() == (format == "ipv4") && a.Zone() == ""
	case "uuid":
		return isUUID(v)
	case "hostname":
		return v != "" && strings.Trim(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && v[0] != '-'
	}
	return true
}

func isUUID(v string) bool {
	if len(v) != 36 {
		return false
	}
	for i := range len(v) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (v[i] == '-') || !dash && strings.IndexByte("0123456789abcdefABCDEF", v[i]) < 0 {
			return false
		}
	}
	return true
}
