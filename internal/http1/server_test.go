package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRequestIsHandedOverAsReceived(t *testing.T) {
	checked := make(chan struct{}, 1)
	w := start(t, ServerConfig{Handler: handlerFunc(func(ctx context.Context, w Response, r *Request) {
		defer func() { checked <- struct{}{} }()
		if r.Method != "PUT" || r.Target != "/a%2Fb?x=1?y" || r.Path != "/a%2Fb" || r.Query != "x=1?y" || r.Host != "gw.test:8443" || r.Proto != 1 {
			t.Errorf("request %+v", r)
		}
		want := Header{{"x-One", "a  b"}, {"X-Two", ""}, {"X-ONE", "c"}, {"Content-Length", "2"}}
		if fmt.Sprint(r.Header) != fmt.Sprint(want) {
			t.Errorf("header %v", r.Header)
		}
		if v, ok := r.Header.Get("x-two"); !ok || v != "" || r.Header.Count("X-one") != 2 {
			t.Errorf("lookups fail in %v", r.Header)
		}
		var all []string
		for v := range r.Header.All("X-One") {
			all = append(all, v)
		}
		if strings.Join(all, "|") != "a  b|c" {
			t.Errorf("all values %q", all)
		}
		if !r.Peer.Addr().IsLoopback() || !r.Local.Addr().IsLoopback() || r.TLS != nil {
			t.Errorf("addresses %v %v", r.Peer, r.Local)
		}
		echo(ctx, w, r)
	})})
	p := w.dial(t)
	p.send("PUT /a%2Fb?x=1?y HTTP/1.1\r\nx-One: a  b \t\r\nHost: gw.test:8443\r\nX-Two:\r\nX-ONE:c\r\nContent-Length: 2\r\n\r\nhi")
	resp, body := p.answer("PUT")
	<-checked
	if body != "PUT /a%2Fb?x=1?y\nhi" || resp.Header.Get("Content-Type") != "text/plain" || resp.Close {
		t.Errorf("%v %q", resp, body)
	}
	if _, err := http.ParseTime(resp.Header.Get("Date")); err != nil {
		t.Errorf("date: %v", err)
	}
}

func TestDateFollowsNow(t *testing.T) {
	now := time.Date(2026, 7, 28, 10, 0, 0, 0, time.FixedZone("x", 3600))
	w := start(t, ServerConfig{Handler: echo, Now: func() time.Time { return now }})
	p := w.dial(t)
	for range 2 {
		p.send("GET / HTTP/1.1\r\nHost: gw\r\n\r\n")
		if resp, _ := p.answer("GET"); resp.Header.Get("Date") != "Tue, 28 Jul 2026 09:00:00 GMT" {
			t.Errorf("date %q", resp.Header.Get("Date"))
		}
	}
}

