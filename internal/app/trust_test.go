package app

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/admin"
)

// workload signs a certificate of an outside trust domain for a client.
func (f *forger) workload(s *served, id string) *http.Client {
	f.t.Helper()
	u, err := url.Parse(id)
	if err != nil {
		f.t.Fatal(err)
	}
	key := newKey(f.t)
	leaf := f.sign(&x509.Certificate{URIs: []*url.URL{u}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}, &key.PublicKey)
	c := s.client(nil, nil)
	pair := tls.Certificate{PrivateKey: key, Certificate: [][]byte{leaf.Raw, f.cert.Raw}}
	transportOf(c).GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return c
}

// bundleFile writes a file as its maintainers do: beside it, then in its place.
func bundleFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// trusting adds outside trust domains to a configuration.
func trusting(entries string) func(string) string {
	return func(text string) string {
		return strings.Replace(text, "identity:\n", "identity:\n  trust:\n"+entries, 1)
	}
}

// serveTrusting serves a gateway that trusts a.example and b.example, each with
// a bundle of its own authority, and binds their id /robot to two agents.
func serveTrusting(t *testing.T) (s *served, a, b *forger, files string) {
	t.Helper()
	files = t.TempDir()
	a, b = newForger(t, pkix.Name{CommonName: "a"}), newForger(t, pkix.Name{CommonName: "b"})
	bundleFile(t, filepath.Join(files, "a.pem"), encode(a.cert))
	bundleFile(t, filepath.Join(files, "b.json"), spiffeBundle(t, 1, b.cert))
	s = serveGateway(t, trusting(fmt.Sprintf("    - {trust_domain: a.example, bundle: \"file:%s/a.pem\", keep: 10m}\n    - {trust_domain: b.example, bundle: \"file:%s/b.json\"}\n", files, files)))
	for domain, agent := range map[string]string{"a.example": "of-a", "b.example": "of-b"} {
		d, err := s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: agent, SPIFFE: "spiffe://" + domain + "/robot"})
		if err != nil || len(d.Item.CAPEM) == 0 || len(d.Notices) != 1 {
			t.Fatal(d, err)
		}
	}
	return s, a, b, files
}

