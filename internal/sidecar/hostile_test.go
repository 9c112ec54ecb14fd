package sidecar

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// speaks is a service that answers every connection with the same bytes.
func speaks(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestErrorsRepeatNoAnswer: net/http puts into its errors what it cannot read; a
// service that echoes texts there must not bring them into logs and health.
func TestErrorsRepeatNoAnswer(t *testing.T) {
	for _, answer := range []string{"Ann\r\n\r\n", "HTTP/1.1 Annx\r\n\r\n", "HTTP/Ann 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nAnn says\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: Ann\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: Ann\r\n\r\n", "HTTP/1.1 302 OK\r\nLocation: http://Ann:%zz/\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nAnn\r\n"} {
		c := client(t, speaks(t, answer), nil)
		_, err := c.Find(t.Context(), []string{"Ann"}, Names)
		if _, detail := c.Health(); err == nil || strings.Contains(err.Error()+detail, "Ann") {
			t.Errorf("%q: got %v, %s", answer, err, detail)
		}
	}
}

// TestNobodyOpensTheBreakerForOthers: messages on which the service fails, and
// messages that wait for their turn too long, do not keep others from it.
func TestNobodyOpensTheBreakerForOthers(t *testing.T) {
	fixed := func(c *Config) { c.Clock = clock.Fixed(func() time.Time { return time.Unix(1, 0) }) }
	c := client(t, service(t, func(w http.ResponseWriter, q question) {
		if strings.Contains(strings.Join(q.Text, " "), "poison") {
			w.WriteHeader(500)
			return
		}
		_, _ = io.WriteString(w, "[[]]")
	}), fixed)
	for range 3 * tripAfter {
		if _, err := c.Find(t.Context(), []string{"some poison"}, Names); err == nil || errors.Is(err, errOpen) {
			t.Fatalf("got %v", err)
		}
	}
	if ok, _ := c.Health(); ok {
		t.Error("nobody is told that the service fails")
	}
	if _, err := c.Find(t.Context(), []string{"Bob"}, Names); err != nil {
		t.Errorf("others are kept from the service: %v", err)
	}

	entered, release := make(chan struct{}), make(chan struct{})
	c = client(t, service(t, func(w http.ResponseWriter, _ question) {
		entered <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "[[]]")
	}), func(c *Config) { fixed(c); c.Concurrency, c.Timeout = 1, time.Minute })
	done := make(chan error)
	go func() { _, err := c.Find(t.Context(), []string{"Ann"}, Names); done <- err }()
	<-entered
	impatient := c.timed(time.Millisecond)
	for range 2 * tripAfter {
		if _, err := impatient.Find(t.Context(), []string{"Bob"}, Names); !errors.Is(err, errBusy) {
			t.Fatalf("got %v", err)
		}
	}
	if ok, detail := impatient.Health(); !ok {
		t.Errorf("who waits counts as a failure: %s", detail)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// timed is a client of the same slots with another patience.
func (c *Client) timed(d time.Duration) *Client {
	other := &Client{c: c.c, meanings: c.meanings, slots: c.slots, breaker: breaker{clock: c.c.Clock}}
	other.c.Timeout = d
	return other
}

// TestCallersThatGoAwayDuringTheProbe say nothing either.
func TestCallersThatGoAwayDuringTheProbe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := client(t, service(t, func(w http.ResponseWriter, q question) {
		if q.Text[0] == probe {
			cancel()
		}
		w.WriteHeader(500)
	}), func(c *Config) { c.Clock = clock.Fixed(func() time.Time { return time.Unix(1, 0) }) })
	for range tripAfter {
		_, _ = c.Find(ctx, []string{"Bob"}, Names)
	}
	if _, err := c.Find(t.Context(), []string{"Bob"}, Names); errors.Is(err, errOpen) {
		t.Error("the breaker is open")
	}
}
