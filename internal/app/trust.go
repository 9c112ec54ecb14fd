package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/logs"
)

// How often the source of a bundle is looked at: a file every second, an
// endpoint as its bundle asks, within bounds, and after a failure sooner.
const (
	trustEvery   = time.Second
	trustDefault = 5 * time.Minute
	trustLeast   = 10 * time.Second
	trustMost    = time.Hour
	trustRetry   = 30 * time.Second
)

// trusted is the outside trust domains, their sources and the pool of their
// authorities with our own.
type trusted struct {
	*identity.Trust
	sources []*trustSource
	version atomic.Uint64 // of the authorities
}

// trustSource is where the bundle of a domain comes from.
type trustSource struct {
	TrustConfig
	path  string // of the file, "" with an endpoint
	fetch func(context.Context) ([]byte, error)

	mu   sync.Mutex // held while one looks
	file os.FileInfo
	last identity.Bundle // what the file held
	next time.Time       // when to look again
	fail error           // how the last look ended
}

// openTrust prepares the outside trust domains; until their sources were read,
// each refuses.
func (a *App) openTrust() error {
	all := a.config.Load().Identity.Trust
	if len(all) == 0 {
		return nil
	}
	keep := map[string]time.Duration{}
	t := &trusted{}
	for _, c := range all {
		if c.TrustDomain == a.ring.CA().Domain() {
			return &admin.Error{Code: admin.Invalid, Message: "identity.trust names the gateway's own trust domain, " + c.TrustDomain,
				Fix: "take it out: no other authority may vouch for it"}
		}
		s := &trustSource{TrustConfig: c}
		if c.Bundle != "" {
			s.path = a.filePath(c.Bundle)
			s.fetch = func(context.Context) ([]byte, error) { return readBounded(s.path, identity.MaxBundle) }
		} else {
			client, err := a.issuerClient(IssuerConfig{URL: c.Endpoint, CA: c.CA, Private: c.Private})
			if err != nil {
				return fmt.Errorf("trust domain %s: %w", c.TrustDomain, err)
			}
			s.fetch = func(ctx context.Context) ([]byte, error) {
				ctx, cancel := context.WithTimeout(ctx, issuerWait)
				defer cancel()
				return client.get(ctx, c.Endpoint, identity.MaxBundle)
			}
		}
		keep[c.TrustDomain] = time.Duration(c.Keep)
		t.sources = append(t.sources, s)
	}
	t.Trust = identity.NewTrust(keep, func(source, id string) string { return admin.ForeignName(a.ring, source, id) })
	a.trust = t
	return nil
}

// outside returns the outside trust domains; nil without one.
func (a *App) outside() *identity.Trust {
	if a.trust == nil {
		return nil
	}
	return a.trust.Trust
}

// startTrust reads the files before anybody is served, so that a restart refuses
// nobody; endpoints are asked meanwhile. It adds a check for each domain.
func (a *App) startTrust(ctx context.Context) {
	if a.trust == nil {
		return
	}
	for _, s := range a.trust.sources {
		if s.path != "" {
			a.lookTrust(ctx, s)
		}
		a.health.Watch("trust domain "+s.TrustDomain, func() (string, string) { return a.trustHealth(s) })
	}
}

