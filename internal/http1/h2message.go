package http1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// h2Body is the body of an HTTP/2 request, with the body deadlines.
type h2Body struct {
	in    io.Reader
	ctl   *http.ResponseController
	srv   *Server
	gone  <-chan struct{} // closed once the client is
	start time.Time
	until time.Time // deadline in force
	got   int64
}

// Read reads body bytes. A body that is shorter than its length said ends with
// io.ErrUnexpectedEOF, as over HTTP/1; net/http has no name for that.
func (b *h2Body) Read(p []byte) (int, error) {
	if b.start.IsZero() {
		b.start = b.srv.clock.Now()
	}
	if until := bodyDeadline(b.start, b.got, &b.srv.lim); !until.Equal(b.until) {
		b.until = until
		if err := b.ctl.SetReadDeadline(until); err != nil {
			return 0, err
		}
	}
	n, err := b.in.Read(p)
	b.got += int64(n)
	if err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
		select {
		case <-b.gone:
		default:
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// h2Response is the Response of an HTTP/2 stream.
type h2Response struct {
	w         http.ResponseWriter
	ctl       *http.ResponseController
	srv       *Server
	started   bool
	headOnly  bool
	bodyless  bool
	length    int64
	wrote     int64
	writeTill time.Time
}

// Started reports whether Start succeeded.
func (r *h2Response) Started() bool { return r.started }

// Start sends the head with the first bytes of the body.
func (r *h2Response) Start(status int, h Header, length int64) error {
	if err := checkStart(r.started, status, length); err != nil {
		return err
	}
	if _, err := checkFields(h); err != nil {
		return err
	}
	out := r.w.Header()
	for i := range h {
		if !same(h[i].Name, "Connection") { // HTTP/2 has none; its streams end alone
			out.Add(h[i].Name, h[i].Value)
		}
	}
	if _, ok := out["Content-Type"]; !ok {
		out["Content-Type"] = nil // keeps net/http from guessing one
	}
	date := r.srv.dateField()
	out["Date"] = []string{date[len("Date: ") : len(date)-2]}
	r.started, r.length = true, length
	r.bodyless = status == http.StatusNoContent || status == http.StatusNotModified
	if length >= 0 && !r.bodyless {
		out["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	r.w.WriteHeader(status)
	return r.arm()
}

// arm renews the write deadline: it keeps a reader that grants no window from
// holding the stream.
func (r *h2Response) arm() error {
	now, t := r.srv.clock.Now(), r.srv.lim.WriteTimeout
	if r.writeTill.Sub(now) >= t {
		return nil
	}
	r.writeTill = now.Add(t + t/8)
	return r.ctl.SetWriteDeadline(r.writeTill)
}

// Write sends body bytes.
func (r *h2Response) Write(p []byte) (int, error) {
	if !r.started {
		return 0, errNotStarted
	}
	if r.length >= 0 && int64(len(p)) > r.length-r.wrote {
		return 0, errTooMuch
	}
	r.wrote += int64(len(p))
	if r.headOnly || r.bodyless {
		return len(p), nil
	}
	total := 0
	for len(p) > 0 {
		piece := p[:min(len(p), writePiece)]
		if err := r.arm(); err != nil {
			return total, err
		}
		n, err := r.w.Write(piece)
		total += n
		if err != nil {
			return total, err
		}
		p = p[len(piece):]
	}
	return total, nil
}

// Flush sends what waits.
func (r *h2Response) Flush() error {
	if !r.started {
		return errNotStarted
	}
	if err := r.arm(); err != nil {
		return err
	}
	return r.ctl.Flush()
}

// complete ends the answer when the handler has returned. False means that
// the stream must be reset, because the answer is not what was promised.
func (r *h2Response) complete(ctx context.Context) bool {
	if !r.started {
		return ctx.Err() == nil && r.Start(http.StatusInternalServerError, nil, 0) == nil
	}
	return r.headOnly || r.bodyless || r.length < 0 || r.wrote == r.length
}
