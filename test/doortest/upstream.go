package doortest

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Patience bounds every wait of this package. It is far beyond what a healthy
// gateway needs, so that it decides only whether a test hangs.
const Patience = 20 * time.Second

// maxRecord bounds what one Upstream keeps of received bytes.
const maxRecord = 256 << 20

// Config shapes an Upstream. The zero value is a plain HTTP server that speaks
// both eras and answers JSON.
type Config struct {
	TLS       *tls.Config // serve TLS with this; nil: plain HTTP
	Modern    bool        // speak 2026-07-28 only
	Legacy    bool        // speak the handshake versions only
	SSE       bool        // answer requests by an event stream
	OldSSE    bool        // the HTTP+SSE transport of 2024-11-05 at /sse
	Endpoint  string      // OldSSE: what the endpoint event names; "" = the right URL
	Stateless bool        // legacy without session ids
	Path      string      // "" = /mcp (or /sse)
}

// Upstream is a scripted MCP server over raw TCP. All methods are safe for use
// from several goroutines.
type Upstream struct {
	config  Config
	tb      testing.TB
	ln      net.Listener
	workers sync.WaitGroup

	accepted atomic.Int64
	received atomic.Int64

	mu       sync.Mutex // guards what follows
	changed  chan struct{}
	raw      []byte
	requests []*Request
	handlers map[string]Handler
	every    Handler
	conns    map[net.Conn]struct{}
	pending  map[string]chan Message
	streams  map[string]*Conn // open GET streams by session id
	sessions map[string]bool
	made     int
	closed   bool
	quit     chan struct{}
}

// NewUpstream starts an Upstream on a free loopback port; it ends with the test.
func NewUpstream(tb testing.TB, c Config) *Upstream {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	if c.Path == "" {
		c.Path = "/mcp"
		if c.OldSSE {
			c.Path = "/sse"
		}
	}
	u := &Upstream{
		config: c, tb: tb, ln: ln, changed: make(chan struct{}), quit: make(chan struct{}),
		handlers: map[string]Handler{}, conns: map[net.Conn]struct{}{},
		pending: map[string]chan Message{}, streams: map[string]*Conn{}, sessions: map[string]bool{},
	}
	u.workers.Go(u.accept)
	tb.Cleanup(u.Close)
	return u
}

// URL is the address to register at the gateway.
func (u *Upstream) URL() string {
	out := url.URL{Scheme: "http", Host: u.ln.Addr().String(), Path: u.config.Path}
	if u.config.TLS != nil {
		out.Scheme = "https"
	}
	return out.String()
}

// Addr is the host and port it listens on.
func (u *Upstream) Addr() string { return u.ln.Addr().String() }

// Close stops listening, breaks every connection and waits for the handlers.
func (u *Upstream) Close() {
	u.mu.Lock()
	if u.closed {
		u.mu.Unlock()
		return
	}
	u.closed = true
	close(u.quit)
	u.mu.Unlock()
	_ = u.ln.Close()
	u.Break()
	u.workers.Wait()
}

// Break closes every open connection, as a crashed server does, and goes on
// listening.
func (u *Upstream) Break() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		_ = c.Close()
	}
}

// Accepted counts the TCP connections since the start.
func (u *Upstream) Accepted() int { return int(u.accepted.Load()) }

// Bytes counts what was received on the sockets, TLS records included, since
// the start or the last Forget. "Reached no upstream" means that it is 0.
func (u *Upstream) Bytes() int64 { return u.received.Load() }

// Received returns every byte received since the start or the last Forget,
// after TLS, connections interleaved in order of arrival.
func (u *Upstream) Received() []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]byte(nil), u.raw...)
}

// Requests returns the whole requests since the start or the last Forget.
func (u *Upstream) Requests() []*Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*Request(nil), u.requests...)
}

// Calls returns the requests whose JSON-RPC method is method.
func (u *Upstream) Calls(method string) []*Request {
	var out []*Request
	for _, r := range u.Requests() {
		if r.Message().Method == method {
			out = append(out, r)
		}
	}
	return out
}

// Forget empties the record and sets Bytes to 0; handlers stay.
func (u *Upstream) Forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.raw, u.requests = nil, nil
	u.received.Store(0)
}

// Await blocks until ok holds. It is asked again whenever a byte, a request,
// an answer or a closed connection comes; the test fails after Patience.
func (u *Upstream) Await(what string, ok func() bool) {
	u.tb.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		u.mu.Lock()
		changed := u.changed
		u.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			u.tb.Fatalf("the fake server waited in vain for %s; it has %d requests", what, len(u.Requests()))
		}
	}
}

// AwaitCalls blocks until n requests of method have come and returns them.
func (u *Upstream) AwaitCalls(method string, n int) []*Request {
	u.tb.Helper()
	u.Await(method, func() bool { return len(u.Calls(method)) >= n })
	return u.Calls(method)
}

// wake lets every Await look again. The caller holds mu.
func (u *Upstream) wake() {
	close(u.changed)
	u.changed = make(chan struct{})
}

func (u *Upstream) accept() {
	for {
		c, err := u.ln.Accept()
		if err != nil {
			return
		}
		n := int(u.accepted.Add(1))
		u.mu.Lock()
		if u.closed {
			u.mu.Unlock()
			_ = c.Close()
			return
		}
		u.conns[c] = struct{}{}
		u.wake()
		u.mu.Unlock()
		u.workers.Go(func() { u.serve(c, n) })
	}
}

// serve reads requests ahead of the handler, so that it notices at once when
// the peer goes away, and handles them one after the other.
func (u *Upstream) serve(raw net.Conn, n int) {
	gone := make(chan struct{})
	var c net.Conn = &meter{Conn: raw, u: u}
	if u.config.TLS != nil {
		c = tls.Server(c, u.config.TLS)
	}
	queue := make(chan *Request)
	u.workers.Go(func() {
		defer close(queue)
		defer close(gone)
		in := bufio.NewReaderSize(&tape{Conn: c, u: u}, 64<<10)
		for {
			req, err := readRequest(in)
			if err != nil {
				return
			}
			req.Conn = n
			u.note(req)
			select {
			case queue <- req:
			case <-u.quit:
				return
			}
		}
	})
	for req := range queue {
		w := &Conn{u: u, c: c, req: req, gone: gone}
		u.handle(w, req)
		if w.closed {
			break
		}
	}
	_ = c.Close()
	for range queue { // the reader ends once the connection is closed
	}
	u.mu.Lock()
	delete(u.conns, raw)
	u.wake()
	u.mu.Unlock()
}

// note records a whole request.
func (u *Upstream) note(r *Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, r)
	u.wake()
}

// meter counts bytes below TLS.
type meter struct {
	net.Conn
	u *Upstream
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.u.received.Add(int64(n))
	return n, err
}

// tape keeps bytes above TLS.
type tape struct {
	net.Conn
	u *Upstream
}

func (t *tape) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.u.mu.Lock()
	defer t.u.mu.Unlock()
	if len(t.u.raw)+n <= maxRecord {
		t.u.raw = append(t.u.raw, p[:n]...)
	}
	t.u.wake()
	return n, err
}

// pathOf returns the target without its query.
func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
}
