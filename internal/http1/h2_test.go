package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is a raw HTTP/2 client: it may send what no library would.
type frames struct {
	t *testing.T
	*http2.Framer
	conn *tls.Conn
	head bytes.Buffer
	enc  *hpack.Encoder
}

func (w *world) frames(t *testing.T, cfg *tls.Config) *frames {
	t.Helper()
	cfg = cfg.Clone()
	cfg.NextProtos = []string{"h2"}
	nc := tls.Client(w.dial(t).Conn, cfg)
	if err := nc.Handshake(); err != nil {
		t.Fatal(err)
	}
	f := &frames{t: t, Framer: http2.NewFramer(nc, nc), conn: nc}
	f.enc = hpack.NewEncoder(&f.head)
	if _, err := io.WriteString(nc, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// block encodes pairs of names and values.
func (f *frames) block(pairs ...string) []byte {
	f.t.Helper()
	f.head.Reset()
	for i := 0; i < len(pairs); i += 2 {
		if err := f.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
			f.t.Fatal(err)
		}
	}
	return bytes.Clone(f.head.Bytes())
}

func (f *frames) open(id uint32, block []byte) error {
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: true, EndHeaders: true})
}

// outcome reads until stream id has a status, or is reset ("reset"), or the
// connection ends ("closed").
func (f *frames) outcome(id uint32) string {
	f.t.Helper()
	dec := hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "closed"
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			fields, err := dec.DecodeFull(frame.HeaderBlockFragment())
			if err != nil {
				f.t.Fatal(err)
			}
			if frame.StreamID == id {
				return fields[0].Value
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == id {
				return "reset"
			}
		case *http2.GoAwayFrame:
			return "closed"
		}
	}
}

// drain reads answers, so that a flood does not stall by itself, until the
// server ends the connection.
func (f *frames) drain() <-chan struct{} {
	dropped := make(chan struct{})
	go func() {
		defer close(dropped)
		for {
			if _, err := f.ReadFrame(); err != nil {
				if os.IsTimeout(err) {
					f.t.Error("the connection was not dropped")
				}
				return
			}
		}
	}()
	return dropped
}

func startH2(t *testing.T, h Handler, lim Limits) (*world, *tls.Config) {
	server, client := testTLS(t)
	return start(t, ServerConfig{Handler: h, TLS: server, HTTP2: true, Limits: lim}), client
}

// h2Client is net/http's client with HTTP/2 on.
func h2Client(t *testing.T, cfg *tls.Config) *http.Client {
	tr := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: guard}
}

