package http1

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxStreams is how many streams an HTTP/2 client may have open at once. Four
// times as many that wait for a handler end the connection (net/http).
const maxStreams = 250

// h2Server serves connections that agreed on h2, with net/http's server, and
// turns its requests into ours.
type h2Server struct {
	srv  *Server
	http *http.Server

	feed    chan net.Conn // handshaken connections, for Accept
	stopped chan struct{}
	stop    sync.Once
	serving sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]*h2Conn
}

// h2Conn is one HTTP/2 connection.
type h2Conn struct {
	*conn
	ended  chan struct{}
	cancel cancelBudget

	mu      sync.Mutex // guards over, and running against late streams
	over    bool
	running sync.WaitGroup // handlers
}

// begin books a handler; false means that the connection has ended.
func (c *h2Conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.running.Add(1)
	return true
}

// end waits for the handlers, which net/http leaves running.
func (c *h2Conn) end() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.running.Wait()
}

type h2ConnKey struct{}

func newH2(s *Server) *h2Server {
	h := &h2Server{srv: s, feed: make(chan net.Conn), stopped: make(chan struct{}), conns: map[net.Conn]*h2Conn{}}
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	h.http = &http.Server{
		Handler:        h,
		Protocols:      &protocols,
		MaxHeaderBytes: s.lim.HeaderBytes,
		IdleTimeout:    s.lim.IdleTimeout,
		ErrorLog:       log.New(h2Log{s}, "", 0),
		ConnState:      h.connState,
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			h.mu.Lock()
			defer h.mu.Unlock()
			return context.WithValue(ctx, h2ConnKey{}, h.conns[nc])
		},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			WriteByteTimeout:     s.lim.WriteTimeout,
		},
	}
	h.serving.Go(func() { _ = h.http.Serve(h) }) // ends by stopAccepting, with ErrServerClosed or errStopped
	return h
}

// h2Log gives net/http's complaints to the server's log.
type h2Log struct{ s *Server }

func (l h2Log) Write(p []byte) (int, error) {
	l.s.logError("HTTP/2", fmt.Errorf("%s", strings.TrimSpace(string(p))))
	return len(p), nil
}

// Accept, Close and Addr make h the listener of its http.Server.
func (h *h2Server) Accept() (net.Conn, error) {
	select {
	case nc := <-h.feed:
		return nc, nil
	case <-h.stopped:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *h2Server) Close() error {
	h.stop.Do(func() { close(h.stopped) })
	return nil
}

// Addr is required of a listener; nobody asks for it.
func (h *h2Server) Addr() net.Addr { return &net.TCPAddr{} }

// serve hands c over and waits for its end and its handlers.
func (h *h2Server) serve(c *conn) {
	if !c.state.CompareAndSwap(stateIdle, stateActive) {
		return
	}
	hc := &h2Conn{conn: c, ended: make(chan struct{})}
	h.mu.Lock()
	h.conns[c.nc] = hc
	h.mu.Unlock()
	select {
	case h.feed <- c.nc:
		<-hc.ended
		hc.end()
	case <-h.stopped:
		h.connState(c.nc, http.StateClosed)
	}
}

func (h *h2Server) connState(nc net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if hc := h.conns[nc]; hc != nil {
		delete(h.conns, nc)
		close(hc.ended)
	}
}

func (h *h2Server) shutdown(ctx context.Context) error {
	err := h.http.Shutdown(ctx)
	h.Close()
	h.serving.Wait()
	return err
}

func (h *h2Server) close() {
	h.Close()
	_ = h.http.Close() // it closes what our Close has closed
	h.serving.Wait()
}

// ServeHTTP turns a stream into a Request.
func (h *h2Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(h2ConnKey{}).(*h2Conn)
	if !ok || r.ProtoMajor != 2 || !c.begin() {
		panic(http.ErrAbortHandler)
	}
	defer c.running.Done()
	req, err := h.request(c, r)
	if err != nil {
		m, ok := err.(*malformed)
		if !ok {
			m = errStartLine
		}
		h.srv.bad(c.peer, m.reason)
		h.refuse(w, m)
		return
	}
	ctl := http.NewResponseController(w)
	if r.ContentLength != 0 {
		req.Body = &h2Body{in: r.Body, ctl: ctl, srv: h.srv, gone: r.Context().Done()}
	}
	res := &h2Response{w: w, ctl: ctl, srv: h.srv, headOnly: r.Method == "HEAD"}
	defer func() {
		if !c.cancel.spend(h.srv.clock.Now(), r.Context().Err() != nil) {
			h.srv.bad(c.peer, "too many cancelled streams")
			c.raw.Close()
		}
	}()
	h.call(r.Context(), res, req)
	if !res.complete(r.Context()) {
		panic(http.ErrAbortHandler)
	}
}

// call runs the handler; a panic resets the stream.
func (h *h2Server) call(ctx context.Context, res *h2Response, req *Request) {
	ok := false
	defer func() {
		if ok {
			return
		}
		if v := recover(); v != any(ErrAbort) {
			h.srv.logError("handler panicked", fmt.Errorf("%v\n%s", v, debug.Stack()))
		}
		panic(http.ErrAbortHandler)
	}()
	h.srv.cfg.Handler.Serve(ctx, res, req)
	ok = true
}

func (h *h2Server) refuse(w http.ResponseWriter, m *malformed) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(m.reason)+1))
	w.WriteHeader(m.status)
	_, _ = io.WriteString(w, m.reason+"\n") // the stream is over either way
}

