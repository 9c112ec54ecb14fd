package privacy

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// maxPattern bounds a schema's expression, in bytes. It comes from a server.
const maxPattern = 1000

// fits reports whether a value is one that the schema takes. A format that is not
// ours to judge fits, as JSON Schema says of formats; a pattern that RE2 refuses
// fits nothing.
func (s Schema) fits(v string) bool {
	if s.Max > 0 && utf8.RuneCountInString(v) > s.Max || s.Numeric && !numeric(v) {
		return false
	}
	if s.Pattern != "" {
		re := s.expression()
		if re == nil || !re.MatchString(v) {
			return false
		}
	}
	return formatted(s.Format, v)
}

// expression compiles the pattern: RE2, in linear time for every input.
func (s Schema) expression() *regexp.Regexp {
	if len(s.Pattern) > maxPattern {
		return nil
	}
	re, err := regexp.Compile(s.Pattern)
	if err != nil {
		return nil
	}
	return re
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
