package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

// The round-trip benchmarks compare this room with net/http over loopback and
// TLS: a request with a small body, an answer of the given size.
//
//	go test -run '^$' -bench RoundTrip -count 6 ./internal/http1

var sizes = []int{300, 64 << 10, 1 << 20}

var askBody = bytes.Repeat([]byte("q"), 300)

func BenchmarkRoundTrip(b *testing.B) {
	server, client := testTLS(b)
	for _, size := range sizes {
		answer := bytes.Repeat([]byte("a"), size)
		b.Run(fmt.Sprintf("http1/%d", size), func(b *testing.B) { benchOwn(b, server, client, answer) })
		b.Run(fmt.Sprintf("nethttp/%d", size), func(b *testing.B) { benchStd(b, server, client, answer) })
	}
}

func benchOwn(b *testing.B, server, client *tls.Config, answer []byte) {
	w := start(b, ServerConfig{TLS: server, Handler: handlerFunc(func(_ context.Context, w Response, r *Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			b.Error(err)
		}
		if err := w.Start(200, Header{{"Content-Type", "application/json"}}, int64(len(answer))); err != nil {
			b.Error(err)
		}
		if _, err := w.Write(answer); err != nil {
			b.Error(err)
		}
	})})
	c := NewClient(ClientConfig{Dial: new(net.Dialer).DialContext})
	b.Cleanup(c.Close)
	header := Header{{"Content-Type", "application/json"}, {"Accept", "application/json, text/event-stream"}}
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	b.SetParallelism(16)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.RunParallel(func(pb *testing.PB) {
		got := make([]byte, len(answer))
		for pb.Next() {
			resp, err := c.Do(ctx, &OutRequest{Method: "POST", TLS: client, Addr: w.addr, Target: "/mcp", Header: header, Body: askBody})
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.ReadFull(resp.Body, got); err != nil {
				b.Error(err)
			}
			resp.Body.Close()
		}
	})
}

func benchStd(b *testing.B, server, client *tls.Config, answer []byte) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			b.Error(err)
		}
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Content-Length"] = []string{fmt.Sprint(len(answer))}
		if _, err := w.Write(answer); err != nil {
			b.Error(err)
		}
	})}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	tr := &http.Transport{TLSClientConfig: client, MaxIdleConnsPerHost: 64}
	b.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.Close()
		<-done
	})
	url := "https://" + l.Addr().String() + "/mcp"
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	b.SetParallelism(16)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.RunParallel(func(pb *testing.PB) {
		got := make([]byte, len(answer))
		for pb.Next() {
			req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(askBody))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Accept", "application/json, text/event-stream")
			resp, err := tr.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.ReadFull(resp.Body, got); err != nil {
				b.Error(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				b.Error(err)
			}
			resp.Body.Close()
		}
	})
}
