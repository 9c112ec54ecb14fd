package app

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRenewal: a client's own program renews its file at half of its life, and
// refuses an answer that is not its next certificate.
func TestRenewal(t *testing.T) {
	s := serveGateway(t, nil)
	key := newKey(t)
	status, chain := post(t, s.client(nil, nil), s.url+"/enrol", s.join("robot"), requestOf(t, key, nil))
	if status != 200 {
		t.Fatalf("%d %s", status, chain)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	r := Renewal{Cert: file("client.pem", chain), Key: file("client.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		CA: file("ca.pem", s.app.ring.CA().RootPEM()), URL: s.url}
	before, err := r.Current()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Renew(t.Context()); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("too early: %v", err)
	}
	s.later(30 * time.Minute)
	after, err := r.Renew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Serial == before.Serial || !after.NotAfter.After(before.NotAfter) || len(after.Chain) == 0 {
		t.Errorf("%+v follows %+v", after, before)
	}
	for name, bad := range map[string]Renewal{
		"plain HTTP": {r.Cert, r.Key, r.CA, strings.Replace(s.url, "https", "http", 1), r.Clock}, "no CA": {r.Cert, r.Key, r.Key, s.url, r.Clock},
		"another key": {r.Cert, file("other.key", nil), r.CA, s.url, r.Clock}, "a user": {r.Cert, r.Key, r.CA, strings.Replace(s.url, "//", "//u@", 1), r.Clock},
	} {
		if _, err := bad.Renew(t.Context()); err == nil {
			t.Errorf("%s: renewed", name)
		}
	}
}

// TestEnrolWithCurl does what docs/certificates.md says, with the programs that
// it names.
func TestEnrolWithCurl(t *testing.T) {
	w := programs(t, "curl", "openssl")
	s := serveGateway(t, nil)
	w.put("ca.pem", string(s.app.ring.CA().RootPEM()))
	w.put("join", "Authorization: Bearer "+s.join("robot")+"\n")
	w.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "client.key")
	w.run("openssl", "req", "-new", "-key", "client.key", "-subj", "/CN=any", "-out", "client.csr")
	w.run("curl", "-sSf", "--cacert", "ca.pem", "-H", "@join", "--data-binary", "@client.csr", "-o", "client.pem", s.url+"/enrol")
	s.later(35 * time.Minute)
	w.run("curl", "-sSf", "--cacert", "ca.pem", "--cert", "client.pem", "--key", "client.key", "--data-binary", "@client.csr", "-o", "next.pem", s.url+"/enrol/renew")
	if next := w.run("openssl", "x509", "-in", "next.pem", "-noout", "-ext", "subjectAltName"); !strings.Contains(next, "URI:spiffe://ostiary.local/tenant/default/client/robot") {
		t.Errorf("renewed as %s", next)
	}
	w.run("curl", "-sSf", "--cacert", "ca.pem", "-o", "list.crl", s.url+"/enrol/crl")
	if text := w.run("openssl", "crl", "-inform", "DER", "-in", "list.crl", "-noout", "-issuer"); !strings.Contains(text, "Ostiary issuer") {
		t.Errorf("the list is of %s", text)
	}
}
