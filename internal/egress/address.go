package egress

import (
	"net/netip"
	"slices"
)

// Ranges that no tool server is reached in, whatever the operator says: they
// name no single host, or the machine itself by accident.
var never = prefixes(
	"0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", // this network, multicast, reserved and broadcast
	"::/128", "ff00::/8",
)

// Addresses of cloud metadata services, which give credentials to whoever can
// reach them. A private upstream is never one of these.
var metadata = prefixes(
	"169.254.169.254/32", "169.254.169.253/32", "169.254.170.2/32", "169.254.170.23/32", // AWS, GCP, Azure and others; AWS resolver; ECS; EKS
	"100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32", // Alibaba; Oracle; Azure
	"fd00:ec2::254/128", "fd00:ec2::253/128", "fd00:ec2::23/128", "fd20:ce::254/128", // AWS, EKS; GCP
)

// Ranges for private upstreams only: the special-purpose registries of IANA
// (RFC 6890 as updated) but what never holds.
var private = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // private use
	"127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", // loopback, link-local, shared (CGNAT)
	"192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // protocol assignments, documentation
	"192.88.99.0/24", "198.18.0.0/15", // 6to4 relays, benchmarks
	"::/8", "64:ff9b:1::/48", "100::/64", // loopback, IPv4-compatible and -mapped; local NAT64; discard
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // Teredo, ORCHID, benchmarks; documentation; 6to4
	"5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", // SRv6, unique local, link-local, site-local
)

// global is what remains of IPv6 for public use; nat64 is reached through
// translators and judged by the IPv4 address inside.
var (
	global = netip.MustParsePrefix("2000::/3")
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// allowed reports whether a may be dialled.
//
// It stops server-side request forgery: a registered name that points, now or
// later, at the operator's network or at a metadata service, also by way of
// IPv4 addresses written inside IPv6 ones. TestU02 and FuzzAddress hold it.
func allowed(a netip.Addr, allowPrivate bool) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	if within(never, a) || within(metadata, a) {
		return false
	}
	for _, inner := range embedded(a) {
		if within(metadata, inner) || !allowPrivate && !allowed(inner, false) {
			return false
		}
	}
	if allowPrivate || nat64.Contains(a) {
		return true
	}
	return !within(private, a) && (a.Is4() || global.Contains(a))
}

// embedded returns the IPv4 addresses to which an IPv6 address may lead:
// mapped and compatible (RFC 4291), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC
// 3056), Teredo server and client (RFC 4380) and ISATAP (RFC 5214).
func embedded(a netip.Addr) []netip.Addr {
	if a.Is4() {
		return nil
	}
	b := a.As16()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte(b[i : i+4])) }
	var out []netip.Addr
	switch {
	case a.Is4In6(), nat64.Contains(a):
		out = append(out, at(12))
	case netip.PrefixFrom(a, 96).Masked().Addr() == netip.IPv6Unspecified() && a != netip.IPv6Loopback():
		out = append(out, at(12))
	case b[0] == 0x00 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b:
		out = append(out, at(12), netip.AddrFrom4([4]byte{b[6], b[7], b[9], b[10]}))
	case b[0] == 0x20 && b[1] == 0x02:
		out = append(out, at(2))
	case b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0:
		out = append(out, at(4), netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}))
	}
	if b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		out = append(out, at(12))
	}
	return out
}
