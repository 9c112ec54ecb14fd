package admit

import (
	"net/netip"
	"testing"

	"ostiary.dev/ostiary/internal/http1"
)

func TestPeerOf(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, c := range map[string]struct {
		peer    string
		forward []string
		trusted []netip.Prefix
		want    string
	}{
		"no proxy is trusted":        {"10.0.0.1:5", []string{"203.0.113.9"}, nil, "10.0.0.1"},
		"H16 a stranger's header":    {"198.51.100.7:5", []string{"203.0.113.9"}, trusted, "198.51.100.7"},
		"a trusted proxy":            {"10.0.0.1:5", []string{"203.0.113.9"}, trusted, "203.0.113.9"},
		"a trusted proxy by IPv6":    {"[::1]:5", []string{"2001:db8::9"}, trusted, "2001:db8::9"},
		"the caller's own additions": {"10.0.0.1:5", []string{"1.1.1.1, 203.0.113.9, 10.0.0.2"}, trusted, "203.0.113.9"},
		"several lines":              {"10.0.0.1:5", []string{"1.1.1.1", "203.0.113.9"}, trusted, "203.0.113.9"},
		"only proxies":               {"10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, trusted, "10.0.0.1"},
		"no address":                 {"10.0.0.1:5", []string{"203.0.113.9, unknown"}, trusted, "10.0.0.1"},
		"a zone":                     {"10.0.0.1:5", []string{"fe80::1%eth0"}, trusted, "10.0.0.1"},
		"no header":                  {"10.0.0.1:5", nil, trusted, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http1.Request{Peer: netip.MustParseAddrPort(c.peer)}
			for _, v := range c.forward {
				r.Header = append(r.Header, http1.Field{Name: "X-Forwarded-For", Value: v})
			}
			if got := peerOf(r, c.trusted).Addr().String(); got != c.want {
				t.Fatalf("peer %s, want %s", got, c.want)
			}
		})
	}
}
