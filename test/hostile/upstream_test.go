package hostile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// The credentials that the gateway holds for servers; neither may reach a client.
const (
	headerSecret = "Bearer upstream-credential-4f1c9a"
	envSecret    = "environment-credential-77ab02"
	ownSecret    = "gateway-own-secret-c0ffee"
)

// TestHostileServers puts the cases about what is dialled (U02, U03), what stdio
// servers do and see (U08, U09), what servers answer (U12, U13, U14, U16) and who
// gets to see which credential (A13, A14).
func TestHostileServers(t *testing.T) {
	main, bait := doortest.NewUpstream(t, doortest.Config{}), doortest.NewUpstream(t, doortest.Config{})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(headerSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	dump := t.TempDir()
	inner := doortest.NewStdio(t, doortest.Script{})
	servers := []doortest.Server{
		{Name: "main", URL: main.URL(), Flags: []string{"--header", "Authorization=file:" + secret, "--header", "X-Api-Key=file:" + secret}},
		{Name: "dump", Command: append([]string{"/bin/sh", "-c", `env > "$0/env"; ls -l /proc/self/fd > "$0/fd"; sleep 600 & echo $! >> "$0/pids"; exec "$@"`, dump}, inner.Command...),
			Env: append([]string{"KEY=" + envSecret}, inner.Env...)},
	}
	pipes := map[string]*doortest.Stdio{}
	for name, script := range map[string]doortest.Script{
		"garbage": {Mode: "garbage"}, "exit": {Mode: "exit"}, "huge": {Mode: "huge:5000000"}, "chatter": {Mode: "chatter"},
		"echoes": {Answers: map[string]string{"tools/call": `{"jsonrpc":"2.0","id":%ID%,"result":{"content":[{"type":"text","text":"` + envSecret + `"}]}}`}},
	} {
		pipes[name] = doortest.NewStdio(t, script)
		servers = append(servers, doortest.Server{Name: name, Command: pipes[name].Command, Env: append(pipes[name].Env, "KEY="+envSecret)})
	}
	w := &site{up: main, Door: doortest.Gateway(t, doortest.Options{Servers: servers, Agents: []string{"app"}, Env: []string{"GATEWAY_SECRET=" + ownSecret}})}
	t.Run("U02", func(t *testing.T) { w.u02Addresses(t, bait) })
	t.Run("U03", func(t *testing.T) { w.u03Redirects(t, bait) })
	t.Run("U08", func(t *testing.T) { w.u08Pipes(t, pipes) })
	t.Run("U08 group", func(t *testing.T) { w.u08Group(t, dump) })
	t.Run("U09", func(t *testing.T) { w.u09Environment(t, dump) })
	t.Run("U12", w.u12Framings)
	t.Run("U13", w.u13Floods)
	t.Run("U14", w.u14Sizes)
	t.Run("U16", w.u16Headers)
	t.Run("A13", func(t *testing.T) { w.a13Inbound(t, inner) })
	t.Run("A14", w.a14Outbound)
}

// u02Addresses names this machine in every way that is not --private.
func (w *site) u02Addresses(t *testing.T, bait *doortest.Upstream) {
	_, port, _ := strings.Cut(bait.Addr(), ":")
	for i, host := range []string{"127.0.0.1", "localhost", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[::]", "0.0.0.0", "127.1",
		"2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "user@127.0.0.1", "169.254.169.254", "[fe80::1]", "10.0.0.1"} {
		for _, scheme := range []string{"http", "https"} {
			name := fmt.Sprintf("bait-%d-%s", i, scheme)
			if r := w.Try("server", "submit", name, "--url", scheme+"://"+host+":"+port+"/mcp"); r.Code != 0 {
				if !strings.Contains(r.Stderr, "fix:") && r.Stderr == "" {
					t.Errorf("%s: refused without a word", host)
				}
				continue
			}
			w.Try("server", "approve", name, "--reason", "test")
			w.Grant("app", name, "modify")
			n := len(w.Exchanges())
			r := w.client(t, "app", name).Tool("1", "echo", `{}`)
			if r.Status != 502 || strings.Contains(string(r.Body), host) {
				t.Errorf("%s://%s: %d %s", scheme, host, r.Status, r.Body)
			}
			if rec := w.last(t, n); rec.Reason != "egress_forbidden" && rec.Reason != "upstream_unreachable" {
				t.Errorf("record %s", rec.Line)
			}
		}
	}
	if bait.Accepted() != 0 {
		t.Errorf("%d connections were made", bait.Accepted())
	}
}

func (w *site) u03Redirects(t *testing.T, bait *doortest.Upstream) {
	defer w.up.On("tools/call", nil)
	c := w.client(t, "app", "main")
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{bait.URL(), "//" + bait.Addr() + "/mcp", "file:///etc/passwd", "/mcp", "http://169.254.169.254/"} {
			w.up.On("tools/call", doortest.Redirect(status, to))
			w.up.Forget()
			n := len(w.Exchanges())
			r := c.Tool("1", "echo", `{}`)
			if r.Status != 502 || r.Code() != 31051 || r.Header.Get("Location") != "" {
				t.Errorf("%d to %s: %d %v %s", status, to, r.Status, r.Header, r.Body)
			}
			if calls := len(w.up.Requests()); calls != 1 {
				t.Errorf("%d to %s: %d requests", status, to, calls)
			}
			if rec := w.last(t, n); rec.Reason != "upstream_bad_answer" || rec.Outcome != "failed" {
				t.Errorf("record %s", rec.Line)
			}
		}
	}
	// The endpoint that an HTTP+SSE server names is a redirect too.
	old := doortest.NewUpstream(t, doortest.Config{OldSSE: true, Endpoint: bait.URL()})
	w.Onboard(doortest.Server{Name: "old", URL: old.URL(), Flags: []string{"--transport", "sse"}})
	w.Grant("app", "old", "modify")
	c = w.client(t, "app", "old")
	c.Version = "2024-11-05"
	r := c.Call("1", "initialize", `{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"x","version":"1"}}`)
	if r.Status != 502 || r.Header.Get("Mcp-Session-Id") != "" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if bait.Accepted() != 0 {
		t.Errorf("%d redirects were followed", bait.Accepted())
	}
}

