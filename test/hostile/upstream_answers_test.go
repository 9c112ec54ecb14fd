package hostile

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// resident is the gateway's resident memory in KiB, or 0 where it cannot be read.
func (w *site) resident() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.Process().Pid()))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// grown fails when the gateway holds much more memory than before.
func (w *site) grown(t *testing.T, before int) {
	t.Helper()
	if n := w.resident(); n-before > 96<<10 {
		t.Errorf("memory grew from %d to %d KiB", before, n)
	}
}

func (w *site) u13Floods(t *testing.T) {
	const tiny = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n"
	endless := func(head, part string) doortest.Handler {
		return func(c *doortest.Conn, _ *doortest.Request) {
			c.Begin()
			if head != "" {
				c.Chunk(head)
			}
			for {
				select {
				case <-c.Gone():
					c.Close()
					return
				default:
					c.Chunk(part)
				}
			}
		}
	}
	defer w.up.On("tools/call", nil)
	c := w.client(t, "app", "main")
	for name, h := range map[string]doortest.Handler{
		"an event without end":   endless("data: ", strings.Repeat("x", 32<<10)),
		"a field without end":    endless("", strings.Repeat("x", 32<<10)),
		"an id without end":      endless("id: ", strings.Repeat("1", 32<<10)),
		"data lines without end": endless("", strings.Repeat("data: x\n", 4<<10)),
	} {
		t.Run(name, func(t *testing.T) {
			w.up.On("tools/call", h)
			n, before := len(w.Exchanges()), w.resident()
			r := c.Tool("1", "echo", `{}`)
			if r.Code() != 31052 && r.Code() != 31051 || string(r.Message().ID) != "1" {
				t.Errorf("%d %.300s", r.Status, r.Body)
			}
			if rec := w.last(t, n); rec.Outcome != "failed" || rec.Reason != "result_too_large" && rec.Reason != "upstream_bad_answer" {
				t.Errorf("record %s", rec.Line)
			}
			w.grown(t, before)
		})
	}
	t.Run("many small events", func(t *testing.T) {
		events := 20_000
		if *soak {
			events = 10_000_000
		}
		w.up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) {
			for range events / 100 {
				c.Chunk(strings.Repeat(tiny, 100))
			}
			done(c, r)
		})
		before := w.resident()
		body := strings.Replace(c.Request("1", "tools/call", `{"name":"echo"}`), `"_meta":{`, `"_meta":{"progressToken":1,`, 1)
		if r := c.Post(body); r.Message().Result == nil || len(r.Messages) > 3000 {
			t.Errorf("%d messages, last %.300s", len(r.Messages), r.Final())
		}
		w.grown(t, before)
	})
}

func (w *site) u14Sizes(t *testing.T) {
	defer w.up.On("tools/call", nil)
	c := w.client(t, "app", "main")
	blocks := `{"jsonrpc":"2.0","id":%ID%,"result":{"resultType":"complete","content":[` + strings.TrimSuffix(strings.Repeat(`{"type":"text","text":"x"},`, 10_001), ",") + `]}}`
	deep := `{"jsonrpc":"2.0","id":%ID%,"result":{"resultType":"complete","structuredContent":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}`
	for name, h := range map[string]doortest.Handler{
		"a gigabyte announced": doortest.Huge(1 << 30),
		"one byte too much":    doortest.Huge(4<<20 - 60),
		"a chunked body without end": func(c *doortest.Conn, _ *doortest.Request) {
			c.Raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
			for {
				select {
				case <-c.Gone():
					c.Close()
					return
				default:
					c.Raw("8000\r\n" + strings.Repeat("x", 32<<10) + "\r\n")
				}
			}
		},
		"10,001 blocks":    doortest.Exactly(blocks),
		"blocks on stream": doortest.Events(blocks),
		"too deep":         doortest.Exactly(deep),
	} {
		t.Run(name, func(t *testing.T) {
			w.up.On("tools/call", h)
			n, before := len(w.Exchanges()), w.resident()
			r := c.Tool("1", "echo", `{}`)
			if r.Code() != 31052 || string(r.Message().ID) != "1" {
				t.Errorf("%d %.300s", r.Status, r.Body)
			}
			if rec := w.last(t, n); rec.Outcome != "failed" || rec.Reason != "result_too_large" {
				t.Errorf("record %s", rec.Line)
			}
			w.grown(t, before)
		})
	}
	w.up.On("tools/call", doortest.Huge(4<<20-500))
	if r := c.Tool("1", "echo", `{}`); r.Status != 200 || len(r.Body) < 4<<20-500 {
		t.Errorf("the largest answer: %d with %d bytes", r.Status, len(r.Body))
	}
}

