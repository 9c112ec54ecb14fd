package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ostiary.dev/ostiary/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers is a Resolver that gives its answers one after the other.
type answers struct {
	each [][]netip.Addr
	n    int
	err  error
}

func (a *answers) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if a.err != nil {
		return nil, a.err
	}
	got := a.each[min(a.n, len(a.each)-1)]
	a.n++
	return got, nil
}

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, t := range texts {
		out = append(out, netip.MustParseAddr(t))
	}
	return out
}

// dialled is a guard that records where it would connect to. Addresses in dead
// refuse.
func dialled(r Resolver, dead ...string) (*Guard, *[]string) {
	g, log := New(Config{Resolver: r}), new([]string)
	g.dial = func(_ context.Context, _, addr string) (net.Conn, error) {
		*log = append(*log, addr)
		for _, d := range dead {
			if d == addr {
				return nil, errors.New("connection refused")
			}
		}
		ours, theirs := net.Pipe()
		theirs.Close()
		return ours, nil
	}
	return g, log
}

func TestU02AddressesAreVetted(t *testing.T) {
	const (
		public = iota
		private
		never
	)
	for text, class := range map[string]int{
		"1.1.1.1": public, "93.184.216.34": public, "8.8.8.8": public, "172.32.0.1": public, "100.128.0.1": public,
		"2606:4700:4700::1111": public, "2a00:1450:4001:81b::200e": public, "64:ff9b::101:101": public,

		"127.0.0.1": private, "127.255.255.254": private, "10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private,
		"192.168.1.1": private, "169.254.1.1": private, "100.64.0.1": private, "100.127.255.255": private, "192.0.0.1": private,
		"192.0.2.1": private, "198.51.100.1": private, "203.0.113.1": private, "198.18.0.1": private, "198.19.255.255": private,
		"192.88.99.1": private, "::1": private, "fe80::1": private, "fec0::1": private, "fc00::1": private, "fd12:3456::1": private,
		"2001:db8::1": private, "3fff::1": private, "2001:2::1": private, "2001:10::1": private, "100::1": private, "5f00::1": private,
		"::ffff:1.1.1.1": private, "::ffff:127.0.0.1": private, "::127.0.0.1": private, "::1.1.1.1": private,
		"64:ff9b::7f00:1": private, "64:ff9b::a00:1": private, "64:ff9b:1::101:101": private,
		"2002:7f00:1::1": private, "2002:101:101::1": private, "2001:0:101:101::1": private,
		"2606:4700::5efe:10.0.0.1": private, "2606:4700::200:5efe:192.168.0.1": private,
		"4000::1": private, "a000::1": private,

		"0.0.0.0": never, "0.1.2.3": never, "224.0.0.1": never, "239.255.255.250": never, "240.0.0.1": never, "255.255.255.255": never,
		"::": never, "ff02::1": never, "ff0e::1": never,
		"169.254.169.254": never, "169.254.170.2": never, "100.100.100.200": never, "168.63.129.16": never, "192.0.0.192": never,
		"fd00:ec2::254": never, "fd20:ce::254": never,
		"::ffff:169.254.169.254": never, "::169.254.169.254": never, "64:ff9b::a9fe:a9fe": never, "64:ff9b:1::a9fe:a9fe": never,
		"64:ff9b:1:a9fe:a9:fe00::": never, "2002:a9fe:a9fe::1": never, "2001:0:a9fe:a9fe::1": never,
		"2001:0:101:101::5601:5601": never, "2606:4700::5efe:169.254.169.254": never,
		"fe80::1%eth0": never, "2606:4700::1%1": never,
	} {
		a := netip.MustParseAddr(text)
		if got := allowed(a, false); got != (class == public) {
			t.Errorf("%s: allowed %v", text, got)
		}
		if got := allowed(a, true); got != (class != never) {
			t.Errorf("%s: allowed as private %v", text, got)
		}
	}
	if allowed(netip.Addr{}, true) {
		t.Error("the zero address is allowed")
	}
}

func TestU02DialIsPinnedToTheVettedAddress(t *testing.T) {
	// The name is public when it is vetted and private ever after.
	r := &answers{each: [][]netip.Addr{addrs("1.1.1.1"), addrs("127.0.0.1")}}
	g, log := dialled(r)
	nc, err := g.Dial(t.Context(), "tcp", "rebind.example:443", false)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if fmt.Sprint(*log) != "[1.1.1.1:443]" || r.n != 1 {
		t.Errorf("dialled %v after %d lookups", *log, r.n)
	}
	if _, err := g.Dial(t.Context(), "tcp", "rebind.example:443", false); !fault.Is(err, fault.EgressForbidden) {
		t.Errorf("second dial: %v", err)
	}
	if len(*log) != 1 {
		t.Errorf("dialled %v", *log)
	}
}

