package enrol

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of one minute. A refusal counts for ten, so that guessing ends soon
// while a fleet behind one address renews.
const (
	perAddress = 120
	perAll     = 3000
	refusal    = 10
	addresses  = 4096 // of which counts are kept; those beyond share perAll
)

// limit counts what addresses asked in the current minute.
type limit struct {
	mu     sync.Mutex // guards the fields below
	minute int64
	total  int
	counts map[netip.Addr]int
}

// take counts a request, and says whether it may be served.
func (l *limit) take(peer string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := now.Unix() / 60; m != l.minute || l.counts == nil {
		l.minute, l.total, l.counts = m, 0, map[netip.Addr]int{}
	}
	return l.add(peer, 1)
}

// failed counts a refusal.
func (l *limit) failed(peer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(peer, refusal-1)
}

func (l *limit) add(peer string, n int) bool {
	l.total += n
	at, known := source(peer)
	if _, counted := l.counts[at]; known && (counted || len(l.counts) < addresses) {
		l.counts[at] += n
	}
	return l.total <= perAll && l.counts[at] <= perAddress
}

// source is the address of a peer; of IPv6 its network of 64 bits, of which
// one host has as many addresses as it likes.
func source(peer string) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}, false
	}
	a := ap.Addr().Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr(), true
		}
	}
	return a, true
}