func (w *site) u08Pipes(t *testing.T, pipes map[string]*doortest.Stdio) {
	for name, k := range map[string]struct {
		status, code int
		reason       string
	}{
		"garbage": {502, 31051, "upstream_bad_answer"}, "exit": {502, 31054, "upstream_gone"}, "huge": {502, 31052, "result_too_large"}, "chatter": {200, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := pipes[name].Processes()
			for range 2 { // each session has a process of its own: one broken one is no harm to the next
				c := w.legacy(t, "app", name, `{}`)
				n := len(w.Exchanges())
				r := c.Tool(`"x"`, "echo", `{"text":"hi"}`)
				if r.Status != k.status || r.Code() != k.code || string(r.Message().ID) != `"x"` {
					t.Errorf("%d %.300s", r.Status, r.Body)
				}
				if rec := w.last(t, n); rec.Reason != k.reason {
					t.Errorf("record %s", rec.Line)
				}
				if k.code == 0 {
					continue
				}
				if r := c.Tool("2", "echo", `{}`); r.Status != 404 || r.Code() != 31009 {
					t.Errorf("the session of a process that ended: %d %.300s", r.Status, r.Body)
				}
			}
			if n := pipes[name].Processes() - before; n != 2 {
				t.Errorf("%d processes for two sessions", n)
			}
		})
	}
}

// u08Group ends the session of a server that left a process behind, which
// holds its standard output open: both are gone.
func (w *site) u08Group(t *testing.T, dump string) {
	c := w.legacy(t, "app", "dump", `{}`)
	b, err := os.ReadFile(filepath.Join(dump, "pids"))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(b))
	pid, err := strconv.Atoi(all[len(all)-1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the process that was left behind is not there: %v", err)
	}
	if r := c.Send("DELETE", ""); r.Status != 204 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	doortest.Poll(t, "the end of the process that was left behind", func() bool { return gone(pid) })
}