func TestAnswers(t *testing.T) {
	big := repeat("0123456789abcdef", 20<<10) // 320 KiB
	write := func(w Response, parts ...string) {
		for _, s := range parts {
			if n, err := io.WriteString(w, s); n != len(s) || err != nil {
				t.Errorf("write of %d: %d, %v", len(s), n, err)
			}
		}
	}
	cases := map[string]struct {
		answer func(w Response)
		method string
		status int
		body   string
		chunks bool
		close  bool
	}{
		"small":            {func(w Response) { _ = w.Start(201, nil, 5); write(w, "he", "llo") }, "POST", 201, "hello", false, false},
		"large":            {func(w Response) { _ = w.Start(200, nil, int64(len(big))); write(w, big) }, "POST", 200, big, false, false},
		"large in parts":   {func(w Response) { _ = w.Start(200, nil, int64(len(big))); write(w, big[:9], big[9:20000], big[20000:]) }, "POST", 200, big, false, false},
		"stream":           {func(w Response) { _ = w.Start(200, nil, -1); write(w, "a", "", "bc"); _ = w.Flush(); write(w, "d") }, "POST", 200, "abcd", true, false},
		"large stream":     {func(w Response) { _ = w.Start(200, nil, -1); write(w, "a", big, "b") }, "POST", 200, "a" + big + "b", true, false},
		"empty stream":     {func(w Response) { _ = w.Start(200, nil, -1) }, "POST", 200, "", true, false},
		"empty":            {func(w Response) { _ = w.Start(202, nil, 0) }, "POST", 202, "", false, false},
		"no content":       {func(w Response) { _ = w.Start(204, nil, 0) }, "POST", 204, "", false, false},
		"not modified":     {func(w Response) { _ = w.Start(304, nil, -1) }, "GET", 304, "", false, false},
		"head":             {func(w Response) { _ = w.Start(200, nil, 5); write(w, "hello") }, "HEAD", 200, "", false, false},
		"head of a stream": {func(w Response) { _ = w.Start(200, nil, -1); write(w, "hello") }, "HEAD", 200, "", true, false},
		"closing":          {func(w Response) { _ = w.Start(200, Header{{"connection", "Close"}}, 0) }, "POST", 200, "", false, true},
		"silent":           {func(Response) {}, "POST", 500, "", false, true},
		"unknown status":   {func(w Response) { _ = w.Start(299, nil, 0) }, "POST", 299, "", false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := start(t, ServerConfig{Handler: handlerFunc(func(_ context.Context, w Response, _ *Request) { c.answer(w) })})
			p := w.dial(t)
			for range 2 {
				p.send(c.method + " / HTTP/1.1\r\nHost: gw\r\n\r\n")
				resp, body := p.answer(c.method)
				if resp.StatusCode != c.status || body != c.body || resp.Close != c.close {
					t.Fatalf("status %d, %d bytes, close %v", resp.StatusCode, len(body), resp.Close)
				}
				if (len(resp.TransferEncoding) > 0) != c.chunks {
					t.Errorf("coding %v", resp.TransferEncoding)
				}
				if c.close {
					p.wantClosed()
					return
				}
			}
		})
	}
}

func TestBrokenAnswersBreakTheConnection(t *testing.T) {
	for name, f := range map[string]func(Response){
		"too short": func(w Response) { _ = w.Start(200, nil, 10); _, _ = io.WriteString(w, "abc"); _ = w.Flush() },
		"panic": func(w Response) {
			_ = w.Start(200, nil, -1)
			_, _ = io.WriteString(w, "abc")
			_ = w.Flush()
			panic("boom")
		},
		"abort": func(w Response) {
			_ = w.Start(200, nil, -1)
			_, _ = io.WriteString(w, "abc")
			_ = w.Flush()
			panic(ErrAbort)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, ServerConfig{Handler: handlerFunc(func(_ context.Context, w Response, _ *Request) { f(w) })})
			p := w.dial(t)
			p.send(post + "\r\n")
			resp, err := http.ReadResponse(p.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || string(body) != "abc" {
				t.Errorf("%q, %v; want a truncated answer", body, err)
			}
			logs := w.logged()
			if boom := name == "panic"; boom != (len(logs) == 1) || boom && !strings.Contains(logs[0], "boom") {
				t.Errorf("logs %q", logs)
			}
		})
	}
}