// watchTrust looks at a source until ctx ends.
func (a *App) watchTrust(ctx context.Context, s *trustSource) {
	tick := time.NewTicker(trustEvery)
	defer tick.Stop()
	for {
		a.lookTrust(ctx, s)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookTrust looks at a source when it is time. What cannot be read, or is not
// wholly good, leaves the last bundle, which counts until its keep is over
// (TestTrustBundleGoesStale).
func (a *App) lookTrust(ctx context.Context, s *trustSource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := a.clock.Now()
	if now.Before(s.next) {
		return
	}
	b, wait, err := s.read(ctx)
	if err == nil {
		err = a.takeBundle(s.TrustDomain, b, now)
	}
	if err != nil && ctx.Err() == nil && (s.fail == nil || s.fail.Error() != err.Error()) {
		a.log.Warn("the bundle of a trust domain was not taken", logs.Public("domain", s.TrustDomain), logs.Err(err))
	}
	if err != nil {
		s.file, wait = nil, min(wait, trustRetry)
	}
	s.fail, s.next = err, now.Add(wait)
}

// read returns what the source says, and when to look again.
func (s *trustSource) read(ctx context.Context) (identity.Bundle, time.Duration, error) {
	if s.path == "" {
		text, err := s.fetch(ctx)
		if err != nil {
			return identity.Bundle{}, trustRetry, err
		}
		b, err := identity.ParseBundle(text, s.TrustDomain)
		wait := cmp.Or(time.Duration(s.Refresh), b.Refresh, trustDefault)
		return b, min(max(wait, trustLeast), trustMost), err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return identity.Bundle{}, 0, err
	}
	if s.file != nil && same(info, s.file) {
		return s.last, 0, nil
	}
	text, err := s.fetch(ctx)
	if err != nil {
		return identity.Bundle{}, 0, err
	}
	b, err := identity.ParseBundle(text, s.TrustDomain)
	if err == nil {
		s.file, s.last = info, b
	}
	return b, 0, err
}

// takeBundle makes b the bundle of a domain. Other authorities are recorded
// before they count.
func (a *App) takeBundle(domain string, b identity.Bundle, now time.Time) error {
	if err := a.trust.Newest(domain, b); err != nil {
		return err
	}
	before, _, _ := a.trust.State(domain, now)
	old, next := digestRoots(before.Roots), digestRoots(b.Roots)
	if old != next && a.follower == nil {
		err := a.record.Act(auditlog.Act{Kind: auditlog.ConfigReloaded, Action: "trust.bundle", Subject: domain, Before: old, After: next,
			Change: map[string]any{"authorities": len(b.Roots), "sequence": b.Sequence}})
		if err != nil {
			return fmt.Errorf("record the bundle: %w", err)
		}
	}
	changed, err := a.trust.Set(domain, b, now)
	if changed {
		a.trust.version.Add(1)
	}
	return err
}

// digestRoots names a set of authorities; "" is none.
func digestRoots(all []*x509.Certificate) string {
	if len(all) == 0 {
		return ""
	}
	return string(digestOf(encodeRoots(all)))
}

// encodeRoots writes authorities as a bundle in PEM, in the order that they have.
func encodeRoots(all []*x509.Certificate) []byte {
	var out []byte
	for _, c := range all {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// trustHealth says for readiness whether a domain's certificates are taken.
func (a *App) trustHealth(s *trustSource) (state, detail string) {
	b, confirmed, counts := a.trust.State(s.TrustDomain, a.clock.Now())
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	switch {
	case !counts && fail != nil:
		return stateDegraded, "its certificates are refused: " + fail.Error()
	case !counts:
		return stateDegraded, "its certificates are refused until its bundle was read"
	case fail != nil:
		return stateDegraded, fmt.Sprintf("the bundle of %s counts until %s: %v", confirmed.UTC().Format(time.RFC3339),
			confirmed.Add(time.Duration(s.Keep)).UTC().Format(time.RFC3339), fail)
	}
	return stateOK, fmt.Sprintf("%d authorities", len(b.Roots))
}

// protocols are those of every listener with TLS.
var protocols = []string{"h2", "http/1.1"}

// hotPool gives each handshake a configuration with the authorities of now.
type hotPool struct {
	app  *App
	base *tls.Config

	mu      sync.Mutex // guards the fields below
	version uint64
	config  *tls.Config
}

func (p *hotPool) get(*tls.ClientHelloInfo) (*tls.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := p.app.trust.version.Load(); p.config == nil || v != p.version {
		c := p.base.Clone()
		c.ClientCAs = p.app.ring.CA().ClientPool()
		for _, root := range p.app.trust.Roots(p.app.clock.Now()) {
			c.ClientCAs.AddCert(root)
		}
		p.config, p.version = c, v
	}
	return p.config, nil
}