func spiffeBundle(t *testing.T, sequence int, roots ...*x509.Certificate) []byte {
	t.Helper()
	keys := []map[string]any{}
	for _, c := range roots {
		keys = append(keys, map[string]any{"kty": "EC", "use": "x509-svid", "x5c": []string{base64.StdEncoding.EncodeToString(c.Raw)}})
	}
	text, err := json.Marshal(map[string]any{"keys": keys, "spiffe_sequence": sequence, "spiffe_refresh_hint": 60})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// look looks at the source of a domain now.
func (s *served) look(domain string) error {
	s.t.Helper()
	for _, source := range s.app.trust.sources {
		if source.TrustDomain == domain {
			source.mu.Lock()
			source.next = time.Time{}
			source.mu.Unlock()
			s.app.lookTrust(s.t.Context(), source)
			source.mu.Lock()
			defer source.mu.Unlock()
			return source.fail
		}
	}
	s.t.Fatal("no such domain")
	return nil
}

// TestOutsideTrustDomains: certificates of outside domains name the agents that
// they are bound to, and nobody else; at our own pages they get nothing.
func TestOutsideTrustDomains(t *testing.T) {
	s, a, b, _ := serveTrusting(t)
	for name, c := range map[string]*http.Client{"a": a.workload(s, "spiffe://a.example/robot"), "b": b.workload(s, "spiffe://b.example/robot")} {
		if status := s.call(c); status != 200 {
			t.Errorf("%s: %d", name, status)
		}
		if status, text := post(t, c, s.url+"/enrol/renew", "", requestOf(t, newKey(t), nil)); status != 403 {
			t.Errorf("%s renews a certificate of ours: %d %s", name, status, text)
		}
	}
	reg, err := s.api.IssueCertificate(t.Context(), admin.IssueCertificate{Agent: "robot"})
	if err != nil {
		t.Fatal(err)
	}
	if status := s.call(s.client(reg.Item.CertPEM, keyOf(t, reg.Item.KeyPEM))); status != 200 {
		t.Errorf("our own: %d", status)
	}
	// Known to the handshake, but bound to nobody.
	if status := s.call(a.workload(s, "spiffe://a.example/nobody")); status != 401 {
		t.Errorf("nobody: %d", status)
	}
	s.do(s.api.MoveAgent(t.Context(), admin.Move{ID: "of-b", Action: admin.Suspend, Change: admin.Change{Reason: "test"}}))
	if status := s.call(b.workload(s, "spiffe://b.example/robot")); status != 401 {
		t.Errorf("a suspended agent: %d", status)
	}
}

// TestT02CrossDomain: an authority that is trusted for one domain is refused in
// the handshake for every other name: of another domain, and of ours.
func TestT02CrossDomain(t *testing.T) {
	s, a, b, _ := serveTrusting(t)
	for name, c := range map[string]*http.Client{
		"a for b":        a.workload(s, "spiffe://b.example/robot"),
		"b for a":        b.workload(s, "spiffe://a.example/robot"),
		"a for us":       a.workload(s, "spiffe://ostiary.local/tenant/default/client/robot"),
		"a for a server": a.workload(s, "spiffe://ostiary.local/tenant/default/server/wiki"),
		"a for nobody":   a.workload(s, "spiffe://c.example/robot"),
		"a stranger":     newForger(t, a.cert.Subject).workload(s, "spiffe://a.example/robot"),
	} {
		if status := s.call(c); status != 0 {
			t.Errorf("%s: answered with %d", name, status)
		}
		if status, _ := post(t, c, s.url+"/enrol/renew", "", requestOf(t, newKey(t), nil)); status != 0 {
			t.Errorf("%s at /enrol/renew: answered with %d", name, status)
		}
	}
}

// TestSPIFFEBindings: one id is one agent; ours and what is none are refused.
func TestSPIFFEBindings(t *testing.T) {
	s, a, _, _ := serveTrusting(t)
	known := (*admin.Error)(nil)
	if _, err := s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "second", SPIFFE: "spiffe://a.example/robot"}); !errors.As(err, &known) || known.Code != admin.Exists {
		t.Errorf("bound twice: %v", err)
	}
	for _, bad := range []string{"spiffe://ostiary.local/tenant/default/client/robot", "spiffe://ostiary.local/x", "spiffe://a.example", "https://a.example/x", "spiffe://A.example/x", "x"} {
		if _, err := s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "third", SPIFFE: bad}); !errors.As(err, &known) || known.Code != admin.Invalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
	d, err := s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "elsewhere", SPIFFE: "spiffe://c.example/robot"})
	if err != nil || len(d.Notices) != 2 {
		t.Errorf("of a domain that is not trusted: %v %v", d.Notices, err)
	}
	// A retired agent's id is free again, and names the next one.
	s.do(s.api.MoveAgent(t.Context(), admin.Move{ID: "of-a", Action: admin.Retire, Change: admin.Change{Reason: "test"}}))
	if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 401 {
		t.Errorf("a retired agent: %d", status)
	}
	s.do(s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "next", SPIFFE: "spiffe://a.example/robot"}))
	if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 200 {
		t.Errorf("the next agent: %d", status)
	}
}

// TestTrustBundleReloads: a bundle that changed counts at once, for connections
// that are open and sessions that are resumed too; one that is not good, or of
// the past, changes nothing.
func TestTrustBundleReloads(t *testing.T) {
	s, a, b, files := serveTrusting(t)
	file := filepath.Join(files, "a.pem")
	old := a.workload(s, "spiffe://a.example/robot")
	if status := s.call(old); status != 200 {
		t.Fatalf("before: %d", status)
	}
	for name, text := range map[string][]byte{"nothing": nil, "text": []byte("x"), "a leaf": encode(a.sign(robotLeaf(), &a.key.PublicKey)), "half": encode(a.cert)[:100]} {
		bundleFile(t, file, text)
		if s.look("a.example") == nil {
			t.Errorf("%s: taken", name)
		}
		if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 200 {
			t.Errorf("%s: %d", name, status)
		}
	}
	next := newForger(t, a.cert.Subject)
	bundleFile(t, file, encode(next.cert))
	if err := s.look("a.example"); err != nil {
		t.Fatal(err)
	}
	if status := s.call(old); status == 200 {
		t.Error("the open connection of the old authority goes on")
	}
	if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 0 {
		t.Errorf("the old authority: %d", status)
	}
	if status := s.call(next.workload(s, "spiffe://a.example/robot")); status != 200 {
		t.Errorf("the new authority: %d", status)
	}
	if status := s.call(b.workload(s, "spiffe://b.example/robot")); status != 200 {
		t.Errorf("the other domain: %d", status)
	}
	// Domain b's bundle has a sequence: what was replaced never comes back.
	file = filepath.Join(files, "b.json")
	bundleFile(t, file, spiffeBundle(t, 3))
	if err := s.look("b.example"); err != nil {
		t.Fatal(err)
	}
	bundleFile(t, file, spiffeBundle(t, 2, b.cert))
	if s.look("b.example") == nil {
		t.Error("a bundle of the past is taken")
	}
	if status := s.call(b.workload(s, "spiffe://b.example/robot")); status != 0 {
		t.Errorf("an authority that was given up: %d", status)
	}
	// Both bundles at the start, then one change of each.
	if found, err := s.api.AuditQuery(t.Context(), admin.AuditQuery{Log: "control", Kind: "config.reloaded"}); err != nil || len(found.Lines) != 4 {
		t.Errorf("the log says %d times that authorities changed (%v)", len(found.Lines), err)
	}
}