func TestMisuseIsRefused(t *testing.T) {
	type kept struct {
		w    Response
		body io.Reader
	}
	late := make(chan kept, 1)
	w := start(t, ServerConfig{Handler: handlerFunc(func(_ context.Context, w Response, r *Request) {
		late <- kept{w, r.Body}
		if w.Started() {
			t.Error("started before Start")
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, errNotStarted) {
			t.Errorf("write before start: %v", err)
		}
		if err := w.Flush(); !errors.Is(err, errNotStarted) {
			t.Errorf("flush before start: %v", err)
		}
		for _, f := range []Field{{"X", "a\r\nY: b"}, {"X", "a\x00"}, {"X y", "a"}, {"", "a"}, {"X", "é"}, {"Content-Length", "3"},
			{"transfer-encoding", "chunked"}, {"Connection", "keep-alive"}, {"Date", "x"}, {"Upgrade", "h2c"}, {"Trailer", "x"}} {
			if err := w.Start(200, Header{f}, 0); !errors.Is(err, errField) {
				t.Errorf("field %q: %v", f, err)
			}
		}
		for _, status := range []int{0, 100, 199, 600} {
			if err := w.Start(status, nil, 0); !errors.Is(err, errStatus) {
				t.Errorf("status %d: %v", status, err)
			}
		}
		if err := w.Start(204, nil, 1); !errors.Is(err, errBodyless) {
			t.Errorf("204 with a body: %v", err)
		}
		if err := w.Start(200, nil, 3); err != nil || !w.Started() {
			t.Errorf("start: %v", err)
		}
		if err := w.Start(200, nil, 3); !errors.Is(err, errStarted) {
			t.Errorf("second start: %v", err)
		}
		if _, err := w.Write([]byte("abcd")); !errors.Is(err, errTooMuch) {
			t.Errorf("too much: %v", err)
		}
		if _, err := w.Write([]byte("abc")); err != nil {
			t.Errorf("write: %v", err)
		}
	})})
	p := w.dial(t)
	p.send(post + "Content-Length: 3\r\n\r\nxyz")
	if _, body := p.answer("POST"); body != "abc" {
		t.Errorf("body %q", body)
	}
	p.send(post + "Content-Length: 3\r\n\r\nxyz") // its handler runs after the first has returned
	first := <-late
	<-late
	if _, err := first.body.Read(make([]byte, 1)); !errors.Is(err, errDone) {
		t.Errorf("late read: %v", err)
	}
	p.answer("POST")
}

func TestUnreadBody(t *testing.T) {
	w := start(t, ServerConfig{Limits: Limits{Drain: 1000}, Handler: handlerFunc(func(_ context.Context, w Response, _ *Request) {
		if err := w.Start(403, nil, 0); err != nil {
			t.Errorf("start: %v", err)
		}
	})})
	for name, c := range map[string]struct {
		frame string
		kept  bool
	}{
		"little":         {"Content-Length: 1000\r\n\r\n" + repeat("x", 1000), true},
		"little chunked": {"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + repeat("x", 1000) + "\r\n0\r\nX: y\r\n\r\n", true},
		"much":           {"Content-Length: 1001\r\n\r\n" + repeat("x", 1001), false},
		"much chunked":   {"Transfer-Encoding: chunked\r\n\r\n2710\r\n" + repeat("x", 10000) + "\r\n0\r\n\r\n", false},
		"malformed":      {"Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.dial(t)
			p.send(post + c.frame)
			if resp, _ := p.answer("POST"); resp.StatusCode != 403 {
				t.Errorf("status %d", resp.StatusCode)
			}
			if !c.kept {
				p.wantClosed()
				return
			}
			p.send(post + "\r\n")
			if resp, _ := p.answer("POST"); resp.StatusCode != 403 {
				t.Errorf("next status %d", resp.StatusCode)
			}
		})
	}
}

// waiter runs until its context ends and says how long it took.
func waiter(began chan<- struct{}, ended chan<- time.Time) Handler {
	return handlerFunc(func(ctx context.Context, w Response, r *Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		began <- struct{}{}
		<-ctx.Done()
		ended <- time.Now()
	})
}

func TestContextEndsWhenThePeerGoes(t *testing.T) {
	server, client := testTLS(t)
	for name, cfg := range map[string]*tls.Config{"plaintext": nil, "TLS": server} {
		for _, text := range []string{post + "\r\n", post + "Content-Length: 3\r\n\r\nabc", post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"} {
			t.Run(name, func(t *testing.T) {
				began, ended := make(chan struct{}), make(chan time.Time, 1)
				w := start(t, ServerConfig{Handler: waiter(began, ended), TLS: cfg})
				p := w.dial(t)
				if cfg != nil {
					p.Conn = tls.Client(p.Conn, client)
				}
				p.send(text)
				<-began
				if err := p.Conn.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				<-ended
			})
		}
	}
}

