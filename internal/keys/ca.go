package keys

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// TrustDomain is the SPIFFE trust domain of a gateway's own certificates, when
// its operators choose no other.
const TrustDomain = "ostiary.local"

// Files of the authority: each holds one seal record of a certificate and its
// private key. The root's certificate stands in clear in ca.pem beside the
// folder, for clients.
const (
	caRootFile     = "ca-root.sealed"
	caIssuerFile   = "ca-issuer.sealed"
	caListenerFile = "ca-listener.sealed"
	caPublicFile   = "ca.pem"
	caFileLimit    = 64 << 10
	caRootLife     = 3650 * 24 * time.Hour
	caIssuerLife   = 365 * 24 * time.Hour
	caBackdate     = 5 * time.Minute // for clocks that run behind
	caSerialBytes  = 16
)

// CA is the gateway's own certificate authority: a root of ten years, whose key
// is opened only to make an issuer and may be taken away altogether, and two
// issuers of a year at a time: one for agents, one for listeners. It is safe for
// concurrent use.
type CA struct {
	folder string
	key    sealer
	root   *x509.Certificate
	domain string
	follow bool // another process makes the issuers

	mu      sync.Mutex // guards the fields below
	offline bool       // the root's key is not here
	issuers map[IssuerUse]*signer
}

// signer is a certificate with its private key; the root's key may be nil.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// createCA makes the root and the first issuers and writes their files.
func createCA(dir string, key sealer, domain string, now time.Time) (*CA, error) {
	if domain == "" {
		domain = TrustDomain
	}
	if err := CheckTrustDomain(domain); err != nil {
		return nil, err
	}
	root, err := newRoot(domain, now)
	if err != nil {
		return nil, err
	}
	c := &CA{folder: Folder(dir), key: key, root: root.cert, domain: domain, issuers: map[IssuerUse]*signer{}}
	if err := c.save(caRootFile, root); err != nil {
		return nil, err
	}
	for _, use := range issuerUses {
		if _, err := c.make(use, root, now); err != nil {
			return nil, err
		}
	}
	if err := writeFile(filepath.Join(dir, caPublicFile), c.RootPEM(), 0o644); err != nil {
		return nil, err
	}
	return c, nil
}

// openCA reads the authority's files. A ca.pem that is not the root's is
// refused: whoever exchanged it would have clients trust somebody else.
func openCA(dir string, key sealer) (*CA, error) {
	c := &CA{folder: Folder(dir), key: key}
	root, err := c.load(caRootFile)
	if err != nil {
		return nil, err
	}
	if len(root.cert.PermittedURIDomains) != 1 {
		return nil, fmt.Errorf("%s %w: it names no trust domain", caRootFile, ErrDamaged)
	}
	c.root, c.offline, c.domain = root.cert, root.key == nil, root.cert.PermittedURIDomains[0]
	if c.issuers, err = c.loadIssuers(); err != nil {
		return nil, err
	}
	public, err := os.ReadFile(filepath.Join(dir, caPublicFile))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the public root: %w", err)
	}
	if string(public) != string(c.RootPEM()) {
		return nil, fmt.Errorf("%s %w: it is not this gateway's root certificate", filepath.Join(dir, caPublicFile), ErrDamaged)
	}
	return c, nil
}

// loadIssuers reads the issuers. An authority from before there were two has
// one, which signs for both until current replaces it.
func (c *CA) loadIssuers() (map[IssuerUse]*signer, error) {
	all := map[IssuerUse]*signer{}
	for _, use := range issuerUses {
		s, err := c.load(use.file())
		if use == ForListeners && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if s.key == nil || s.cert.CheckSignatureFrom(c.root) != nil {
			return nil, fmt.Errorf("%s %w: the root did not sign it", use.file(), ErrDamaged)
		}
		all[use] = s
	}
	return all, nil
}

// ErrIssuerEnded says that an issuer has expired and the root's key, which could
// make the next one, is not on this machine.
var ErrIssuerEnded = errors.New("the issuer has ended, and the root's key is not here")

// current returns the issuer, replaced when half of its life is over. Without
// the root's key it goes on to its end.
func (c *CA) current(use IssuerUse, now time.Time) (*signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.issuers[use]
	if s == nil && (c.follow || c.offline) && outdated(c.issuers[ForAgents], ForAgents) {
		s = c.issuers[ForAgents] // from before there were two
	}
	if c.follow || c.offline {
		if s == nil || !now.Before(s.cert.NotAfter) {
			return nil, ErrIssuerEnded
		}
		return s, nil
	}
	if s != nil && !outdated(s, use) && now.Before(half(s.cert)) {
		return s, nil
	}
	root, err := c.load(caRootFile)
	if err != nil {
		return nil, err
	}
	return c.make(use, root, now)
}

// make replaces an issuer; whoever calls it holds c.mu or has c alone.
func (c *CA) make(use IssuerUse, root *signer, now time.Time) (*signer, error) {
	next, err := newIssuer(use, root, c.domain, now)
	if err != nil {
		return nil, err
	}
	if err := c.save(use.file(), next); err != nil {
		return nil, err
	}
	c.issuers[use] = next
	return next, nil
}

func half(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 2)
}

// Domain returns the SPIFFE trust domain of the gateway's own certificates.
func (c *CA) Domain() string { return c.domain }

// RootPEM returns the root certificate that clients trust.
func (c *CA) RootPEM() []byte { return certPEM(c.root.Raw) }

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// IssuerPEM returns the certificate of an issuer in use.
func (c *CA) IssuerPEM(use IssuerUse, now time.Time) ([]byte, error) {
	issuer, err := c.current(use, now)
	if err != nil {
		return nil, err
	}
	return certPEM(issuer.cert.Raw), nil
}

// ClientPool returns a pool that holds the root alone, to verify callers'
// chains: they present their issuer themselves.
func (c *CA) ClientPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.root)
	return pool
}

// IsRoot reports whether cert is the root.
func (c *CA) IsRoot(cert *x509.Certificate) bool { return cert != nil && cert.Equal(c.root) }

// ID returns the SPIFFE id of a component: kind is client, server, gateway or
// person.
func (c *CA) ID(kind, name string) *url.URL { return idIn(c.domain, DefaultTenant, kind, name) }

// ID is that of a component of a gateway whose trust domain is TrustDomain.
func ID(tenant, kind, name string) *url.URL { return idIn(TrustDomain, tenant, kind, name) }

func idIn(domain, tenant, kind, name string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: domain, Path: "/tenant/" + tenant + "/" + kind + "/" + name}
}