func TestH05BadPseudoHeaders(t *testing.T) {
	w, client := startH2(t, handlerFunc(func(_ context.Context, _ Response, r *Request) {
		t.Errorf("%q reached the handler", r.Target)
	}), Limits{})
	with := func(pairs ...string) []string { return append([]string{":authority", "gw"}, pairs...) }
	for name, c := range map[string]struct {
		pairs []string
		want  string
	}{
		"no slash":           {with(":method", "POST", ":scheme", "https", ":path", "mcp"), "reset"},
		"absolute":           {with(":method", "POST", ":scheme", "https", ":path", "https://gw/mcp"), "400"},
		"CR LF":              {with(":method", "POST", ":scheme", "https", ":path", "/mcp\r\nX: y"), "reset"},
		"asterisk":           {with(":method", "OPTIONS", ":scheme", "https", ":path", "*"), "400"},
		"fragment":           {with(":method", "POST", ":scheme", "https", ":path", "/a#b"), "400"},
		"empty path":         {with(":method", "POST", ":scheme", "https", ":path", ""), "reset"},
		"bad escape":         {with(":method", "POST", ":scheme", "https", ":path", "/%zz"), "reset"},
		"non-ASCII path":     {with(":method", "POST", ":scheme", "https", ":path", "/\xc3\xa9"), "400"},
		"space in path":      {with(":method", "POST", ":scheme", "https", ":path", "/a b"), "400"},
		"long path":          {with(":method", "POST", ":scheme", "https", ":path", "/"+repeat("a", 9000)), "414"},
		"TRACE":              {with(":method", "TRACE", ":scheme", "https", ":path", "/"), "405"},
		"no authority":       {[]string{":method", "POST", ":scheme", "https", ":path", "/"}, "400"},
		"two authorities":    {[]string{":method", "POST", ":scheme", "https", ":path", "/", ":authority", "gw", "host", "evil"}, "400"},
		"bad authority":      {[]string{":method", "POST", ":scheme", "https", ":path", "/", ":authority", "a@gw"}, "reset"},
		"two lengths":        {with(":method", "POST", ":scheme", "https", ":path", "/", "content-length", "0", "content-length", "1"), "400"},
		"signed length":      {with(":method", "POST", ":scheme", "https", ":path", "/", "content-length", "+0"), "400"},
		"connection field":   {with(":method", "POST", ":scheme", "https", ":path", "/", "connection", "upgrade"), "400"},
		"upgrade field":      {with(":method", "POST", ":scheme", "https", ":path", "/", "http2-settings", "AAMAAABk"), "400"},
		"transfer encoding":  {with(":method", "POST", ":scheme", "https", ":path", "/", "transfer-encoding", "chunked"), "400"},
		"non-ASCII value":    {with(":method", "POST", ":scheme", "https", ":path", "/", "x", "\xc3\xa9"), "400"},
		"NUL value":          {with(":method", "POST", ":scheme", "https", ":path", "/", "x", "a\x00"), "reset"},
		"H23/long field":     {with(":method", "POST", ":scheme", "https", ":path", "/", "x", repeat("a", 9000)), "431"},
		"H23/too much":       {with(":method", "POST", ":scheme", "https", ":path", "/", "x", repeat("a", 60000)), "reset"},
		"H27/extended":       {with(":method", "CONNECT", ":scheme", "https", ":path", "/", ":protocol", "websocket"), "reset"},
		"H27/plain CONNECT":  {[]string{":method", "CONNECT", ":authority", "gw:1"}, "405"},
		"repeated pseudo":    {with(":method", "POST", ":scheme", "https", ":path", "/", ":path", "/b"), "reset"},
		"upper-case field":   {with(":method", "POST", ":scheme", "https", ":path", "/", "X-Y", "z"), "reset"},
		"late pseudo header": {[]string{":method", "POST", ":scheme", "https", ":path", "/", "x", "y", ":authority", "gw"}, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			f := w.frames(t, client)
			block := f.block(c.pairs...)
			first := block[:min(len(block), 16<<10)]
			err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: true, EndHeaders: len(first) == len(block)})
			for rest := block[len(first):]; len(rest) > 0 && err == nil; {
				n := min(len(rest), 16<<10)
				err = f.WriteContinuation(1, n == len(rest), rest[:n])
				rest = rest[n:]
			}
			if err != nil {
				t.Logf("the server ended before everything was sent: %v", err)
			}
			got := f.outcome(1)
			if got != c.want && (got == "reset" || got == "closed") != (c.want == "reset") {
				t.Errorf("outcome %s, want %s", got, c.want)
			}
		})
	}
}

func TestH06RapidReset(t *testing.T) {
	w, client := startH2(t, handlerFunc(func(ctx context.Context, w Response, r *Request) {
		if r.Path == "/after" {
			echo(ctx, w, r)
			return
		}
		<-ctx.Done()
	}), Limits{})
	f := w.frames(t, client)
	dropped := f.drain()
	block := f.block(":method", "POST", ":scheme", "https", ":path", "/", ":authority", "gw")
	opened := 0
	for ; opened < 10_000; opened++ {
		id := uint32(2*opened + 1)
		if f.open(id, block) != nil || f.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			break
		}
	}
	<-dropped
	t.Logf("%d streams were opened and reset", opened)
	other := h2Client(t, client)
	resp, err := other.Get("https://" + w.addr + "/after")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("other connections: status %d", resp.StatusCode)
	}
}

func TestH06ContinuationFlood(t *testing.T) {
	w, client := startH2(t, handlerFunc(func(context.Context, Response, *Request) { t.Error("the flood reached the handler") }), Limits{})
	f := w.frames(t, client)
	dropped := f.drain()
	block := f.block(":method", "POST", ":scheme", "https", ":path", "/", ":authority", "gw")
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block})
	sent := 0
	for junk := f.block("x", repeat("a", 16000)); err == nil && sent < 4096; sent++ { // 64 MiB
		err = f.WriteContinuation(1, false, junk)
	}
	if err == nil {
		t.Error("64 MiB of header went through")
	}
	<-dropped
}

