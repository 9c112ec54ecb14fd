package http1

import (
	"net/http"
	"strconv"
	"sync"
)

// writeSize is how much of an answer waits before it is sent, bytes: one TLS
// record.
const writeSize = 16 << 10

var writeBuffers = sync.Pool{New: func() any { return new([writeSize]byte) }}

// statusLines holds the status line of every status with a known reason.
var statusLines = func() (lines [600]string) {
	for code := range lines {
		if text := http.StatusText(code); text != "" {
			lines[code] = version + " " + strconv.Itoa(code) + " " + text + "\r\n"
		}
	}
	return lines
}()

// response is the HTTP/1.1 Response.
type response struct {
	c        *conn
	req      *serving
	started  bool
	headOnly bool  // answer to HEAD: no body is sent
	bodyless bool  // 204 or 304
	closes   bool  // the connection ends with this answer
	length   int64 // -1: chunked
	wrote    int64
	pooled   *[writeSize]byte
	buf      []byte // waits to be sent
}

// Started reports whether Start succeeded.
func (r *response) Started() bool { return r.started }

// Start puts the head into the buffer.
func (r *response) Start(status int, h Header, length int64) error {
	if err := checkStart(r.started, status, length); err != nil {
		return err
	}
	closes, err := checkFields(h)
	if err != nil {
		return err
	}
	b := &r.req.body
	unread := b.left.err == nil && (b.expects || b.left.mode == byLength && b.left.left > r.c.srv.lim.Drain)
	r.closes = r.closes || closes || unread || r.c.srv.draining.Load()
	r.started, r.length = true, length
	r.bodyless = status == http.StatusNoContent || status == http.StatusNotModified
	r.put(statusLine200(status))
	r.put(r.c.srv.dateField())
	for i := range h {
		if same(h[i].Name, "Connection") {
			continue
		}
		r.put(h[i].Name)
		r.put(": ")
		r.put(h[i].Value)
		r.put("\r\n")
	}
	if r.closes {
		r.put("Connection: close\r\n")
	}
	switch {
	case r.bodyless:
		r.put("\r\n")
	case length < 0:
		r.put("Transfer-Encoding: chunked\r\n\r\n")
	default:
		r.put("Content-Length: ")
		r.putInt(length, 10)
		r.put("\r\n\r\n")
	}
	return nil
}

// checkStart vets what is common to both protocols.
func checkStart(started bool, status int, length int64) error {
	switch {
	case started:
		return errStarted
	case status < 200 || status > 599:
		return errStatus
	case length > 0 && (status == http.StatusNoContent || status == http.StatusNotModified):
		return errBodyless
	}
	return nil
}

func statusLine200(status int) string {
	if line := statusLines[status]; line != "" {
		return line
	}
	return version + " " + strconv.Itoa(status) + " Status\r\n"
}

// put appends s to the buffer, which grows past its pooled size if a head
// does; a failed write is found by the next one.
func (r *response) put(s string) {
	r.grab()
	r.buf = append(r.buf, s...)
}

func (r *response) putInt(v int64, base int) {
	r.grab()
	r.buf = strconv.AppendInt(r.buf, v, base)
}

func (r *response) grab() {
	if r.buf == nil {
		r.pooled = writeBuffers.Get().(*[writeSize]byte)
		r.buf = r.pooled[:0]
	}
}

// Write sends body bytes.
func (r *response) Write(p []byte) (int, error) {
	if !r.started {
		return 0, errNotStarted
	}
	if r.length >= 0 && int64(len(p)) > r.length-r.wrote {
		return 0, errTooMuch
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.c.broken {
		return 0, errPeerGone
	}
	r.wrote += int64(len(p))
	if r.headOnly || r.bodyless {
		return len(p), nil
	}
	if r.length >= 0 {
		return len(p), r.send(p, nil, r.wrote == r.length)
	}
	r.putInt(int64(len(p)), 16)
	r.put("\r\n")
	return len(p), r.send(p, crlf, false)
}

var crlf = []byte("\r\n")

// send buffers p and tail, or sends them with what waits: when they are large,
// or the last of the answer.
func (r *response) send(p, tail []byte, last bool) error {
	r.grab()
	switch {
	case len(r.buf)+len(p)+len(tail) <= writeSize:
		r.buf = append(append(r.buf, p...), tail...)
		if last {
			return r.flush()
		}
		return nil
	case last || len(p) >= writeSize:
		err := r.c.write(r.buf, p, tail)
		r.release()
		return err
	}
	if err := r.flush(); err != nil {
		return err
	}
	r.grab()
	r.buf = append(append(r.buf, p...), tail...)
	return nil
}

// Flush sends what waits.
func (r *response) Flush() error {
	if !r.started {
		return errNotStarted
	}
	return r.flush()
}

// flush sends the buffer and gives it back, so that an idle stream holds none.
func (r *response) flush() error {
	if len(r.buf) == 0 {
		return nil
	}
	err := r.c.write(r.buf, nil, nil)
	r.release()
	return err
}

func (r *response) release() {
	if r.pooled != nil {
		writeBuffers.Put(r.pooled)
	}
	r.pooled, r.buf = nil, nil
}

// finish completes the answer when the handler has returned. What it cannot
// complete breaks the connection.
func (r *response) finish() {
	if !r.started {
		if r.req.ctx.Err() != nil || r.Start(http.StatusInternalServerError, Header{{"Connection", "close"}}, 0) != nil {
			r.c.broken = true
			return
		}
	}
	switch {
	case r.headOnly || r.bodyless:
	case r.length < 0:
		r.put("0\r\n\r\n")
	case r.wrote != r.length:
		r.c.broken = true
		return
	}
	if r.flush() != nil {
		r.c.broken = true
	}
}

// appendRefusal renders a whole answer to a malformed request.
func appendRefusal(dst []byte, date string, m *malformed) []byte {
	dst = append(dst, statusLine200(m.status)...)
	dst = append(dst, date...)
	dst = append(dst, "Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(m.reason)+1), 10)
	dst = append(dst, "\r\n\r\n"...)
	dst = append(dst, m.reason...)
	return append(dst, '\n')
}
