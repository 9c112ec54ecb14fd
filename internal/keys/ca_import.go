package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// maxIssuers bounds a file of issuers or of their requests, bytes.
const maxIssuers = 64 << 10

// ImportIssuers takes certificates, in PEM, that the root made elsewhere for the
// keys of RequestIssuers. Each must be exactly what this gateway would have made
// itself or narrower, and that of listeners able to name hosts, the gateway's own;
// one that is not changes nothing (TestImportRefuses).
func (c *CA) ImportIssuers(text []byte, hosts []string, now time.Time) ([]IssuerUse, error) {
	if c.follow {
		return nil, ErrReadOnly
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next, err := c.imported(text, hosts, now)
	if err != nil {
		return nil, err
	}
	var taken []IssuerUse
	for _, use := range issuerUses {
		s := next[use]
		if s == nil {
			continue
		}
		if err := c.save(use.file(), s); err != nil {
			return taken, err
		}
		c.issuers[use] = s
		taken = append(taken, use)
		if err := wipe(filepath.Join(c.folder, use.waiting())); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// CheckIssuers returns what ImportIssuers would, and changes nothing.
func (c *CA) CheckIssuers(text []byte, hosts []string, now time.Time) (taken []IssuerUse, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, err := c.imported(text, hosts, now)
	for _, use := range issuerUses {
		if next[use] != nil {
			taken = append(taken, use)
		}
	}
	return taken, err
}

// imported reads the certificates of waiting keys.
func (c *CA) imported(text []byte, hosts []string, now time.Time) (map[IssuerUse]*signer, error) {
	certs, err := parseCertificates(text)
	if err != nil {
		return nil, err
	}
	next := map[IssuerUse]*signer{}
	for _, cert := range certs {
		use, s, err := c.matching(cert)
		if err != nil {
			return nil, err
		}
		if err := c.fits(cert, use, now); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadIssuer, err)
		}
		if next[use] != nil {
			return nil, fmt.Errorf("%w: there are two for %s", ErrBadIssuer, use)
		}
		if use == ForListeners {
			if err := c.names(s, hosts, now); err != nil {
				return nil, fmt.Errorf("%w: it may not name the gateway's own listeners (%s): %w", ErrBadIssuer, strings.Join(hosts, ", "), err)
			}
		}
		next[use] = s
	}
	return next, nil
}

// names returns why an issuer of listeners cannot sign for hosts, by doing so: a
// gateway that took it would lock everybody out.
func (c *CA) names(s *signer, hosts []string, now time.Time) error {
	t := leafTemplate(time.Hour, now)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	addHosts(t, hosts)
	key, err := newPrivateKey()
	if err != nil {
		return err
	}
	leaf, err := sign(t, s, key)
	if err != nil {
		return err
	}
	between := x509.NewCertPool()
	between.AddCert(s.cert)
	_, err = leaf.cert.Verify(x509.VerifyOptions{Roots: c.ClientPool(), Intermediates: between, CurrentTime: now, KeyUsages: t.ExtKeyUsage})
	return err
}

// matching finds the waiting key that a certificate is for.
func (c *CA) matching(cert *x509.Certificate) (IssuerUse, *signer, error) {
	for _, use := range issuerUses {
		der, err := c.open(use.waiting())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		key, err := parseKey(der)
		if err != nil {
			return "", nil, fmt.Errorf("%s %w: %v", use.waiting(), ErrDamaged, err)
		}
		if key.PublicKey.Equal(cert.PublicKey) {
			return use, &signer{cert: cert, key: key}, nil
		}
	}
	return "", nil, ErrNoRequest
}

// fits returns why an issuer that was made elsewhere is not taken.
func (c *CA) fits(cert *x509.Certificate, use IssuerUse, now time.Time) error {
	if err := fitsUse(cert, use); err != nil {
		return err
	}
	if cert.PermittedURIDomains[0] != c.domain {
		return errors.New("it is bound to another trust domain")
	}
	if err := cert.CheckSignatureFrom(c.root); err != nil {
		return errors.New("this gateway's root did not sign it")
	}
	if now.Before(cert.NotBefore) || !now.Before(cert.NotAfter) || cert.NotAfter.After(c.root.NotAfter) {
		return errors.New("it is expired, not yet valid, or outlives the root")
	}
	return nil
}

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	blocks, err := pemBlocks(text, "CERTIFICATE")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadIssuer, err)
	}
	var all []*x509.Certificate
	for _, b := range blocks {
		cert, err := x509.ParseCertificate(b)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadIssuer, err)
		}
		all = append(all, cert)
	}
	return all, nil
}

// pemBlocks reads one block for each issuer at most, and nothing else.
func pemBlocks(text []byte, kind string) ([][]byte, error) {
	if len(text) > maxIssuers {
		return nil, errors.New("the file is too long")
	}
	var all [][]byte
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != kind || len(all) == len(issuerUses) {
			return nil, fmt.Errorf("expected one or two blocks of %s in PEM", kind)
		}
		all, text = append(all, block.Bytes), rest
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("expected one or two blocks of %s in PEM", kind)
	}
	return all, nil
}

// p256 returns the public key of a request that its own key signed.
func p256(der []byte) (*x509.CertificateRequest, *ecdsa.PublicKey, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, nil, ErrRequest
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, nil, errors.New("an issuer's key must be P-256")
	}
	if csr.CheckSignature() != nil {
		return nil, nil, ErrRequestSign
	}
	return csr, key, nil
}