// TestTrustBundleGoesStale: a bundle whose source cannot be read counts until its
// keep is over, and then the domain is refused, also for what is under way.
func TestTrustBundleGoesStale(t *testing.T) {
	s, a, b, files := serveTrusting(t)
	open := a.workload(s, "spiffe://a.example/robot")
	if status := s.call(open); status != 200 {
		t.Fatal(status)
	}
	if err := os.Remove(filepath.Join(files, "a.pem")); err != nil {
		t.Fatal(err)
	}
	if s.look("a.example") == nil {
		t.Fatal("a missing file is read")
	}
	if !degraded(s.app, "trust domain a.example", "counts until") {
		t.Error("readiness does not say so")
	}
	s.later(9 * time.Minute)
	if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 200 {
		t.Errorf("within its keep: %d", status)
	}
	s.later(time.Minute + time.Second)
	if status := s.call(open); status == 200 {
		t.Error("an open connection goes on beyond the keep")
	}
	if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 0 {
		t.Errorf("beyond its keep: %d", status)
	}
	if status := s.call(b.workload(s, "spiffe://b.example/robot")); status != 200 {
		t.Errorf("the other domain: %d", status)
	}
	if !degraded(s.app, "trust domain a.example", "refused") {
		t.Error("readiness does not say that it is refused")
	}
}

func degraded(a *App, check, with string) bool {
	for _, c := range a.health.Checks() {
		if c.Name == check {
			return c.State == stateDegraded && strings.Contains(c.Detail, with)
		}
	}
	return false
}

// TestTrustEndpoint: a bundle is fetched over https from whom the operator's
// authorities vouch for, and only there.
func TestTrustEndpoint(t *testing.T) {
	a := newForger(t, pkix.Name{CommonName: "a"})
	var answer atomic.Pointer[http.HandlerFunc]
	serve := func(h http.HandlerFunc) { answer.Store(&h) }
	bundle := func(sequence int, roots ...*x509.Certificate) http.HandlerFunc {
		text := spiffeBundle(t, sequence, roots...)
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }
	}
	serve(bundle(1, a.cert))
	spire := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*answer.Load())(w, r) }))
	defer spire.Close()
	ca := filepath.Join(t.TempDir(), "spire.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: spire.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveGateway(t, trusting(fmt.Sprintf("    - {trust_domain: a.example, endpoint: \"%s/bundle\", ca: \"file:%s\"}\n    - {trust_domain: b.example, endpoint: \"%s/bundle\"}\n", spire.URL, ca, spire.URL)))
	s.do(s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "of-a", SPIFFE: "spiffe://a.example/robot"}))
	if err := s.look("a.example"); err != nil {
		t.Fatal(err)
	}
	if s.look("b.example") == nil {
		t.Error("an endpoint that nobody vouches for is believed")
	}
	if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 200 {
		t.Fatalf("fetched: %d", status)
	}
	if status := s.call(a.workload(s, "spiffe://b.example/robot")); status != 0 {
		t.Errorf("without a bundle: %d", status)
	}
	elsewhere := httptest.NewTLSServer(bundle(9))
	defer elsewhere.Close()
	for name, h := range map[string]http.HandlerFunc{
		"an error":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"a page":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"a redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"endless":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) },
		"of the past": bundle(0),
		"cut off":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(spiffeBundle(t, 5, a.cert)[:50]) },
	} {
		serve(h)
		if s.look("a.example") == nil {
			t.Errorf("%s: taken", name)
		}
		if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 200 {
			t.Errorf("%s: the last bundle does not count: %d", name, status)
		}
	}
	serve(bundle(2))
	if err := s.look("a.example"); err != nil {
		t.Fatal(err)
	}
	if status := s.call(a.workload(s, "spiffe://a.example/robot")); status != 0 {
		t.Errorf("a domain that gave up its authority: %d", status)
	}
}

