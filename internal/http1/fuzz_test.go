package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// ours reads one request from raw as the server does.
func ours(raw []byte, lim *Limits) (s *serving, c *conn, err error) {
	srv := &Server{lim: *lim}
	c = &conn{srv: srv}
	c.in.src = bytes.NewReader(raw)
	s = new(serving)
	if err := c.readRequest(s); err != nil {
		return nil, nil, err
	}
	return s, c, nil
}

// wantSameHeader compares field for field, in the form that net/http keeps.
func wantSameHeader(t *testing.T, h Header, theirs http.Header) {
	t.Helper()
	own := http.Header{}
	for _, f := range h {
		if !same(f.Name, "Transfer-Encoding") && !same(f.Name, "Trailer") && !same(f.Name, "Connection") {
			own.Add(f.Name, f.Value)
		}
	}
	theirs = theirs.Clone()
	theirs.Del("Trailer")
	theirs.Del("Connection") // which it takes away when it says close
	if cc := own["Pragma"]; len(cc) > 0 && cc[0] == "no-cache" && len(own["Cache-Control"]) == 0 {
		theirs.Del("Cache-Control") // net/http invents it
	}
	if len(own) != len(theirs) {
		t.Fatalf("fields %q, net/http has %q", own, theirs)
	}
	for name, values := range own {
		if strings.Join(values, "\n") != strings.Join(theirs[name], "\n") {
			t.Fatalf("%s: %q, net/http has %q", name, values, theirs[name])
		}
	}
}

// FuzzHead holds the parser against net/http's: a request that we accept,
// net/http accepts with the same reading, body and rest included. The same
// bytes are then read as an answer.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		post + "\r\n", post + "Content-Length: 3\r\n\r\nabcGET", post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nrest",
		"GET /a%2Fb?x=%zz HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\nConnection: close\r\nX: a\tb \r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.0 404\r\n\r\nto the end", "HTTP/1.1 204 No Content\r\nTrailer: X\r\n\r\n",
		post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", post + "X: a\r\n b\r\n\r\n", post + "Host : a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n",
		post + "Pragma: no-cache\r\n\r\n", "GET //x HTTP/1.1\r\nHost: gw\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		compareRequest(t, raw)
		compareResponse(t, raw)
	})
}

func compareRequest(t *testing.T, raw []byte) {
	lim := DefaultLimits()
	s, c, err := ours(raw, &lim)
	if err != nil {
		return
	}
	br := bufio.NewReader(bytes.NewReader(raw))
	req, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("net/http refuses it: %v", err)
	}
	if s.req.Method != req.Method || s.req.Target != req.RequestURI || s.req.Host != req.Host || s.req.Path != req.URL.EscapedPath() && !escapes(s.req.Path) {
		t.Fatalf("%s %s %s, net/http has %s %s %s", s.req.Method, s.req.Target, s.req.Host, req.Method, req.RequestURI, req.Host)
	}
	if s.req.Query != req.URL.RawQuery || s.res.closes != req.Close {
		t.Fatalf("query %q close %v, net/http has %q %v", s.req.Query, s.res.closes, req.URL.RawQuery, req.Close)
	}
	if s.req.ContentLength != req.ContentLength {
		t.Fatalf("length %d, net/http has %d", s.req.ContentLength, req.ContentLength)
	}
	wantSameHeader(t, s.req.Header, req.Header)
	compareBodies(t, &s.body.left, req.Body, &c.in, br)
}

// escapes reports whether net/url may write the path in another way than it
// was: it does so for characters that need not be escaped, or should be.
func escapes(path string) bool {
	return strings.ContainsAny(path, "%\"<>[]\\^`{|}!'()*;,")
}

func compareResponse(t *testing.T, raw []byte) {
	lim := DefaultLimits()
	k := &call{client: &Client{lim: lim}, cc: &clientConn{}}
	k.cc.in.src = bytes.NewReader(raw)
	status, old, facts, err := k.head()
	if err != nil || bytes.HasPrefix(raw, []byte("HTTP/1.1 1")) || bytes.HasPrefix(raw, []byte("HTTP/1.0 1")) {
		return
	}
	k.frame("POST", status, facts)
	br := bufio.NewReader(bytes.NewReader(raw))
	resp, err := http.ReadResponse(br, &http.Request{Method: "POST"})
	if err != nil {
		t.Fatalf("net/http refuses it: %v", err)
	}
	if status != resp.StatusCode || old != (resp.ProtoMinor == 0) {
		t.Fatalf("status %d, net/http has %d", status, resp.StatusCode)
	}
	if k.resp.ContentLength != resp.ContentLength && k.body.mode != noBody {
		t.Fatalf("length %d, net/http has %d", k.resp.ContentLength, resp.ContentLength)
	}
	wantSameHeader(t, k.resp.Header, resp.Header)
	compareBodies(t, &k.body, resp.Body, &k.cc.in, br)
}

// compareBodies wants equal bytes and rests where we accept the body.
func compareBodies(t *testing.T, own *body, theirs io.Reader, in *reader, br *bufio.Reader) {
	t.Helper()
	body, err := io.ReadAll(own)
	if err != nil {
		return
	}
	std, err := io.ReadAll(theirs)
	if err != nil || !bytes.Equal(body, std) {
		t.Fatalf("body %q, net/http has %q, %v", body, std, err)
	}
	rest, err := io.ReadAll(io.MultiReader(bytes.NewReader(in.buf[in.r:in.w]), in.src))
	if err != nil {
		t.Fatal(err)
	}
	stdRest, err := io.ReadAll(br)
	if err != nil || !bytes.Equal(rest, stdRest) {
		t.Fatalf("then %q, net/http has %q, %v", rest, stdRest, err)
	}
}

// FuzzChunked reads raw as a chunked body, in pieces of the given size, and
// wants net/http to agree with what is accepted.
func FuzzChunked(f *testing.F) {
	for _, seed := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\nrest", "0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n",
		"FFFFFFFFFFFFFFFFF\r\n", "5\nhello\n0\n\n", "00005\r\nhello\r\n0000\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed), byte(1))
		f.Add([]byte(seed), byte(7))
	}
	f.Fuzz(func(t *testing.T, raw []byte, piece byte) {
		lim := DefaultLimits()
		in := &reader{src: pieces{bytes.NewReader(raw), int(piece) + 1}}
		var b body
		b.set(in, &lim, byChunks, 0)
		got, err := io.ReadAll(&b)
		if err != nil {
			var m *malformed
			if !errors.As(err, &m) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("unforeseen error %v", err)
			}
			if _, again := b.Read(make([]byte, 1)); !errors.Is(again, err) {
				t.Fatalf("%v, then %v", err, again)
			}
			return
		}
		head := post + "Transfer-Encoding: chunked\r\n\r\n"
		br := bufio.NewReader(strings.NewReader(head + string(raw)))
		req, err := http.ReadRequest(br)
		if err != nil {
			t.Fatal(err)
		}
		std, err := io.ReadAll(req.Body)
		if err != nil || !bytes.Equal(got, std) {
			t.Fatalf("%q, net/http has %q, %v", got, std, err)
		}
		rest, err := io.ReadAll(io.MultiReader(bytes.NewReader(in.buf[in.r:in.w]), in.src))
		if err != nil {
			t.Fatal(err)
		}
		if stdRest, err := io.ReadAll(br); err != nil || !bytes.Equal(rest, stdRest) {
			t.Fatalf("then %q, net/http has %q, %v", rest, stdRest, err)
		}
	})
}

// pieces gives at most n bytes per Read.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }
