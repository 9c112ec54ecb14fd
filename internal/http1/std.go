package http1

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Bounds of pages that net/http's handlers make: what they read and answer is
// kept whole in memory.
const (
	stdRequest  = 64 << 10
	stdResponse = 4 << 20
)

// Std serves h, a handler of net/http, for pages that are not on the hot path.
// Requests have at most 64 KiB and answers at most 4 MiB; there are no streams,
// upgrades or trailers. Framing and limits stay those of the Server.
func Std(h http.Handler) Handler { return std{h} }

type std struct{ handler http.Handler }

// Serve answers one request.
func (s std) Serve(ctx context.Context, w Response, r *Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, stdRequest+1))
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest)
		return
	case len(body) > stdRequest:
		refuse(w, http.StatusRequestEntityTooLarge)
		return
	}
	target, err := url.ParseRequestURI(r.Target)
	if err != nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	out := &stdResponseWriter{header: http.Header{}}
	s.handler.ServeHTTP(out, stdRequestOf(ctx, r, target, body))
	out.send(w)
}

func refuse(w Response, status int) {
	if err := w.Start(status, nil, 0); err != nil {
		return // the peer is gone
	}
}

func stdRequestOf(ctx context.Context, r *Request, target *url.URL, body []byte) *http.Request {
	q := &http.Request{Method: r.Method, URL: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Host: r.Host, RequestURI: r.Target,
		RemoteAddr: r.Peer.String(), TLS: r.TLS}
	for _, f := range r.Header {
		q.Header.Add(f.Name, f.Value)
	}
	return q.WithContext(ctx)
}

// stdResponseWriter keeps an answer until it is whole.
type stdResponseWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
	over   bool
}

// Header implements http.ResponseWriter, as do the two below.
func (w *stdResponseWriter) Header() http.Header { return w.header }

// WriteHeader sets the status, once.
func (w *stdResponseWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

// Write keeps p.
func (w *stdResponseWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(p) > stdResponse {
		w.over = true
		return 0, errTooMuch
	}
	return w.body.Write(p)
}

// send sends the answer. Fields that frame the message are the server's.
func (w *stdResponseWriter) send(to Response) {
	w.WriteHeader(http.StatusOK)
	if w.over {
		refuse(to, http.StatusInternalServerError)
		return
	}
	var h Header
	for name, values := range w.header {
		switch strings.ToLower(name) {
		case "content-length", "transfer-encoding", "connection", "date", "trailer":
			continue
		}
		for _, v := range values {
			h = append(h, Field{name, v})
		}
	}
	length := int64(w.body.Len())
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		length = 0
	}
	if err := to.Start(w.status, h, length); err != nil || length == 0 {
		return
	}
	if _, err := to.Write(w.body.Bytes()); err != nil {
		return // the peer is gone
	}
}
