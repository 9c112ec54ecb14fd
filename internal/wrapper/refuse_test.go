package wrapper

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

func TestMalformedLinesAreAnsweredAndNotSent(t *testing.T) {
	a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, body string) {
		t.Errorf("the gateway got %.100q", body)
	}), func(c *Config) { c.MessageBytes = 2000 })
	a.shake()
	for line, want := range map[string]string{
		"nonsense": `"code":-32700`,
		`{"jsonrpc":"2.0","id":5,"id":6,"method":"ping"}`: `"code":-32600`,
		`{"jsonrpc":"1.0","id":5,"method":"ping"}`:        `"id":5,"error":{"code":-32600`,
		"\xff\xfe":                               `"code":-32700`,
		callLine("1", strings.Repeat("x", 3000)): `"code":31001`,
		strings.Repeat("[", 1500):                `"code":31001`,
		"[]":                                     `"code":-32600`,
	} {
		a.send(line)
		a.wantLike(want)
	}
	a.send("", "  ", "\r")
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
}

func TestIDInUseIsRefused(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) {
		close(begun)
		<-release
		jsonAnswer(w, 200, result("1"))
	}), nil)
	a.shake()
	a.send(callLine("1", "t"))
	<-begun
	a.send(callLine("1", "t"))
	if line := a.read(); strings.Contains(line, `"id"`) || !strings.Contains(line, "in use") {
		t.Errorf("refusal %s", line)
	}
	close(release)
	a.want(result("1"))
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	s := &shim{running: map[wire.ID]*call{}, callCtx: t.Context()}
	for i := range maxCalls + 1 {
		c := &call{order: []wire.ID{wire.IntID(int64(i))}}
		err := s.admit(c)
		if i < maxCalls && err != nil || i == maxCalls && !fault.Is(err, fault.Busy) {
			t.Fatalf("request %d: %v", i, err)
		}
		if err == nil {
			defer c.stop()
		}
	}
}

func TestBadAnswersBecomeErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		status     int
		kind, body string
		want       string
	}{
		"another id":       {200, "application/json", result("2"), `31051`},
		"no answer":        {200, "application/json", initDone, `31051`},
		"not JSON":         {200, "application/json", "<html>", `31051`},
		"another type":     {200, "text/html", result("1"), `31051`},
		"too large":        {200, "application/json", strings.Repeat(" ", 5000), `31052`},
		"accepted":         {202, "", "", `HTTP status 202`},
		"redirect":         {307, "", "", `HTTP status 307`},
		"forbidden":        {403, "text/plain", "no", `31020`},
		"too many":         {429, "", "", `31030`},
		"too large for it": {413, "", "", `31001`},
		"broken error":     {502, "application/json", "{", `HTTP status 502`},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header().Set("Content-Type", tc.kind)
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body) // what arrives is the test
			}), func(c *Config) { c.MessageBytes = 4000 })
			a.shake()
			a.send(callLine("1", "t"))
			a.wantLike(`"id":1,"error"`, tc.want)
			if err := a.end(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestConnectionThatBreaksIsAnError(t *testing.T) {
	a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) { panic(http.ErrAbortHandler) }), nil)
	a.shake()
	a.send(callLine("1", "t"))
	a.wantLike(`"id":1,"error"`, "The connection to the gateway ended before the answer.")
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(a.log.String(), "No answer to tools/call"); n != 1 {
		t.Errorf("log %s", a.log)
	}
}

func TestOutstandingAnswersAreAwaitedAtTheEnd(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) {
		close(begun)
		<-release
		jsonAnswer(w, 200, result("1"))
	}), nil)
	a.shake()
	a.send(callLine("1", "t"))
	<-begun
	if err := a.in.Close(); err != nil {
		t.Fatal(err)
	}
	close(release)
	a.want(result("1"))
	if err := <-a.ended; err != nil {
		t.Fatal(err)
	}
}

func TestGraceBoundsTheWaitAtTheEnd(t *testing.T) {
	begun := make(chan bool)
	a := open(t, noStream(func(w http.ResponseWriter, r *http.Request, _ string) {
		close(begun)
		<-r.Context().Done()
	}), func(c *Config) { c.Grace = time.Millisecond })
	a.shake()
	a.send(callLine("1", "t"))
	<-begun
	if err := a.in.Close(); err != nil {
		t.Fatal(err)
	}
	a.wantLike(`"id":1,"error"`, "ended before the answer")
	if err := <-a.ended; err != nil {
		t.Fatal(err)
	}
}

func TestContextEndsTheRunAndTheSession(t *testing.T) {
	begun := make(chan bool)
	a := open(t, noStream(func(w http.ResponseWriter, r *http.Request, _ string) {
		close(begun)
		<-r.Context().Done()
	}), nil)
	a.shake()
	a.send(callLine("1", "t"))
	<-begun
	a.cancel()
	a.wantLike(`"id":1,"error"`)
	if err := <-a.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if m := a.methods(); m[len(m)-1] != "DELETE" {
		t.Errorf("requests %q", m)
	}
}

func TestAppThatStopsReadingEndsTheRun(t *testing.T) {
	outR, outW := io.Pipe()
	a := open(t, noStream(nil), func(c *Config) { c.Out = outW })
	broken := errors.New("the app closed its input")
	if err := outR.CloseWithError(broken); err != nil {
		t.Fatal(err)
	}
	a.send(initialize)
	if err := <-a.ended; !errors.Is(err, broken) {
		t.Errorf("Run = %v", err)
	}
}

func TestUnreachableGatewayIsToldAtTheStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log := &safeBuffer{}
	err = Run(t.Context(), Config{
		URL: "http://" + addr + "/mcp", In: unread{t}, Out: io.Discard, Log: log, Dial: (&net.Dialer{}).DialContext,
	})
	if !fault.Is(err, fault.UpstreamUnreachable) || !strings.Contains(log.String(), "ostiary up") {
		t.Errorf("Run = %v; log %s", err, log)
	}
}

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the app's messages were read")
	return 0, io.EOF
}

func TestRefusedCertificateIsToldAtTheStart(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	secure := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	log := &safeBuffer{}
	err := Run(t.Context(), Config{
		URL: server.URL + "/mcp", TLS: secure, In: unread{t}, Out: io.Discard, Log: log, Dial: (&net.Dialer{}).DialContext,
	})
	if !fault.Is(err, fault.Unauthenticated) || !strings.Contains(log.String(), "certificate") {
		t.Errorf("Run = %v; log %s", err, log)
	}
}

func TestURLAndTLSMustFit(t *testing.T) {
	for _, c := range []Config{
		{URL: "https://h/mcp"}, {URL: "http://h/mcp", TLS: &tls.Config{}}, {URL: "ftp://h/mcp"}, {URL: ":"},
		{URL: "http:///mcp"}, {URL: "http://u@h/mcp"}, {URL: "http://h/mcp#f"}, {URL: "http://h"},
	} {
		if _, err := newShim(c); err == nil {
			t.Errorf("URL %q with TLS %v is taken", c.URL, c.TLS != nil)
		}
	}
}

func TestLogIsPrintable(t *testing.T) {
	log := &safeBuffer{}
	(&output{log: log}).say("a\x1b[2J", errors.New("b\nc\u202e"))
	if got := log.String(); got != "ostiary wrap: a?[2J (b?c?)\n" {
		t.Errorf("log %q", got)
	}
}

func FuzzLines(f *testing.F) {
	f.Add("{}\r\n\n[]\nlast", 3)
	f.Add("123456789\n1\n", 4)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(max(limit, 1), 1<<16)
		r := bufio.NewReaderSize(strings.NewReader(text), 16)
		var want []string
		for l := range strings.SplitSeq(text, "\n") {
			want = append(want, strings.TrimRight(l, "\r"))
		}
		for i := 0; ; i++ {
			l, err := readLine(r, limit)
			whole := want[i]
			if l.large != (l.text == nil && len(whole) > 0) || len(l.text) > limit || !l.large && string(l.text) != whole {
				t.Fatalf("line %d of %q at limit %d: %q, large %v", i, text, limit, l.text, l.large)
			}
			if err != nil {
				if i != len(want)-1 {
					t.Fatalf("%d of %d lines", i+1, len(want))
				}
				return
			}
		}
	})
}
