package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/lifetime"
)

// upstream is a scripted server: script gets each connection with its number,
// from 0, and the connection is closed when it returns.
type upstream struct {
	addr  string
	conns atomic.Int32
}

func script(t *testing.T, f func(n int, nc net.Conn, r *bufio.Reader)) *upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{addr: l.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			n := int(u.conns.Add(1)) - 1
			if err := nc.SetDeadline(time.Now().Add(guard)); err != nil {
				t.Errorf("deadline: %v", err)
			}
			go func() {
				defer nc.Close()
				f(n, nc, bufio.NewReader(nc))
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return u
}

// take reads one request with net/http's parser and returns its body; false
// when the connection ends instead.
func take(t *testing.T, r *bufio.Reader) (string, bool) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return "", false
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Errorf("request body: %v", err)
	}
	return string(body), true
}

func say(t *testing.T, nc net.Conn, text string) {
	if _, err := io.WriteString(nc, text); err != nil {
		t.Logf("the client ended before everything was sent: %v", err)
	}
}

// always answers every request of every connection with text.
func always(t *testing.T, text string) *upstream {
	return script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		for {
			if _, ok := take(t, r); !ok {
				return
			}
			say(t, nc, text)
		}
	})
}

func client(t testing.TB, cfg ClientConfig) *Client {
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	c := NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}

func (u *upstream) request(body string) *OutRequest {
	return &OutRequest{Method: "POST", Addr: u.addr, Host: "up.test", Target: "/mcp", Body: []byte(body)}
}

// get does r and reads the whole answer.
func get(t *testing.T, c *Client, r *OutRequest) (*InResponse, string, error) {
	t.Helper()
	resp, err := c.Do(t.Context(), r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestRequestOnTheWire(t *testing.T) {
	got := make(chan string, 1)
	u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		var lines strings.Builder
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Errorf("read: %v", err)
			}
			if lines.WriteString(line); line == "\r\n" {
				break
			}
		}
		got <- lines.String()
		say(t, nc, "HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Length: 2\r\n\r\nhi")
	})
	r := u.request("")
	r.Target, r.Header = "/a?b", Header{{"X-One", "1"}, {"x-two", ""}}
	resp, body, err := get(t, client(t, ClientConfig{}), r)
	if err != nil || resp.Status != 200 || body != "hi" || resp.ContentLength != 2 {
		t.Errorf("%+v, %q, %v", resp, body, err)
	}
	if v, ok := resp.Header.Get("x-y"); !ok || v != "z" {
		t.Errorf("header %v", resp.Header)
	}
	if want := "POST /a?b HTTP/1.1\r\nHost: up.test\r\nX-One: 1\r\nx-two: \r\nContent-Length: 0\r\n\r\n"; <-got != want {
		t.Errorf("the request differs from %q", want)
	}
}

