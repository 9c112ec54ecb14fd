package admit

import (
	"net/netip"
	"strings"

	"ostiary.dev/ostiary/internal/http1"
)

// peerOf returns the caller's address for the record. Only a trusted proxy may
// say that it stands for another: then the nearest address in X-Forwarded-For
// that is not a trusted proxy counts. From anybody else the header is ignored
// (H16, TestPeerOf).
func peerOf(r *http1.Request, trusted []netip.Prefix) netip.AddrPort {
	if len(trusted) == 0 || !within(trusted, r.Peer.Addr()) {
		return r.Peer
	}
	var hops []string
	for line := range r.Header.All("X-Forwarded-For") {
		hops = append(hops, strings.Split(line, ",")...)
	}
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil || a.Zone() != "" {
			return r.Peer // not an address: believe none of it
		}
		if a = a.Unmap(); !within(trusted, a) {
			return netip.AddrPortFrom(a, 0)
		}
	}
	return r.Peer
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}
