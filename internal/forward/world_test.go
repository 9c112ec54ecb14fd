package forward

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// asServer is the variable that makes the test binary a stdio server.
const asServer = "FORWARD_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		stdioServer(os.Stdin, os.Stdout)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// stdioServer answers line by line. tools/call of "env" gives the environment,
// "exit" ends the server without an answer, "last" answers and ends it, "junk"
// writes a line that is no message, "quiet" never answers.
func stdioServer(in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m, err := wire.Parse(lines.Bytes(), wire.DefaultLimits(), wire.FromClient)
		if err != nil || m.Kind() != wire.Request {
			continue
		}
		body, end := `{"content":[]}`, false
		switch name, _ := m.Params().Get("name").Text(); {
		case m.Method() == "initialize":
			body = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"stdio","version":"1"}}`
		case m.Method() == "server/discover":
			body = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"instructions":"modern"}`
		case m.Method() == "tools/list":
			body = `{"tools":[{"name":"env"}]}`
		case name == "env":
			body = `{"content":[{"type":"text","text":` + string(wire.Quote(strings.Join(os.Environ(), "\n"))) + `}]}`
		case name == "exit":
			return
		case name == "last":
			end = true
		case name == "junk":
			fmt.Fprintln(out, "starting up...")
			continue
		case name == "quiet":
			continue
		}
		fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.ID().Raw(), body)
		if end {
			return
		}
	}
}

// house is a step with its log, whose dialler reaches loopback only.
type house struct {
	*Step
	mu   sync.Mutex
	logs []string
	env  map[string]string
}

func newHouse(t *testing.T, change ...func(*Config)) *house {
	t.Helper()
	h := &house{env: map[string]string{}}
	cfg := Config{
		Dial: func(ctx context.Context, network, addr string, private bool) (net.Conn, error) {
			if !private {
				return nil, fault.New(fault.EgressForbidden)
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		Open: func(_ string, s registry.Secret) ([]byte, error) {
			if string(s.Sealed) == "damaged" {
				return nil, errors.New("does not open")
			}
			return s.Sealed, nil
		},
		Environ: func(name string) (string, bool) { v, ok := h.env[name]; return v, ok },
		Budget:  quota.NewBudget(0),
		Log: func(_, msg string, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.logs = append(h.logs, fmt.Sprint(msg, ": ", err))
		},
		Dir:  t.TempDir(),
		Wire: wire.DefaultLimits(),
	}
	for _, c := range change {
		c(&cfg)
	}
	h.Step = New(cfg)
	t.Cleanup(h.Close)
	return h
}

// logged reports whether the log has a line with part.
func (h *house) logged(part string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(strings.Join(h.logs, "\n"), part)
}

// upstream is an HTTP server whose requests are kept.
type upstream struct {
	t      *testing.T
	addr   string
	mu     sync.Mutex
	got    []seen
	handle func(w http1.Response, r *http1.Request, body string)
}

type seen struct {
	method, target, body string
	header               http1.Header
}

func newUpstream(t *testing.T, cfg http1.ServerConfig, handle func(w http1.Response, r *http1.Request, body string)) *upstream {
	t.Helper()
	u := &upstream{t: t, handle: handle}
	cfg.Handler = u
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.addr = l.Addr().String()
	server := http1.NewServer(cfg)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return u
}

// Serve keeps the request and hands it on.
func (u *upstream) Serve(_ context.Context, w http1.Response, r *http1.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	u.mu.Lock()
	u.got = append(u.got, seen{r.Method, r.Target, string(body), append(http1.Header{}, r.Header...)})
	u.mu.Unlock()
	u.handle(w, r, string(body))
}

func (u *upstream) requests() []seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]seen{}, u.got...)
}

// server is the registry's row of the upstream.
func (u *upstream) server(change ...func(*registry.Server)) *registry.Server {
	srv := &registry.Server{ID: "up", State: registry.Active, Transport: registry.HTTP, URL: "http://" + u.addr + "/mcp?k=v", Private: true}
	for _, c := range change {
		c(srv)
	}
	return srv
}