func TestBadRequestsAreNotSent(t *testing.T) {
	u := always(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	c := client(t, ClientConfig{})
	for name, spoil := range map[string]func(*OutRequest){
		"method":  func(r *OutRequest) { r.Method = "PO ST" },
		"target":  func(r *OutRequest) { r.Target = "/a b" },
		"CR LF":   func(r *OutRequest) { r.Target = "/a\r\nX: y" },
		"host":    func(r *OutRequest) { r.Host = "a\r\nb" },
		"value":   func(r *OutRequest) { r.Header = Header{{"X", "a\r\nY: b"}} },
		"name":    func(r *OutRequest) { r.Header = Header{{"X Y", "a"}} },
		"framing": func(r *OutRequest) { r.Header = Header{{"Content-Length", "3"}} },
		"host 2":  func(r *OutRequest) { r.Header = Header{{"Host", "b"}} },
		"close":   func(r *OutRequest) { r.Header = Header{{"Connection", "close"}} },
	} {
		r := u.request("x")
		spoil(r)
		if _, err := c.Do(t.Context(), r); !fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := u.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// TestU16HostileAnswers holds answers against the kind that a caller gets.
func TestU16HostileAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		answer string
		kind   fault.Kind
	}{
		"bare LF":              {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", fault.UpstreamBad},
		"CR in a value":        {ok + "X: a\rb\r\nContent-Length: 0\r\n\r\n", fault.UpstreamBad},
		"NUL in a value":       {ok + "X: a\x00b\r\nContent-Length: 0\r\n\r\n", fault.UpstreamBad},
		"folded":               {ok + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", fault.UpstreamBad},
		"space before colon":   {ok + "Content-Length : 0\r\n\r\n", fault.UpstreamBad},
		"two lengths":          {ok + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", fault.UpstreamBad},
		"length and coding":    {ok + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fault.UpstreamBad},
		"unknown coding":       {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", fault.UpstreamBad},
		"coding in 1.0":        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fault.UpstreamBad},
		"switch":               {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", fault.UpstreamBad},
		"interim flood":        {repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 6), fault.UpstreamBad},
		"status letters":       {"HTTP/1.1 2xx OK\r\n\r\n", fault.UpstreamBad},
		"status 600":           {"HTTP/1.1 600 OK\r\n\r\n", fault.UpstreamBad},
		"HTTP/2":               {"HTTP/2 200 OK\r\n\r\n", fault.UpstreamBad},
		"not HTTP":             {"SSH-2.0-OpenSSH_9.9\r\n", fault.UpstreamBad},
		"1,000 fields":         {ok + repeat("X: y\r\n", 1000) + "\r\n", fault.UpstreamTooLarge},
		"long field":           {ok + "X: " + repeat("a", 64<<10) + "\r\n\r\n", fault.UpstreamTooLarge},
		"endless status line":  {"HTTP/1.1 200 " + repeat("a", 64<<10), fault.UpstreamTooLarge},
		"nothing":              {"", fault.UpstreamGone},
		"half a head":          {"HTTP/1.1 200 OK\r\nX", fault.UpstreamGone},
		"half a body":          {ok + "Content-Length: 10\r\n\r\nabc", fault.UpstreamGone},
		"half a chunk":         {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", fault.UpstreamGone},
		"no last chunk":        {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", fault.UpstreamGone},
		"malformed chunk":      {ok + "Transfer-Encoding: chunked\r\n\r\nxx\r\nab\r\n0\r\n\r\n", fault.UpstreamBad},
		"chunk overflow":       {ok + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nab\r\n0\r\n\r\n", fault.UpstreamBad},
		"framing as a trailer": {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", fault.UpstreamBad},
	} {
		t.Run(name, func(t *testing.T) {
			u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
				take(t, r)
				say(t, nc, c.answer)
			})
			r := u.request("x")
			if _, body, err := get(t, client(t, ClientConfig{}), r); !fault.Is(err, c.kind) {
				t.Errorf("%q, %v; want %s", body, err, c.kind)
			}
			if n := u.conns.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestAnswerFraming(t *testing.T) {
	for name, c := range map[string]struct {
		method, answer, body string
		status               int
		length               int64
		kept                 bool
	}{
		"length":            {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, 5, true},
		"no reason":         {"POST", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, 5, true},
		"chunks":            {"POST", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nhel\r\n002\r\nlo\r\n0\r\nX: y\r\n\r\n", "hello", 200, -1, true},
		"interim":           {"POST", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n", "", 202, 0, true},
		"no content":        {"POST", "HTTP/1.1 204 No Content\r\n\r\n", "", 204, 0, true},
		"not modified":      {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", 304, 0, true},
		"head":              {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "", 200, 9, true},
		"closing":           {"POST", "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, 5, false},
		"old":               {"POST", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, 5, false},
		"more than there's": {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n", "hello", 200, 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			u := always(t, c.answer)
			cl := client(t, ClientConfig{})
			r := u.request("x")
			r.Method = c.method
			for range 3 {
				resp, body, err := get(t, cl, r)
				if err != nil || body != c.body || resp.Status != c.status || resp.ContentLength != c.length {
					t.Fatalf("%+v, %q, %v", resp, body, err)
				}
			}
			want := int32(3)
			if c.kept {
				want = 1
			}
			if n := u.conns.Load(); n != want {
				t.Errorf("%d connections for 3 requests, want %d", n, want)
			}
		})
	}
	t.Run("to the end of the connection", func(t *testing.T) {
		u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
			take(t, r)
			say(t, nc, "HTTP/1.1 200 OK\r\n\r\nhello")
		})
		resp, body, err := get(t, client(t, ClientConfig{}), u.request("x"))
		if err != nil || body != "hello" || resp.ContentLength != -1 {
			t.Errorf("%+v, %q, %v", resp, body, err)
		}
	})
}

// TestU16ExtraBytesAnswerNobody sends a second answer after the first was
// taken: the next caller must not get it.
func TestU16ExtraBytesAnswerNobody(t *testing.T) {
	server, clientTLS := testTLS(t)
	server.DynamicRecordSizingDisabled = true // the surplus shares a record with the answer
	// Small answers and what follows them land in our buffer, large ones leave
	// it in TLS's or the socket's.
	for _, c := range []struct {
		secure bool
		size   int
	}{{false, 5000}, {false, 20000}, {true, 5000}, {true, 14000}, {true, 20000}} {
		secure, size := c.secure, c.size
		t.Run(fmt.Sprint(secure, size), func(t *testing.T) {
			u := script(t, func(n int, nc net.Conn, _ *bufio.Reader) {
				if secure {
					nc = tls.Server(nc, server)
				}
				if _, ok := take(t, bufio.NewReader(nc)); !ok {
					return
				}
				first := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, repeat(fmt.Sprint(n), size))
				say(t, nc, first+"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
				_, _ = io.ReadAll(nc) // until the client leaves
			})
			cl := client(t, ClientConfig{})
			for n := range 3 {
				r := u.request("x")
				if secure {
					r.TLS = clientTLS
				}
				resp, err := cl.Do(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				body := make([]byte, size)
				if _, err := io.ReadFull(resp.Body, body); err != nil || string(body) != repeat(fmt.Sprint(n), size) {
					t.Fatalf("answer %d is %.20q, %v", n, body, err)
				}
				resp.Body.Close()
			}
		})
	}
}

func TestStaleConnections(t *testing.T) {
	// Each connection answers once and then ends without a word, when the
	// second request has arrived on it.
	dies := func(t *testing.T, served *atomic.Int32) *upstream {
		return script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
			if _, ok := take(t, r); !ok {
				return
			}
			served.Add(1)
			say(t, nc, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			if _, ok := take(t, r); ok {
				served.Add(1)
			}
		})
	}
	t.Run("idempotent is sent again", func(t *testing.T) {
		var served atomic.Int32
		u, c := dies(t, &served), client(t, ClientConfig{})
		r := u.request("x")
		r.Idempotent = true
		for range 2 {
			if _, _, err := get(t, c, r); err != nil {
				t.Fatal(err)
			}
		}
		if n := served.Load(); n != 3 {
			t.Errorf("the upstream saw %d requests, want 3", n)
		}
	})
	t.Run("others never", func(t *testing.T) {
		var served atomic.Int32
		u, c := dies(t, &served), client(t, ClientConfig{})
		r := u.request("x")
		if _, _, err := get(t, c, r); err != nil {
			t.Fatal(err)
		}
		if _, _, err := get(t, c, r); !fault.Is(err, fault.UpstreamGone) {
			t.Errorf("second: %v", err)
		}
		if n := served.Load(); n != 2 {
			t.Errorf("the upstream saw %d requests, want 2", n)
		}
	})
	t.Run("fresh ones never", func(t *testing.T) {
		var seen atomic.Int32
		u := script(t, func(_ int, _ net.Conn, r *bufio.Reader) {
			take(t, r)
			seen.Add(1)
		})
		r := u.request("x")
		r.Idempotent = true
		if _, _, err := get(t, client(t, ClientConfig{}), r); !fault.Is(err, fault.UpstreamGone) {
			t.Errorf("do: %v", err)
		}
		if n := seen.Load(); n != 1 {
			t.Errorf("the upstream saw %d requests", n)
		}
	})
	t.Run("closed while idle", func(t *testing.T) {
		closed := make(chan struct{}, 2)
		u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
			take(t, r)
			say(t, nc, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			nc.Close()
			closed <- struct{}{}
		})
		c := client(t, ClientConfig{})
		for range 2 {
			if _, _, err := get(t, c, u.request("x")); err != nil {
				t.Fatal(err)
			}
			<-closed
		}
	})
	t.Run("too old", func(t *testing.T) {
		u, c := always(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), client(t, ClientConfig{IdleTimeout: time.Nanosecond})
		for range 3 {
			if _, _, err := get(t, c, u.request("x")); err != nil {
				t.Fatal(err)
			}
		}
		if n := u.conns.Load(); n != 3 {
			t.Errorf("%d connections, want 3", n)
		}
	})
}

func TestPoolKeysKeepCredentialsApart(t *testing.T) {
	u, c := always(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), client(t, ClientConfig{})
	for _, key := range []string{"a", "b", "a", "b", ""} {
		r := u.request("x")
		r.PoolKey = key
		if _, _, err := get(t, c, r); err != nil {
			t.Fatal(err)
		}
	}
	if n := u.conns.Load(); n != 3 {
		t.Errorf("%d connections for 3 keys", n)
	}
	c.CloseIdle()
	if len(c.hosts) != 0 || len(c.conns) != 0 || c.idle != 0 {
		t.Errorf("after CloseIdle: %d hosts, %d connections, %d idle", len(c.hosts), len(c.conns), c.idle)
	}
}

func TestMaxPerHostWaitsInLine(t *testing.T) {
	u, c := always(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), client(t, ClientConfig{MaxPerHost: 1})
	first, err := c.Do(t.Context(), u.request("x"))
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error, 1)
	go func() {
		_, err := c.Do(gone, u.request("x"))
		cancelled <- err
	}()
	c.awaitWaiter()
	cancel()
	if err := <-cancelled; !fault.Is(err, fault.ClientGone) {
		t.Errorf("a cancelled waiter got %v", err)
	}
	second := make(chan error, 1)
	go func() {
		_, _, err := get(t, c, u.request("x"))
		second <- err
	}()
	c.awaitWaiter()
	if _, err := io.ReadAll(first.Body); err != nil {
		t.Errorf("read: %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("the waiter got %v", err)
	}
	// A dropped connection makes room as well.
	third, err := c.Do(t.Context(), u.request("x"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _, err := get(t, c, u.request("x"))
		second <- err
	}()
	c.awaitWaiter()
	third.Body.Close()
	if err := <-second; err != nil {
		t.Errorf("the waiter got %v", err)
	}
	if n := u.conns.Load(); n > 2 {
		t.Errorf("%d connections", n)
	}
}

// awaitWaiter returns when somebody waits for a connection.
func (c *Client) awaitWaiter() {
	for waiting := 0; waiting == 0; runtime.Gosched() {
		c.mu.Lock()
		for _, h := range c.hosts {
			waiting += h.waiting.Len()
		}
		c.mu.Unlock()
	}
}

func TestPlacesArePassedOn(t *testing.T) {
	c := client(t, ClientConfig{MaxPerHost: 1})
	h := &host{open: 1}
	c.hosts[h.key] = h
	// The place and the connection are granted just as the waiter gives up.
	for _, kept := range []*clientConn{nil, {client: c, host: h, raw: discarded{}}} {
		turn, next := make(chan grant, 1), make(chan grant, 1)
		place := h.waiting.PushBack(turn)
		h.waiting.PushBack(next)
		h.waiting.Remove(place)
		turn <- grant{kept}
		c.leave(h, place, turn)
		if g := <-next; g.conn != kept || h.waiting.Len() != 0 {
			t.Errorf("the next got %v, %d wait", g, h.waiting.Len())
		}
	}
	// A fresh connection takes the place of the oldest idle one.
	h.idle = []*clientConn{{client: c, host: h, raw: discarded{}}}
	c.idle = 1
	if cc, _, err := c.claim(t.Context(), h.key, true); cc != nil || err != nil || len(h.idle) != 0 || h.open != 1 || c.idle != 0 {
		t.Errorf("%v, %v; %d idle, %d open", cc, err, len(h.idle), h.open)
	}
}

// discarded is a connection that only closes.
type discarded struct{ net.Conn }

func (discarded) Close() error { return nil }

// TestU15HangingUpstreams has a deadline for each phase.
func TestU15HangingUpstreams(t *testing.T) {
	_, clientTLS := testTLS(t)
	silent := script(t, func(_ int, nc net.Conn, _ *bufio.Reader) { _, _ = io.Copy(io.Discard, nc) }) // until the client leaves
	halfBody := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		take(t, r)
		say(t, nc, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		_, _ = io.Copy(io.Discard, nc)
	})
	deaf := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		if _, err := r.ReadByte(); err != nil {
			t.Errorf("read: %v", err)
		}
		<-t.Context().Done() // reads no more
	})
	const soon = 30 * time.Millisecond
	never := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	for name, c := range map[string]struct {
		cfg  ClientConfig
		to   *upstream
		tls  *tls.Config
		ctx  time.Duration // 0: none
		body string
		kind fault.Kind
	}{
		"no accept":             {ClientConfig{Dial: never, DialTimeout: soon}, silent, nil, 0, "x", fault.UpstreamUnreachable},
		"no TLS":                {ClientConfig{TLSTimeout: soon}, silent, clientTLS, 0, "x", fault.UpstreamUnreachable},
		"no head":               {ClientConfig{HeadTimeout: soon}, silent, nil, 0, "x", fault.UpstreamLate},
		"no head, context":      {ClientConfig{}, silent, nil, soon, "x", fault.UpstreamLate},
		"no accept, context":    {ClientConfig{Dial: never}, silent, nil, soon, "x", fault.UpstreamLate},
		"half a body":           {ClientConfig{}, halfBody, nil, soon, "x", fault.UpstreamLate},
		"request is not read":   {ClientConfig{Limits: Limits{WriteTimeout: soon}}, deaf, nil, 0, repeat("x", 16<<20), fault.UpstreamLate},
		"not read, for context": {ClientConfig{}, deaf, nil, soon, repeat("x", 16<<20), fault.UpstreamLate},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if c.ctx > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.ctx)
				defer cancel()
			}
			cl := client(t, c.cfg)
			r := c.to.request(c.body)
			r.TLS = c.tls
			resp, err := cl.Do(ctx, r)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if !fault.Is(err, c.kind) {
				t.Errorf("%v, want %s", err, c.kind)
			}
			if len(cl.conns) != 0 {
				t.Errorf("%d connections remain", len(cl.conns))
			}
		})
	}
}

func TestCancelAbortsAtOnce(t *testing.T) {
	asked := make(chan struct{})
	u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		body, _ := take(t, r)
		if body == "body" {
			say(t, nc, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		}
		asked <- struct{}{}
		_, _ = io.Copy(io.Discard, nc) // the client's leaving ends it
		asked <- struct{}{}
	})
	for _, stage := range []string{"head", "body"} {
		t.Run(stage, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				resp, err := client(t, ClientConfig{}).Do(ctx, u.request(stage))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				ended <- err
			}()
			<-asked
			cancel()
			if err := <-ended; !fault.Is(err, fault.ClientGone) || !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
			<-asked
		})
	}
}

// TestContextEndsForItsCause keeps the reason of whoever ended the call.
func TestContextEndsForItsCause(t *testing.T) {
	asked := make(chan struct{})
	u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		take(t, r)
		asked <- struct{}{}
		_, _ = r.ReadByte() // until the client leaves
	})
	why := fault.New(fault.UpstreamLate)
	for name, start := range map[string]func() (context.Context, func(error)){
		"a Life":               func() (context.Context, func(error)) { l := &lifetime.Life{}; return l, l.End },
		"the standard library": func() (context.Context, func(error)) { c, end := context.WithCancelCause(t.Context()); return c, end },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, end := start()
			ended := make(chan error, 1)
			c := client(t, ClientConfig{})
			go func() {
				_, err := c.Do(ctx, u.request(""))
				ended <- err
			}()
			<-asked
			end(why)
			if err := <-ended; !errors.Is(err, why) {
				t.Errorf("ended with %v, want %v", err, why)
			}
			if _, err := c.Do(ctx, u.request("")); !errors.Is(err, why) {
				t.Errorf("begun after the end: %v, want %v", err, why)
			}
		})
	}
}

