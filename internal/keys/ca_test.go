package keys

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func parsePEM(t *testing.T, data []byte) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, cert)
	}
	return out
}

// verify checks a chain (leaf, issuer) against the authority's root.
func verify(c *CA, chain []*x509.Certificate, use x509.ExtKeyUsage, host string, now time.Time) error {
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: c.ClientPool(), Intermediates: between, DNSName: host,
		CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
	return err
}

func TestIssueAgent(t *testing.T) {
	c := newTestRing(t).CA()
	certPEM, keyPEM, serial, notAfter, err := c.IssueAgent("robot", 30*24*time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	chain := parsePEM(t, certPEM)
	leaf := chain[0]
	if err := verify(c, chain, x509.ExtKeyUsageClientAuth, "", epoch); err != nil {
		t.Errorf("does not verify: %v", err)
	}
	if err := verify(c, chain, x509.ExtKeyUsageServerAuth, "", epoch); err == nil {
		t.Error("verifies as a server's certificate")
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != "spiffe://ostiary.local/tenant/default/client/robot" ||
		len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) != 0 {
		t.Errorf("names are %v %v", leaf.URIs, leaf.DNSNames)
	}
	if serial != Serial(leaf) || len(serial) != 32 || serial != strings.ToLower(serial) {
		t.Errorf("serial is %q, the leaf's %q", serial, Serial(leaf))
	}
	if !notAfter.Equal(epoch.Add(30*24*time.Hour)) || !leaf.NotAfter.Equal(notAfter) || leaf.IsCA {
		t.Errorf("ends at %v, the leaf at %v (CA: %v)", notAfter, leaf.NotAfter, leaf.IsCA)
	}
	if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Errorf("certificate and key do not belong together: %v", err)
	}
	if err := verify(newTestRing(t).CA(), chain, x509.ExtKeyUsageClientAuth, "", epoch); err == nil {
		t.Error("another gateway's authority accepts it")
	}
	for _, when := range []time.Time{notAfter.Add(time.Second), epoch.Add(-time.Hour)} {
		if err := verify(c, chain, x509.ExtKeyUsageClientAuth, "", when); err == nil {
			t.Errorf("verifies at %v", when)
		}
	}
	_, _, again, _, err := c.IssueAgent("robot", time.Hour, epoch)
	if err != nil || again == serial {
		t.Errorf("a second certificate has serial %q (%v)", again, err)
	}
}

