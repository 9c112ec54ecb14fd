package enrol

import (
	"net/http"
	"time"
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

// crl serves the list of revoked certificates to anybody: it holds serial
// numbers and times.
func (p *Pages) crl(w http.ResponseWriter, r *http.Request) {
	der, err := p.current()
	if err != nil {
		p.cfg.Log("the revocation list cannot be made", err)
		fail(w, http.StatusServiceUnavailable, "the list cannot be made now")
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	w.WriteHeader(http.StatusOK)
	write(w, der)
}

// current returns the list, at most one signature at a time and one for each
// version of the registry.
func (p *Pages) current() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, version := p.cfg.Clock.Now(), p.cfg.Live.Load().Version()
	if age := now.Sub(p.list.made); p.list.der != nil && p.list.version == version && age >= 0 && age < listAge {
		return p.list.der, nil
	}
	der, _, err := p.cfg.Store.CRL()
	if err != nil {
		return nil, err
	}
	p.list = list{der, version, now}
	return der, nil
}
