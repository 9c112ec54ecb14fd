package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// TrustDomain is the SPIFFE trust domain of a gateway's own certificates.
const TrustDomain = "ostiary.local"

// Files of the authority: each holds one seal record of a certificate and its
// private key. The root's certificate stands in clear in ca.pem beside the
// folder, for clients.
const (
	caRootFile    = "ca-root.sealed"
	caIssuerFile  = "ca-issuer.sealed"
	caPublicFile  = "ca.pem"
	caFileLimit   = 64 << 10
	caRootLife    = 3650 * 24 * time.Hour
	caIssuerLife  = 365 * 24 * time.Hour
	caBackdate    = 5 * time.Minute // for clocks that run behind
	caSerialBytes = 16
)

// CA is the gateway's own certificate authority: a root of ten years whose key
// is opened only to make an issuer, and one issuer of a year at a time, both
// constrained to URI names of the trust domain. It is safe for concurrent use.
type CA struct {
	folder string
	key    sealer
	root   *x509.Certificate
	follow bool // another process makes the issuers

	mu     sync.Mutex // guards issuer
	issuer *signer
}

// signer is a certificate with its private key.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// createCA makes the root and the first issuer and writes their files.
func createCA(dir string, key sealer, now time.Time) (*CA, error) {
	root, err := newRoot(now)
	if err != nil {
		return nil, err
	}
	c := &CA{folder: Folder(dir), key: key, root: root.cert}
	if err := c.save(caRootFile, root); err != nil {
		return nil, err
	}
	if c.issuer, err = newIssuer(root, now); err != nil {
		return nil, err
	}
	if err := c.save(caIssuerFile, c.issuer); err != nil {
		return nil, err
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
	c.root = root.cert
	if c.issuer, err = c.load(caIssuerFile); err != nil {
		return nil, err
	}
	if err := c.issuer.cert.CheckSignatureFrom(c.root); err != nil {
		return nil, fmt.Errorf("%s %w: the root did not sign it", caIssuerFile, ErrDamaged)
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

func newRoot(now time.Time) (*signer, error) {
	key, err := newPrivateKey()
	if err != nil {
		return nil, err
	}
	t := authorityTemplate("Ostiary root", now, now.Add(caRootLife))
	t.MaxPathLen = 1
	return sign(t, &signer{cert: t, key: key}, key)
}

func newIssuer(root *signer, now time.Time) (*signer, error) {
	key, err := newPrivateKey()
	if err != nil {
		return nil, err
	}
	t := authorityTemplate("Ostiary issuer", now, earlier(now.Add(caIssuerLife), root.cert.NotAfter))
	t.MaxPathLenZero = true
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	return sign(t, root, key)
}

// authorityTemplate is a CA certificate that may only name URIs of the trust
// domain, so that a stolen issuer cannot speak for another domain's workloads.
func authorityTemplate(name string, now, until time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:                newSerial(),
		Subject:                     pkix.Name{CommonName: name, Organization: []string{"Ostiary gateway"}},
		NotBefore:                   now.Add(-caBackdate),
		NotAfter:                    until,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		PermittedDNSDomainsCritical: true, // the flag covers every kind of name
		PermittedURIDomains:         []string{TrustDomain},
	}
}

// sign issues t for key by the parent.
func sign(t *x509.Certificate, parent *signer, key *ecdsa.PrivateKey) (*signer, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent.cert, key.Public(), parent.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return &signer{cert: cert, key: key}, nil
}

func newPrivateKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make certificate key: %w", err)
	}
	return key, nil
}

// newSerial returns 127 random bits with the highest set, so that every serial
// is 32 hex digits.
func newSerial() *big.Int {
	b := make([]byte, caSerialBytes)
	fillRandom(b)
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}

// Serial returns the serial number of a certificate as lower-case hex.
func Serial(cert *x509.Certificate) string { return cert.SerialNumber.Text(16) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// current returns the issuer, replaced when half of its life is over.
func (c *CA) current(now time.Time) (*signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert := c.issuer.cert
	if c.follow || now.Before(cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore)/2)) {
		return c.issuer, nil
	}
	root, err := c.load(caRootFile)
	if err != nil {
		return nil, err
	}
	next, err := newIssuer(root, now)
	if err != nil {
		return nil, err
	}
	if err := c.save(caIssuerFile, next); err != nil {
		return nil, err
	}
	c.issuer = next
	return next, nil
}

// RootPEM returns the root certificate that clients trust.
func (c *CA) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.root.Raw})
}

// IssuerPEM returns the certificate of the issuer in use.
func (c *CA) IssuerPEM(now time.Time) ([]byte, error) {
	issuer, err := c.current(now)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.cert.Raw}), nil
}

// ClientPool returns a pool that holds the root alone, to verify callers'
// chains: they present their issuer themselves.
func (c *CA) ClientPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.root)
	return pool
}

// save seals a signer into a file: the certificate's length in four bytes, the
// certificate, the PKCS #8 key.
func (c *CA) save(name string, s *signer) error {
	key, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	plain := binary.BigEndian.AppendUint32(nil, uint32(len(s.cert.Raw)))
	plain = append(append(plain, s.cert.Raw...), key...)
	record, err := c.key.seal(caIdentity(name), plain)
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return writeFile(filepath.Join(c.folder, name), record, 0o600)
}

// reseal writes both files anew under the current key.
func (c *CA) reseal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range []string{caRootFile, caIssuerFile} {
		s, err := c.load(name)
		if err != nil {
			return err
		}
		if err := c.save(name, s); err != nil {
			return err
		}
	}
	return nil
}

// load opens what save wrote.
func (c *CA) load(name string) (*signer, error) {
	path := filepath.Join(c.folder, name)
	record, err := readFile(path, caFileLimit)
	if err != nil {
		return nil, err
	}
	plain, err := c.key.open(caIdentity(name), record)
	if err != nil || len(plain) < 4 {
		return nil, fmt.Errorf("%s %w: it does not open under the gateway's key", path, ErrDamaged)
	}
	s, err := parseSigner(plain)
	if err != nil {
		return nil, fmt.Errorf("%s %w: %v", path, ErrDamaged, err)
	}
	return s, nil
}

func parseSigner(plain []byte) (*signer, error) {
	n := int64(binary.BigEndian.Uint32(plain))
	if n > int64(len(plain)-4) {
		return nil, errors.New("cut short")
	}
	cert, err := x509.ParseCertificate(plain[4 : 4+n])
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(plain[4+n:])
	if err != nil {
		return nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("key and certificate do not belong together")
	}
	return &signer{cert: cert, key: private}, nil
}

func caIdentity(name string) Identity {
	return Identity{Tenant: DefaultTenant, Kind: "authority", Record: name, Column: "key", Version: "1"}
}

// ID returns the SPIFFE id of a component: kind is client, server, gateway or
// person.
func ID(tenant, kind, name string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: TrustDomain, Path: "/tenant/" + tenant + "/" + kind + "/" + name}
}
