package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// ServerConfig configures a Server. Handler is required.
type ServerConfig struct {
	Handler Handler
	TLS     *tls.Config // nil: plaintext, which is served on loopback and unix sockets only
	Limits  Limits
	HTTP2   bool // offer h2 by ALPN; needs TLS

	// ErrorLog receives failures of the server's own: panics, accept errors.
	ErrorLog func(msg string, err error)
	// OnBad is told of each malformed, slow or surplus connection. reason is
	// one of a small set of sentences and holds nothing of the peer's.
	OnBad func(peer netip.AddrPort, reason string)
	// Now is the time of the Date field; nil is the system clock.
	Now func() time.Time
	// MaxConns bounds the open connections; more are closed at once. Default
	// 32,768.
	MaxConns int
}

// Server serves connections of any number of listeners. NewServer makes it.
type Server struct {
	cfg   ServerConfig
	lim   Limits
	clock clock.Clock
	date  atomic.Pointer[dateLine]
	h2    *h2Server // nil without HTTP2

	draining atomic.Bool
	mu       sync.Mutex
	lns      map[net.Listener]struct{}
	conns    map[*conn]struct{}
	closed   bool
	work     sync.WaitGroup // one per connection
}

// dateLine is the Date field of one second.
type dateLine struct {
	unix int64
	text string
}

var errPlaintext = errors.New("http1: plaintext is served on loopback only")

// NewServer returns a server. It panics without a Handler.
func NewServer(cfg ServerConfig) *Server {
	if cfg.Handler == nil {
		panic("http1: no handler")
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 32 << 10
	}
	if cfg.Now == nil {
		cfg.Now = clock.Clock{}.Now
	}
	s := &Server{cfg: cfg, lim: cfg.Limits.filled(), lns: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}}
	if cfg.TLS != nil {
		s.cfg.TLS = cfg.TLS.Clone()
		s.cfg.TLS.DynamicRecordSizingDisabled = true // whole records: fewer writes
		s.cfg.TLS.NextProtos = []string{"http/1.1"}
		if cfg.HTTP2 {
			s.cfg.TLS.NextProtos = []string{"h2", "http/1.1"}
			s.h2 = newH2(s)
		}
	}
	return s
}

// Serve accepts connections from l until Shutdown or Close, which make it
// return nil, or until l fails. It closes l.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if s.cfg.TLS == nil && !local(l.Addr()) {
		return errPlaintext
	}
	if !s.listen(l) {
		return nil
	}
	defer s.unlisten(l)
	for delay := time.Duration(0); ; {
		nc, err := l.Accept()
		if err == nil {
			delay = 0
			s.accept(nc)
			continue
		}
		if s.stopping() {
			return nil
		}
		var ne net.Error
		if !errors.As(err, &ne) || errors.Is(err, net.ErrClosed) {
			return err
		}
		// The process is out of descriptors or memory: wait for some.
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		s.logError("accept", err)
		<-time.After(delay)
	}
}

// local reports whether plaintext may be served at a.
func local(a net.Addr) bool {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.IsLoopback()
	}
	return a.Network() == "unix" || a.Network() == "pipe"
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.draining.Load() {
		return false
	}
	s.lns[l] = struct{}{}
	return true
}

func (s *Server) unlisten(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lns, l)
}

func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed || s.draining.Load()
}

// accept starts the goroutine of a connection; forget is its end.
func (s *Server) accept(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	full := len(s.conns) >= s.cfg.MaxConns
	refused := full || s.closed || s.draining.Load()
	if !refused {
		s.conns[c] = struct{}{}
		s.work.Add(1)
	}
	s.mu.Unlock()
	if refused {
		if full {
			s.bad(c.peer, "too many connections")
		}
		nc.Close()
		return
	}
	go c.serve()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.work.Done()
}

// Shutdown stops accepting, closes idle connections and waits for the others
// to finish their request, or for ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for l := range s.lns {
		l.Close()
	}
	for c := range s.conns {
		c.closeIfIdle()
	}
	s.mu.Unlock()
	var err error
	if s.h2 != nil {
		err = s.h2.shutdown(ctx)
	}
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }() // ends with the last connection; Close ends those
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close cancels every request, closes every connection and waits for their
// handlers. A handler must not call it.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for l := range s.lns {
		l.Close()
	}
	for c := range s.conns {
		c.kill()
	}
	s.mu.Unlock()
	if s.h2 != nil {
		s.h2.close()
	}
	s.work.Wait()
	return nil
}

// Drop closes the connections whose TLS state which picks, with what is under
// way on them. which is called under the server's lock and must not block.
func (s *Server) Drop(which func(*tls.ConnectionState) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if state := c.shown.Load(); state != nil && which(state) {
			c.kill()
		}
	}
}

func (s *Server) logError(msg string, err error) {
	if s.cfg.ErrorLog != nil {
		s.cfg.ErrorLog(msg, err)
	}
}

func (s *Server) bad(peer netip.AddrPort, reason string) {
	if s.cfg.OnBad != nil {
		s.cfg.OnBad(peer, reason)
	}
}

// dateField returns "Date: ...\r\n" (RFC 9110 section 6.6.1).
func (s *Server) dateField() string {
	now := s.cfg.Now()
	if d := s.date.Load(); d != nil && d.unix == now.Unix() {
		return d.text
	}
	d := &dateLine{now.Unix(), "Date: " + now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") + "\r\n"}
	s.date.Store(d)
	return d.text
}
