package hostile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// resident is the gateway's resident memory, bytes; 0 where /proc is missing.
func (w *world) resident(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.door.Process().Pid()))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// flat checks that the gateway's memory grew by less than most bytes.
func (w *world) flat(t *testing.T, before, most int64) {
	t.Helper()
	if grown := w.resident(t) - before; grown > most {
		t.Errorf("the gateway's memory grew by %d KiB, want at most %d", grown>>10, most>>10)
	}
}

// writer sends text until it is sent or the gateway has had enough, beside the
// test that reads the answer.
func (r *raw) writer(text string) (sent func() int) {
	var n int
	var wg sync.WaitGroup
	wg.Go(func() {
		for n < len(text) {
			m, err := io.WriteString(r.c, text[n:min(n+64<<10, len(text))])
			n += m
			if err != nil {
				return
			}
		}
	})
	return func() int { wg.Wait(); return n }
}

// H07: the limit of httpWorld is 64 KiB.
func TestH07Oversize(t *testing.T) {
	const limit = 64 << 10
	w := httpWorld(t)
	late := strings.Repeat(" ", 64<<20)
	text := strings.Repeat("a", limit+1-len(call))
	beyond := strings.Replace(call, `"x"`, `"`+text+`x"`, 1)
	before := w.resident(t)
	for name, request := range map[string]string{
		"one byte beyond": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(beyond), beyond),
		"honest length":   fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(late), late),
		"chunked":         fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(late), late),
	} {
		if name == "one byte beyond" && len(beyond) != limit+1 {
			t.Fatalf("the body has %d bytes", len(beyond))
		}
		c := w.dial(t)
		c.send(head)
		sent := c.writer(request)
		got := c.answer("POST")
		if name != "one byte beyond" {
			c.closed()
		}
		w.holds(t, name, refusal{413, 31001, "", "too_large"}, got)
		if err := c.c.Close(); err != nil {
			t.Logf("%s: close: %v", name, err)
		}
		if n := sent(); n > 32<<20 { // what was read, and what the system held
			t.Errorf("%s: the gateway took %d bytes", name, n)
		}
	}
	w.flat(t, before, 64<<20)

	// A length that is too small ends the message; what follows is the next
	// request, a malformed one, and no part of this one.
	c := w.dial(t)
	c.send(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s%s", head, len(call), call, call+"\r\n\r\n"))
	if got := c.answer("POST"); got.Status != 200 || got.Text() != "x" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := c.answer("POST"); got.Status != 400 {
		t.Errorf("the rest got %d", got.Status)
	}
	c.closed()
	if calls := w.up.Calls("tools/call"); len(calls) != 1 || string(calls[0].Body) != call {
		t.Errorf("%d calls", len(calls))
	}
	w.mark()

	for _, version := range eras {
		got := w.client(t, version).Post(inVersion(version, tool(`{"text":"`+strings.Repeat("a", limit)+`"}`)))
		w.holds(t, version, unnamed(version, refusal{413, 31001, "", "too_large"}), got)
	}
}

