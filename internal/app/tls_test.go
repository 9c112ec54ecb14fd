package app

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/keys"
)

// forger is an authority of somebody else.
type forger struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newForger makes an authority with the subject of another one.
func newForger(t *testing.T, subject pkix.Name) *forger {
	t.Helper()
	f := &forger{t: t, key: newKey(t)}
	f.cert = f.sign(&x509.Certificate{Subject: subject, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, &f.key.PublicKey)
	return f
}

func (f *forger) sign(c *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	f.t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent := f.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, f.key)
	if err != nil {
		f.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		f.t.Fatal(err)
	}
	return cert
}

func encode(all ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range all {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// robotLeaf is a leaf as our authority makes it, for a forger to sign.
func robotLeaf() *x509.Certificate {
	return &x509.Certificate{URIs: []*url.URL{keys.ID("default", "client", "robot")}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// TestT02ForeignCertificates: what our authority did not sign is refused in the
// handshake, whatever it names.
func TestT02ForeignCertificates(t *testing.T) {
	s := serveGateway(t, nil)
	root, err := x509.ParseCertificate(mustDER(t, s.app.ring.CA().RootPEM()))
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	other := newForger(t, pkix.Name{CommonName: "other"})
	same := newForger(t, root.Subject)
	self := &forger{t: t, key: key}
	long := []*x509.Certificate{other.sign(robotLeaf(), &key.PublicKey)}
	for range 100 {
		long = append(long, other.cert)
	}
	for name, chain := range map[string][]byte{
		"another authority":               encode(other.sign(robotLeaf(), &key.PublicKey), other.cert),
		"an authority of our name":        encode(same.sign(robotLeaf(), &key.PublicKey), same.cert),
		"our root beside a foreign leaf":  encode(other.sign(robotLeaf(), &key.PublicKey), root),
		"signed by itself":                encode(self.sign(robotLeaf(), &key.PublicKey)),
		"a chain of a hundred":            encode(long...),
		"the root itself, for our client": encode(root),
	} {
		c := s.client(nil, nil)
		pair := tls.Certificate{PrivateKey: key}
		for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
			pair.Certificate = append(pair.Certificate, block.Bytes)
		}
		transportOf(c).GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		if status := s.call(c); status != 0 {
			t.Errorf("%s: answered with %d", name, status)
		}
	}
}

// TestT02OwnCertificates: those of our own authority are refused in the
// handshake when they are expired, not for clients, or name more than one.
func TestT02OwnCertificates(t *testing.T) {
	s := serveGateway(t, nil)
	ca := s.app.ring.CA()
	listener, err := ca.IssueServer([]string{"localhost"}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	reg, err := s.api.IssueCertificate(t.Context(), admin.IssueCertificate{Agent: "robot", Life: admin.Duration(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	c := s.client(reg.Item.CertPEM, keyOf(t, reg.Item.KeyPEM))
	if status := s.call(c); status != 200 {
		t.Fatalf("a good one is answered with %d", status)
	}
	c.CloseIdleConnections()
	pair := s.client(encode(listener.Leaf), listener.PrivateKey)
	if status := s.call(pair); status != 0 {
		t.Errorf("a listener's certificate is answered with %d", status)
	}
	s.later(2 * time.Minute)
	if status := s.call(s.client(reg.Item.CertPEM, keyOf(t, reg.Item.KeyPEM))); status != 0 {
		t.Errorf("an expired one is answered with %d", status)
	}
	s.later(-2 * time.Hour)
	if status := s.call(s.client(reg.Item.CertPEM, keyOf(t, reg.Item.KeyPEM))); status != 0 {
		t.Errorf("one that is not yet valid is answered with %d", status)
	}
	s.later(2*time.Hour - 2*time.Minute)
	leaf := leafOf(t, reg.Item.CertPEM)
	_, rest := pem.Decode(reg.Item.CertPEM)
	issuer, root := leafOf(t, rest), leafOf(t, ca.RootPEM())
	for name, change := range map[string]func(*x509.Certificate){
		"two names":  func(c *x509.Certificate) { c.URIs = append(c.URIs, c.URIs[0]) },
		"no name":    func(c *x509.Certificate) { c.URIs = nil },
		"servers":    func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"every use":  func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} },
		"no use":     func(c *x509.Certificate) { c.ExtKeyUsage = nil },
		"an issuer":  func(c *x509.Certificate) { c.IsCA = true },
		"long ended": func(c *x509.Certificate) { c.NotAfter = c.NotBefore },
	} {
		bad := *leaf
		change(&bad)
		state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{&bad}, VerifiedChains: [][]*x509.Certificate{{&bad, issuer, root}}}
		if s.app.admitted(state) == nil {
			t.Errorf("%s: admitted", name)
		}
	}
	good := tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf, issuer, root}}}
	if err := s.app.admitted(good); err != nil {
		t.Errorf("the good one: %v", err)
	}
	good.PeerCertificates = []*x509.Certificate{leaf, leaf, leaf, leaf, leaf}
	if s.app.admitted(good) == nil {
		t.Error("a long chain is admitted")
	}
}

// TestT03ResumedAfterRevocation: a session from before the revocation is not
// resumed, and the connections of the certificate are closed.
func TestT03ResumedAfterRevocation(t *testing.T) {
	s := serveGateway(t, nil)
	reg, err := s.api.IssueCertificate(t.Context(), admin.IssueCertificate{Agent: "robot"})
	if err != nil {
		t.Fatal(err)
	}
	config := transportOf(s.client(reg.Item.CertPEM, keyOf(t, reg.Item.KeyPEM)))
	dial := func() (*tls.Conn, error) {
		raw, err := net.Dial("tcp", strings.TrimPrefix(s.url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { raw.Close() })
		c := tls.Client(raw, config.Clone())
		if err := c.Handshake(); err != nil {
			return c, err
		}
		// In TLS 1.3 a refusal and the ticket come after the handshake.
		if _, err := c.Write([]byte("GET /enrol/crl HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			return c, err
		}
		_, err = c.Read(make([]byte, 1))
		return c, err
	}
	config.ServerName = "localhost"
	first, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	again, err := dial()
	if err != nil || !again.ConnectionState().DidResume {
		t.Fatalf("resumed before: %v, %v", again.ConnectionState().DidResume, err)
	}
	s.do(s.api.RevokeCertificate(t.Context(), admin.RevokeCert{Serial: reg.Item.Serial, Change: admin.Change{Reason: "stolen"}}))
	if c, err := dial(); err == nil {
		t.Errorf("a new connection after revocation, resumed: %v", c.ConnectionState().DidResume)
	}
	buf := make([]byte, 4096)
	for _, c := range []*tls.Conn{first, again} {
		for {
			if _, err := c.Read(buf); err != nil {
				break // closed by the gateway; otherwise the test hangs
			}
		}
	}
}

// TestPostQuantum: a hybrid key exchange is used, and with require_pq no other.
func TestPostQuantum(t *testing.T) {
	shake := func(s *served, curves ...tls.CurveID) (tls.CurveID, error) {
		raw, err := net.Dial("tcp", strings.TrimPrefix(s.url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		c := tls.Client(raw, &tls.Config{RootCAs: s.app.ring.CA().ClientPool(), ServerName: "localhost", CurvePreferences: curves})
		err = c.Handshake()
		return c.ConnectionState().CurveID, err
	}
	s := serveGateway(t, nil)
	if got, err := shake(s); err != nil || got != tls.X25519MLKEM768 {
		t.Errorf("by default %v, %v", got, err)
	}
	if got, err := shake(s, tls.X25519); err != nil || got != tls.X25519 {
		t.Errorf("an old client %v, %v", got, err)
	}
	s = serveGateway(t, func(text string) string {
		out := strings.Replace(text, "\n  data:\n", "\n  data:\n    tls:\n      require_pq: true\n", 1)
		if out == text {
			t.Fatalf("no data listener in:\n%s", text)
		}
		return out
	})
	if got, err := shake(s); err != nil || got != tls.X25519MLKEM768 {
		t.Errorf("required: %v, %v", got, err)
	}
	if _, err := shake(s, tls.X25519, tls.CurveP256); err == nil {
		t.Error("a client without post-quantum exchange is served")
	}
}

// TestT05OldVersions: nothing below TLS 1.3 is spoken.
func TestT05OldVersions(t *testing.T) {
	s := serveGateway(t, nil)
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} {
		raw, err := net.Dial("tcp", strings.TrimPrefix(s.url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(raw, &tls.Config{RootCAs: s.app.ring.CA().ClientPool(), ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: v})
		if c.Handshake() == nil {
			t.Errorf("version %x is spoken", v)
		}
		raw.Close()
	}
}

func mustDER(t *testing.T, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("not PEM")
	}
	return block.Bytes
}

func keyOf(t *testing.T, text []byte) any {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(mustDER(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
