package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/lifetime"
)

// maxInterim is how many 1xx answers may come before the answer.
const maxInterim = 5

var (
	errInterim = &malformed{502, "too many interim responses"}
	errSwitch  = &malformed{502, "unasked protocol switch"}
	errRequest = errors.New("http1: malformed outgoing request")
)

// call is one request and its answer, in one allocation.
type call struct {
	resp   InResponse
	client *Client
	cc     *clientConn
	ctx    context.Context
	stop   func() bool // ends the watch on ctx; false if ctx has ended
	body   body
	keep   bool // the connection outlives the answer
	ended  atomic.Bool
	fields [12]Field
}

// Do sends r and returns when the head of the answer is there. Errors are
// *fault.Error: UpstreamUnreachable, UpstreamLate, UpstreamBad,
// UpstreamTooLarge, UpstreamGone, what Dial refuses with, and when ctx was
// cancelled its cause, if that is a refusal, or ClientGone. The end of ctx also ends a later read of the body.
func (c *Client) Do(ctx context.Context, r *OutRequest) (*InResponse, error) {
	if err := r.check(); err != nil {
		return nil, fault.Wrap(fault.Internal, err)
	}
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	key := hostKey{pool: r.PoolKey, addr: r.Addr, tls: r.TLS}
	if r.TLS != nil {
		key.name = serverName(r)
	}
	for again := false; ; again = true {
		cc, err := c.take(ctx, key, again)
		if err != nil {
			return nil, err
		}
		k := &call{client: c, cc: cc, ctx: ctx}
		resp, silent, err := k.exchange(r)
		if err == nil {
			return resp, nil
		}
		used := cc.used
		k.finish(false)
		if again || !silent || !used || !r.Idempotent || ctx.Err() != nil {
			return nil, k.explain(err)
		}
	}
}

func serverName(r *OutRequest) string {
	if r.ServerName != "" {
		return r.ServerName
	}
	if r.TLS.ServerName != "" {
		return r.TLS.ServerName
	}
	host, _, err := net.SplitHostPort(r.Addr)
	if err != nil {
		return r.Addr
	}
	return host
}

// check vets r, so that no caller's value can break the framing.
func (r *OutRequest) check() error {
	if checkMethod(r.Method) != nil || checkTarget(r.Target) != nil || checkHost(r.host()) != nil {
		return errRequest
	}
	closes, err := checkFields(r.Header)
	if closes {
		return errField
	}
	return err
}

func (r *OutRequest) host() string {
	if r.Host != "" {
		return r.Host
	}
	return r.Addr
}

// exchange sends r and reads the head. silent tells that the connection ended
// before the first byte of an answer.
func (k *call) exchange(r *OutRequest) (resp *InResponse, silent bool, err error) {
	k.client.waiting.Add(1)
	defer k.client.waiting.Add(-1)
	raw := k.cc.raw
	k.stop = lifetime.AfterFunc(k.ctx, func() { raw.Close() })
	sent := k.send(r)
	wait := k.client.cfg.HeadTimeout
	if sent != nil {
		wait = lastWords
	} else {
		k.cc.look()
	}
	if err := k.readWithin(wait); err != nil {
		return nil, true, err
	}
	status, old, f, err := k.head()
	if err != nil {
		var bad *malformed
		silent := !errors.As(err, &bad) && k.cc.in.buffered() == 0 && k.resp.Status == 0
		if sent != nil && silent {
			err = sent
		}
		return nil, silent, err
	}
	if wait > 0 {
		if err := k.cc.nc.SetReadDeadline(time.Time{}); err != nil {
			return nil, false, err
		}
	}
	k.frame(r.Method, status, f)
	k.keep = !old && !f.close && sent == nil && k.body.mode != byClose
	if k.body.err == io.EOF {
		k.finish(true)
	}
	return &k.resp, false, nil
}

// lastWords is how long an upstream that stopped reading the request may take
// to say why.
const lastWords = time.Second

// readWithin bounds the wait for the head; 0 leaves it to ctx.
func (k *call) readWithin(t time.Duration) error {
	if t <= 0 {
		return nil
	}
	return k.cc.nc.SetReadDeadline(k.client.clock.Now().Add(t))
}

// joined is the size up to which head and body are copied together for one
// write, bytes.
const joined = 16 << 10

var requestBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 2<<10); return &b }}

// send writes the request, in as few writes as its size allows.
func (k *call) send(r *OutRequest) error {
	pooled := requestBuffers.Get().(*[]byte)
	head, rest := r.appendHead((*pooled)[:0]), r.Body
	if len(head)+len(rest) <= joined {
		head, rest = append(head, rest...), nil
	}
	piece := rest[:min(len(rest), writePiece)]
	err := k.write(head, piece)
	if cap(head) <= 2*joined {
		*pooled = head
		requestBuffers.Put(pooled)
	}
	for rest = rest[len(piece):]; len(rest) > 0 && err == nil; rest = rest[len(piece):] {
		piece = rest[:min(len(rest), writePiece)]
		err = k.write(nil, piece)
	}
	return err
}

