package http1

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

// hostKey says which requests may share a connection.
type hostKey struct {
	pool, addr, name string
	tls              *tls.Config
}

// host is the pool of one key. Client.mu guards it.
type host struct {
	key     hostKey
	tls     *tls.Config   // key.tls with the server's name
	idle    []*clientConn // most recently used last
	open    int           // connections in use, idle or being dialled
	waiting list.List     // of chan grant, first come first served
}

// grant hands a waiter a kept connection, or with nil the place for a new one.
type grant struct{ conn *clientConn }

// clientConn is one connection to an upstream. It belongs to the pool or to
// the one call that took it.
type clientConn struct {
	client *Client
	host   *host
	raw    net.Conn
	nc     net.Conn
	probe  prober
	sock   *socket // between TLS and raw; nil on plaintext
	in     reader
	used   bool // has carried an answer
	busy   busy
	since  time.Time

	writeTill time.Time // deadline in force
}

var errClientClosed = errors.New("http1: client is closed")

// take returns a connection for r, kept or new.
func (c *Client) take(ctx context.Context, key hostKey, fresh bool) (*clientConn, error) {
	for {
		cc, h, err := c.claim(ctx, key, fresh)
		if err != nil {
			return nil, err
		}
		if cc == nil {
			return c.dial(ctx, h)
		}
		if c.clock.Now().Sub(cc.since) < c.cfg.IdleTimeout && cc.silent() {
			return cc, nil
		}
		c.drop(cc)
	}
}

// claim takes an idle connection, or with nil a place to dial one.
func (c *Client) claim(ctx context.Context, key hostKey, fresh bool) (*clientConn, *host, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, nil, fault.Wrap(fault.Draining, errClientClosed)
	}
	h := c.hosts[key]
	if h == nil {
		h = &host{key: key, tls: namedTLS(key)}
		c.hosts[key] = h
	}
	if n := len(h.idle); n > 0 && !fresh {
		cc := h.idle[n-1]
		h.idle[n-1] = nil
		h.idle = h.idle[:n-1]
		c.idle--
		c.mu.Unlock()
		return cc, h, nil
	}
	if len(h.idle) > 0 && h.open >= c.cfg.MaxPerHost {
		c.evict(h)
	}
	if h.open < c.cfg.MaxPerHost {
		h.open++
		c.mu.Unlock()
		return nil, h, nil
	}
	turn := make(chan grant, 1)
	place := h.waiting.PushBack(turn)
	c.mu.Unlock()
	select {
	case g := <-turn:
		return g.conn, h, nil
	case <-ctx.Done():
		c.leave(h, place, turn)
		return nil, nil, ended(ctx)
	}
}

// evict closes the connection of h that has been idle longest. mu is held.
func (c *Client) evict(h *host) {
	cc := h.idle[0]
	h.idle = append(h.idle[:0], h.idle[1:]...)
	c.idle--
	h.open--
	delete(c.conns, cc)
	cc.raw.Close()
}

// leave gives up waiting; a grant that crossed with it goes to the next.
func (c *Client) leave(h *host, place *list.Element, turn chan grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case g := <-turn:
		if g.conn != nil {
			c.keep(g.conn)
		} else {
			c.vacate(h)
		}
	default:
		h.waiting.Remove(place)
	}
}

// namedTLS returns the configuration for connections of key.
func namedTLS(key hostKey) *tls.Config {
	if key.tls == nil {
		return nil
	}
	cfg := key.tls.Clone()
	cfg.ServerName = key.name
	cfg.NextProtos = []string{"http/1.1"}
	cfg.DynamicRecordSizingDisabled = true
	return cfg
}

