package egress

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// FuzzURL checks that an accepted URL is what net/url and a literal reading
// agree on, and that it stays accepted as it is written out again.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"https://example.com/mcp", "http://127.0.0.1:80/", "https://[::1]:1/?a#b", "https://u:p@h/", "https://0x7f.1/", "https://a:b@c:d/", "https://h:/"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, raw string, allowPrivate bool) {
		u, err := CheckURL(raw, allowPrivate)
		if err != nil {
			if u != nil {
				t.Error("a refusal with a URL")
			}
			return
		}
		if u.User != nil || u.Fragment != "" || strings.ContainsAny(raw, "#\\ @\t\r\n") && !strings.Contains(u.RequestURI(), "@") {
			t.Errorf("%q: user or fragment", raw)
		}
		if u.Scheme != "https" && (u.Scheme != "http" || !allowPrivate) {
			t.Errorf("%q: scheme %s", raw, u.Scheme)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !allowed(a.Unmap(), allowPrivate) {
			t.Errorf("%q: address %s", raw, a)
		}
		again, err := CheckURL(u.String(), allowPrivate)
		if err != nil || again.Host != u.Host || again.EscapedPath() != u.EscapedPath() || again.RawQuery != u.RawQuery {
			t.Errorf("%q is written out as %q: %v", raw, u, err)
		}
		if plain, err := url.Parse(raw); err != nil || plain.Host != u.Host {
			t.Errorf("%q: net/url reads another host: %v", raw, err)
		}
	})
}

// FuzzAddress checks for every address that private is wider than public, and
// that nothing private hides inside.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"1.1.1.1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a00:1::1", "2001:0:101:101::5601:5601"} {
		f.Add(netip.MustParseAddr(seed).AsSlice())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		public := allowed(a, false)
		if public && !allowed(a, true) {
			t.Errorf("%s is public but not private", a)
		}
		if !public {
			return
		}
		if a.IsPrivate() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsUnspecified() || !a.IsGlobalUnicast() || a.Is4In6() {
			t.Errorf("%s is allowed", a)
		}
		for _, inner := range embedded(a) {
			if !allowed(inner, false) {
				t.Errorf("%s leads to %s", a, inner)
			}
		}
	})
}