// request vets what net/http lets through and we do not.
func (h *h2Server) request(c *h2Conn, r *http.Request) (*Request, error) {
	if err := checkMethod(r.Method); err != nil {
		return nil, err
	}
	if err := checkTarget(r.RequestURI); err != nil {
		return nil, err
	}
	if len(r.RequestURI) > h.srv.lim.URL {
		return nil, errLongTarget
	}
	if err := checkHost(r.Host); err != nil {
		return nil, err
	}
	req := &Request{
		Method: r.Method, Target: r.RequestURI, Host: r.Host, Proto: 2,
		ContentLength: r.ContentLength, Body: emptyBody{},
		Peer: c.peer, Local: c.local, TLS: c.tls,
	}
	req.Path, req.Query, _ = strings.Cut(req.Target, "?")
	var err error
	req.Header, err = h.fields(r)
	return req, err
}

// fields lists the header in a stable order: HTTP/2's own is lost in net/http.
func (h *h2Server) fields(r *http.Request) (Header, error) {
	out := make(Header, 0, len(r.Header)+2)
	for name, values := range r.Header {
		for _, v := range values {
			switch {
			case same(name, "Host"):
				if v != r.Host || len(values) > 1 {
					return nil, errHost
				}
				continue
			case same(name, "Content-Length") && len(values) > 1:
				return nil, errLength
			case !only(name, tokenByte):
				return nil, errName
			case !only(v, valueByte):
				return nil, errValue
			case len(name)+len(v)+2 > h.srv.lim.Line:
				return nil, errLongLine
			case len(out) == h.srv.lim.Fields:
				return nil, errManyFields
			}
			out = append(out, Field{name, trim(v)})
		}
	}
	if f, err := readFacts(out); err != nil {
		return nil, err
	} else if f.upgrade {
		return nil, errUpgrade
	}
	slices.SortStableFunc(out, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// cancelBudget bounds the streams that a client opens only to cancel them
// (rapid reset, CVE-2023-44487): net/http ends a connection only when a
// thousand of them pile up. Every finished stream earns one, every second some.
type cancelBudget struct {
	mu    sync.Mutex
	spent float64
	at    time.Time
}

const (
	cancelBurst     = 500
	cancelPerSecond = 50
)

// spend books the end of a stream. False means that the budget is used up.
func (b *cancelBudget) spend(now time.Time, cancelled bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.at.IsZero() {
		b.spent -= now.Sub(b.at).Seconds() * cancelPerSecond
	}
	b.at = now
	if cancelled {
		b.spent++
	} else {
		b.spent--
	}
	b.spent = max(b.spent, 0)
	return b.spent <= cancelBurst
}
