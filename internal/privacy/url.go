package privacy

import (
	"slices"
	"strings"
)

// secretWords are parts of the names of query members whose values are
// credentials or people.
var secretWords = []string{"token", "key", "secret", "sig", "signature", "password", "passwd", "pwd", "pass", "auth", "code", "session",
	"sid", "credential", "jwt", "otp", "pin", "ticket", "nonce", "assertion", "email", "mail", "user", "username", "phone", "name", "ssn"}

// bareURL takes user info out of a URL, and members of its query and fragment
// whose names are those of credentials or people. All else stays byte for byte;
// a text that is not a URL is "".
func bareURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		if !strings.HasPrefix(strings.ToLower(s), "www.") {
			return ""
		}
		scheme, rest = "", s
	} else {
		scheme += "://"
	}
	end := strings.IndexAny(rest, "/?#\\")
	if end < 0 {
		end = len(rest)
	}
	host := rest[:end]
	host = host[strings.LastIndexByte(host, '@')+1:]
	path, fragment, hasFragment := strings.Cut(rest[end:], "#")
	path, query, hasQuery := strings.Cut(path, "?")
	out := scheme + host + path
	if query = members(query); hasQuery && query != "" {
		out += "?" + query
	}
	if strings.ContainsAny(fragment, "=&") {
		fragment = members(fragment)
	}
	if hasFragment && fragment != "" {
		out += "#" + fragment
	}
	return out
}

// members leaves those of a query whose names are harmless.
func members(query string) string {
	var keep []string
	for _, m := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(m, "=")
		if secretName(name) || strings.Contains(value, "@") || strings.Contains(strings.ToLower(value), "%40") {
			continue
		}
		keep = append(keep, m)
	}
	return strings.Join(keep, "&")
}

// secretName reports whether one of the words of a name tells of a credential or
// a person. An escaped name is one: nobody needs to write it that way.
func secretName(name string) bool {
	var words []string
	start := 0
	for i := 0; i <= len(name); i++ {
		switch {
		case i < len(name) && name[i] == '%':
			return true
		case i == len(name) || strings.IndexByte("-_.[]$", name[i]) >= 0:
			words = append(words, strings.ToLower(name[start:i]))
			start = i + 1
		case i > start && 'A' <= name[i] && name[i] <= 'Z' && 'a' <= name[i-1] && name[i-1] <= 'z':
			words = append(words, strings.ToLower(name[start:i]))
			start = i
		}
	}
	words = append(words, strings.ToLower(name))
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains(secretWords, w) || slices.Contains(secretWords, strings.TrimSuffix(w, "s")) ||
			strings.HasSuffix(w, "token") || strings.HasSuffix(w, "key") || strings.HasSuffix(w, "secret") || strings.HasSuffix(w, "password")
	})
}