func (k *call) write(head, p []byte) error {
	if err := k.cc.armWrite(); err != nil {
		return err
	}
	if len(p) > 0 {
		return sendTogether(k.cc.nc, k.cc.sock, head, p)
	}
	_, err := k.cc.nc.Write(head)
	return err
}

func (r *OutRequest) appendHead(b []byte) []byte {
	b = append(append(append(b, r.Method...), ' '), r.Target...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), r.host()...), "\r\n"...)
	for i := range r.Header {
		b = append(append(b, r.Header[i].Name...), ": "...)
		b = append(append(b, r.Header[i].Value...), "\r\n"...)
	}
	if len(r.Body) > 0 || r.Method != "GET" && r.Method != "HEAD" && r.Method != "DELETE" && r.Method != "OPTIONS" {
		b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(r.Body)), 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// head reads heads up to the first that is not interim.
func (k *call) head() (status int, old bool, f facts, err error) {
	for interim := 0; ; interim++ {
		head, err := k.cc.in.readHead(&k.client.lim, errLongStart, "HTTP/1.")
		if err != nil {
			return 0, false, f, err
		}
		line, rest, err := cutLine(head)
		if err != nil {
			return 0, false, f, err
		}
		if status, old, err = statusLine(line); err != nil {
			return 0, false, f, err
		}
		k.resp.Status = status
		if k.resp.Header, err = parseFields(k.fields[:0], rest); err != nil {
			return 0, false, f, err
		}
		if f, err = readFacts(k.resp.Header); err != nil {
			return 0, false, f, err
		}
		switch {
		case status == 101:
			return 0, false, f, errSwitch
		case status >= 200:
			if old && f.chunked {
				return 0, false, f, errCoding
			}
			return status, old, f, nil
		case interim == maxInterim:
			return 0, false, f, errInterim
		}
	}
}

// frame finds the body of the answer (RFC 9112 section 6.3).
func (k *call) frame(method string, status int, f facts) {
	k.resp.ContentLength, k.resp.Body = f.length, k
	m, length := byClose, int64(0)
	switch {
	case method == "HEAD" || status == 204 || status == 304:
		m = noBody
		if method != "HEAD" {
			k.resp.ContentLength = 0
		}
	case f.chunked:
		m = byChunks
	case f.length >= 0:
		m, length = byLength, f.length
	}
	k.body.set(&k.cc.in, &k.client.lim, m, length)
}

// Read reads the answer's body.
func (k *call) Read(p []byte) (int, error) {
	if k.body.err == io.EOF {
		return 0, io.EOF
	}
	if k.ended.Load() {
		return 0, fault.Wrap(fault.UpstreamGone, os.ErrClosed)
	}
	n, err := k.body.Read(p)
	if k.body.err == nil {
		return n, err
	}
	if k.body.err == io.EOF {
		k.finish(true)
		return n, err
	}
	if err != nil {
		err = k.explain(err)
		k.finish(false)
	}
	return n, err
}

// Close gives up on what is left of the body.
func (k *call) Close() error {
	k.finish(false)
	return nil
}

// finish gives the connection back, or ends it. Only the first call counts.
func (k *call) finish(whole bool) {
	if k.ended.Swap(true) {
		return
	}
	alive := k.stop == nil || k.stop()
	if whole && alive && k.keep && k.cc.in.buffered() == 0 {
		k.client.release(k.cc)
		return
	}
	if !whole {
		k.cc.raw.Close() // first of all: a Read may be waiting
	}
	k.client.drop(k.cc)
}

// explain turns an error of the connection into a refusal.
func (k *call) explain(err error) error {
	var bad *malformed
	switch {
	case errors.As(err, &bad):
		if bad.status == 431 || bad == errLongStart {
			return fault.Wrap(fault.UpstreamTooLarge, err)
		}
		return fault.Wrap(fault.UpstreamBad, err)
	case k.ctx.Err() != nil:
		return ended(k.ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.Wrap(fault.UpstreamLate, err)
	}
	return fault.Wrap(fault.UpstreamGone, err)
}

// ended is the refusal for a context that has ended: its cause, when that is
// one.
func ended(ctx context.Context) error {
	var own *fault.Error
	if cause := context.Cause(ctx); errors.As(cause, &own) {
		return cause
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(fault.UpstreamLate, ctx.Err())
	}
	return fault.Wrap(fault.ClientGone, ctx.Err())
}
