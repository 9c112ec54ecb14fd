package http1

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/lifetime"
)

// phase says what the connection's goroutine reads, hence how long it may.
type phase uint8

const (
	readIdle phase = iota
	readHead
	readBody
)

// States of a connection, for Shutdown.
const (
	stateIdle int32 = iota
	stateActive
	stateClosed
)

// conn is one connection of the edge, owned by the goroutine of serve. Only
// state, current and the watch are shared with others.
type conn struct {
	srv         *Server
	raw         net.Conn // the socket
	nc          net.Conn // raw, or TLS over it
	sock        *socket  // between TLS and raw; nil on plaintext
	tls         *tls.ConnectionState
	shown       atomic.Pointer[tls.ConnectionState] // tls, for others' goroutines
	peer, local netip.AddrPort
	in          reader
	fields      Header // backing of Request.Header, used again by the next request
	state       atomic.Int32
	current     atomic.Pointer[lifetime.Life]
	broken      bool // nothing may be read or written any more
	watch       watch

	phase     phase
	readUntil time.Time // deadline in force
	headUntil time.Time // zero until the head's first wait
	bodyStart time.Time // zero until the body's first wait
	bodyGot   int64
	writeTill time.Time // deadline in force
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, raw: nc, nc: nc, peer: addrPort(nc.RemoteAddr()), local: addrPort(nc.LocalAddr())}
	c.in.src = c
	c.watch.source, c.watch.done = c, make(chan struct{}, 1)
	c.phase = readHead
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// serve answers the connection's requests one after the other.
func (c *conn) serve() {
	defer c.srv.forget(c)
	defer c.raw.Close()
	if c.srv.cfg.TLS != nil {
		proto, err := c.handshake()
		if err != nil {
			c.srv.bad(c.peer, "TLS handshake failed")
			return
		}
		if proto == "h2" && c.srv.h2 != nil {
			c.srv.h2.serve(c)
			return
		}
	}
	for c.next() {
		c.phase = readIdle
	}
	c.in.r = c.in.w
	c.in.release()
}

func (c *conn) handshake() (proto string, err error) {
	c.sock = &socket{Conn: c.raw}
	t := tls.Server(c.sock, c.srv.cfg.TLS)
	if err := c.raw.SetDeadline(c.srv.clock.Now().Add(c.srv.lim.HeaderTimeout)); err != nil {
		return "", err
	}
	if err := t.Handshake(); err != nil {
		return "", err
	}
	if err := c.raw.SetDeadline(time.Time{}); err != nil {
		return "", err
	}
	state := t.ConnectionState()
	c.nc, c.tls = t, &state
	c.shown.Store(&state)
	return state.NegotiatedProtocol, nil
}

// next waits for a request and answers it. It reports whether the connection
// can carry another one.
func (c *conn) next() bool {
	c.headUntil = time.Time{}
	if c.in.buffered() == 0 {
		if err := c.in.fill(); err != nil {
			if c.phase == readHead && errors.Is(err, os.ErrDeadlineExceeded) {
				c.srv.bad(c.peer, "request head too slow")
			}
			return false
		}
	}
	if !c.state.CompareAndSwap(stateIdle, stateActive) {
		return false
	}
	c.phase = readHead
	s := new(serving)
	if err := c.readRequest(s); err != nil {
		c.refuse(err)
		return false
	}
	c.current.Store(&s.ctx)
	if c.state.Load() == stateClosed {
		s.ctx.End(nil)
	}
	keep := c.handle(s)
	c.current.Store(nil)
	clear(c.fields)
	return keep && c.state.CompareAndSwap(stateActive, stateIdle) && !c.srv.draining.Load()
}

// handle runs the handler and completes the answer.
func (c *conn) handle(s *serving) (keep bool) {
	c.phase, c.bodyStart, c.bodyGot = readBody, time.Time{}, 0
	if s.body.left.err == io.EOF {
		c.startWatch()
	}
	ok := c.call(s)
	s.body.close()
	if ok {
		s.res.finish()
	}
	c.stopWatch()
	s.ctx.End(nil)
	s.res.release()
	if !ok || c.broken {
		return false
	}
	if s.res.closes || !c.drain(s) {
		c.linger()
		return false
	}
	return true
}

// call runs the handler. False means that it panicked.
func (c *conn) call(s *serving) (ok bool) {
	defer func() {
		if ok {
			return
		}
		if v := recover(); v != any(ErrAbort) {
			c.srv.logError("handler panicked", fmt.Errorf("%v\n%s", v, debug.Stack()))
		}
	}()
	c.srv.cfg.Handler.Serve(&s.ctx, &s.res, &s.req)
	return true
}

// drain drops what the handler left of the body, up to Limits.Drain bytes.
func (c *conn) drain(s *serving) bool {
	b := &s.body.left
	if b.err == io.EOF {
		return true
	}
	if b.err != nil || s.body.expects || b.mode == byLength && b.left > c.srv.lim.Drain {
		return false
	}
	scratch := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(scratch)
	for left := c.srv.lim.Drain; left >= 0; {
		n, err := b.Read(scratch[:])
		if b.err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		left -= int64(n)
	}
	return false
}

// refuse answers a request that could not be read, and closes.
func (c *conn) refuse(err error) {
	m, ok := err.(*malformed)
	if !ok {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.srv.bad(c.peer, "request head too slow")
		} else if errors.Is(err, io.ErrUnexpectedEOF) {
			c.srv.bad(c.peer, "request head cut short")
		}
		return
	}
	c.srv.bad(c.peer, m.reason)
	if c.write(appendRefusal(nil, c.srv.dateField(), m), nil, nil) == nil {
		c.linger()
	}
}

// lingerTime is how long a closing connection still swallows what the peer
// sends: a reset on unread bytes would destroy the answer on its way.
const lingerTime = 500 * time.Millisecond

// linger ends the sending side and swallows a little of what still arrives.
func (c *conn) linger() {
	if t, ok := c.nc.(*tls.Conn); ok {
		if t.CloseWrite() != nil {
			return
		}
	}
	half, ok := c.raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.raw.SetReadDeadline(c.srv.clock.Now().Add(lingerTime)) != nil {
		return
	}
	scratch := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(scratch)
	for left := c.srv.lim.Drain; left > 0; {
		n, err := c.raw.Read(scratch[:])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

// closeIfIdle closes a connection that waits for a request.
func (c *conn) closeIfIdle() {
	if c.state.CompareAndSwap(stateIdle, stateClosed) {
		c.raw.Close()
	}
}

// kill closes the connection and cancels its request.
func (c *conn) kill() {
	c.state.Store(stateClosed)
	if ctx := c.current.Load(); ctx != nil {
		ctx.End(nil)
	}
	c.raw.Close()
}
