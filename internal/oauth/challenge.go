package oauth

import (
	"strings"
)

// Challenge is what a server's 401 or 403 asks for.
type Challenge struct {
	Status   int
	Metadata string // resource_metadata
	Scope    string
	Error    string
}

// maxChallenge bounds the header fields of one answer that are looked at.
const maxChallenge = 8 << 10

// ParseChallenge reads the Bearer challenge among WWW-Authenticate fields
// (RFC 9110, 11.6.1; RFC 6750, 3). What cannot be read is not there; a
// parameter that occurs twice counts as absent, so that nothing is decided by
// which of two was meant.
func ParseChallenge(status int, fields []string) Challenge {
	c := Challenge{Status: status}
	for _, field := range fields {
		if len(field) > maxChallenge {
			continue
		}
		for _, one := range splitChallenges(field) {
			if !strings.EqualFold(one.scheme, "Bearer") {
				continue
			}
			c.Metadata = one.params["resource_metadata"]
			c.Scope = cleanScope(one.params["scope"])
			c.Error = one.params["error"]
			return c
		}
	}
	return c
}

// InsufficientScope reports whether more scopes would help.
func (c Challenge) InsufficientScope() bool {
	return c.Status == 403 && c.Error == "insufficient_scope"
}

type challenge struct {
	scheme string
	params map[string]string
}

// splitChallenges reads "Scheme k=v, k="v", Other k=v". A form it does not
// know ends the reading; what came before counts.
func splitChallenges(s string) []challenge {
	var all []challenge
	seen := map[string]bool{}
	for s = skip(s); s != ""; s = skip(s) {
		word, rest := token(s)
		if word == "" {
			break
		}
		after := strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(after, "=") || len(all) == 0 {
			if after == rest && rest != "" && rest[0] != ',' {
				break
			}
			all = append(all, challenge{word, map[string]string{}})
			seen = map[string]bool{}
			s = rest
			continue
		}
		value, rest, ok := parameter(strings.TrimLeft(after[1:], " \t"))
		if !ok {
			break
		}
		key, last := strings.ToLower(word), all[len(all)-1].params
		if seen[key] {
			delete(last, key)
		} else {
			last[key] = value
		}
		seen[key] = true
		s = rest
	}
	return all
}

func skip(s string) string { return strings.TrimLeft(s, " \t,") }

// token cuts the RFC 9110 token at the beginning of s.
func token(s string) (word, rest string) {
	i := 0
	for i < len(s) && tokenByte(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// parameter reads a token or a quoted string.
func parameter(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest = token(s)
		return value, rest, value != ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// maxScopes bounds a list of scopes.
const maxScopes = 64

// cleanScope returns the scopes of s that have the form of RFC 6749, 3.3, each
// once, separated by single spaces.
func cleanScope(s string) string { return union(s, "") }

// union returns the scopes of a and then those of b that a lacks.
func union(a, b string) string {
	var out []string
	seen := map[string]bool{}
	for _, one := range append(strings.Fields(a), strings.Fields(b)...) {
		if seen[one] || !scopeToken(one) || len(out) == maxScopes {
			continue
		}
		seen[one] = true
		out = append(out, one)
	}
	return strings.Join(out, " ")
}

func scopeToken(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= 256
}

// covers reports whether every scope of b is in a.
func covers(a, b string) bool {
	have := map[string]bool{}
	for _, one := range strings.Fields(a) {
		have[one] = true
	}
	for _, one := range strings.Fields(b) {
		if !have[one] {
			return false
		}
	}
	return true
}