func TestDerivedContextsEndWithTheRequest(t *testing.T) {
	type key struct{}
	type made struct {
		context.Context
		stop context.CancelFunc // called after the end only
	}
	derived := make(chan made, 2)
	w := start(t, ServerConfig{Handler: handlerFunc(func(ctx context.Context, w Response, _ *Request) {
		timed, stopTimed := context.WithTimeout(ctx, time.Hour)
		valued, stopValued := context.WithCancel(context.WithValue(ctx, key{}, 1))
		derived <- made{timed, stopTimed}
		derived <- made{valued, stopValued}
		if ctx.Err() != nil || timed.Err() != nil {
			t.Error("ended too early")
		}
		if err := w.Start(200, nil, 0); err != nil {
			t.Errorf("start: %v", err)
		}
	})})
	p := w.dial(t)
	p.send(post + "\r\n")
	p.answer("POST")
	for range 2 {
		ctx := <-derived
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("ended with %v", ctx.Err())
		}
		ctx.stop()
	}
}

// TestWatchKeepsPipelinedBytes lets the watch read the first byte of the next
// request while a handler runs.
func TestWatchKeepsPipelinedBytes(t *testing.T) {
	release := make(chan struct{})
	watched := make(chan struct{})
	w := start(t, ServerConfig{Handler: handlerFunc(func(ctx context.Context, w Response, r *Request) {
		if r.Path == "/slow" {
			close(watched)
			<-release
		}
		echo(ctx, w, r)
	})})
	p := w.dial(t)
	p.send("GET /slow HTTP/1.1\r\nHost: gw\r\n\r\n")
	<-watched
	p.send("GET /next HTTP/1.1\r\nHost: gw\r\n\r\n")
	w.awaitWatch()
	close(release)
	if _, body := p.answer("GET"); body != "GET /slow\n" {
		t.Errorf("first %q", body)
	}
	if _, body := p.answer("GET"); body != "GET /next\n" {
		t.Errorf("second %q", body)
	}
	p.send("GET /third HTTP/1.1\r\nHost: gw\r\n\r\n")
	if _, body := p.answer("GET"); body != "GET /third\n" {
		t.Errorf("third %q", body)
	}
}

// awaitWatch waits until the watch of the only connection has ended.
func (w *world) awaitWatch() {
	var only *conn
	w.Server.mu.Lock()
	for c := range w.conns {
		only = c
	}
	w.Server.mu.Unlock()
	only.watch.done <- <-only.watch.done // the connection wants it, too
}

// TestIdleStreamHoldsNoBuffers proves that a waiting stream costs little.
func TestIdleStreamHoldsNoBuffers(t *testing.T) {
	release := make(chan struct{})
	w := start(t, ServerConfig{Handler: handlerFunc(func(_ context.Context, w Response, _ *Request) {
		if err := w.Start(200, Header{{"Content-Type", "text/event-stream"}}, -1); err != nil {
			t.Errorf("start: %v", err)
		}
		if _, err := io.WriteString(w, ": hello\n\n"); err != nil {
			t.Errorf("write: %v", err)
		}
		if err := w.Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		if r := w.(*response); r.buf != nil || r.pooled != nil {
			t.Error("the response keeps a buffer after Flush")
		}
		<-release
	})})
	p := w.dial(t)
	p.send(post + "\r\n")
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	p.send("G") // ends the watch, which by then has given the read buffer back
	w.awaitWatch()
	w.Server.mu.Lock()
	for c := range w.conns {
		if c.in.buf != nil {
			t.Error("the connection keeps its read buffer")
		}
	}
	w.Server.mu.Unlock()
	close(release)
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestShutdown(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	w := start(t, ServerConfig{Handler: handlerFunc(func(ctx context.Context, w Response, r *Request) {
		if r.Path == "/wait" {
			close(began)
			<-finish
			if ctx.Err() != nil {
				t.Error("shutdown cancelled a request")
			}
		}
		echo(ctx, w, r)
	})})
	idle, busy := w.dial(t), w.dial(t)
	idle.send("GET / HTTP/1.1\r\nHost: gw\r\n\r\n")
	idle.answer("GET")
	busy.send("GET /wait HTTP/1.1\r\nHost: gw\r\n\r\n")
	<-began
	soon, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Shutdown(soon); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown with a request running: %v", err)
	}
	idle.wantClosed()
	if nc, err := net.Dial("tcp", w.addr); err == nil {
		nc.Close()
		t.Error("the listener still accepts")
	}
	close(finish)
	if resp, body := busy.answer("GET"); body != "GET /wait\n" || !resp.Close {
		t.Errorf("%q, close %v", body, resp.Close)
	}
	busy.wantClosed()
	if err := w.Shutdown(t.Context()); err != nil {
		t.Errorf("second shutdown: %v", err)
	}
}

