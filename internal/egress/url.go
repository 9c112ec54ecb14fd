package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// maxURL bounds an upstream's URL, bytes.
const maxURL = 8 << 10

// Reasons why a URL is refused. They say what to change and hold no part of
// the URL, which may carry a secret.
var (
	errURLLong     = errors.New("the URL is longer than 8 KiB")
	errURLBytes    = errors.New("the URL holds spaces, control characters or non-ASCII letters; write them percent-encoded")
	errURLForm     = errors.New("the URL is not an absolute URL such as https://example.com/mcp")
	errURLScheme   = errors.New("the URL's scheme is neither https nor http")
	errURLPlain    = errors.New("plain http is only for servers registered as private; use https")
	errURLUser     = errors.New("the URL holds a user name or password; give credentials as a header reference")
	errURLFragment = errors.New("the URL holds a fragment (#)")
	errHostEmpty   = errors.New("the host is missing")
	errHostForm    = errors.New("the host is not a DNS name or an IP address")
	errHostNumber  = errors.New("the host looks like an IPv4 address in an unusual form; write it as four decimal numbers")
	errHostZone    = errors.New("the host has an IPv6 zone")
	errHostRefused = errors.New("the host is an address that the gateway does not connect to")
)

// CheckURL parses the URL of an upstream and refuses everything that two
// parsers might read differently. It resolves nothing: what a name leads to is
// vetted by each Dial. A host that is an address is vetted here as well.
func CheckURL(raw string, allowPrivate bool) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, errURLLong
	}
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] >= 0x7f || raw[i] == '\\' {
			return nil, errURLBytes
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return nil, errURLForm
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errURLScheme
	case u.User != nil || strings.Contains(authority(raw), "@"):
		return nil, errURLUser
	case strings.Contains(raw, "#"):
		return nil, errURLFragment
	case u.Scheme == "http" && !allowPrivate:
		return nil, errURLPlain
	}
	if err := checkAuthority(u); err != nil {
		return nil, err
	}
	if err := checkHost(u.Hostname(), allowPrivate); err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !allowed(a.Unmap(), allowPrivate) {
		return nil, errHostRefused
	}
	return u, nil
}

// authority returns what lies between "//" and the path, query or fragment.
func authority(raw string) string {
	_, rest, _ := strings.Cut(raw, "//")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// checkAuthority checks the port and the brackets of an IPv6 address.
func checkAuthority(u *url.URL) error {
	if strings.HasSuffix(u.Host, ":") {
		return errors.New("the port is missing after the colon")
	}
	if port := u.Port(); port != "" {
		if _, err := parsePort(port); err != nil {
			return err
		}
	}
	if strings.Contains(u.Hostname(), ":") != strings.HasPrefix(u.Host, "[") {
		return errHostForm
	}
	return nil
}

// checkHost accepts canonical IP addresses and DNS names of letters, digits,
// hyphens and underscores (RFC 1123). A name whose last label is a number is
// refused: some resolvers read it as an address, such as 127.1 or 0x7f000001.
func checkHost(host string, allowPrivate bool) error {
	if host == "" {
		return errHostEmpty
	}
	if a, err := netip.ParseAddr(host); err == nil {
		switch {
		case a.Zone() != "":
			return errHostZone
		case a.Is4In6() && !allowPrivate:
			return errHostRefused
		}
		return nil
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if name == "" || len(name) > 253 {
		return errHostForm
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return err
		}
		last = label
	}
	if isNumber(last) {
		return errHostNumber
	}
	return nil
}

func checkLabel(label string) error {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return errHostForm
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return fmt.Errorf("%w; write international names in their xn-- form", errHostForm)
		}
	}
	return nil
}

// isNumber reports whether a label is decimal, octal or hexadecimal digits.
func isNumber(label string) bool {
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		label, digits = hex, "0123456789abcdef"
	}
	return strings.Trim(label, digits) == ""
}
