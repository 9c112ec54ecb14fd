package app

import (
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

// issuedLife is how long a certificate of one of our listeners lives; it is
// renewed when a third of it is left.
const issuedLife = 7 * 24 * time.Hour

// issuerSoon is when operators are told that an issuer ends, whose successor the
// gateway cannot make itself.
const issuerSoon = 60 * 24 * time.Hour

// checkIssuers is the check that says whether the issuers last.
const checkIssuers = "certificate issuers"

// issuerHealth says when an issuer ends that an operator has to replace.
func (a *App) issuerHealth() (state, detail string) {
	info, now := a.ring.CA().Describe(), a.clock.Now()
	if !info.Offline {
		return stateOK, ""
	}
	for use, cert := range info.Issuers {
		if left := cert.NotAfter.Sub(now); left < issuerSoon {
			return stateDegraded, fmt.Sprintf("the issuer of %s ends %s, and the root is away: ostiary ca request-issuers", use, cert.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	return stateOK, "the root is away"
}

// certified are the hosts that our authority certifies listeners for.
func (a *App) certified() []string {
	c := a.config.Load()
	hosts := listenNames(c.Listeners.Admin.Address)
	if c.Listeners.Data.TLS.Cert == "" {
		hosts = append(hosts, c.ServedNames()...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// issued is a listener's certificate of the gateway's own CA, renewed by use.
type issued struct {
	ca    *keys.CA
	names []string
	clock clock.Clock

	mu    sync.Mutex
	cert  *tls.Certificate
	renew time.Time
}

// get returns the certificate for a handshake.
func (i *issued) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.clock.Now()
	if i.cert != nil && now.Before(i.renew) {
		return i.cert, nil
	}
	c, err := i.ca.IssueServer(i.names, issuedLife, now)
	if err != nil && i.cert != nil && now.Before(i.cert.Leaf.NotAfter) {
		return i.cert, nil // readiness tells of issuers that end
	}
	if err != nil {
		return nil, fmt.Errorf("issue a listener's certificate: %w", err)
	}
	i.cert, i.renew = &c, now.Add(issuedLife*2/3)
	return i.cert, nil
}
