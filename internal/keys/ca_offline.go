package keys

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Errors of an authority whose root is elsewhere.
var (
	ErrRootAway  = errors.New("the root's key is not on this machine")
	ErrNoRequest = errors.New("it is not for a key that was asked for here")
	ErrBadIssuer = errors.New("the issuer's certificate cannot be used")
)

// waiting is the file of the key that waits for its certificate.
func (u IssuerUse) waiting() string {
	if u == ForListeners {
		return "ca-listener-next.sealed"
	}
	return "ca-issuer-next.sealed"
}

// AuthorityInfo describes the authority; it holds no secret.
type AuthorityInfo struct {
	Domain  string
	Root    *x509.Certificate
	Offline bool // the root's key is not here
	Issuers map[IssuerUse]*x509.Certificate
	Waiting []IssuerUse // whose next key waits for a certificate
}

// Describe returns what the authority is made of.
func (c *CA) Describe() AuthorityInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := AuthorityInfo{Domain: c.domain, Root: c.root, Offline: c.offline, Issuers: map[IssuerUse]*x509.Certificate{}}
	for _, use := range issuerUses {
		if s := c.issuers[use]; s != nil {
			a.Issuers[use] = s.cert
		}
		if _, err := c.open(use.waiting()); err == nil {
			a.Waiting = append(a.Waiting, use)
		}
	}
	return a
}

// Hosts returns what an issuer of listeners may name alone: DNS names and
// networks. None means every one.
func Hosts(issuer *x509.Certificate) (all []string) {
	all = append(all, issuer.PermittedDNSDomains...)
	for _, n := range issuer.PermittedIPRanges {
		all = append(all, n.String())
	}
	return all
}

// Sealing says to whom an exported root is sealed: exactly one is set.
type Sealing struct {
	Recipient  string // age1...
	Passphrase []byte
}

// ExportRoot returns the root with its key as an age file, which holds both in
// PEM. The key stays here until DropRoot.
func (c *CA) ExportRoot(to Sealing) ([]byte, error) {
	return c.exportRoot(to, Options{})
}

func (c *CA) exportRoot(to Sealing, o Options) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	root, err := c.load(caRootFile)
	if err != nil {
		return nil, err
	}
	if root.key == nil {
		return nil, ErrRootAway
	}
	der, err := x509.MarshalPKCS8PrivateKey(root.key)
	if err != nil {
		return nil, fmt.Errorf("export the root: %w", err)
	}
	plain := append(c.RootPEM(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	defer clear(plain)
	if to.Recipient == "" {
		o.Passphrase = func() ([]byte, error) { return to.Passphrase, nil }
		return sealRootAge(plain, o)
	}
	r, err := recipient(to.Recipient)
	if err != nil {
		return nil, err
	}
	return encryptAge(plain, r)
}

// DropRoot makes both issuers anew, so that they last a year, and removes the
// root's key from this machine. Copies in backups of the keys stay.
func (c *CA) DropRoot(now time.Time) error {
	if c.follow {
		return ErrReadOnly
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	root, err := c.load(caRootFile)
	if err != nil {
		return err
	}
	if root.key == nil {
		return ErrRootAway
	}
	for _, use := range issuerUses {
		if _, err := c.make(use, root, now); err != nil {
			return err
		}
	}
	if err := c.save(caRootFile, &signer{cert: root.cert}); err != nil {
		return err
	}
	c.offline = true
	return nil
}

// RequestIssuers makes the keys of the next issuers and returns requests for
// their certificates, in PEM. The issuers in use stay until the answer is
// imported; a second request replaces the first one.
func (c *CA) RequestIssuers() ([]byte, error) {
	if c.follow {
		return nil, ErrReadOnly
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []byte
	for _, use := range issuerUses {
		key, err := newPrivateKey()
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("request an issuer: %w", err)
		}
		if err := c.seal(use.waiting(), der); err != nil {
			return nil, err
		}
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
			Subject: pkix.Name{CommonName: use.name(), Organization: []string{c.domain}}}, key)
		if err != nil {
			return nil, fmt.Errorf("request an issuer: %w", err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})...)
	}
	return out, nil
}
