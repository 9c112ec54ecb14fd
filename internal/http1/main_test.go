package http1

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handlerFunc is a Handler made of a function.
type handlerFunc func(ctx context.Context, w Response, r *Request)

func (f handlerFunc) Serve(ctx context.Context, w Response, r *Request) { f(ctx, w, r) }

// echo answers with the method, target and body.
var echo = handlerFunc(func(_ context.Context, w Response, r *Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	text := r.Method + " " + r.Target + "\n" + string(body)
	if w.Start(200, Header{{"Content-Type", "text/plain"}}, int64(len(text))) == nil {
		_, _ = io.WriteString(w, text) // a lost client shows at its own end
	}
})

// world is a running server and what it complained of.
type world struct {
	*Server
	addr string
	mu   sync.Mutex
	bad  []string
	logs []string
}

func (w *world) complaints() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.bad)
}

func (w *world) logged() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.logs)
}

// start serves cfg on loopback until the test ends.
func start(t testing.TB, cfg ServerConfig) *world {
	t.Helper()
	w := &world{}
	cfg.OnBad = func(peer netip.AddrPort, reason string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !peer.Addr().IsLoopback() {
			t.Errorf("complaint about peer %v", peer)
		}
		w.bad = append(w.bad, reason)
	}
	cfg.ErrorLog = func(msg string, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.logs = append(w.logs, msg+": "+err.Error())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.Server, w.addr = NewServer(cfg), l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- w.Serve(l) }()
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return w
}

// peer is a raw client connection.
type peer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// guard is how long a test waits for what must happen: only a failure takes
// so long.
const guard = 20 * time.Second

func (w *world) dial(t testing.TB) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(guard)); err != nil {
		t.Fatal(err)
	}
	return &peer{t, nc, bufio.NewReader(nc)}
}

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// answer reads one response with net/http's parser.
func (p *peer) answer(method string) (*http.Response, string) {
	p.t.Helper()
	resp, err := http.ReadResponse(p.r, &http.Request{Method: method})
	if err != nil {
		p.t.Fatalf("read answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("read body: %v", err)
	}
	return resp, string(body)
}

// wantClosed checks that the server ends the connection without another byte.
func (p *peer) wantClosed() {
	p.t.Helper()
	rest, err := io.ReadAll(p.r)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		p.t.Fatal("the connection stays open")
	}
	if len(rest) > 0 {
		p.t.Fatalf("after the last answer came %q", rest)
	}
}

// wantRefused sends text on a new connection and wants one answer of the
// status, "Connection: close", and the end.
func (w *world) wantRefused(t *testing.T, text string, status int) {
	t.Helper()
	p := w.dial(t)
	if _, err := io.WriteString(p, text); err != nil {
		t.Logf("the server ended before everything was sent: %v", err)
	}
	resp, _ := p.answer("POST")
	if resp.StatusCode != status || !resp.Close {
		t.Errorf("%.80q: status %d, close %v; want %d and close", text, resp.StatusCode, resp.Close, status)
	}
	if got := resp.Header.Get("Server"); got != "" {
		t.Errorf("the answer names a server: %q", got)
	}
	p.wantClosed()
}

// testTLS returns the server and client configuration of one throw-away name.
func testTLS(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"gateway.test"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	server = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return server, &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: "gateway.test"}
}

const post = "POST /mcp HTTP/1.1\r\nHost: gw\r\n"

func repeat(s string, n int) string { return strings.Repeat(s, n) }