func TestCloseWhileReading(t *testing.T) {
	u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		take(t, r)
		say(t, nc, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		_, _ = io.Copy(io.Discard, nc)
	})
	resp, err := client(t, ClientConfig{}).Do(t.Context(), u.request("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := resp.Body.Read(make([]byte, 1))
		ended <- err
	}()
	resp.Body.Close()
	if err := <-ended; err == nil {
		t.Error("the read went on after Close")
	}
	if _, err := resp.Body.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a read after Close: %v", err)
	}
}

// TestEarlyRefusalIsHeard answers and closes before the request was read.
func TestEarlyRefusalIsHeard(t *testing.T) {
	u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		if _, err := r.ReadString('\n'); err != nil {
			t.Errorf("read: %v", err)
		}
		say(t, nc, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
			t.Errorf("close: %v", err)
		}
		_, _ = io.Copy(io.Discard, r)
	})
	resp, _, err := get(t, client(t, ClientConfig{}), u.request(repeat("x", 8<<20)))
	if err != nil || resp.Status != 413 {
		t.Errorf("%+v, %v", resp, err)
	}
}

func TestDialErrorsKeepTheirKind(t *testing.T) {
	u := &upstream{addr: "up.test:1"}
	for want, err := range map[fault.Kind]error{
		fault.EgressForbidden: fault.New(fault.EgressForbidden), fault.UpstreamUnreachable: io.ErrUnexpectedEOF,
	} {
		c := client(t, ClientConfig{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, err }})
		if _, got := c.Do(t.Context(), u.request("x")); !fault.Is(got, want) {
			t.Errorf("%v, want %s", got, want)
		}
		if len(c.hosts) != 0 {
			t.Error("the failed host is kept")
		}
	}
}

