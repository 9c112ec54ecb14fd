package issuer

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// maxRedirect bounds one redirect URI, bytes; maxRedirects how many a client has.
const (
	maxRedirect  = 512
	maxRedirects = 16
)

// checkRedirect refuses what must never be registered as a redirect URI: a
// scheme other than https but for http to this machine, fragments, user names,
// wildcards and anything that two parsers read differently (A19).
func checkRedirect(uri string) (*url.URL, error) {
	if uri == "" || len(uri) > maxRedirect {
		return nil, errors.New("a redirect URI has no usable length")
	}
	for _, c := range []byte(uri) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\\\"<>^`{|}*", c) >= 0 {
			return nil, errors.New("a redirect URI has a character that does not belong there")
		}
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		return nil, errors.New("a redirect URI cannot be read")
	case strings.Contains(uri, "#") || u.User != nil:
		return nil, errors.New("a redirect URI has a fragment or a user name")
	case u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Hostname(), ".") || strings.HasSuffix(u.Host, ":"):
		return nil, errors.New("a redirect URI's host is not in its plain form")
	case slices.Contains(strings.Split(u.Path, "/"), "..") || strings.Contains(u.Path, "/./"):
		return nil, errors.New("a redirect URI has dot segments")
	case strings.HasPrefix(uri, "https://"):
		return u, nil
	case strings.HasPrefix(uri, "http://") && loopback(u):
		return u, nil
	}
	return nil, errors.New("a redirect URI is neither https nor http to this machine")
}

// loopback reports whether u leads to the machine that the browser runs on.
func loopback(u *url.URL) bool {
	h := u.Hostname()
	if h == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(h)
	return err == nil && a.IsLoopback() && a.String() == h
}

// redirects reports whether uri is one of those registered: byte for byte, but
// for the port of an http loopback address, which a native app gets from its
// system when it starts (RFC 8252 7.3).
func redirects(registered []string, uri string) bool {
	u, err := checkRedirect(uri)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(registered, func(r string) bool {
		if r == uri {
			return true
		}
		known, err := checkRedirect(r)
		if err != nil || known.Scheme != "http" || u.Scheme != "http" {
			return false
		}
		a, b := *known, *u
		a.Host, b.Host = "", ""
		return known.Hostname() == u.Hostname() && a.String() == b.String() && known.RawQuery == u.RawQuery
	})
}

// origin is what a Content-Security-Policy names the target by.
func origin(uri string) string {
	u, err := checkRedirect(uri)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
