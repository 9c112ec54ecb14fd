package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"
)

// IssuerUse is what an issuer signs for.
type IssuerUse string

// The two issuers. That of agents may name no host, that of listeners no agent:
// whoever steals one can do only what it is for (TestIssuersKeepApart).
const (
	ForAgents    IssuerUse = "agents"    // clients, people and the gateway towards servers
	ForListeners IssuerUse = "listeners" // the gateway's listeners, and servers that end TLS themselves
)

var issuerUses = []IssuerUse{ForAgents, ForListeners}

func (u IssuerUse) file() string {
	if u == ForListeners {
		return caListenerFile
	}
	return caIssuerFile
}

// Common names of issuers. A client's certificate is never taken from an issuer
// with that of listeners.
const (
	agentsIssuer    = "Ostiary issuer"
	listenersIssuer = "Ostiary listener issuer"
)

func (u IssuerUse) name() string {
	if u == ForListeners {
		return listenersIssuer
	}
	return agentsIssuer
}

// SignsListeners reports whether cert is an issuer for listeners. The root
// signed its name, so that nobody else can choose it.
func SignsListeners(cert *x509.Certificate) bool { return cert.Subject.CommonName == listenersIssuer }

// maxTrustDomain is the longest trust domain, in bytes, that SPIFFE allows.
const maxTrustDomain = 255

// CheckTrustDomain returns why a name cannot be a trust domain. SPIFFE allows
// underscores as well; host names, which X.509 name constraints are made of, do
// not.
func CheckTrustDomain(name string) error {
	if name == "" || len(name) > maxTrustDomain || net.ParseIP(name) != nil {
		return errors.New("is not a trust domain: write a name such as agents.example.com")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label {
			return errors.New("is not a trust domain: write a name such as agents.example.com")
		}
		for i := range len(label) {
			if b := label[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
				return errors.New("is not a trust domain: it has lower-case letters, digits, hyphens and dots alone")
			}
		}
	}
	return nil
}

func newRoot(domain string, now time.Time) (*signer, error) {
	key, err := newPrivateKey()
	if err != nil {
		return nil, err
	}
	t := authorityTemplate("Ostiary root", domain, now)
	t.NotAfter = now.Add(caRootLife)
	t.MaxPathLen = 1
	return sign(t, &signer{cert: t, key: key}, key)
}

func newIssuer(use IssuerUse, root *signer, domain string, now time.Time) (*signer, error) {
	if root.key == nil {
		return nil, ErrIssuerEnded
	}
	key, err := newPrivateKey()
	if err != nil {
		return nil, err
	}
	return sign(issuerTemplate(use, domain, earlier(now.Add(caIssuerLife), root.cert.NotAfter), now), root, key)
}

// issuerTemplate is an issuer's certificate. The root bounds both to URIs of the
// trust domain. That of agents may name no host or address besides: a stolen one
// stands in for no listener.
func issuerTemplate(use IssuerUse, domain string, until, now time.Time) *x509.Certificate {
	t := authorityTemplate(use.name(), domain, now)
	t.NotAfter = until
	t.MaxPathLenZero = true
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if use == ForAgents {
		t.ExcludedDNSDomains = []string{""} // every one
		t.ExcludedIPRanges = everyAddress()
	} else {
		// A server renews its certificate with that certificate.
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return t
}

func everyAddress() []*net.IPNet {
	return []*net.IPNet{
		{IP: make(net.IP, net.IPv4len), Mask: make(net.IPMask, net.IPv4len)},
		{IP: make(net.IP, net.IPv6len), Mask: make(net.IPMask, net.IPv6len)},
	}
}

// outdated reports whether an issuer is from before there were two.
func outdated(s *signer, use IssuerUse) bool { return s != nil && fitsUse(s.cert, use) != nil }

// fitsUse returns why an issuer's certificate is not one for use.
func fitsUse(cert *x509.Certificate, use IssuerUse) error {
	switch {
	case cert.Subject.CommonName != use.name():
		return errors.New("it is for something else")
	case !cert.IsCA || !cert.BasicConstraintsValid || !cert.MaxPathLenZero || cert.MaxPathLen != 0 || cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("it is no issuer of leaves alone")
	case !cert.PermittedDNSDomainsCritical || len(cert.PermittedURIDomains) != 1:
		return errors.New("it is not bound to one trust domain")
	case use == ForListeners:
		return nil
	case slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth), slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny), len(cert.ExtKeyUsage) == 0:
		return errors.New("it may sign servers' certificates")
	case !slices.Contains(cert.ExcludedDNSDomains, "") || !excludesEveryAddress(cert.ExcludedIPRanges):
		return errors.New("it may name hosts")
	}
	return nil
}

func excludesEveryAddress(ranges []*net.IPNet) bool {
	found := map[int]bool{}
	for _, r := range ranges {
		if ones, bits := r.Mask.Size(); ones == 0 && bits > 0 {
			found[bits] = true
		}
	}
	return found[8*net.IPv4len] && found[8*net.IPv6len]
}

// authorityTemplate is a CA certificate that may only name URIs of the trust
// domain, so that a stolen issuer cannot speak for another domain's workloads.
func authorityTemplate(name, domain string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:                newSerial(),
		Subject:                     pkix.Name{CommonName: name, Organization: []string{"Ostiary gateway"}},
		NotBefore:                   now.Add(-caBackdate),
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		PermittedDNSDomainsCritical: true, // the flag covers every kind of name
		PermittedURIDomains:         []string{domain},
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