// dial opens a connection on a place that claim granted.
func (c *Client) dial(ctx context.Context, h *host) (*clientConn, error) {
	cc, err := c.connect(ctx, h)
	if err != nil {
		c.mu.Lock()
		c.vacate(h)
		c.mu.Unlock()
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		if until, ok := ctx.Deadline(); ok && !c.clock.Now().Before(until) {
			return nil, fault.Wrap(fault.UpstreamLate, err) // the dialler noticed before ctx did
		}
		var f *fault.Error
		if errors.As(err, &f) {
			return nil, err
		}
		return nil, fault.Wrap(fault.UpstreamUnreachable, err)
	}
	c.mu.Lock()
	if c.closed {
		c.vacate(h)
		c.mu.Unlock()
		cc.raw.Close()
		return nil, fault.Wrap(fault.Draining, errClientClosed)
	}
	c.conns[cc] = struct{}{}
	c.mu.Unlock()
	return cc, nil
}

func (c *Client) connect(ctx context.Context, h *host) (*clientConn, error) {
	dialling, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	raw, err := c.cfg.Dial(dialling, "tcp", h.key.addr)
	if err != nil {
		return nil, err
	}
	cc := &clientConn{client: c, host: h, raw: raw, nc: raw, probe: newProber(raw)}
	if h.tls != nil {
		shaking, stop := context.WithTimeout(ctx, c.cfg.TLSTimeout)
		defer stop()
		cc.sock = &socket{Conn: raw}
		t := tls.Client(cc.sock, h.tls)
		if err := t.HandshakeContext(shaking); err != nil {
			raw.Close()
			return nil, err
		}
		cc.nc = t
	}
	cc.in.src = cc.nc
	return cc, nil
}

// release gives a connection back after a whole answer.
func (c *Client) release(cc *clientConn) {
	cc.in.release()
	cc.used, cc.since = true, c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(cc)
}

// keep hands cc to the next in line or puts it among the idle. mu is held.
func (c *Client) keep(cc *clientConn) {
	h := cc.host
	if first := h.waiting.Front(); first != nil {
		h.waiting.Remove(first).(chan grant) <- grant{cc}
		return
	}
	if c.closed || len(h.idle) >= c.cfg.MaxIdlePerHost {
		delete(c.conns, cc)
		c.vacate(h)
		cc.raw.Close()
		return
	}
	h.idle = append(h.idle, cc)
	c.idle++
	if c.idle == 1 {
		c.reapLater()
	}
}

// vacate frees the place of a connection that is gone. mu is held.
func (c *Client) vacate(h *host) {
	if first := h.waiting.Front(); first != nil {
		h.waiting.Remove(first).(chan grant) <- grant{}
		return
	}
	if h.open--; h.open == 0 && c.hosts[h.key] == h {
		delete(c.hosts, h.key)
	}
}

// drop closes a connection for good. Its buffer is left to the collector: a
// Read may still be in it.
func (c *Client) drop(cc *clientConn) {
	cc.raw.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, cc)
	c.vacate(cc.host)
}

// reapLater has old idle connections closed. mu is held.
func (c *Client) reapLater() {
	if c.reaper == nil {
		c.reaper = time.AfterFunc(c.cfg.IdleTimeout, c.reap)
	} else {
		c.reaper.Reset(c.cfg.IdleTimeout)
	}
}

func (c *Client) reap() {
	oldest := c.clock.Now().Add(-c.cfg.IdleTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(func(cc *clientConn) bool { return !cc.since.After(oldest) })
	if c.idle > 0 && !c.closed {
		c.reapLater()
	}
}

// sweep closes the idle connections that gone chooses. mu is held.
func (c *Client) sweep(gone func(*clientConn) bool) {
	for _, h := range c.hosts {
		kept := h.idle[:0]
		for _, cc := range h.idle {
			if !gone(cc) {
				kept = append(kept, cc)
				continue
			}
			c.idle--
			delete(c.conns, cc)
			cc.raw.Close()
			c.vacate(h)
		}
		clear(h.idle[len(kept):])
		h.idle = kept
	}
}

// CloseIdle closes the connections that no call uses.
func (c *Client) CloseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(func(*clientConn) bool { return true })
}

// Close closes every connection; calls that run fail, and so do later ones.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.sweep(func(*clientConn) bool { return true })
	if c.reaper != nil {
		c.reaper.Stop()
	}
	for cc := range c.conns {
		cc.raw.Close()
	}
}
