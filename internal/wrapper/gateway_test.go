package wrapper

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is one request as the scripted gateway saw it.
type seen struct {
	method string
	head   http.Header
	body   string
}

// app is the client app's side of a run, with the scripted gateway behind it.
type app struct {
	t      *testing.T
	in     *io.PipeWriter
	lines  *bufio.Reader
	log    *safeBuffer
	cancel context.CancelFunc
	ended  chan error

	mu   sync.Mutex
	seen []seen
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// handler is the script; it gets the body that was read already.
type handler func(w http.ResponseWriter, r *http.Request, body string)

// open runs the shim between a test and a scripted gateway. change may be nil.
func open(t *testing.T, h handler, change func(*Config)) *app {
	t.Helper()
	a := &app{t: t, log: &safeBuffer{}, ended: make(chan error, 1)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the shim has gone
		}
		a.mu.Lock()
		a.seen = append(a.seen, seen{r.Method, r.Header.Clone(), string(body)})
		a.mu.Unlock()
		h(w, r, string(body))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections of ended runs
	server.StartTLS()
	secure := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	server.Client().CloseIdleConnections()
	secure.ServerName = "example.com"
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	a.in, a.lines = inW, bufio.NewReader(outR)
	c := Config{
		URL: server.URL + "/s/one/mcp", TLS: secure, In: inR, Out: outW, Log: a.log,
		Dial: (&net.Dialer{}).DialContext, Grace: time.Minute,
	}
	if change != nil {
		change(&c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	go func() {
		a.ended <- Run(ctx, c)
		_ = outW.Close()
	}()
	t.Cleanup(func() {
		_ = inW.Close()
		_ = outR.Close()
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	return a
}

// send writes lines as the app.
func (a *app) send(lines ...string) {
	a.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(a.in, l+"\n"); err != nil {
			a.t.Fatal(err)
		}
	}
}

// read returns the next line for the app.
func (a *app) read() string {
	a.t.Helper()
	line, err := a.lines.ReadString('\n')
	if err != nil {
		a.t.Fatalf("the shim wrote no line: %v; log:\n%s", err, a.log)
	}
	return strings.TrimSuffix(line, "\n")
}

// want reads the next line and compares its bytes.
func (a *app) want(line string) {
	a.t.Helper()
	if got := a.read(); got != line {
		a.t.Fatalf("the app got\n%s\nwant\n%s", got, line)
	}
}

// wantLike reads the next line and looks for parts of it.
func (a *app) wantLike(parts ...string) {
	a.t.Helper()
	got := a.read()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			a.t.Fatalf("the app got\n%s\nwithout\n%s", got, part)
		}
	}
}

// end closes the app's output, wants no further line, and returns what Run did.
func (a *app) end() error {
	a.t.Helper()
	if err := a.in.Close(); err != nil {
		a.t.Fatal(err)
	}
	if rest, err := io.ReadAll(a.lines); err != nil || len(rest) > 0 {
		a.t.Errorf("unexpected lines %q, %v", rest, err)
	}
	return <-a.ended
}

// requests returns what the gateway saw so far.
func (a *app) requests() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seen(nil), a.seen...)
}

// methods lists the HTTP methods and, of POSTs, what stands after "method":".
func (a *app) methods() []string {
	var all []string
	for _, r := range a.requests() {
		all = append(all, strings.TrimSpace(r.method+" "+methodOf(r.body)))
	}
	return all
}

func methodOf(body string) string {
	_, rest, _ := strings.Cut(body, `"method":"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

func jsonAnswer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the shim may have gone
}

// events starts a stream and returns a function that sends raw frames.
func events(w http.ResponseWriter) func(frames string) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(200)
	flush := w.(http.Flusher).Flush
	flush()
	return func(frames string) {
		_, _ = io.WriteString(w, frames) // the shim may have gone
		flush()
	}
}

const (
	sessionID  = "session-1"
	initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}`
	initResult = `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`
	initDone   = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// legacy answers the handshake and passes everything else to h; without a
// stream of its own in h, GET is answered 405.
func legacy(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, body string) {
		switch {
		case methodOf(body) == "initialize":
			w.Header().Set("Mcp-Session-Id", sessionID)
			jsonAnswer(w, 200, initResult)
		case methodOf(body) == "notifications/initialized":
			w.WriteHeader(202)
		case r.Method == "DELETE":
			w.WriteHeader(204)
		case r.Method == "GET" && r.Header.Get("Last-Event-ID") == "" && h == nil:
			w.WriteHeader(405)
		default:
			h(w, r, body)
		}
	}
}

// shake performs the handshake.
func (a *app) shake() {
	a.t.Helper()
	a.send(initialize)
	a.want(initResult)
	a.send(initDone)
}

func noStream(h handler) handler {
	return legacy(func(w http.ResponseWriter, r *http.Request, body string) {
		if r.Method == "GET" && r.Header.Get("Last-Event-ID") == "" {
			w.WriteHeader(405)
			return
		}
		h(w, r, body)
	})
}

func callLine(id, tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, id, tool)
}

func modernLine(id, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":7}%s}}`, id, method, params)
}

func result(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, id)
}