func TestH06CancelBudget(t *testing.T) {
	var b cancelBudget
	at := time.Unix(1000, 0)
	for i := range cancelBurst {
		if !b.spend(at, true) {
			t.Fatalf("used up after %d", i)
		}
	}
	if b.spend(at, true) {
		t.Error("the burst has no end")
	}
	if !b.spend(at.Add(time.Second), true) {
		t.Error("a second earns nothing")
	}
	for range 2 * cancelBurst {
		b.spend(at, false)
	}
	if !b.spend(at, true) || b.spent > 1 {
		t.Errorf("finished streams earn nothing: %v", b.spent)
	}
}

func TestH2RoundTrips(t *testing.T) {
	w, client := startH2(t, handlerFunc(func(ctx context.Context, w Response, r *Request) {
		if r.Proto != 2 || r.TLS == nil || !r.Peer.Addr().IsLoopback() || r.Path != "/a%2Fb" || r.Query != "q=1" {
			t.Errorf("request %+v", r)
		}
		if v, ok := r.Header.Get("x-y"); !ok || v != "z" || r.Header.Count("host") != 0 {
			t.Errorf("header %v", r.Header)
		}
		echo(ctx, w, r)
	}), Limits{})
	c := h2Client(t, client)
	for name, body := range map[string]io.Reader{
		"length": strings.NewReader("hello"), "unknown": io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")),
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest("POST", "https://"+w.addr+"/a%2Fb?q=1", body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Y", "z")
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || string(got) != "POST /a%2Fb?q=1\nhello" || resp.ProtoMajor != 2 {
				t.Errorf("%q, %v, %s", got, err, resp.Proto)
			}
			if resp.ContentLength != int64(len(got)) || resp.Header.Get("Date") == "" || resp.Header.Get("Server") != "" {
				t.Errorf("%v", resp.Header)
			}
		})
	}
}

func TestH2Answers(t *testing.T) {
	big := repeat("x", 600<<10)
	for name, x := range map[string]struct {
		answer func(context.Context, Response)
		status int
		body   string
		broken bool
	}{
		"stream": {func(_ context.Context, w Response) {
			_ = w.Start(200, nil, -1)
			_, _ = io.WriteString(w, "a")
			_ = w.Flush()
			_, _ = io.WriteString(w, "b")
		}, 200, "ab", false},
		"large": {func(_ context.Context, w Response) {
			_ = w.Start(200, nil, int64(len(big)))
			_, _ = io.WriteString(w, big)
		}, 200, big, false},
		"no content": {func(_ context.Context, w Response) { _ = w.Start(204, Header{{"Connection", "close"}}, 0) }, 204, "", false},
		"silent":     {func(context.Context, Response) {}, 500, "", false},
		"too short":  {func(_ context.Context, w Response) { _ = w.Start(200, nil, 3); _, _ = io.WriteString(w, "a") }, 200, "", true},
		"abort": {func(_ context.Context, w Response) {
			_ = w.Start(200, nil, -1)
			_, _ = io.WriteString(w, "a")
			_ = w.Flush()
			panic(ErrAbort)
		}, 200, "", true},
		"panic": {func(_ context.Context, w Response) { _ = w.Start(200, nil, -1); _ = w.Flush(); panic("boom") }, 200, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			w, client := startH2(t, handlerFunc(func(ctx context.Context, w Response, _ *Request) { x.answer(ctx, w) }), Limits{})
			c := h2Client(t, client)
			resp, err := c.Post("https://"+w.addr+"/", "application/json", strings.NewReader("{}"))
			if err != nil {
				if x.broken {
					return
				}
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if (err != nil) != x.broken {
				t.Fatalf("body error %v", err)
			}
			if resp.StatusCode != x.status || !x.broken && string(body) != x.body {
				t.Errorf("status %d, %d bytes", resp.StatusCode, len(body))
			}
			if _, guessed := resp.Header["Content-Type"]; guessed {
				t.Error("a content type was guessed")
			}
			if logs := strings.Join(w.logged(), "\n"); strings.Contains(logs, "boom") != (name == "panic") {
				t.Errorf("logs %q", logs)
			}
		})
	}
}