// gone reports whether a process has ended; one that nobody waited for yet has.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(b), ") Z ")
}

func (w *site) u09Environment(t *testing.T, dump string) {
	c := w.legacy(t, "app", "dump", `{}`)
	if r := c.Tool("1", "echo", `{"text":"hi"}`); r.Text() != "hi" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	env, err := os.ReadFile(filepath.Join(dump, "env"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "KEY", "DOORTEST_STDIO", "PWD", "SHLVL", "OLDPWD", "_"}
	for l := range strings.Lines(string(env)) {
		name, _, _ := strings.Cut(l, "=")
		known := false
		for _, a := range allowed {
			known = known || a == name
		}
		if !known {
			t.Errorf("the server saw %s", l)
		}
	}
	if s := string(env); strings.Contains(s, ownSecret) || !strings.Contains(s, "KEY="+envSecret) {
		t.Errorf("the environment is\n%s", s)
	}
	fds, err := os.ReadFile(filepath.Join(dump, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(fds); strings.Contains(s, "log.reserve") || strings.Contains(s, ".db") || strings.Contains(s, "socket:") || strings.Contains(s, "gateway/") {
		t.Errorf("the server inherited descriptors:\n%s", s)
	}
}

func (w *site) u12Framings(t *testing.T) {
	const one = `{"jsonrpc":"2.0",` + "\n" + `"id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"a\u00e9"}], "n":1e400}}`
	first, second, _ := strings.Cut(one, "\n")
	flat := first + " " + second
	c := w.client(t, "app", "main")
	defer w.up.On("tools/call", nil)
	send := func(text string) doortest.Reply {
		w.up.On("tools/call", func(c *doortest.Conn, _ *doortest.Request) {
			for _, part := range []string{text[:len(text)/3], text[len(text)/3 : len(text)/2], text[len(text)/2:]} {
				c.Chunk(part)
			}
			c.End()
		})
		return c.Tool("1", "echo", `{}`)
	}
	for name, text := range map[string]string{
		"two data lines": "data: " + first + "\ndata: " + second + "\n\n", "CR": "data: " + flat + "\r\r", "CRLF": "data: " + flat + "\r\n\r\n",
		"mixed": ": c\r\nevent: message\rdata: " + first + "\r\ndata:" + second + "\n\r\n", "BOM": "\ufeffdata: " + flat + "\n\n",
		"comments between": ":a\n\n:b\ndata: " + flat + "\n:c\n\n", "unknown fields": "x: y\ndata: " + flat + "\nretri: 1\n\n",
		"empty data line": "data\ndata: " + flat + "\n\n", "more after the answer": "data: " + flat + "\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\",\"stolen\":1}}\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			n := len(w.Exchanges())
			r := send(text)
			if r.Status != 200 || len(r.Messages) != 1 || strings.TrimSpace(r.Final()) != flat {
				t.Errorf("%d %q", r.Status, r.Messages)
			}
			if rec := w.last(t, n); rec.Outcome != "ok" {
				t.Errorf("record %s", rec.Line)
			}
		})
	}
	for name, text := range map[string]string{
		"two values": "data: " + flat + "\ndata: " + flat + "\n\n", "two values on a line": "data: " + flat + flat + "\n\n", "no JSON": "data: hello\n\n",
		"other kind of event": "event: endpoint\ndata: /x\n\n", "a batch": "data: [" + flat + "]\n\n", "no blank line": "data: " + flat + "\n", "half": "data: " + first + "\n\n",
		"BOM in the middle": "data: \ufeff" + flat + "\n\n", "NUL": "data: " + strings.Replace(flat, "1e400", "\x00", 1) + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			n := len(w.Exchanges())
			r := send(text)
			if r.Message().Error == nil || strings.Contains(string(r.Body), `"content"`) || len(r.Messages) != 1 {
				t.Errorf("%d %q", r.Status, r.Messages)
			}
			if rec := w.last(t, n); rec.Outcome != "failed" || rec.Reason != "upstream_bad_answer" && rec.Reason != "upstream_gone" {
				t.Errorf("record %s", rec.Line)
			}
		})
	}
}