func (w *site) u16Headers(t *testing.T) {
	defer w.up.On("tools/call", nil)
	c := w.client(t, "app", "main")
	const answer = `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}`
	hostile := []doortest.Header{
		{Name: "Set-Cookie", Value: "a=canary"}, {Name: "Access-Control-Allow-Origin", Value: "*"}, {Name: "Strict-Transport-Security", Value: "max-age=1"},
		{Name: "Mcp-Session-Id", Value: "canary"}, {Name: "Location", Value: "https://canary.example"}, {Name: "Server", Value: "canary"}, {Name: "Via", Value: "canary"},
		{Name: "WWW-Authenticate", Value: "Bearer canary"}, {Name: "X-Powered-By", Value: "canary"}, {Name: "Cache-Control", Value: "public, max-age=99"}, {Name: "Link", Value: "<canary>"},
		{Name: "Clear-Site-Data", Value: "canary"}, {Name: "Alt-Svc", Value: "canary"}, {Name: "X-Accel-Redirect", Value: "/canary"}, {Name: "Refresh", Value: "0;canary"},
	}
	allowed := map[string]bool{"Content-Type": true, "Content-Length": true, "Cache-Control": true, "Date": true, "X-Accel-Buffering": true, "Transfer-Encoding": true, "Connection": true}
	for name, h := range map[string]doortest.Handler{
		"JSON":   func(c *doortest.Conn, _ *doortest.Request) { c.JSON(answer, hostile...) },
		"stream": func(c *doortest.Conn, _ *doortest.Request) { c.Begin(hostile...); c.Event("", answer); c.End() },
		"error": func(c *doortest.Conn, _ *doortest.Request) {
			c.Respond(400, "application/json", `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}`, hostile...)
		},
		"unauthorized": doortest.Status(401, "text/plain", "canary", hostile...),
	} {
		t.Run(name, func(t *testing.T) {
			w.up.On("tools/call", h)
			r := c.Tool("1", "echo", `{}`)
			for name, values := range r.Header {
				if !allowed[name] || strings.Contains(strings.Join(values, ""), "canary") {
					t.Errorf("%s: %q came through", name, values)
				}
			}
			if r.Header.Get("Cache-Control") != "no-store" || strings.Contains(string(r.Body), "canary") || r.Status == 401 {
				t.Errorf("%d %v %s", r.Status, r.Header, r.Body)
			}
		})
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(answer)) + "\r\n"
	for name, raw := range map[string]string{
		"CR in a value": head + "X-A: a\rb\r\n\r\n" + answer, "LF alone": head + "X-A: a\nSet-Cookie: b\r\n\r\n" + answer, "NUL": head + "X-A: a\x00b\r\n\r\n" + answer,
		"1,000 headers": head + strings.Repeat("X-A: b\r\n", 1000) + "\r\n" + answer, "a header of 1 MiB": head + "X-A: " + strings.Repeat("b", 1<<20) + "\r\n\r\n" + answer,
		"two lengths": head + "Content-Length: 1\r\n\r\n" + answer, "length and chunks": head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "folded": head + "X-A: a\r\n b\r\n\r\n" + answer,
		"no HTTP": "hello\r\n\r\n", "status in words": "HTTP/1.1 OK\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w.up.On("tools/call", doortest.Bytes(raw))
			n := len(w.Exchanges())
			r := c.Tool("1", "echo", `{}`)
			if r.Status != 502 || r.Message().Error == nil || string(r.Message().ID) != "1" {
				t.Errorf("%d %v %s", r.Status, r.Header, r.Body)
			}
			if rec := w.last(t, n); rec.Outcome != "failed" {
				t.Errorf("record %s", rec.Line)
			}
		})
	}
}