func TestH2MisuseIsRefused(t *testing.T) {
	w, client := startH2(t, handlerFunc(func(_ context.Context, w Response, _ *Request) {
		if _, err := w.Write([]byte("x")); !errors.Is(err, errNotStarted) {
			t.Errorf("write: %v", err)
		}
		if err := w.Flush(); !errors.Is(err, errNotStarted) {
			t.Errorf("flush: %v", err)
		}
		if err := w.Start(200, Header{{"X", "a\nb"}}, 0); !errors.Is(err, errField) || w.Started() {
			t.Errorf("field: %v", err)
		}
		if err := w.Start(200, nil, 1); err != nil || !w.Started() {
			t.Errorf("start: %v", err)
		}
		if err := w.Start(200, nil, 1); !errors.Is(err, errStarted) {
			t.Errorf("second start: %v", err)
		}
		if _, err := w.Write([]byte("xy")); !errors.Is(err, errTooMuch) {
			t.Errorf("too much: %v", err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			t.Errorf("write: %v", err)
		}
	}), Limits{})
	resp, err := h2Client(t, client).Get("https://" + w.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "x" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestH2ContextEndsWithTheStream(t *testing.T) {
	began, ended := make(chan struct{}), make(chan time.Time, 1)
	w, client := startH2(t, waiter(began, ended), Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", "https://"+w.addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-began; cancel() }()
	if resp, err := h2Client(t, client).Do(req); !errors.Is(err, context.Canceled) {
		if err == nil {
			resp.Body.Close()
		}
		t.Errorf("do: %v", err)
	}
	<-ended
}

func TestH10H2SlowBodyFails(t *testing.T) {
	seen := make(chan error, 1)
	w, client := startH2(t, handlerFunc(func(_ context.Context, w Response, r *Request) {
		_, err := io.Copy(io.Discard, r.Body)
		seen <- err
	}), Limits{BodyTimeout: 30 * time.Millisecond})
	f := w.frames(t, client)
	block := f.block(":method", "POST", ":scheme", "https", ":path", "/", ":authority", "gw")
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	if err := <-seen; err == nil {
		t.Error("a body without end was read to its end")
	}
}

func TestH11H2ReaderWithoutWindowIsCut(t *testing.T) {
	ended := make(chan error, 1)
	w, client := startH2(t, handlerFunc(func(_ context.Context, w Response, _ *Request) {
		err := w.Start(200, nil, -1)
		for piece := make([]byte, 64<<10); err == nil; {
			_, err = w.Write(piece)
		}
		ended <- err
	}), Limits{WriteTimeout: 50 * time.Millisecond})
	f := w.frames(t, client)
	if err := f.open(1, f.block(":method", "GET", ":scheme", "https", ":path", "/", ":authority", "gw")); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("endless writes end without an error")
	}
}

func TestH2Shutdown(t *testing.T) {
	w, client := startH2(t, echo, Limits{})
	c := h2Client(t, client)
	resp, err := c.Get("https://" + w.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "GET /\n" {
		t.Errorf("%q, %v", body, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	if err := w.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if resp, err := c.Get("https://" + w.addr + "/"); err == nil {
		resp.Body.Close()
		t.Error("served after shutdown: " + fmt.Sprint(resp.Status))
	}
}

func TestH2CloseWaitsForHandlers(t *testing.T) {
	began, ended := make(chan struct{}), make(chan time.Time, 1)
	w, client := startH2(t, waiter(began, ended), Limits{})
	f := w.frames(t, client)
	if err := f.open(1, f.block(":method", "POST", ":scheme", "https", ":path", "/", ":authority", "gw")); err != nil {
		t.Fatal(err)
	}
	<-began
	if err := w.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	select {
	case <-ended:
	default:
		t.Error("a handler runs on after Close")
	}
	late := &h2Conn{}
	late.end()
	if late.begin() {
		t.Error("a stream begins on a connection that has ended")
	}
}
