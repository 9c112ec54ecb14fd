package keys

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// IssueAgent makes a client certificate for an agent. certPEM holds the leaf
// and its issuer, keyPEM the PKCS #8 key; the only name in the leaf is the
// agent's SPIFFE id. It is valid from five minutes before now for ttl, but not
// longer than its issuer.
func (c *CA) IssueAgent(agent string, ttl time.Duration, now time.Time) (certPEM, keyPEM []byte, serial string, notAfter time.Time, err error) {
	return c.issueClient(ID(DefaultTenant, "client", agent), ttl, now)
}

// IssueOperator makes a client certificate for a person who operates the
// gateway. Its form is that of IssueAgent; its id is of kind person.
func (c *CA) IssueOperator(name string, ttl time.Duration, now time.Time) (certPEM, keyPEM []byte, serial string, notAfter time.Time, err error) {
	return c.issueClient(ID(DefaultTenant, "person", name), ttl, now)
}

func (c *CA) issueClient(id *url.URL, ttl time.Duration, now time.Time) (certPEM, keyPEM []byte, serial string, notAfter time.Time, err error) {
	t := leafTemplate(ttl, now)
	t.URIs = []*url.URL{id}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	leaf, issuer, err := c.issue(t, now)
	if err != nil {
		return nil, nil, "", time.Time{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		return nil, nil, "", time.Time{}, fmt.Errorf("issue certificate: %w", err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.cert.Raw})
	certPEM = append(certPEM, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Raw})...)
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return certPEM, keyPEM, Serial(leaf.cert), leaf.cert.NotAfter, nil
}

// IssueServer makes a listener's certificate for hosts, which are DNS names or
// IP addresses. Its chain holds the issuer; its Leaf is set. The caller keeps
// it and asks again at half of its life.
func (c *CA) IssueServer(hosts []string, ttl time.Duration, now time.Time) (tls.Certificate, error) {
	if len(hosts) == 0 {
		return tls.Certificate{}, errors.New("issue certificate: no host names")
	}
	t := leafTemplate(ttl, now)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	leaf, issuer, err := c.issue(t, now)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{
		Certificate: [][]byte{leaf.cert.Raw, issuer.Raw},
		PrivateKey:  leaf.key,
		Leaf:        leaf.cert,
	}, nil
}

func leafTemplate(ttl time.Duration, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{Organization: []string{"Ostiary gateway"}},
		NotBefore:             now.Add(-caBackdate),
		NotAfter:              now.Add(ttl),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

// issue signs a leaf with a new key and returns it with its issuer.
func (c *CA) issue(t *x509.Certificate, now time.Time) (*signer, *x509.Certificate, error) {
	if !t.NotAfter.After(now) {
		return nil, nil, errors.New("issue certificate: its life must be longer than nothing")
	}
	issuer, err := c.current(now)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate: %w", err)
	}
	var key *ecdsa.PrivateKey
	if key, err = newPrivateKey(); err != nil {
		return nil, nil, err
	}
	t.NotAfter = earlier(t.NotAfter, issuer.cert.NotAfter)
	leaf, err := sign(t, issuer, key)
	if err != nil {
		return nil, nil, err
	}
	return leaf, issuer.cert, nil
}