// a13Inbound sends credentials and identity headers of every kind with each
// request; none may reach a server.
func (w *site) a13Inbound(t *testing.T, inner *doortest.Stdio) {
	token := w.Agents["app"].Token
	canary := []doortest.Header{
		{Name: "Cookie", Value: "session=canary-cookie"}, {Name: "Proxy-Authorization", Value: "Basic canary-proxy"}, {Name: "X-Api-Key", Value: "canary-key"},
		{Name: "X-Forwarded-User", Value: "canary-user"}, {Name: "X-Forwarded-For", Value: "192.0.2.77"}, {Name: "X-Remote-User", Value: "canary-remote"}, {Name: "Forwarded", Value: "for=canary"},
		{Name: "User-Agent", Value: "canary-agent"}, {Name: "Referer", Value: "https://canary.example/"},
	}
	w.up.Forget()
	for _, server := range []string{"main", "dump", ""} {
		name := map[bool]string{true: "main__echo", false: "echo"}[server == ""]
		for _, version := range []string{doortest.ModernVersion, doortest.LegacyVersion} {
			c := w.client(t, "app", server)
			c.Headers = canary
			if version != doortest.ModernVersion {
				c.Initialize(version, `{}`)
			}
			if r := c.Tool("1", name, `{"text":"hi"}`); r.Text() != "hi" {
				t.Errorf("%s %s: %d %s", server, version, r.Status, r.Body)
			}
		}
	}
	seen := string(w.up.Received())
	for _, l := range inner.Received() {
		seen += string(l)
	}
	if !strings.Contains(seen, headerSecret) || strings.Count(seen, `"tools/call"`) < 6 {
		t.Fatalf("the servers saw too little: %s", seen)
	}
	for _, secret := range []string{token, "canary", "192.0.2.77"} {
		if strings.Contains(strings.ToLower(seen), strings.ToLower(secret)) {
			t.Errorf("the servers saw %q", secret)
		}
	}
	if s := listing(w.Records()) + w.Process().Output(); strings.Contains(s, token) || strings.Contains(s, "canary") || strings.Contains(s, "upstream-credential") || strings.Contains(s, envSecret) {
		t.Error("a credential is in the record or in the log")
	}
}

// a14Outbound lets servers hand their credential back in every place.
func (w *site) a14Outbound(t *testing.T) {
	defer w.up.On("tools/call", nil)
	token := strings.TrimPrefix(headerSecret, "Bearer ")
	escaped := strings.ReplaceAll(token, "-", `\u002d`)
	for name, text := range map[string]string{
		"result":  `"result":{"resultType":"complete","content":[{"type":"text","text":"your key is ` + headerSecret + `, keep it"}]}`,
		"escaped": `"result":{"resultType":"complete","content":[{"type":"text","text":"` + escaped + `"}]}`,
		"member":  `"result":{"resultType":"complete","content":[],"structuredContent":{"deep":[{"a":"` + token + `"}]}}`,
		"key":     `"result":{"resultType":"complete","content":[],"structuredContent":{"` + token + `":1}}`,
		"error":   `"error":{"code":-32000,"message":"bad ` + token + `","data":{"sent":"` + headerSecret + `"}}`,
	} {
		whole := `{"jsonrpc":"2.0","id":%ID%,` + text + `}`
		for kind, h := range map[string]doortest.Handler{"JSON": doortest.Exactly(whole), "stream": doortest.Events(whole)} {
			t.Run(name+" "+kind, func(t *testing.T) {
				w.up.On("tools/call", h)
				for _, c := range []*doortest.Client{w.client(t, "app", "main"), w.legacy(t, "app", "main", `{}`)} {
					r := c.Tool("1", "echo", `{}`)
					if strings.Contains(decoded(r), token) || len(r.Messages) != 1 {
						t.Errorf("%d %s", r.Status, r.Body)
					}
					if name == "result" && !strings.Contains(r.Text(), "keep it") {
						t.Errorf("the rest is gone: %s", r.Body)
					}
				}
			})
		}
	}
	if r := w.legacy(t, "app", "echoes", `{}`).Tool("1", "echo", `{}`); strings.Contains(decoded(r), envSecret) || r.Message().Result == nil {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// decoded is a reply's last message without escapes.
func decoded(r doortest.Reply) string {
	var v any
	if err := json.Unmarshal([]byte(r.Final()), &v); err != nil {
		return r.Final()
	}
	return fmt.Sprint(v)
}
