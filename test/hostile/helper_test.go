package hostile

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ostiary.dev/ostiary/test/doortest"
)

// soak asks for the long form of the cases that repeat something.
var soak = flag.Bool("soak", false, "repeat until it hurts, for hours")

func TestMain(m *testing.M) {
	doortest.Main()
	flag.Parse()
	code := m.Run()
	for _, h := range hosts {
		if !h.close() {
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// versions are the protocol versions that clients may speak, newest first.
var versions = []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}

// eras are the newest versions of both eras.
var eras = versions[:2]

// hosts are the hosts that TestMain closes. Tests of this package do not run
// in parallel.
var hosts []*host

// host is a testing.TB that outlives a test: failures go to the test that runs
// just now, what it owns ends with the process.
type host struct {
	testing.TB // the running test; nil before the first and after the last
	ctx        context.Context
	cancel     context.CancelFunc
	cleanups   []func()
	failed     bool
}

func newHost() *host {
	h := &host{}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	hosts = append(hosts, h)
	return h
}

// close runs the cleanups, last first, and tells whether all went well.
func (h *host) close() bool {
	h.TB = nil
	h.cancel()
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		h.cleanups[i]()
	}
	return !h.failed
}

// Cleanup, Context and TempDir last as long as the host.
func (h *host) Cleanup(f func())         { h.cleanups = append(h.cleanups, f) }
func (h *host) Context() context.Context { return h.ctx }

func (h *host) TempDir() string {
	dir, err := os.MkdirTemp("", "ostiary-hostile-")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = os.RemoveAll(dir) }) // the system clears its temporary folder too
	return dir
}

// Helper, Failed and the ways to fail work without a running test too.
func (h *host) Helper() {
	if h.TB != nil {
		h.TB.Helper()
	}
}

func (h *host) Failed() bool { return h.failed }

func (h *host) Logf(format string, args ...any) {
	if h.TB == nil {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
		return
	}
	h.TB.Logf(format, args...)
}

func (h *host) Errorf(format string, args ...any) {
	h.failed = true
	h.Logf(format, args...)
	if h.TB != nil {
		h.TB.Fail()
	}
}

func (h *host) Fatal(args ...any) { h.Fatalf("%s", fmt.Sprint(args...)) }

func (h *host) Fatalf(format string, args ...any) {
	h.Errorf(format, args...)
	if h.TB == nil {
		panic("hostile: failed outside of a test")
	}
	h.TB.FailNow()
}

// world is one gateway with one dual-era server "s", for all tests of a file.
type world struct {
	*host
	door     *doortest.Door
	up       *doortest.Upstream
	sessions map[string]string // protocol version -> session of agent "app"
	seen     int               // exchanges recorded and looked at
	servers  map[string]bool   // onboarded by tests
}

// onboard registers a further server, unless an earlier run did.
func (w *world) onboard(s doortest.Server) {
	if !w.servers[s.Name] {
		w.door.Onboard(s)
		w.servers[s.Name] = true
	}
}

// shared returns a function that sets a world up when it is first called and
// binds it to the calling test.
func shared(config string) func(*testing.T) *world {
	var w *world
	return func(t *testing.T) *world {
		t.Helper()
		if w == nil {
			h := newHost()
			h.TB = t
			next := &world{host: h, up: doortest.NewUpstream(h, doortest.Config{}), sessions: map[string]string{}, servers: map[string]bool{}}
			next.door = doortest.Gateway(h, doortest.Options{
				Servers: []doortest.Server{{Name: "s", URL: next.up.URL()}},
				Agents:  []string{"app", "other"},
				Plain:   "local",
				Config:  func(yaml string) string { return yaml + config },
			})
			w = next
		}
		w.TB = t
		w.up.OnEvery(nil)
		w.mark()
		return w
	}
}

// client is a client of server "s" for agent "app", in its session of a legacy
// version.
func (w *world) client(t *testing.T, version string) *doortest.Client {
	t.Helper()
	c := w.clientOf(t, "app", version)
	if version == doortest.ModernVersion {
		return c
	}
	if w.sessions[version] == "" {
		c.Initialize(version, `{}`)
		w.sessions[version] = c.Session
		w.mark()
	}
	c.Session = w.sessions[version]
	return c
}

// clientOf is a client of server "s" for an agent, without a session.
func (w *world) clientOf(t *testing.T, agent, version string) *doortest.Client {
	t.Helper()
	a := w.door.Agents[agent]
	c := doortest.NewClient(t, w.door.URL("s"))
	c.Token, c.TLS, c.Version = a.Token, &tls.Config{RootCAs: a.CA, MinVersion: tls.VersionTLS13}, version
	return c
}

// mark takes every record so far as looked at, and forgets what the server got.
func (w *world) mark() {
	w.seen = len(w.exchanges())
	w.up.Forget()
}

// refusal is what must come of a request that is refused before it is sent on.
type refusal struct {
	status int
	code   int    // JSON-RPC code; 0: the answer is none of JSON-RPC
	id     string // JSON of the answer's id; "" = no id member
	reason string // stable code in the record
}

