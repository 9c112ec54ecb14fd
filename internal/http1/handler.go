package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
)

// Request is one request as it was received and checked. It and its Header
// belong to the server again when the handler returns.
type Request struct {
	Method string
	Target string // as received: Path, or Path + "?" + Query
	Path   string // begins with "/", still percent-encoded
	Query  string // after the first "?", still percent-encoded
	Host   string // Host or :authority, syntactically valid, never empty
	Proto  int    // 1 or 2: the major version
	Header Header // without Host

	ContentLength int64     // -1: not stated; 0: no body
	Body          io.Reader // ends where the framing says; its first Read asks an expecting client to go on
	Peer, Local   netip.AddrPort
	TLS           *tls.ConnectionState // nil on plaintext
}

// Response is how a handler answers. Its methods are called by one goroutine
// at a time, before the handler returns.
type Response interface {
	// Start sends the status and the fields, with Date, and fixes the length
	// of the body: -1 for a stream, else exactly so many bytes. Statuses are
	// 200-599. h may hold "Connection: close", but no other field that frames
	// the message or the connection, and no Date. It is an error to call
	// Start twice.
	Start(status int, h Header, length int64) error
	// Write sends bytes of the body after Start. They may wait in a buffer
	// until Flush, the last byte or the handler's return. An error means that
	// the peer is gone or too slow, or that length is exceeded.
	Write(p []byte) (int, error)
	// Flush sends what waits.
	Flush() error
	// Started reports whether Start was called with success.
	Started() bool
}

// Handler answers requests. ctx ends when the peer goes away, when the server
// is closed and when Serve returns. A handler that returns without Start has
// failed: the peer gets a bare 500. One that writes less than it promised, or
// panics, leaves a broken connection, so that the peer notices.
type Handler interface {
	Serve(ctx context.Context, w Response, r *Request)
}

// ErrAbort is the value that a handler panics with to cut the connection, or
// the HTTP/2 stream, without a log entry: the peer sees a truncated answer.
var ErrAbort = errors.New("http1: handler aborts")

var (
	errStarted    = errors.New("http1: Start called twice")
	errNotStarted = errors.New("http1: Start was not called")
	errStatus     = errors.New("http1: status outside 200-599")
	errField      = errors.New("http1: malformed or forbidden response field")
	errTooMuch    = errors.New("http1: more body than Start promised")
	errDone       = errors.New("http1: handler has returned")
	errBodyless   = errors.New("http1: status cannot have a body")
)

// Malformed tells whether an error of Request.Body means that the peer broke
// the framing of its message; io.ErrUnexpectedEOF that it ended early,
// os.ErrDeadlineExceeded that it was too slow, any other that it is gone.
func Malformed(err error) bool {
	var m *malformed
	return errors.As(err, &m)
}

// emptyBody is a body without bytes.
type emptyBody struct{}

func (emptyBody) Read([]byte) (int, error) { return 0, io.EOF }

// checkFields vets what a handler or caller wants to send. It reports whether
// "Connection: close" is among the fields.
func checkFields(h Header) (closes bool, err error) {
	for i := range h {
		f := &h[i]
		if f.Name == "" || !only(f.Name, tokenByte) || !only(f.Value, valueByte) {
			return false, errField
		}
		if !framingName(f.Name) {
			continue
		}
		if !same(f.Name, "Connection") || !same(f.Value, "close") {
			return false, errField
		}
		closes = true
	}
	return closes, nil
}

// framingName reports whether the room itself writes fields of that name.
func framingName(name string) bool {
	switch len(name) {
	case 4:
		return same(name, "Date") || same(name, "Host")
	case 7:
		return same(name, "Trailer") || same(name, "Upgrade")
	case 10:
		return same(name, "Connection") || same(name, "Keep-Alive")
	case 14:
		return same(name, "Content-Length")
	case 17:
		return same(name, "Transfer-Encoding")
	}
	return false
}