func TestU02MixedAnswersAreRefused(t *testing.T) {
	for _, mixed := range [][]netip.Addr{
		addrs("1.1.1.1", "10.0.0.1"), addrs("2606:4700:4700::1111", "::1"), addrs("1.1.1.1", "fd00::1"), addrs("1.1.1.1", "::ffff:10.0.0.1"),
	} {
		g, log := dialled(&answers{each: [][]netip.Addr{mixed}})
		if _, err := g.Dial(t.Context(), "tcp", "mixed.example:443", false); !fault.Is(err, fault.EgressForbidden) || len(*log) != 0 {
			t.Errorf("%v: %v, dialled %v", mixed, err, *log)
		}
	}
}

func TestAddressesAreTriedInTurn(t *testing.T) {
	r := &answers{each: [][]netip.Addr{addrs("::ffff:1.1.1.1", "2606:4700:4700::1111", "8.8.8.8")}}
	g, log := dialled(r, "1.1.1.1:80", "[2606:4700:4700::1111]:80")
	nc, err := g.Dial(t.Context(), "tcp", "many.example:80", false)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if fmt.Sprint(*log) != "[1.1.1.1:80 [2606:4700:4700::1111]:80 8.8.8.8:80]" {
		t.Errorf("dialled %v", *log)
	}
	r.each = [][]netip.Addr{addrs("1.1.1.1")}
	if _, err := g.Dial(t.Context(), "tcp", "many.example:80", false); !fault.Is(err, fault.UpstreamUnreachable) {
		t.Errorf("all dead: %v", err)
	}
	many := make([]netip.Addr, 100)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{1, 1, 1, byte(i)})
	}
	all := &answers{each: [][]netip.Addr{many}}
	g, log = dialled(all)
	g.dial = func(context.Context, string, string) (net.Conn, error) {
		*log = append(*log, "")
		return nil, errors.New("refused")
	}
	if _, err := g.Dial(t.Context(), "tcp", "many.example:80", false); !fault.Is(err, fault.UpstreamUnreachable) || len(*log) != maxAddresses {
		t.Errorf("%v after %d dials", err, len(*log))
	}
}

func TestACancelledDialStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g, log := dialled(&answers{each: [][]netip.Addr{addrs("1.1.1.1", "8.8.8.8")}})
	g.dial = func(context.Context, string, string) (net.Conn, error) {
		*log = append(*log, "")
		cancel()
		return nil, context.Canceled
	}
	if _, err := g.Dial(ctx, "tcp", "x.example:80", false); !fault.Is(err, fault.UpstreamUnreachable) || !errors.Is(err, context.Canceled) || len(*log) != 1 {
		t.Errorf("%v after %d dials", err, len(*log))
	}
}

func TestRefusedDials(t *testing.T) {
	g, log := dialled(&answers{each: [][]netip.Addr{addrs("1.1.1.1")}})
	for _, c := range []struct{ network, addr string }{
		{"unix", "/run/x.sock"}, {"udp", "1.1.1.1:53"}, {"tcp", "1.1.1.1"}, {"tcp", "1.1.1.1:0"}, {"tcp", "1.1.1.1:65536"},
		{"tcp", "1.1.1.1:http"}, {"tcp", "1.1.1.1:+80"}, {"tcp", "1.1.1.1:080"}, {"tcp", ":80"}, {"tcp", "127.1:80"}, {"tcp", "0x7f.1:80"},
		{"tcp", "2130706433:80"}, {"tcp", "0177.0.0.1:80"}, {"tcp", "[fe80::1%lo]:80"}, {"tcp", "[::ffff:1.1.1.1]:80"}, {"tcp", "127.0.0.1:80"},
		{"tcp", "[::1]:80"}, {"tcp", "a b:80"}, {"tcp", "a/b:80"}, {"tcp", "a..b:80"}, {"tcp", "169.254.169.254:80"},
	} {
		if _, err := g.Dial(t.Context(), c.network, c.addr, false); !fault.Is(err, fault.EgressForbidden) {
			t.Errorf("%s %s: %v", c.network, c.addr, err)
		}
	}
	if _, err := g.Dial(t.Context(), "tcp", "169.254.169.254:80", true); !fault.Is(err, fault.EgressForbidden) {
		t.Errorf("metadata as private: %v", err)
	}
	if len(*log) != 0 {
		t.Errorf("dialled %v", *log)
	}
	for _, r := range []Resolver{&answers{err: errors.New("no such host")}, &answers{each: [][]netip.Addr{nil}}} {
		g, _ := dialled(r)
		if _, err := g.Dial(t.Context(), "tcp", "none.example:80", false); !fault.Is(err, fault.UpstreamUnreachable) {
			t.Errorf("lookup: %v", err)
		}
	}
}

func TestPrivateDialReachesLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err == nil {
			_, err = io.WriteString(nc, "hi")
			nc.Close()
		}
		served <- err
	}()
	r := &answers{each: [][]netip.Addr{addrs("::ffff:127.0.0.1")}}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := New(Config{Resolver: r, Timeout: 10 * time.Second}).Dial(t.Context(), "tcp", "local.example:"+port, true)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if text, err := io.ReadAll(nc); err != nil || string(text) != "hi" {
		t.Errorf("%q, %v", text, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := New(Config{}).Dial(t.Context(), "tcp", l.Addr().String(), false); !fault.Is(err, fault.EgressForbidden) {
		t.Errorf("loopback as public: %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	for _, raw := range []string{
		"https://example.com", "https://example.com/mcp", "https://example.com:8443/a%20b?x=y", "HTTPS://Example.COM./", "https://1.1.1.1/",
		"https://[2606:4700:4700::1111]:443/", "https://a_b.xn--bcher-kva.example/",
	} {
		if u, err := CheckURL(raw, false); err != nil || u.Hostname() == "" {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{"http://localhost:3000/mcp", "http://127.0.0.1/", "http://[::1]:80/", "http://10.0.0.1/", "https://nas/"} {
		if _, err := CheckURL(raw, true); err != nil {
			t.Errorf("%s as private: %v", raw, err)
		}
	}
	for _, raw := range []string{"http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/", "https://[::ffff:1.1.1.1]/"} {
		if _, err := CheckURL(raw, false); err == nil {
			t.Errorf("%s is accepted as public", raw)
		}
	}
	for raw, want := range map[string]error{
		"": errURLScheme, "example.com": errURLScheme, "/mcp": errURLScheme, "//example.com/": errURLScheme, "https:example.com": errURLForm,
		"https:///mcp": errHostEmpty, "https://:443/": errHostEmpty, "ftp://example.com/": errURLScheme, "file:///etc/passwd": errURLScheme,
		"unix:///run/x.sock": errURLScheme, "javascript:alert(1)": errURLForm, "https://u@example.com/": errURLUser, "https://u:p@example.com/": errURLUser,
		"https://@example.com/": errURLUser, "https://example.com/#a": errURLFragment, "https://example.com/#": errURLFragment,
		"https://exa mple.com/": errURLBytes, "https://example.com/\r\nX: y": errURLBytes, "https://example.com/é": errURLBytes, `https://example.com\@evil/`: errURLBytes,
		"https://example.com:0/": nil, "https://example.com:65536/": nil, "https://example.com:/": nil, "https://example.com:080/": nil, "https://example.com:x/": errURLForm,
		"https://0177.0.0.1/": errHostNumber, "https://0x7f.0.0.1/": errHostNumber, "https://127.1/": errHostNumber, "https://2130706433/": errHostNumber,
		"https://0x7f000001/": errHostNumber, "https://1.2.3.4.5/": errHostNumber, "https://1.2.3.4./": errHostNumber, "https://999.1.1.1/": errHostNumber,
		"https://a.0x/": errHostNumber, "https://[fe80::1%25eth0]/": errHostZone, "https://[::1/": errURLForm, "https://-a.example/": errHostForm,
		"https://a..b/": errHostForm, "https://./": errHostForm, "https://a%2eb/": errURLForm, "https://a$(calc)/": errHostForm, "https://*.example/": errHostForm,
		"https://" + strings.Repeat("a", 64) + ".example/": errHostForm, "https://" + strings.Repeat("a.", 130) + "example/": errHostForm,
		"https://169.254.169.254/latest/": errHostRefused, "https://[fd00:ec2::254]/": errHostRefused, "https://0.0.0.0/": errHostRefused,
		"https://[::ffff:169.254.169.254]/": errHostRefused, "https://example.com/" + strings.Repeat("a", 9000): errURLLong,
	} {
		u, err := CheckURL(raw, true)
		if err == nil || u != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%.60s: %v, want %v", raw, err, want)
		}
		if err != nil && raw != "" && strings.Contains(err.Error(), raw) {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
}
