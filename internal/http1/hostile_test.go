package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestHostileHeads sends heads that must never reach the handler.
func TestHostileHeads(t *testing.T) {
	var reached atomic.Int32
	w := start(t, ServerConfig{Handler: handlerFunc(func(ctx context.Context, w Response, r *Request) {
		reached.Add(1)
		echo(ctx, w, r)
	})})
	cases := []struct {
		name, text string
		status     int
	}{
		{"H02/two different lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"H02/two equal lengths", post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400},
		{"H02/length list", post + "Content-Length: 2, 2\r\n\r\nab", 400},
		{"H02/length with sign", post + "Content-Length: +2\r\n\r\nab", 400},
		{"H02/negative length", post + "Content-Length: -2\r\n\r\nab", 400},
		{"H02/huge length", post + "Content-Length: 9999999999999999999\r\n\r\n", 400},
		{"H02/empty length", post + "Content-Length:\r\n\r\n", 400},
		{"H02/length beside coding", post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"H02/coding beside length", post + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400},
		{"H03/unknown coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
		{"H03/space before colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		{"H03/coding list", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400},
		{"H03/two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"H03/identity", post + "Transfer-Encoding: identity\r\n\r\n", 400},
		{"H03/vertical tab", post + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400},
		{"H04/bare LF head", "POST /mcp HTTP/1.1\nHost: gw\n\n", 400},
		{"H04/bare LF field", post + "X: y\nContent-Length: 0\r\n\r\n", 400},
		{"H04/bare CR", post + "X: y\rz\r\n\r\n", 400},
		{"H23/long line", post + "X: " + repeat("a", 32<<10) + "\r\n\r\n", 431},
		{"H23/many fields", post + repeat("X: y\r\n", 1000) + "\r\n", 431},
		{"H23/many cookies", post + repeat("Cookie: "+repeat("c", 200)+"\r\n", 200) + "\r\n", 431},
		{"H23/many bytes", post + repeat("X: "+repeat("c", 4000)+"\r\n", 9) + "\r\n", 431},
		{"H23/obs-fold", post + "X: y\r\n z\r\n\r\n", 400},
		{"H23/first line folded", "POST /mcp HTTP/1.1\r\n Host: gw\r\n\r\n", 400},
		{"H23/non-ASCII value", post + "X: \xc3\xa9\r\n\r\n", 400},
		{"H23/NUL in value", post + "X: a\x00b\r\n\r\n", 400},
		{"H23/DEL in value", post + "X: a\x7fb\r\n\r\n", 400},
		{"H23/empty name", post + ": y\r\n\r\n", 400},
		{"H23/no colon", post + "X\r\n\r\n", 400},
		{"H23/bad name", post + "X(y): z\r\n\r\n", 400},
		{"H23/long target", "GET /" + repeat("a", 9000) + " HTTP/1.1\r\nHost: gw\r\n\r\n", 414},
		{"H23/target just too long", "GET /" + repeat("a", 8<<10) + " HTTP/1.1\r\nHost: gw\r\n\r\n", 414},
		{"H27/websocket", "GET /mcp HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400},
		{"H27/h2c", "GET /mcp HTTP/1.1\r\nHost: gw\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 400},
		{"H27/settings alone", "GET /mcp HTTP/1.1\r\nHost: gw\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 400},
		{"H27/connection option alone", "GET /mcp HTTP/1.1\r\nHost: gw\r\nConnection: keep-alive, upgrade\r\n\r\n", 400},
		{"H27/preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"H27/CONNECT", "CONNECT gw:443 HTTP/1.1\r\nHost: gw\r\n\r\n", 405},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: gw\r\nHost: gw\r\n\r\n", 400},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"Host with path", "GET / HTTP/1.1\r\nHost: gw/x\r\n\r\n", 400},
		{"Host with user", "GET / HTTP/1.1\r\nHost: a@gw\r\n\r\n", 400},
		{"absolute form", "GET http://gw/ HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"authority form", "GET gw:443 HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"fragment", "GET /a#b HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"bad escape", "GET /%zz HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"non-ASCII target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: gw\r\n\r\n", 405},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: gw\r\n\r\n", 505},
		{"HTTP/0.9", "GET /\r\n\r\n", 400},
		{"lower case version", "GET / http/1.1\r\nHost: gw\r\n\r\n", 400},
		{"two spaces", "GET  / HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"tab", "GET\t/ HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"space at the end", "GET / HTTP/1.1 \r\nHost: gw\r\n\r\n", 400},
		{"bad method", "G(T / HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: gw\r\n\r\n", 400},
		{"unknown expectation", post + "Expect: 200-ok\r\n\r\n", 417},
		{"framing trailer", post + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n", 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := len(w.complaints())
			w.wantRefused(t, c.text, c.status)
			if got := w.complaints(); len(got) != before+1 {
				t.Errorf("complaints %q, want one more than %d", got, before)
			}
		})
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d hostile requests reached the handler", n)
	}
}

// TestH04HostileChunks sends chunked bodies that a handler must see fail.
func TestH04HostileChunks(t *testing.T) {
	failed := make(chan error, 1)
	w := start(t, ServerConfig{Handler: handlerFunc(func(_ context.Context, w Response, r *Request) {
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
		if err := w.Start(400, nil, 0); err != nil {
			t.Errorf("start: %v", err)
		}
	})})
	for name, body := range map[string]string{
		"plus sign":           "+5\r\nhello\r\n0\r\n\r\n",
		"minus sign":          "-5\r\nhello\r\n0\r\n\r\n",
		"hex prefix":          "0x5\r\nhello\r\n0\r\n\r\n",
		"overflow":            "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
		"sixteen digits":      "8000000000000005\r\nhello\r\n0\r\n\r\n",
		"space before size":   " 5\r\nhello\r\n0\r\n\r\n",
		"space after size":    "5 \r\nhello\r\n0\r\n\r\n",
		"empty size":          "\r\nhello\r\n0\r\n\r\n",
		"bare LF size":        "5\nhello\r\n0\r\n\r\n",
		"bare LF data":        "5\r\nhello\n0\r\n\r\n",
		"data too long":       "5\r\nhelloo\r\n0\r\n\r\n",
		"data too short":      "5\r\nhell\r\n0\r\n\r\n",
		"64 KiB extension":    "5;a=" + repeat("b", 64<<10) + "\r\nhello\r\n0\r\n\r\n",
		"many extensions":     repeat("1;a="+repeat("b", 200)+"\r\nx\r\n", 50) + "0\r\n\r\n",
		"NUL extension":       "5;\x00\r\nhello\r\n0\r\n\r\n",
		"bare LF at the end":  "5\r\nhello\r\n0\r\n\n",
		"long trailers":       "5\r\nhello\r\n0\r\n" + repeat("X: "+repeat("y", 100)+"\r\n", 50) + "\r\n",
		"long trailer":        "5\r\nhello\r\n0\r\nX: " + repeat("y", 64<<10) + "\r\n\r\n",
		"malformed trailer":   "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
		"length as a trailer": "5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := w.dial(t)
			if _, err := io.WriteString(p, post+"Transfer-Encoding: chunked\r\n\r\n"+body); err != nil {
				t.Logf("the server ended before everything was sent: %v", err)
			}
			var m *malformed
			if err := <-failed; !errors.As(err, &m) {
				t.Errorf("the handler saw %v, want a malformed body", err)
			}
			if resp, _ := p.answer("POST"); resp.StatusCode != 400 {
				t.Errorf("status %d", resp.StatusCode)
			}
			p.wantClosed()
		})
	}
}

// limited answers 413 beyond limit bytes and counts what it read.
func limited(limit int64, read *atomic.Int64) Handler {
	return handlerFunc(func(_ context.Context, w Response, r *Request) {
		status := 200
		if r.ContentLength > limit {
			status = 413
		} else {
			n, err := io.Copy(io.Discard, io.LimitReader(r.Body, limit+1))
			read.Add(n)
			if n > limit {
				status = 413
			} else if err != nil {
				status = 400
			}
		}
		if err := w.Start(status, nil, 0); err != nil {
			return
		}
	})
}

func TestH07BodyBeyondTheLimit(t *testing.T) {
	const limit = 64 << 10
	var read atomic.Int64
	w := start(t, ServerConfig{Handler: limited(limit, &read)})
	t.Run("honest length", func(t *testing.T) {
		read.Store(0)
		p := w.dial(t)
		p.send(fmt.Sprintf("%sContent-Length: %d\r\n\r\n", post, limit+1+(64<<10)))
		if resp, _ := p.answer("POST"); resp.StatusCode != 413 || !resp.Close {
			t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
		}
		p.wantClosed()
		if n := read.Load(); n != 0 {
			t.Errorf("%d bytes were read", n)
		}
	})
	t.Run("chunked without length", func(t *testing.T) {
		read.Store(0)
		p := w.dial(t)
		p.send(post + "Transfer-Encoding: chunked\r\n\r\n")
		chunk := "8000\r\n" + repeat("x", 0x8000) + "\r\n"
		sent := 0
		for ; sent < 1<<12; sent++ { // until the server has had enough
			if _, err := io.WriteString(p, chunk); err != nil {
				break
			}
		}
		if sent == 1<<12 {
			t.Error("the server swallowed 128 MiB")
		}
		if n := read.Load(); n != limit+1 {
			t.Errorf("the handler read %d bytes, want %d", n, limit+1)
		}
	})
	t.Run("lying small length", func(t *testing.T) {
		p := w.dial(t)
		p.send(post + "Content-Length: 5\r\n\r\nhelloooooooooooo\r\n\r\n")
		if resp, _ := p.answer("POST"); resp.StatusCode != 200 {
			t.Errorf("first status %d", resp.StatusCode)
		}
		if resp, _ := p.answer("POST"); resp.StatusCode != 400 || !resp.Close {
			t.Errorf("the surplus got status %d", resp.StatusCode)
		}
		p.wantClosed()
	})
}

func TestH10SlowPeersAreClosed(t *testing.T) {
	lim := Limits{HeaderTimeout: 30 * time.Millisecond, BodyTimeout: 30 * time.Millisecond, IdleTimeout: 30 * time.Millisecond}
	seen := make(chan error, 1)
	w := start(t, ServerConfig{Limits: lim, Handler: handlerFunc(func(_ context.Context, w Response, r *Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if r.ContentLength != 0 {
			seen <- err
		}
		if err := w.Start(408, nil, 0); err != nil {
			t.Errorf("start: %v", err)
		}
	})})
	t.Run("silent", func(t *testing.T) { w.dial(t).wantClosed() })
	t.Run("half a head", func(t *testing.T) {
		p := w.dial(t)
		p.send("POST /mcp HT")
		p.wantClosed()
	})
	t.Run("half a body", func(t *testing.T) {
		p := w.dial(t)
		p.send(post + "Content-Length: 10\r\n\r\nabc")
		if err := <-seen; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the handler saw %v", err)
		}
		p.answer("POST")
		p.wantClosed()
	})
	t.Run("half a second head", func(t *testing.T) {
		p := w.dial(t)
		p.send(post + "\r\nPOST")
		p.answer("POST")
		p.wantClosed()
	})
	t.Run("idle", func(t *testing.T) {
		p := w.dial(t)
		p.send(post + "\r\n")
		p.answer("POST")
		p.wantClosed()
	})
	got := strings.Join(w.complaints(), "; ")
	if n := strings.Count(got, "request head too slow"); n != 3 {
		t.Errorf("complaints %q: %d of slow heads, want 3", got, n)
	}
}

func TestH10BodyRateBuysTime(t *testing.T) {
	lim := Limits{BodyTimeout: time.Second, BodyRate: 1024}.filled()
	at := time.Unix(1000, 0)
	for got, want := range map[int64]time.Duration{0: 1, 100: 1, 16 << 10: 17, 20 << 10: 17, 4 << 20: 4097} {
		if until := bodyDeadline(at, got, &lim); until != at.Add(want*time.Second) {
			t.Errorf("%d bytes: %v, want %v s", got, until.Sub(at), want)
		}
	}
}

func TestH24ContinueOnlyWhenTheBodyIsRead(t *testing.T) {
	w := start(t, ServerConfig{Handler: handlerFunc(func(ctx context.Context, w Response, r *Request) {
		if _, ok := r.Header.Get("Authorization"); !ok {
			if err := w.Start(401, nil, 0); err != nil {
				t.Errorf("start: %v", err)
			}
			return
		}
		echo(ctx, w, r)
	})})
	t.Run("refused before the body", func(t *testing.T) {
		p := w.dial(t)
		p.send(post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
		if resp, _ := p.answer("POST"); resp.StatusCode != 401 || !resp.Close {
			t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
		}
		p.wantClosed()
	})
	t.Run("accepted", func(t *testing.T) {
		p := w.dial(t)
		p.send(post + "Authorization: x\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
		line, err := p.r.ReadString('\n')
		if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if line, err = p.r.ReadString('\n'); line != "\r\n" {
			t.Fatalf("%q, %v", line, err)
		}
		p.send("hello")
		if resp, body := p.answer("POST"); resp.StatusCode != 200 || body != "POST /mcp\nhello" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	})
	t.Run("without a body", func(t *testing.T) {
		p := w.dial(t)
		p.send(post + "Authorization: x\r\nExpect: 100-continue\r\n\r\n" + post + "\r\n")
		if resp, _ := p.answer("POST"); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
		if resp, _ := p.answer("POST"); resp.StatusCode != 401 {
			t.Errorf("next status %d", resp.StatusCode)
		}
	})
}

func TestH28PipelineStopsAtTheInvalidOne(t *testing.T) {
	w := start(t, ServerConfig{Handler: echo})
	p := w.dial(t)
	var all strings.Builder
	for i := range 50 {
		if i == 2 {
			all.WriteString("GET /2 HTTP/1.1\r\nHost : gw\r\n\r\n")
			continue
		}
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: gw\r\n\r\n", i)
	}
	p.send(all.String())
	for i := range 2 {
		if resp, body := p.answer("GET"); resp.StatusCode != 200 || body != fmt.Sprintf("GET /%d\n", i) {
			t.Errorf("answer %d: %d %q", i, resp.StatusCode, body)
		}
	}
	if resp, _ := p.answer("GET"); resp.StatusCode != 400 || !resp.Close {
		t.Errorf("third answer %d", resp.StatusCode)
	}
	p.wantClosed()
}

func TestH28PipelineKeepsOrder(t *testing.T) {
	w := start(t, ServerConfig{Handler: echo})
	p := w.dial(t)
	go func() {
		for i := range 200 {
			if _, err := fmt.Fprintf(p, "POST /%d HTTP/1.1\r\nHost: gw\r\nContent-Length: 3\r\n\r\nabc", i); err != nil {
				t.Errorf("send %d: %v", i, err)
				return
			}
		}
	}()
	for i := range 200 {
		if _, body := p.answer("POST"); body != fmt.Sprintf("POST /%d\nabc", i) {
			t.Fatalf("answer %d: %q", i, body)
		}
	}
}

func TestH11SlowReaderIsCut(t *testing.T) {
	ended := make(chan error, 1)
	w := start(t, ServerConfig{Limits: Limits{WriteTimeout: 50 * time.Millisecond}, Handler: handlerFunc(func(ctx context.Context, w Response, _ *Request) {
		err := w.Start(200, nil, -1)
		piece := make([]byte, 64<<10)
		for i := 0; i < 1600 && err == nil; i++ { // 100 MiB if nobody stops it
			_, err = w.Write(piece)
		}
		if ctx.Err() == nil {
			t.Error("the context goes on after a failed write")
		}
		ended <- err
	})})
	p := w.dial(t)
	if err := p.Conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	p.send(post + "\r\n")
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the handler's write ended with %v", err)
	}
}
