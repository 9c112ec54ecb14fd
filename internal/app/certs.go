package app

import (
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

// issuedLife is how long a certificate of one of our listeners lives; it is
// renewed when a third of it is left.
const issuedLife = 7 * 24 * time.Hour

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
	if err != nil {
		return nil, fmt.Errorf("issue a listener's certificate: %w", err)
	}
	i.cert, i.renew = &c, now.Add(issuedLife*2/3)
	return i.cert, nil
}