// TestT03OutsideResumed: a session that began under an authority is not resumed
// when that authority was taken away.
func TestT03OutsideResumed(t *testing.T) {
	s, a, _, files := serveTrusting(t)
	config := transportOf(a.workload(s, "spiffe://a.example/robot"))
	config.ServerName = "localhost"
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
		if _, err := c.Write([]byte("GET /enrol/crl HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			return c, err
		}
		_, err = c.Read(make([]byte, 1))
		return c, err
	}
	if _, err := dial(); err != nil {
		t.Fatal(err)
	}
	if c, err := dial(); err != nil || !c.ConnectionState().DidResume {
		t.Fatalf("resumed before: %v, %v", c.ConnectionState().DidResume, err)
	}
	bundleFile(t, filepath.Join(files, "a.pem"), encode(newForger(t, a.cert.Subject).cert))
	if err := s.look("a.example"); err != nil {
		t.Fatal(err)
	}
	if c, err := dial(); err == nil {
		t.Errorf("a connection after that, resumed: %v", c.ConnectionState().DidResume)
	}
}

// TestTrustConfig: what could not be meant is refused when it is read.
func TestTrustConfig(t *testing.T) {
	head := "version: 1\nmode: enforce\nidentity:\n"
	for name, text := range map[string]string{
		"our own":          "  trust:\n    - {trust_domain: ostiary.local, bundle: \"file:a\"}\n",
		"our chosen own":   "  trust_domain: x.example\n  trust:\n    - {trust_domain: x.example, bundle: \"file:a\"}\n",
		"twice":            "  trust:\n    - {trust_domain: a.example, bundle: \"file:a\"}\n    - {trust_domain: a.example, bundle: \"file:b\"}\n",
		"no source":        "  trust:\n    - {trust_domain: a.example}\n",
		"two sources":      "  trust:\n    - {trust_domain: a.example, bundle: \"file:a\", endpoint: \"https://a.example\"}\n",
		"plain http":       "  trust:\n    - {trust_domain: a.example, endpoint: \"http://127.0.0.1/x\"}\n",
		"no name":          "  trust:\n    - {bundle: \"file:a\"}\n",
		"a URL":            "  trust:\n    - {trust_domain: \"spiffe://a.example\", bundle: \"file:a\"}\n",
		"upper case":       "  trust:\n    - {trust_domain: A.example, bundle: \"file:a\"}\n",
		"no file":          "  trust:\n    - {trust_domain: a.example, bundle: \"/a\"}\n",
		"a file's refresh": "  trust:\n    - {trust_domain: a.example, bundle: \"file:a\", refresh: 1m}\n",
		"a long keep":      "  trust:\n    - {trust_domain: a.example, bundle: \"file:a\", keep: 721h}\n",
		"a bad own domain": "  trust_domain: A\n",
	} {
		if _, err := Parse("f", []byte(head+text), nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	c, err := Parse("f", []byte(head+"  trust:\n    - {trust_domain: a_b.example, bundle: \"file:a\"}\n"), nil)
	if err != nil || time.Duration(c.Identity.Trust[0].Keep) != 24*time.Hour {
		t.Errorf("%v %v", c, err)
	}
}

// TestOutsideWithOpenssl: a company's authority that openssl makes, and a client
// that shows its certificate with curl.
func TestOutsideWithOpenssl(t *testing.T) {
	w := programs(t, "curl", "openssl")
	w.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "corp.key", "-out", "corp.pem",
		"-subj", "/CN=corp", "-days", "2", "-addext", "keyUsage=critical,keyCertSign", "-addext", "basicConstraints=critical,CA:TRUE")
	w.put("svid.ext", "subjectAltName=URI:spiffe://corp.example/team/robot\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nbasicConstraints=critical,CA:FALSE\n")
	w.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "robot.key", "-out", "robot.csr", "-subj", "/O=corp")
	w.run("openssl", "x509", "-req", "-in", "robot.csr", "-CA", "corp.pem", "-CAkey", "corp.key", "-CAcreateserial", "-days", "1", "-extfile", "svid.ext", "-out", "robot.pem")
	s := serveGateway(t, trusting("    - {trust_domain: corp.example, bundle: \"file:"+filepath.Join(w.dir, "corp.pem")+"\"}\n"))
	w.put("ca.pem", string(s.app.ring.CA().RootPEM()))
	w.put("init.json", initialize)
	call := func() string {
		return w.run("curl", "-sS", "--cacert", "ca.pem", "--cert", "robot.pem", "--key", "robot.key", "-H", "Content-Type: application/json",
			"-H", "Accept: application/json, text/event-stream", "--data-binary", "@init.json", "-o", "answer", "-w", "%{http_code}", s.url+"/mcp")
	}
	if got := call(); got != "401" {
		t.Errorf("bound to nobody: %s", got)
	}
	s.do(s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "of-corp", SPIFFE: "spiffe://corp.example/team/robot"}))
	if got := call(); got != "200" {
		t.Errorf("bound: %s", got)
	}
}