// holds checks an answer against r, that no byte reached the server, and that
// exactly one record was added, with r's reason. what names the request.
func (w *world) holds(t *testing.T, what string, r refusal, got doortest.Reply) {
	t.Helper()
	if got.Status != r.status || got.Code() != r.code {
		t.Errorf("%s: status %d, code %d, want %d, %d: %.300s", what, got.Status, got.Code(), r.status, r.code, got.Body)
	}
	if id := string(got.Message().ID); id != r.id {
		t.Errorf("%s: answered to id %q, want %q", what, id, r.id)
	}
	w.silent(t, what, got)
	if n := w.up.Bytes(); n != 0 {
		t.Errorf("%s: %d bytes reached the server: %.300q", what, n, w.up.Received())
	}
	w.recorded(t, what, r.reason)
}

// exchanges are the records of exchanges, but for the connections without a
// word by which the set-up found out that the gateway listens.
func (w *world) exchanges() []doortest.Record {
	return slices.DeleteFunc(w.door.Exchanges(), func(r doortest.Record) bool { return r.Detail == "TLS handshake failed" })
}

// recorded checks that exactly one exchange was recorded since the last look,
// and that it was refused for reason.
func (w *world) recorded(t *testing.T, what, reason string) doortest.Record {
	t.Helper()
	var added []doortest.Record
	doortest.Poll(t, "a record of "+what, func() bool {
		added = w.exchanges()[w.seen:]
		return len(added) > 0
	})
	last := added[len(added)-1]
	if len(added) != 1 || last.Reason != reason || last.Outcome != "refused" || last.Sent {
		t.Errorf("%s: want one record of a refusal for %s, got %d:", what, reason, len(added))
		for _, r := range added {
			t.Logf("%s", r.Line)
		}
	}
	w.mark()
	return last
}

// served checks that exactly one exchange was recorded since the last look,
// and that it went well.
func (w *world) served(t *testing.T, what string) doortest.Record {
	t.Helper()
	added := w.exchanges()[w.seen:]
	if len(added) != 1 || added[0].Outcome != "ok" || !added[0].Sent {
		t.Fatalf("%s: want one record of a served call, got %d: %s", what, len(added), lines(added))
	}
	w.mark()
	return added[0]
}

func lines(all []doortest.Record) string {
	var b strings.Builder
	for _, r := range all {
		b.Write(append(r.Line, '\n'))
	}
	return b.String()
}

// silent checks that an answer gives nothing away: no address or credential of
// ours, no path, no stack.
func (w *world) silent(t *testing.T, what string, got doortest.Reply) {
	t.Helper()
	text := string(got.Body)
	for name, values := range got.Header {
		text += "\n" + name + ": " + strings.Join(values, ",")
	}
	for _, secret := range []string{w.up.Addr(), w.door.Dir, w.door.Agents["app"].Token, ".go:", "goroutine ", "internal/"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s: the answer gives %q away: %.300s", what, secret, text)
		}
	}
}

// raw is a connection on which a test writes HTTP as it likes.
type raw struct {
	t  *testing.T
	w  *world
	c  net.Conn
	in *bufio.Reader
}

// dial opens a TLS connection to the gateway.
func (w *world) dial(t *testing.T) *raw {
	t.Helper()
	return w.conn(t, w.clientOf(t, "app", "").Dial())
}

// dialPlain opens a connection to the plaintext listener.
func (w *world) dialPlain(t *testing.T) *raw {
	t.Helper()
	return w.conn(t, doortest.NewClient(t, w.door.PlainURL("s")).Dial())
}

func (w *world) conn(t *testing.T, c net.Conn) *raw {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(doortest.Patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &raw{t, w, c, bufio.NewReader(c)}
}

// send writes text with %HOST% and %TOKEN% filled in. A peer that stops
// reading is not an error: the answer says why.
func (r *raw) send(text string) {
	r.t.Helper()
	text = strings.ReplaceAll(text, "%HOST%", r.w.door.Data)
	text = strings.ReplaceAll(text, "%TOKEN%", r.w.door.Agents["app"].Token)
	if _, err := io.WriteString(r.c, text); err != nil {
		r.t.Logf("the gateway ended before all was sent: %v", err)
	}
}

// answer reads one answer to a request of a method.
func (r *raw) answer(method string) doortest.Reply {
	r.t.Helper()
	res, err := http.ReadResponse(r.in, &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("read an answer: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("read the body of an answer: %v", err)
	}
	got := doortest.Reply{Status: res.StatusCode, Header: res.Header, Body: body}
	if len(body) > 0 {
		got.Messages = []string{string(body)}
	}
	return got
}

// closed checks that the gateway sends no further byte and closes.
func (r *raw) closed() {
	r.t.Helper()
	rest, err := io.ReadAll(r.in)
	if len(rest) > 0 {
		r.t.Errorf("more follows: %.200q", rest)
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		r.t.Error("the connection stays open")
	}
}

// head is the head of a good request of 2026-07-28 without framing and end.
const head = "POST /s/s/mcp HTTP/1.1\r\nHost: %HOST%\r\nAuthorization: Bearer %TOKEN%\r\nContent-Type: application/json\r\n" +
	"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"

// call is the body of a good request of 2026-07-28.
const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},` + doortest.Meta + `}}`

// whole is head and call with a length.
func whole(id string) string {
	body := strings.Replace(call, `"id":1`, `"id":`+id, 1)
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// decode reads JSON of the gateway's own.
func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}