// respond writes a whole answer. extra are pairs of name and value.
func respond(t *testing.T, w http1.Response, status int, kind, body string, extra ...string) {
	h := http1.Header{}
	if kind != "" {
		h = append(h, http1.Field{Name: "Content-Type", Value: kind})
	}
	for i := 0; i+1 < len(extra); i += 2 {
		h = append(h, http1.Field{Name: extra[i], Value: extra[i+1]})
	}
	if err := w.Start(status, h, int64(len(body))); err != nil {
		t.Error(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Log("the client left:", err)
	}
}

// events writes an event stream of these messages and ends it.
func events(t *testing.T, w http1.Response, messages ...string) {
	if err := w.Start(200, http1.Header{{Name: "Content-Type", Value: "text/event-stream"}}, -1); err != nil {
		t.Error(err)
	}
	for _, m := range messages {
		if _, err := io.WriteString(w, "data: "+m+"\n\n"); err != nil {
			return
		}
	}
	if err := w.Flush(); err != nil {
		t.Log("the client left:", err)
	}
}

func parsed(t *testing.T, text string, from wire.Side) *wire.Message {
	t.Helper()
	m, err := wire.Parse([]byte(text), wire.DefaultLimits(), from)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// legacy returns an exchange in session "s-1" of the legacy era; text is the
// message after its version.
func legacy(t *testing.T, srv *registry.Server, text string) *exchange.Exchange {
	t.Helper()
	x := exchangeOf(t, srv, wire.V20251125, text)
	x.Session = &exchange.Session{ID: "s-1", Version: wire.V20251125, Capabilities: "{}", Remote: "remote-1", New: x.Fact.Method == "initialize"}
	return x
}

func modern(t *testing.T, srv *registry.Server, text string) *exchange.Exchange {
	t.Helper()
	return exchangeOf(t, srv, wire.V20260728, text)
}

func exchangeOf(t *testing.T, srv *registry.Server, v wire.Version, text string) *exchange.Exchange {
	t.Helper()
	m := parsed(t, `{"jsonrpc":"2.0",`+text+`}`, wire.FromClient)
	fact, _ := wire.Lookup(m.Method(), v, wire.FromClient)
	return &exchange.Exchange{ID: "x-1", Endpoint: srv.ID, Server: srv, Era: v.Era(), Version: v, Request: m, Fact: fact, Capable: "{}"}
}

// frame is what one exchange yielded.
type frame struct {
	text  string
	event wire.Event
}

// sent forwards x and returns every frame up to the answer.
func sent(t *testing.T, h *house, x *exchange.Exchange) ([]frame, error) {
	t.Helper()
	if err := h.Send(t.Context(), x); err != nil {
		return nil, err
	}
	return frames(x)
}

func frames(x *exchange.Exchange) ([]frame, error) {
	var got []frame
	if x.Answers == nil {
		return nil, nil
	}
	for a, err := range x.Answers {
		if err != nil {
			return got, err
		}
		f := frame{event: a.Event}
		if a.Message != nil {
			f.text = string(a.Message.Raw())
		}
		got = append(got, f)
		if isAnswer(a.Message) {
			break
		}
	}
	return got, nil
}

// lastOf forwards x and returns the text of its last frame.
func lastOf(t *testing.T, h *house, x *exchange.Exchange) string {
	t.Helper()
	got, err := sent(t, h, x)
	if err != nil || len(got) == 0 {
		t.Fatalf("%d frames, %v", len(got), err)
	}
	return got[len(got)-1].text
}

func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if kind == "" && err != nil || kind != "" && !fault.Is(err, kind) {
		t.Errorf("%s: %v, want %q", what, err, kind)
	}
}

// stdio is the registry's row of the test binary as a server.
func stdio(t *testing.T, change ...func(*registry.Server)) *registry.Server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	srv := &registry.Server{ID: "child", State: registry.Active, Transport: registry.Stdio, Command: []string{self}, Secrets: []registry.Secret{{Name: asServer, Sealed: []byte("1")}}}
	for _, c := range change {
		c(srv)
	}
	return srv
}

// tape is a conduit held by the test.
type tape struct {
	lines   chan string // from the server
	written chan string // to the server
	stopped chan struct{}
	once    sync.Once
}

func newTape() *tape {
	return &tape{lines: make(chan string, 1024), written: make(chan string, 1024), stopped: make(chan struct{})}
}

func (c *tape) Write(line []byte) error {
	select {
	case <-c.stopped:
		return errors.New("stopped")
	case c.written <- string(line):
		return nil
	}
}

func (c *tape) Read() ([]byte, error) {
	select {
	case line, ok := <-c.lines:
		if !ok {
			return nil, io.EOF
		}
		return []byte(line), nil
	case <-c.stopped:
		return nil, io.EOF
	}
}

func (c *tape) Stop() { c.once.Do(func() { close(c.stopped) }) }

// piping returns a pipe over a tape.
func piping(t *testing.T, alone bool, change ...func(*Config)) (*pipe, *tape, *house) {
	t.Helper()
	h := newHouse(t, change...)
	owner, err := newPiped(h.Step, stdio(t))
	if err != nil {
		t.Fatal(err)
	}
	c := newTape()
	p := newPipe(c, owner, alone)
	t.Cleanup(p.stop)
	return p, c, h
}

// write puts PEM blocks into a file and returns its path.
func write(t *testing.T, name string, blocks ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var all []byte
	for _, b := range blocks {
		all = append(all, b...)
	}
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func certificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// noon is a clock that stands still.
func noon() clock.Clock {
	return clock.Fixed(func() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) })
}
