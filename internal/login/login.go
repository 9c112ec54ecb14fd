// Package login is how people prove who they are: what a password must be, one
// use codes for a lost factor, where a browser may be sent after signing in,
// and the ceremonies of passkeys (WebAuthn level 3).
//
// It is pure: it keeps nothing, serves nothing and knows no store. It
// deliberately has no password hints, no questions and no mail: whoever lost
// both factors is invited again by an operator.
package login

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// MinPassword is how many characters a password has at least. NIST SP 800-63B
// asks for eight beside a second factor, and for no rules on their kinds.
const MinPassword = 12

// Errors of passwords.
var (
	ErrShort = errors.New("the password has fewer than 12 characters")
	ErrWeak  = errors.New("the password is too easy to guess")
	ErrText  = errors.New("the password is longer than 256 bytes or no text")
)

// CheckPassword returns why a person must not use a password.
func CheckPassword(name, password string) error {
	switch {
	case len(password) > 256 || !utf8.ValidString(password):
		return ErrText
	case utf8.RuneCountInString(password) < MinPassword:
		return ErrShort
	case few(password) || strings.Contains(strings.ToLower(password), strings.ToLower(name)) && len(password) < len(name)+8:
		return ErrWeak
	}
	return nil
}

// few reports whether a text repeats a handful of characters.
func few(s string) bool {
	kinds := map[rune]bool{}
	for _, r := range s {
		kinds[r] = true
	}
	return len(kinds) < 5
}

// Home is where a browser goes that was sent from nowhere in particular.
const Home = "/login/account"

// homes are the pages that a browser may be sent to after it signed in.
var homes = []string{"/oauth/", "/approvals", "/login/", "/console"}

// Next returns where a browser may go after it signed in: a path and query of
// ours, from the list, or Home. Anything that a browser could read as another
// site (H26: //evil, /\evil, /%5cevil, https:evil, line breaks) is Home
// (TestH26NextStaysHere).
func Next(text string) string {
	if len(text) > 4096 || !strings.HasPrefix(text, "/") {
		return Home
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return Home
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return Home
	}
	// The path is compared as it is written: an escape in it is refused.
	raw, _, _ := strings.Cut(text, "?")
	if strings.ContainsAny(raw, "%#") || path.Clean(raw) != strings.TrimSuffix(raw, "/") || u.Path != raw {
		return Home
	}
	for _, h := range homes {
		if strings.HasPrefix(raw, h) || raw == strings.TrimSuffix(h, "/") {
			return text
		}
	}
	return Home
}
