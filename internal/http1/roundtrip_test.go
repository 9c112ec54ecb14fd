package http1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// TestRoundTrips sends bodies of every interesting size through our client and
// server, with and without TLS, and wants them back unchanged.
func TestRoundTrips(t *testing.T) {
	server, clientTLS := testTLS(t)
	reply := handlerFunc(func(_ context.Context, w Response, r *Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("body: %v", err)
		}
		length := int64(len(body))
		if r.Path == "/stream" {
			length = -1
		}
		if err := w.Start(200, Header{{"X-Length", fmt.Sprint(length)}}, length); err != nil {
			t.Errorf("start: %v", err)
		}
		for len(body) > 0 { // in pieces, as the query says
			n := len(body)
			if _, err := fmt.Sscanf(r.Query, "%d", &n); err == nil {
				n = min(n, len(body))
			}
			if _, err := w.Write(body[:n]); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			if body = body[n:]; r.Path == "/stream" {
				if err := w.Flush(); err != nil {
					t.Errorf("flush: %v", err)
				}
			}
		}
	})
	body := make([]byte, 3<<20)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(rnd.Uint32())
	}
	sizes := []int{0, 1, 300, writeSize - 200, writeSize - 3, writeSize, writeSize + 1, joined, 20_000, 64 << 10, holdSize, holdSize + 1, writePiece, writePiece + 1, 1 << 20, 3 << 20}
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			cfg := ServerConfig{Handler: reply}
			r := OutRequest{Method: "POST"}
			if secure {
				cfg.TLS, r.TLS = server, clientTLS
			}
			w, c := start(t, cfg), client(t, ClientConfig{})
			r.Addr = w.addr
			for _, target := range []string{"/", "/?7000", "/?17000", "/stream", "/stream?5000", "/stream?20000"} {
				for _, size := range sizes {
					r.Target, r.Body = target, body[:size]
					resp, got, err := get(t, c, &r)
					if err != nil || !bytes.Equal([]byte(got), r.Body) {
						t.Fatalf("%s with %d bytes: %+v, %d bytes, %v", target, size, resp, len(got), err)
					}
				}
			}
			if len(c.conns) != 1 {
				t.Errorf("%d connections were kept", len(c.conns))
			}
		})
	}
}

// TestConcurrentRoundTrips wants every answer at its own caller.
func TestConcurrentRoundTrips(t *testing.T) {
	server, clientTLS := testTLS(t)
	w := start(t, ServerConfig{Handler: echo, TLS: server})
	c := client(t, ClientConfig{MaxPerHost: 8})
	var wg sync.WaitGroup
	for worker := range 32 {
		wg.Go(func() {
			for i := range 20 {
				text := repeat(fmt.Sprintf("%d.%d ", worker, i), 1+i*100)
				_, got, err := get(t, c, &OutRequest{Method: "POST", TLS: clientTLS, Addr: w.addr, Target: "/", Body: []byte(text)})
				if err != nil || got != "POST /\n"+text {
					t.Errorf("%d.%d: %.30q, %v", worker, i, got, err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(c.conns); n > 8 {
		t.Errorf("%d connections", n)
	}
}

// ledger is a connection that keeps each write, and fails when told.
type ledger struct {
	net.Conn
	writes []string
	err    error
}

func (l *ledger) Write(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	l.writes = append(l.writes, string(p))
	return len(p), nil
}

func TestSocketGathersWrites(t *testing.T) {
	l := &ledger{}
	s := &socket{Conn: l}
	write := func(text string) {
		t.Helper()
		if n, err := s.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("write: %d, %v", n, err)
		}
	}
	write("a")
	s.hold()
	write("b")
	write("c")
	if len(l.writes) != 1 {
		t.Errorf("held writes went out: %q", l.writes)
	}
	if err := s.send(); err != nil {
		t.Error(err)
	}
	if err := s.send(); err != nil {
		t.Error(err)
	}
	write("d")
	if got := fmt.Sprint(l.writes); got != "[a bc d]" {
		t.Errorf("writes %s", got)
	}
	big := repeat("x", holdSize-1)
	l.writes = nil
	s.hold()
	write("e")
	write(big)
	write("f")
	write(big + "xx")
	if err := s.send(); err != nil {
		t.Error(err)
	}
	if len(l.writes) != 3 || l.writes[0] != "e"+big || l.writes[1] != "f" || l.writes[2] != big+"xx" {
		t.Errorf("%d writes", len(l.writes))
	}
	l.err = io.ErrClosedPipe
	s.hold()
	write("g")
	if err := s.send(); !errors.Is(err, io.ErrClosedPipe) || s.pooled != nil {
		t.Errorf("send: %v", err)
	}
	s.hold()
	write(big)
	if _, err := s.Write([]byte("hh")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write: %v", err)
	}
	if err := sendTogether(s, s, []byte("a"), []byte("b")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("together: %v", err)
	}
}
