package identity

import (
	"crypto/x509"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// Trust is the outside authorities whose certificates name agents here, by
// trust domain. Which domains there are is fixed; their bundles change. It is
// safe for concurrent use.
type Trust struct {
	domains map[string]*trustDomain
	name    func(source, id string) string
}

// trustDomain is one of them.
type trustDomain struct {
	keep  time.Duration // how long a bundle counts that nobody confirmed
	state atomic.Pointer[vouched]
}

type vouched struct {
	bundle    Bundle
	confirmed time.Time // when its source last said so
}

// Errors of bundles.
var (
	errStale   = errors.New("the authorities of the trust domain could not be confirmed for too long")
	errReplay  = errors.New("the bundle is older than the one in force")
	errUnknown = errors.New("the trust domain is not one of those that are trusted")
)

// NewTrust returns the trust in domains, for each how long its bundle counts
// when its source does not confirm it. None has a bundle yet: that refuses. name
// returns the keyed name of an id, under which it is bound to an agent.
func NewTrust(keep map[string]time.Duration, name func(source, id string) string) *Trust {
	t := &Trust{domains: map[string]*trustDomain{}, name: name}
	for name, d := range keep {
		t.domains[name] = &trustDomain{keep: d}
	}
	return t
}

// Set makes b the bundle of a domain, as its source says at now. A bundle with a
// lower sequence than the one in force is one of the past, which somebody plays
// again: it is refused, and confirms nothing. changed says whether the
// authorities are others than before. Only one goroutine sets a domain.
func (t *Trust) Set(domain string, b Bundle, now time.Time) (changed bool, err error) {
	if err := t.Newest(domain, b); err != nil {
		return false, err
	}
	d := t.domains[domain]
	old := d.state.Load()
	d.state.Store(&vouched{b, now})
	return old == nil || !slices.EqualFunc(old.bundle.Roots, b.Roots, (*x509.Certificate).Equal), nil
}

// Newest returns why Set would refuse b.
func (t *Trust) Newest(domain string, b Bundle) error {
	d := t.domains[domain]
	if d == nil {
		return errUnknown
	}
	if old := d.state.Load(); old != nil && b.Sequence < old.bundle.Sequence {
		return errReplay
	}
	return nil
}

// State returns the bundle of a domain, when it was confirmed last, and whether
// it counts at now.
func (t *Trust) State(domain string, now time.Time) (b Bundle, confirmed time.Time, counts bool) {
	d := t.domains[domain]
	if d == nil {
		return Bundle{}, time.Time{}, false
	}
	s := d.state.Load()
	if s == nil {
		return Bundle{}, time.Time{}, false
	}
	return s.bundle, s.confirmed, now.Sub(s.confirmed) < d.keep
}

// Domains returns the trusted domains, sorted.
func (t *Trust) Domains() []string {
	if t == nil {
		return nil
	}
	var all []string
	for name := range t.domains {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Roots returns the authorities of every domain whose bundle counts at now, for
// handshakes.
func (t *Trust) Roots(now time.Time) []*x509.Certificate {
	var all []*x509.Certificate
	for _, name := range t.Domains() {
		if b, _, counts := t.State(name, now); counts {
			all = append(all, b.Roots...)
		}
	}
	return all
}
