package app

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

// served is a gateway that serves in this process, with a clock that the test
// moves.
type served struct {
	t    *testing.T
	app  *App
	api  admin.API
	url  string
	mu   sync.Mutex
	late time.Duration
}

func (s *served) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late += d
}

// serveGateway makes a gateway with the agent robot, and serves it. change edits
// its configuration file.
func serveGateway(t *testing.T, change func(string) string) *served {
	t.Helper()
	dir := gatewayIn(t)
	if change != nil {
		write(t, dir, change(readText(t, dir)))
	}
	s := &served{t: t}
	real := clock.Clock{}
	a, err := Open(t.Context(), dir, Options{Clock: clock.Fixed(func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return real.Now().Add(s.late)
	})})
	if err != nil {
		t.Fatal(err)
	}
	s.app, s.api = a, a.API()
	ready, done := make(chan struct{}), make(chan error, 1)
	a.ready = func() { close(ready) }
	ctx, stop := context.WithCancel(context.Background())
	go func() { done <- a.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	s.url = "https://" + a.dataAddress()
	s.do(s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "robot"}))
	return s
}

func (s *served) do(_ any, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func readText(t *testing.T, dir string) string {
	t.Helper()
	text, err := readConfig(dir + "/" + ConfigName)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// client returns a client that shows chain, PEM, with its key; nil shows none.
func (s *served) client(chain []byte, key any) *http.Client {
	s.t.Helper()
	config := &tls.Config{RootCAs: s.app.ring.CA().ClientPool(), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if chain != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			s.t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		if err != nil {
			s.t.Fatal(err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	s.t.Cleanup(c.CloseIdleConnections)
	return c
}

// post sends body and returns the status with the answer; 0 when the
// connection fails.
func post(t *testing.T, c *http.Client, target, token string, body []byte) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.StatusCode, text
}

func (s *served) join(agent string) string {
	s.t.Helper()
	d, err := s.api.CreateJoinToken(s.t.Context(), admin.JoinToken{Agent: agent})
	if err != nil {
		s.t.Fatal(err)
	}
	return d.Item.Token
}

func requestOf(t *testing.T, key any, change func(*x509.CertificateRequest)) []byte {
	t.Helper()
	c := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "robot"}}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, c, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func leafOf(t *testing.T, chain []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(chain)
	if block == nil {
		t.Fatalf("not a certificate: %s", chain)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

// call says with which status the gateway answers an MCP request of c.
func (s *served) call(c *http.Client) int {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/mcp", strings.NewReader(initialize))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := c.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// TestEnrolAndRenew: one key is certified for one token, for the agent that the
// token names, whatever the request says; what it got renews itself.
func TestEnrolAndRenew(t *testing.T) {
	s := serveGateway(t, nil)
	anybody := s.client(nil, nil)
	key := newKey(t)
	request := requestOf(t, key, func(c *x509.CertificateRequest) {
		c.Subject.CommonName, c.DNSNames = "other", []string{"gw.example.com"}
		c.URIs = []*url.URL{keys.ID("default", "person", "admin")}
	})
	token := s.join("robot")
	if status, text := post(t, anybody, s.url+"/enrol", token, []byte("no request")); status != 400 {
		t.Fatalf("an unusable request: %d %s", status, text)
	}
	status, chain := post(t, anybody, s.url+"/enrol", token, request)
	if status != 200 {
		t.Fatalf("%d %s", status, chain)
	}
	leaf := leafOf(t, chain)
	if len(leaf.URIs) != 1 || leaf.URIs[0].Path != "/tenant/default/client/robot" || len(leaf.DNSNames) != 0 || leaf.Subject.CommonName != "" {
		t.Errorf("the certificate names %v %v %v", leaf.URIs, leaf.DNSNames, leaf.Subject)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life != time.Hour+keys.Backdate {
		t.Errorf("it lives %s", life)
	}
	if status, text := post(t, anybody, s.url+"/enrol", token, request); status != 403 {
		t.Errorf("a spent token: %d %s", status, text)
	}
	robot := s.client(chain, key)
	if got := s.call(robot); got != 200 {
		t.Fatalf("the enrolled client is answered with %d", got)
	}
	if status, text := post(t, robot, s.url+"/enrol/renew", "", request); status != 409 {
		t.Errorf("a young certificate is renewed: %d %s", status, text)
	}
	s.later(31 * time.Minute)
	next := newKey(t)
	status, second := post(t, robot, s.url+"/enrol/renew", "", requestOf(t, next, nil))
	if status != 200 {
		t.Fatalf("%d %s", status, second)
	}
	if l := leafOf(t, second); l.URIs[0].Path != leaf.URIs[0].Path || l.NotAfter.Sub(l.NotBefore) != leaf.NotAfter.Sub(leaf.NotBefore) {
		t.Errorf("renewed as %v for %s", l.URIs, l.NotAfter.Sub(l.NotBefore))
	}
	if got := s.call(s.client(second, next)); got != 200 {
		t.Errorf("the renewed client is answered with %d", got)
	}
	if status, text := post(t, anybody, s.url+"/enrol/renew", "", request); status != 403 {
		t.Errorf("nobody renews: %d %s", status, text)
	}
}

// TestEnrolRefusals: whoever has no valid token is told the same every time,
// and a token is spent once even when many show it at once.
func TestEnrolRefusals(t *testing.T) {
	s := serveGateway(t, nil)
	anybody := s.client(nil, nil)
	request := requestOf(t, newKey(t), nil)
	api, err := s.api.CreateToken(t.Context(), admin.CreateToken{Agent: "robot"})
	if err != nil {
		t.Fatal(err)
	}
	valid := s.join("robot")
	s.do(s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "asleep"}))
	asleep := s.join("asleep")
	s.do(s.api.MoveAgent(t.Context(), admin.Move{ID: "asleep", Action: admin.Suspend, Change: admin.Change{Reason: "test"}}))
	s.do(s.api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "killed"}))
	killed := s.join("killed")
	s.do(s.api.Kill(t.Context(), admin.Switch{What: "client", Name: "killed", Change: admin.Change{Reason: "test"}}))
	answers := map[string]bool{}
	for name, token := range map[string]string{"none": "", "an API token": api.Item.Token, "invented": keys.JoinPrefix + strings.Repeat("A", 43),
		"almost": valid[:len(valid)-1] + "!", "cut": valid[:len(valid)-2], "a suspended agent": asleep, "a killed agent": killed} {
		status, text := post(t, anybody, s.url+"/enrol", token, request)
		if status != 403 {
			t.Errorf("%s: %d %s", name, status, text)
		}
		answers[string(text)] = true
	}
	if len(answers) != 1 {
		t.Errorf("refusals differ: %v", answers)
	}
	var wait sync.WaitGroup
	got := make(chan int, 20)
	for range 20 {
		wait.Go(func() {
			status, _ := post(t, anybody, s.url+"/enrol", valid, request)
			got <- status
		})
	}
	wait.Wait()
	close(got)
	spent := 0
	for status := range got {
		if status == 200 {
			spent++
		}
	}
	if spent != 1 {
		t.Errorf("one token was spent %d times", spent)
	}
	late := s.join("robot")
	s.later(15 * time.Minute)
	if status, _ := post(t, anybody, s.url+"/enrol", late, request); status != 403 {
		t.Errorf("a token of 15 minutes ago: %d", status)
	}
	for range 20 {
		if status, _ := post(t, anybody, s.url+"/enrol", "", request); status == 429 {
			return
		}
	}
	t.Error("guessing is not bounded")
}

// TestEnrolKeys: only P-256, P-384 and Ed25519, in a request signed by the key.
func TestEnrolKeys(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := requestOf(t, newKey(t), nil)
	block, _ := pem.Decode(good)
	forged := bytes.Clone(block.Bytes)
	forged[len(forged)-1] ^= 1
	for name, c := range map[string]struct {
		text []byte
		ok   bool
	}{
		"P-256": {good, true}, "P-384": {requestOf(t, p384, nil), true}, "Ed25519": {requestOf(t, ed, nil), true},
		"P-521": {requestOf(t, p521, nil), false}, "RSA": {requestOf(t, weak, nil), false},
		"a forged signature": {pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: forged}), false},
		"two requests":       {append(bytes.Clone(good), good...), false}, "a long tail": {append(bytes.Clone(good), make([]byte, 20<<10)...), false},
		"DER": {block.Bytes, false}, "nothing": {nil, false}, "a certificate": {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}), false},
	} {
		if _, err := keys.ParseRequest(c.text); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestT06HeadersNameNobody: a header that claims a certificate proves nothing.
func TestT06HeadersNameNobody(t *testing.T) {
	s := serveGateway(t, nil)
	reg, err := s.api.IssueCertificate(t.Context(), admin.IssueCertificate{Agent: "robot"})
	if err != nil {
		t.Fatal(err)
	}
	claim := url.QueryEscape(string(reg.Item.CertPEM))
	for _, path := range []string{"/mcp", "/enrol/renew"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(initialize))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"X-Client-Cert", "X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Ssl-Client-Cert", "Client-Cert", "X-Forwarded-Tls-Client-Cert"} {
			r.Header.Set(name, claim)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		resp, err := s.client(nil, nil).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 401 && resp.StatusCode != 403 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// transportOf returns the TLS configuration of a client, to be changed before
// its first use.
func transportOf(c *http.Client) *tls.Config {
	return c.Transport.(*http.Transport).TLSClientConfig
}