func TestCloseCancelsRequests(t *testing.T) {
	began, ended := make(chan struct{}), make(chan time.Time, 1)
	w := start(t, ServerConfig{Handler: waiter(began, ended)})
	p := w.dial(t)
	p.send(post + "\r\n")
	<-began
	if err := w.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	<-ended // Close has waited for it
	p.wantClosed()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Serve(l); err != nil {
		t.Errorf("serve after close: %v", err)
	}
}

func TestTooManyConnections(t *testing.T) {
	w := start(t, ServerConfig{Handler: echo, MaxConns: 2})
	var ps []*peer
	for range 2 {
		p := w.dial(t)
		p.send(post + "\r\n")
		p.answer("POST")
		ps = append(ps, p)
	}
	w.dial(t).wantClosed()
	if got := w.complaints(); len(got) != 1 || got[0] != "too many connections" {
		t.Errorf("complaints %q", got)
	}
	ps[0].send(post + "\r\n")
	if resp, _ := ps[0].answer("POST"); resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

type anyAddr struct{ net.Listener }

func (anyAddr) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 1} }

func TestPlaintextStaysOnLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := NewServer(ServerConfig{Handler: echo}).Serve(anyAddr{l}); !errors.Is(err, errPlaintext) {
		t.Errorf("serve: %v", err)
	}
}

func TestTLSHandshakes(t *testing.T) {
	server, client := testTLS(t)
	states := make(chan *tls.ConnectionState, 1)
	w := start(t, ServerConfig{TLS: server, Limits: Limits{HeaderTimeout: 200 * time.Millisecond}, Handler: handlerFunc(func(ctx context.Context, w Response, r *Request) {
		states <- r.TLS
		echo(ctx, w, r)
	})})
	silent := w.dial(t)
	plain := w.dial(t)
	plain.send("GET / HTTP/1.1\r\nHost: gw\r\n\r\n")
	good := w.dial(t)
	good.Conn = tls.Client(good.Conn, client)
	good.r.Reset(good.Conn)
	good.send(post + "\r\n")
	if resp, _ := good.answer("POST"); resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if s := <-states; s == nil || s.Version != tls.VersionTLS13 {
		t.Errorf("state %v", s)
	}
	silent.wantClosed()
	if _, err := io.ReadAll(plain); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("plaintext peer saw %v", err)
	}
	if got := w.complaints(); len(got) < 2 || got[0] != "TLS handshake failed" || got[1] != "TLS handshake failed" {
		t.Errorf("complaints %q", got)
	}
}

// TestAbortedRequestsLeaveNothing leaves in every stage of a request; goleak
// checks the goroutines when the package's tests end.
func TestAbortedRequestsLeaveNothing(t *testing.T) {
	count := 500
	if testing.Short() {
		count = 100
	}
	abortRequests(t, count)
}

func abortRequests(t *testing.T, count int) {
	w := start(t, ServerConfig{Handler: handlerFunc(func(ctx context.Context, w Response, r *Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil && r.Path == "/wait" {
			<-ctx.Done()
		}
	})})
	texts := []string{"", "POS", post, post + "Content-Length: 5\r\n\r\n", post + "Content-Length: 5\r\n\r\nabc",
		post + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "GET /wait HTTP/1.1\r\nHost: gw\r\n\r\n"}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < count; i += 8 {
				nc, err := net.Dial("tcp", w.addr)
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				if _, err := io.WriteString(nc, texts[i%len(texts)]); err != nil {
					t.Errorf("send: %v", err)
				}
				nc.Close()
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	if err := w.Shutdown(ctx); err != nil { // waits for those that run, and ends those that wait
		t.Errorf("shutdown: %v", err)
	}
	w.Server.mu.Lock()
	defer w.Server.mu.Unlock()
	if len(w.conns) != 0 {
		t.Errorf("%d connections remain", len(w.conns))
	}
}
