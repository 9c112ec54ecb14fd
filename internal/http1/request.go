package http1

import (
	"errors"
	"io"
	"strings"
	"sync"

	"ostiary.dev/ostiary/internal/lifetime"
)

var errPeerGone = errors.New("http1: the peer is gone")

// serving is everything that one request needs, in one allocation.
type serving struct {
	ctx  lifetime.Life
	req  Request
	res  response
	body requestBody
}

// requestBody is Request.Body. It stays safe to call when the handler has
// returned, and then fails.
type requestBody struct {
	mu      sync.Mutex // guards closed; held while reading
	closed  bool
	expects bool // the client waits for 100-continue
	left    body
	c       *conn
	res     *response
}

// Read reads body bytes. Before the first it asks a client that waits for it
// to go on, unless the answer has begun.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errDone
	}
	if b.expects {
		if b.res.started {
			return 0, errDone
		}
		b.expects = false
		if err := b.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"), nil, nil); err != nil {
			return 0, err
		}
	}
	if b.left.err != nil {
		return 0, b.left.err
	}
	n, err := b.left.Read(p)
	if b.left.err == io.EOF {
		b.c.startWatch()
	}
	return n, err
}

func (b *requestBody) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
}

// readRequest reads and checks the next head.
func (c *conn) readRequest(s *serving) error {
	lim := &c.srv.lim
	head, err := c.in.readHead(lim, errLongTarget, "")
	if err != nil {
		return err
	}
	line, rest, err := cutLine(head)
	if err != nil {
		return err
	}
	r := &s.req
	if r.Method, r.Target, err = requestLine(line); err != nil {
		return err
	}
	if len(r.Target) > lim.URL {
		return errLongTarget
	}
	r.Path, r.Query, _ = strings.Cut(r.Target, "?")
	c.fields, err = parseFields(c.fields[:0], rest)
	if err != nil {
		return err
	}
	f, err := readFacts(c.fields)
	if err != nil {
		return err
	}
	if err := f.checkRequest(); err != nil {
		return err
	}
	r.Host = f.host
	r.Header = append(c.fields[:f.hostAt], c.fields[f.hostAt+1:]...)
	r.Proto, r.Peer, r.Local, r.TLS = 1, c.peer, c.local, c.tls
	c.frame(s, &f)
	return nil
}

// checkRequest refuses what RFC 9112 leaves to a server's choice.
func (f *facts) checkRequest() error {
	switch {
	case f.hosts != 1:
		return errHost
	case f.upgrade:
		return errUpgrade
	case f.expects > 1 || f.expects == 1 && !same(f.expect, "100-continue"):
		return errExpect
	}
	return checkHost(f.host)
}

// frame prepares the body and the response.
func (c *conn) frame(s *serving, f *facts) {
	m, length := noBody, int64(0)
	switch {
	case f.chunked:
		m, s.req.ContentLength = byChunks, -1
	case f.length > 0:
		m, length, s.req.ContentLength = byLength, f.length, f.length
	}
	s.res.c, s.res.req, s.res.closes = c, s, f.close
	s.res.headOnly = s.req.Method == "HEAD"
	s.body.left.set(&c.in, &c.srv.lim, m, length)
	s.body.c, s.body.res = c, &s.res
	s.req.Body = emptyBody{}
	if m != noBody {
		s.body.expects = f.expects == 1
		s.req.Body = &s.body
	}
}