func TestTLSNames(t *testing.T) {
	server, clientTLS := testTLS(t)
	w := start(t, ServerConfig{Handler: echo, TLS: server})
	nameless := clientTLS.Clone()
	nameless.ServerName = ""
	c := client(t, ClientConfig{})
	for name, x := range map[string]struct {
		cfg  *tls.Config
		name string
		ok   bool
	}{
		"of the configuration": {clientTLS, "", true},
		"of the request":       {nameless, "gateway.test", true},
		"of the address":       {nameless, "", false},
		"wrong":                {clientTLS, "other.test", false},
	} {
		r := &OutRequest{Method: "GET", Addr: w.addr, TLS: x.cfg, ServerName: x.name, Target: "/"}
		_, body, err := get(t, c, r)
		if x.ok && (err != nil || body != "GET /\n") || !x.ok && !fault.Is(err, fault.UpstreamUnreachable) {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
}

func TestClosedClientRefuses(t *testing.T) {
	u := always(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	c := NewClient(ClientConfig{Dial: new(net.Dialer).DialContext})
	if _, _, err := get(t, c, u.request("x")); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := c.Do(t.Context(), u.request("x")); !fault.Is(err, fault.Draining) {
		t.Errorf("do: %v", err)
	}
	if len(c.conns) != 0 || c.idle != 0 {
		t.Errorf("%d connections, %d idle", len(c.conns), c.idle)
	}
}

func TestIdleConnectionsAreReaped(t *testing.T) {
	left := make(chan struct{})
	u := script(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		take(t, r)
		say(t, nc, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		take(t, r)
		close(left)
	})
	c := client(t, ClientConfig{IdleTimeout: 10 * time.Millisecond})
	if _, _, err := get(t, c, u.request("x")); err != nil {
		t.Fatal(err)
	}
	<-left
}
