package identity

import (
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

const domain = keys.TrustDomain

func TestParseID(t *testing.T) {
	for _, kind := range []string{"client", "server", "gateway", "person"} {
		gotKind, id, err := ParseID("spiffe://ostiary.local/tenant/default/"+kind+"/a-1", domain)
		if err != nil || gotKind != kind || id != "a-1" {
			t.Errorf("%s: %q %q %v", kind, gotKind, id, err)
		}
	}
	const base = "spiffe://ostiary.local/tenant/default/client/"
	for _, uri := range []string{
		"", "spiffe://", base, base + "a/b", base + "a/", base + "/a", base + "A", base + "a_b", base + "a%2fb", base + "a?x", base + "a#x", base + "..", base + "ä",
		base + "a\x00", " " + base + "a", base + "a ", strings.ToUpper(base) + "a", "SPIFFE" + base[6:] + "a", "spiffe://ostiary.local:443" + base[22:] + "a",
		"spiffe://user@ostiary.local" + base[22:] + "a", "spiffe://ostiary.local./tenant/default/client/a", "spiffe://xostiary.local/tenant/default/client/a",
		"spiffe://ostiary.local//tenant/default/client/a", "spiffe://ostiary.local/tenant/other/client/a", "spiffe://ostiary.local/tenant/default/robot/a",
		"spiffe://ostiary.local/tenant/default/client", "https://ostiary.local/tenant/default/client/a", base + strings.Repeat("a", 2048),
	} {
		if kind, id, err := ParseID(uri, domain); err == nil || kind != "" || id != "" {
			t.Errorf("%.80q is read as %q %q", uri, kind, id)
		}
	}
}

// TestAgentOfIssued: names that the gateway's authority writes are read back.
func TestAgentOfIssued(t *testing.T) {
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	leaf := func(data []byte, err error) *x509.Certificate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	ahead := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	certPEM, _, _, _, err := ring.CA().IssueAgent("robot", time.Hour, ahead)
	if agent, err := AgentOf(leaf(certPEM, err), domain); err != nil || agent != "robot" {
		t.Errorf("agent is %q, %v", agent, err)
	}
	certPEM, _, _, _, err = ring.CA().IssueOperator("robot", time.Hour, ahead)
	if agent, err := AgentOf(leaf(certPEM, err), domain); err == nil || agent != "" {
		t.Errorf("an operator is the agent %q", agent)
	}
	server, err := ring.CA().IssueServer([]string{"robot"}, time.Hour, ahead)
	if err != nil {
		t.Fatal(err)
	}
	if agent, err := AgentOf(server.Leaf, domain); err == nil || agent != "" {
		t.Errorf("a listener is the agent %q", agent)
	}
}

func FuzzParseID(f *testing.F) {
	form := regexp.MustCompile(`^spiffe://ostiary\.local/tenant/default/(client|server|gateway|person)/([a-z0-9-]+)$`)
	f.Add("spiffe://ostiary.local/tenant/default/client/robot")
	f.Add("spiffe://ostiary.local/tenant/default/client/robot/")
	f.Add("spiffe://ostiary.local:1/tenant/default/client/robot")
	f.Fuzz(func(t *testing.T, uri string) {
		kind, id, err := ParseID(uri, domain)
		parts := form.FindStringSubmatch(uri)
		if want := parts != nil && len(uri) <= maxSPIFFE; (err == nil) != want {
			t.Fatalf("%q: %v", uri, err)
		}
		if err == nil && (kind != parts[1] || id != parts[2]) {
			t.Errorf("%q is read as %q %q", uri, kind, id)
		}
	})
}

// FuzzLeaf: no certificate, however it is made, panics or names what it does
// not hold.
func FuzzLeaf(f *testing.F) {
	f.Add([]byte{0x30, 0x82})
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		if agent, err := AgentOf(cert, domain); err == nil && (agent == "" || len(cert.URIs) != 1) {
			t.Errorf("agent %q of %d names", agent, len(cert.URIs))
		}
	})
}