func TestIssueOperator(t *testing.T) {
	c := newTestRing(t).CA()
	certPEM, _, _, _, err := c.IssueOperator("admin", time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	chain := parsePEM(t, certPEM)
	if got := chain[0].URIs[0].String(); got != "spiffe://ostiary.local/tenant/default/person/admin" {
		t.Errorf("names %s", got)
	}
	if err := verify(c, chain, x509.ExtKeyUsageClientAuth, "", epoch); err != nil {
		t.Errorf("does not verify: %v", err)
	}
}

func TestIssueServer(t *testing.T) {
	c := newTestRing(t).CA()
	cert, err := c.IssueServer([]string{"localhost", "gw.example.com", "127.0.0.1", "::1"}, 24*time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	chain := []*x509.Certificate{cert.Leaf, issuer}
	for _, host := range []string{"localhost", "gw.example.com", "127.0.0.1", "::1"} {
		if err := verify(c, chain, x509.ExtKeyUsageServerAuth, host, epoch); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := verify(c, chain, x509.ExtKeyUsageServerAuth, "example.com", epoch); err == nil {
		t.Error("verifies for a host that was not asked for")
	}
	if err := verify(c, chain, x509.ExtKeyUsageClientAuth, "", epoch); err == nil {
		t.Error("verifies as a client's certificate")
	}
	if _, err := c.IssueServer(nil, time.Hour, epoch); err == nil {
		t.Error("a certificate without names is issued")
	}
	if _, err := c.IssueServer([]string{"x"}, 0, epoch); err == nil {
		t.Error("a certificate without life is issued")
	}
}

// TestHandshake: both sides' certificates work in a TLS 1.3 handshake.
func TestHandshake(t *testing.T) {
	c := newTestRing(t).CA()
	serverCert, err := c.IssueServer([]string{"localhost"}, time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM, _, _, err := c.IssueAgent("robot", time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	clientCert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return epoch }
	near, far := pipe(t)
	server := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{serverCert}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: c.ClientPool(), MinVersion: tls.VersionTLS13, Time: now})
	client := tls.Client(far, &tls.Config{Certificates: []tls.Certificate{clientCert}, RootCAs: c.ClientPool(),
		ServerName: "localhost", MinVersion: tls.VersionTLS13, Time: now})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	if got := server.ConnectionState().VerifiedChains; len(got) != 1 || len(got[0]) != 3 {
		t.Errorf("verified chains: %d", len(got))
	}
}

// TestConstraint: the issuer cannot name workloads of another trust domain.
func TestConstraint(t *testing.T) {
	c := newTestRing(t).CA()
	id := ID(DefaultTenant, "client", "robot")
	id.Host = "elsewhere.example"
	certPEM, _, _, _, err := c.issueClient(id, time.Hour, epoch)
	if err != nil {
		return // refused already when signing
	}
	if err := verify(c, parsePEM(t, certPEM), x509.ExtKeyUsageClientAuth, "", epoch); err == nil {
		t.Error("a name of another trust domain verifies")
	}
}

func TestIssuerIsReplacedAtHalfLife(t *testing.T) {
	dir := t.TempDir()
	r, err := createAt(dir, epoch)
	if err != nil {
		t.Fatal(err)
	}
	issuerAt := func(c *CA, now time.Time) []byte {
		t.Helper()
		out, err := c.IssuerPEM(ForAgents, now)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	c := r.CA()
	oldPEM, _, _, _, err := c.IssueAgent("robot", 300*24*time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	first := issuerAt(c, epoch)
	if !bytes.Equal(first, issuerAt(c, epoch.Add(caIssuerLife/3))) {
		t.Error("replaced too early")
	}
	later := epoch.Add(caIssuerLife * 2 / 3)
	second := issuerAt(c, later)
	if bytes.Equal(first, second) {
		t.Error("not replaced")
	}
	if err := verify(c, parsePEM(t, oldPEM), x509.ExtKeyUsageClientAuth, "", later); err != nil {
		t.Errorf("a certificate of the first issuer ends with it: %v", err)
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(second, issuerAt(opened.CA(), later)) {
		t.Error("the replacement was not kept")
	}
	certPEM, _, _, notAfter, err := c.IssueAgent("robot", 100*caIssuerLife, later)
	if err != nil {
		t.Fatal(err)
	}
	if chain := parsePEM(t, certPEM); notAfter.After(chain[1].NotAfter) {
		t.Error("a leaf outlives its issuer")
	}
}

func TestPublicRootIsChecked(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); err != nil {
		t.Fatal(err)
	}
	other := newTestRing(t).CA().RootPEM()
	path := filepath.Join(dir, caPublicFile)
	if err := os.WriteFile(path, other, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("another gateway's ca.pem: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err != nil {
		t.Errorf("without the public copy: %v", err)
	}
}

// TestSwappedAuthorityFiles: the two sealed files do not stand in for each
// other, and not for another gateway's.
func TestSwappedAuthorityFiles(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if _, err := Create(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(other); err != nil {
		t.Fatal(err)
	}
	issuer := filepath.Join(Folder(dir), caIssuerFile)
	for _, from := range []string{filepath.Join(Folder(dir), caRootFile), filepath.Join(Folder(other), caIssuerFile)} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		openDamaged(t, dir, issuer, data)
	}
}

func FuzzSigner(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 {
			return
		}
		if s, err := parseSigner(data); err == nil && (s.cert == nil || s.key != nil && !s.key.PublicKey.Equal(s.cert.PublicKey)) {
			t.Error("accepted without a certificate, or with another's key")
		}
	})
}
