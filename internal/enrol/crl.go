package enrol

import (
	"net/http"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

// listAge is how old a served list may be while nothing changes: it is signed
// anew when a certificate was revoked, and then.
const listAge = 10 * time.Minute

// list is the signed list that was made last.
type list struct {
	der     []byte
	version uint64 // of the registry
	made    time.Time
}

// crl serves an issuer's list of revoked certificates to anybody: it holds
// serial numbers and times.
func (p *Pages) crl(use keys.IssuerUse) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		der, err := p.current(use)
		if err != nil {
			p.cfg.Log("the revocation list cannot be made", err)
			fail(w, http.StatusServiceUnavailable, "the list cannot be made now")
			return
		}
		w.Header().Set("Content-Type", "application/pkix-crl")
		w.WriteHeader(http.StatusOK)
		write(w, der)
	}
}

// current returns the list, at most one signature at a time and one for each
// version of the registry.
func (p *Pages) current(use keys.IssuerUse) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, version := p.cfg.Clock.Now(), p.cfg.Live.Load().Version()
	last := p.lists[use]
	if age := now.Sub(last.made); last.der != nil && last.version == version && age >= 0 && age < listAge {
		return last.der, nil
	}
	der, _, err := p.cfg.Store.CRL(use)
	if err != nil {
		return nil, err
	}
	p.lists[use] = list{der, version, now}
	return der, nil
}
