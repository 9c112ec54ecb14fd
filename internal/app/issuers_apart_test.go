package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
)

// TestT02StolenListenerIssuer: what the issuer of listeners signs is no client,
// even with the serial of a good certificate; and the issuer of agents, which a
// client's chain shows, signs for no host.
func TestT02StolenListenerIssuer(t *testing.T) {
	s := serveGateway(t, nil)
	reg, err := s.api.IssueCertificate(t.Context(), admin.IssueCertificate{Agent: "robot"})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := s.app.ring.CA().IssueServer([]string{"localhost"}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := x509.ParseCertificate(listener.Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(mustDER(t, s.app.ring.CA().RootPEM()))
	if err != nil {
		t.Fatal(err)
	}
	leaf := leafOf(t, reg.Item.CertPEM)
	for name, id := range map[string]string{"an agent": "client/robot", "a person": "person/admin", "the gateway": "gateway/gateway"} {
		forged := *leaf
		forged.URIs = []*url.URL{{Scheme: "spiffe", Host: "ostiary.local", Path: "/tenant/default/" + id}}
		chain := []*x509.Certificate{&forged, issuer, root}
		if s.app.admitted(tls.ConnectionState{PeerCertificates: chain[:2], VerifiedChains: [][]*x509.Certificate{chain}}) == nil {
			t.Errorf("%s of the issuer of listeners is admitted", name)
		}
		if _, err := s.app.verifier().Verify(t.Context(), identity.Credential{Chain: chain}, s.app.live.Load(), time.Now()); err == nil {
			t.Errorf("%s of the issuer of listeners is somebody", name)
		}
	}
	good := s.client(reg.Item.CertPEM, keyOf(t, reg.Item.KeyPEM))
	if status := s.call(good); status != 200 {
		t.Errorf("the good one is answered with %d", status)
	}
}

// TestTrustDomainOfGateway: a gateway's own trust domain is chosen when it is
// made; the file cannot say another one.
func TestTrustDomainOfGateway(t *testing.T) {
	dir := t.TempDir() + "/g"
	if err := Init(dir, InitOptions{TrustDomain: "agents.example.com"}); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	api := a.API()
	if _, err := api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "robot", Credentials: true}); err != nil {
		t.Fatal(err)
	}
	all, err := api.Certificates(t.Context(), admin.CertQuery{})
	if err != nil || len(all) != 1 || all[0].SPIFFE != "spiffe://agents.example.com/tenant/default/client/robot" {
		t.Errorf("%v %v", all, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	text := readText(t, dir)
	if !strings.Contains(text, `trust_domain: "agents.example.com"`) {
		t.Errorf("the file does not say it:\n%s", text)
	}
	write(t, dir, strings.Replace(text, "agents.example.com", "other.example.com", 1))
	known := (*admin.Error)(nil)
	if _, err := Open(t.Context(), dir, Options{}); !errors.As(err, &known) || known.Fix == "" {
		t.Errorf("another domain: %v", err)
	}
	for _, bad := range []string{"Example.com", "10.0.0.1", "a_b"} {
		if err := Init(t.TempDir()+"/g", InitOptions{TrustDomain: bad}); err == nil {
			t.Errorf("a gateway of %s is made", bad)
		}
	}
}

// TestIssuerEndsSoon: with the root away, readiness says in time that somebody
// has to bring the next issuers; the listener's own certificate ends with its
// issuer, and is never longer.
func TestIssuerEndsSoon(t *testing.T) {
	s := serveGateway(t, nil)
	if state, _ := s.app.issuerHealth(); state != stateOK {
		t.Errorf("with the root here: %s", state)
	}
	_, to, err := keys.NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	why := admin.Change{Reason: "to the safe"}
	d, err := s.api.ExportRoot(t.Context(), admin.ExportRoot{Recipient: to, Change: why})
	if err != nil || len(d.Item.Sealed) == 0 {
		t.Fatal(err)
	}
	if _, err := s.api.DropRoot(t.Context(), admin.DropRoot{Root: "0", Change: why}); err == nil {
		t.Error("the key of a root that was not exported is removed")
	}
	gone, err := s.api.DropRoot(t.Context(), admin.DropRoot{Root: d.Item.Root, Change: why})
	if err != nil || gone.Item.RootKey != "away" {
		t.Fatal(gone, err)
	}
	if state, _ := s.app.issuerHealth(); state != stateOK {
		t.Errorf("a year before: %s", state)
	}
	s.later(310 * 24 * time.Hour)
	if state, detail := s.app.issuerHealth(); state != stateDegraded || !strings.Contains(detail, "request-issuers") {
		t.Errorf("55 days before: %s %s", state, detail)
	}
	s.later(54 * 24 * time.Hour)
	cert, err := s.app.ring.CA().IssueServer([]string{"localhost"}, issuedLife, s.app.clock.Now())
	if err != nil || cert.Leaf.NotAfter.Sub(s.app.clock.Now()) > 2*24*time.Hour {
		t.Errorf("it outlives its issuer (%v)", err)
	}
}