// TestH09EncodedAnswers holds that an answer that could not be read is not
// passed on, whether it is a bomb or not.
func TestH09EncodedAnswers(t *testing.T) {
	packed := func(text []byte) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	answer := `{"jsonrpc":"2.0","id":"x","result":{"resultType":"complete","content":[{"type":"text","text":"hidden"}]}}`
	bomb := packed(make([]byte, 64<<20))
	w := httpWorld(t)
	before := w.resident(t)
	for name, h := range map[string]doortest.Handler{
		"gzip":        doortest.Status(200, "application/json", packed([]byte(answer)), field("Content-Encoding", "gzip")),
		"gzip events": doortest.Status(200, "text/event-stream", packed([]byte("data: "+answer+"\n\n")), field("Content-Encoding", "gzip")),
		"bomb":        doortest.Status(200, "application/json", bomb, field("Content-Encoding", "gzip")),
		"brotli":      doortest.Status(200, "application/json", answer, field("Content-Encoding", "br")),
		"two codings": doortest.Status(200, "application/json", answer, field("Content-Encoding", "identity"), field("Content-Encoding", "gzip")),
		"two types":   doortest.Status(200, "application/json", answer, field("Content-Type", "text/event-stream")),
		"list":        doortest.Status(200, "application/json", answer, field("Content-Encoding", "identity, gzip")),
		"undeclared":  doortest.Status(200, "application/json", packed([]byte(answer))),
		"transfer": doortest.Bytes("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(answer), answer)),
	} {
		for _, version := range eras {
			c := w.client(t, version)
			w.up.On("tools/call", h)
			got := c.Post(good(version))
			w.up.On("tools/call", nil)
			if got.Status != 502 || got.Code() != 31051 || string(got.Message().ID) != `"x"` || strings.Contains(string(got.Body), "hidden") {
				t.Errorf("%s %s: %d %.300s", version, name, got.Status, got.Body)
			}
			added := w.exchanges()[w.seen:]
			if len(added) != 1 || added[0].Reason != "upstream_bad_answer" || added[0].Outcome == "ok" {
				t.Errorf("%s %s: recorded as %s", version, name, lines(added))
			}
			w.mark()
		}
	}
	w.flat(t, before, 64<<20)
}

// slowClients is how many slow connections TestH10 opens.
func slowClients() int {
	if *soak {
		return 5_000
	}
	return 50
}

// TestH10SlowClients holds that connections that send a byte now and then are
// closed by their deadlines, and that calls go on meanwhile.
func TestH10SlowClients(t *testing.T) {
	w := httpWorld(t)
	c := w.client(t, doortest.ModernVersion)
	var slow []*raw
	for i := range slowClients() {
		r := w.dial(t)
		if i%2 == 0 {
			r.send("POST /s/s/mcp HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		} else {
			r.send(head + "Content-Length: 5000\r\n\r\n{")
		}
		slow = append(slow, r)
	}
	served := 0
	doortest.Poll(t, "the slow connections to be closed", func() bool {
		if got := c.Post(good("2026-07-28")); got.Status != 200 || got.Text() != "x" {
			t.Fatalf("a call beside them got %d %s", got.Status, got.Body)
		}
		served++
		ended := 0
		for _, r := range slow {
			if _, err := io.WriteString(r.c, " "); err != nil {
				ended++
			}
		}
		return ended == len(slow)
	})
	if n := len(w.up.Calls("tools/call")); n != served {
		t.Errorf("%d calls reached the server, want %d", n, served)
	}
	late, ok := 0, 0
	for _, r := range w.exchanges()[w.seen:] {
		switch {
		case r.Detail == "request head too slow" || r.Reason == "slow_client":
			late++
		case r.Outcome == "ok":
			ok++
		}
	}
	if late != len(slow) || ok != served {
		t.Errorf("%d slow clients and %d calls are recorded, want %d and %d", late, ok, len(slow), served)
	}
}

// TestH11SlowReader holds that a client which reads nothing is cut off, and the
// server's stream with it, long before everything was buffered.
func TestH11SlowReader(t *testing.T) {
	const events, size = 1_600, 64 << 10
	w := httpWorld(t)
	for _, version := range eras {
		c := w.client(t, version)
		wrote := make(chan int, 1)
		w.up.On("tools/call", func(conn *doortest.Conn, _ *doortest.Request) {
			text := strings.Repeat("a", size-400)
			n := 0
			defer func() { wrote <- n }()
			for ; n < events; n++ {
				select {
				case <-conn.Gone():
					return
				default:
					conn.Event("", `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"`+text+`"}}`)
				}
			}
			conn.Result(`{"content":[]}`)
		})
		before := w.resident(t)
		body := strings.Replace(good(version), doortest.Meta, strings.Replace(doortest.Meta, `"_meta":{`, `"_meta":{"io.modelcontextprotocol/logLevel":"info",`, 1), 1)
		r := w.dial(t)
		session := ""
		if c.Session != "" {
			session = "Mcp-Session-Id: " + c.Session + "\r\n"
		}
		h := strings.Replace(head, "2026-07-28", version, 1)
		r.send(fmt.Sprintf("%s%sContent-Length: %d\r\n\r\n%s", h, session, len(body), body))
		if _, err := r.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		n := <-wrote
		w.up.On("tools/call", nil)
		// The legacy era does not take a lost connection for a cancellation, so
		// there the answer is read on, and thrown away.
		if n == events && version == doortest.ModernVersion {
			t.Errorf("%s: the server could send all of 100 MiB", version)
		}
		w.flat(t, before, 64<<20)
		var cut []doortest.Record
		doortest.Poll(t, "a record of the cut stream", func() bool {
			cut = w.exchanges()[w.seen:]
			return len(cut) > 0
		})
		if len(cut) != 1 || cut[0].Reason != "client_gone" || cut[0].Version != version || !cut[0].Sent {
			t.Errorf("%s: recorded as %s", version, lines(cut))
		}
		w.mark()
	}
}
