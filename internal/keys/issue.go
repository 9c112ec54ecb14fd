package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// IssueAgent makes a client certificate for an agent. chain holds the leaf
// and its issuer, keyPEM the PKCS #8 key; the only name in the leaf is the
// agent's SPIFFE id. It is valid from five minutes before now for ttl, but not
// longer than its issuer.
func (c *CA) IssueAgent(agent string, ttl time.Duration, now time.Time) (chain, keyPEM []byte, serial string, notAfter time.Time, err error) {
	return c.issueClient(c.ID("client", agent), ttl, now)
}

// IssueOperator makes a client certificate for a person who operates the
// gateway. Its form is that of IssueAgent; its id is of kind person.
func (c *CA) IssueOperator(name string, ttl time.Duration, now time.Time) (chain, keyPEM []byte, serial string, notAfter time.Time, err error) {
	return c.issueClient(c.ID("person", name), ttl, now)
}

func (c *CA) issueClient(id *url.URL, ttl time.Duration, now time.Time) (chain, keyPEM []byte, serial string, notAfter time.Time, err error) {
	t := leafTemplate(ttl, now)
	t.URIs = []*url.URL{id}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	leaf, issuer, err := c.issue(ForAgents, t, now)
	if err != nil {
		return nil, nil, "", time.Time{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		return nil, nil, "", time.Time{}, fmt.Errorf("issue certificate: %w", err)
	}
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return append(certPEM(leaf.cert.Raw), certPEM(issuer.Raw)...), keyPEM, Serial(leaf.cert), leaf.cert.NotAfter, nil
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
	addHosts(t, hosts)
	leaf, issuer, err := c.issue(ForListeners, t, now)
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
func (c *CA) issue(by IssuerUse, t *x509.Certificate, now time.Time) (*signer, *x509.Certificate, error) {
	key, err := newPrivateKey()
	if err != nil {
		return nil, nil, err
	}
	leaf, issuer, err := c.certify(by, t, key.Public(), now)
	if err != nil {
		return nil, nil, err
	}
	return &signer{cert: leaf, key: key}, issuer, nil
}

// certify signs a leaf for a public key. What its issuer must not name is
// refused here, and not by whoever is shown it (TestListenerLimits). Whose clock
// is wrong is told by whoever is shown it.
func (c *CA) certify(by IssuerUse, t *x509.Certificate, public crypto.PublicKey, now time.Time) (leaf, issuer *x509.Certificate, err error) {
	if !t.NotAfter.After(now) {
		return nil, nil, errors.New("issue certificate: its life must be longer than nothing")
	}
	s, err := c.current(by, now)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate: %w", err)
	}
	t.NotAfter = earlier(t.NotAfter, s.cert.NotAfter)
	der, err := x509.CreateCertificate(rand.Reader, t, s.cert, public, s.key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign certificate: %w", err)
	}
	if leaf, err = x509.ParseCertificate(der); err != nil {
		return nil, nil, fmt.Errorf("sign certificate: %w", err)
	}
	between := x509.NewCertPool()
	between.AddCert(s.cert)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: c.ClientPool(), Intermediates: between, CurrentTime: leaf.NotAfter, KeyUsages: t.ExtKeyUsage})
	if late := (x509.CertificateInvalidError{}); err != nil && !(errors.As(err, &late) && late.Reason == x509.Expired) {
		return nil, nil, fmt.Errorf("issue certificate: %w: %w", ErrLimits, err)
	}
	return leaf, s.cert, nil
}

// ErrLimits says that the issuer may not sign what was asked for.
var ErrLimits = errors.New("the issuer's limits do not allow it")
