package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// httpWorld is small where a case fills a limit, and quick where it waits for one.
var httpWorld = shared(`limits:
  message_bytes: 65536
  header_timeout: 3s
  body_timeout: 3s
  write_timeout: 3s
`)

// refusedRaw sends one malformed request on a connection of its own.
func refusedRaw(t *testing.T, what, text string, want refusal) {
	t.Helper()
	w := httpWorld(t)
	c := w.dial(t)
	c.send(text)
	got := c.answer("POST")
	c.closed()
	w.holds(t, what, want, got)
}

var badHead = refusal{status: 400, reason: "bad_header"}

func TestH02ContentLengths(t *testing.T) {
	for name, fields := range map[string]string{
		"two that differ":       fmt.Sprintf("Content-Length: %d\r\nContent-Length: 2\r\n", len(call)),
		"two that agree":        fmt.Sprintf("Content-Length: %[1]d\r\nContent-Length: %[1]d\r\n", len(call)),
		"a list":                fmt.Sprintf("Content-Length: %[1]d, %[1]d\r\n", len(call)),
		"beside a coding":       fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", len(call)),
		"behind a coding":       fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", len(call)),
		"signed":                fmt.Sprintf("Content-Length: +%d\r\n", len(call)),
		"space before colon":    fmt.Sprintf("Content-Length : %d\r\n", len(call)),
		"beyond sixty-four bit": "Content-Length: 18446744073709551617\r\n",
	} {
		t.Run(name, func(t *testing.T) { refusedRaw(t, name, head+fields+"\r\n"+call, badHead) })
	}
}

func TestH03TransferCodings(t *testing.T) {
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(call), call)
	for name, fields := range map[string]string{
		"unknown":            "Transfer-Encoding: xchunked\r\n",
		"space before colon": "Transfer-Encoding : chunked\r\n",
		"list":               "Transfer-Encoding: chunked, identity\r\n",
		"identity":           "Transfer-Encoding: identity\r\n",
		"two":                "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
		"gzip":               "Transfer-Encoding: gzip, chunked\r\n",
		"folded":             "Transfer-Encoding:\r\n chunked\r\n",
		"vertical tab":       "Transfer-Encoding: \vchunked\r\n",
	} {
		t.Run(name, func(t *testing.T) { refusedRaw(t, name, head+fields+"\r\n"+chunked, badHead) })
	}
}

func TestH04Chunks(t *testing.T) {
	good := fmt.Sprintf("%x\r\n%s\r\n", len(call), call)
	for name, body := range map[string]string{
		"sign":             fmt.Sprintf("+%x\r\n%s\r\n0\r\n\r\n", len(call), call),
		"hex prefix":       fmt.Sprintf("0x%x\r\n%s\r\n0\r\n\r\n", len(call), call),
		"overflow":         "FFFFFFFFFFFFFFFFF\r\n" + call + "\r\n0\r\n\r\n",
		"bare LF":          strings.ReplaceAll(good, "\r\n", "\n") + "0\n\n",
		"bare LF last":     good + "0\n\n",
		"long extension":   fmt.Sprintf("%x;a=%s\r\n%s\r\n0\r\n\r\n", len(call), strings.Repeat("b", 64<<10), call),
		"data too long":    fmt.Sprintf("%x\r\n%sx\r\n0\r\n\r\n", len(call), call),
		"smuggled trailer": good + "0\r\nContent-Length: 3\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			refusedRaw(t, name, head+"Transfer-Encoding: chunked\r\n\r\n"+body, refusal{400, -32600, "", "bad_message"})
		})
	}
	w := httpWorld(t)
	c := w.dial(t)
	c.send(head + "Transfer-Encoding: chunked\r\n\r\n" + good + "0\r\n\r\n")
	if got := c.answer("POST"); got.Status != 200 || got.Text() != "x" {
		t.Fatalf("a chunked call in good order: %d %s", got.Status, got.Body)
	}
	w.served(t, "chunked call")
}

func TestH23Heads(t *testing.T) {
	fit := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(call), call)
	for name, c := range map[string]struct {
		fields string
		status int
	}{
		"32 KiB line":    {"X: " + strings.Repeat("a", 32<<10) + "\r\n", 431},
		"1000 headers":   {strings.Repeat("X: y\r\n", 1000), 431},
		"200 cookies":    {strings.Repeat("Cookie: a=b\r\n", 200), 431},
		"obs-fold":       {"X: y\r\n z\r\n", 400},
		"non-ASCII":      {"X: \xc3\xa9\r\n", 400},
		"CR in a value":  {"X: y\rz\r\n", 400},
		"LF in a value":  {"X: y\nMcp-Method: ping\r\n", 400},
		"NUL in a value": {"X: y\x00\r\n", 400},
		"no colon":       {"X\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			refusedRaw(t, name, head+c.fields+fit, refusal{status: c.status, reason: "bad_header"})
		})
	}
}

func TestH27Upgrades(t *testing.T) {
	fit := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(call), call)
	for name, fields := range map[string]string{
		"h2c":       "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"websocket": "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
	} {
		t.Run(name, func(t *testing.T) { refusedRaw(t, name, head+fields+fit, badHead) })
	}
	for name, text := range map[string]string{
		"prior knowledge": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"h2c":             "POST /s/s/mcp HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run("plaintext "+name, func(t *testing.T) {
			w := httpWorld(t)
			c := w.dialPlain(t)
			c.send(text)
			got := c.answer("POST")
			c.closed()
			if got.Status != 400 && got.Status != 505 {
				t.Errorf("status %d", got.Status)
			}
			w.holds(t, name, refusal{status: got.Status, reason: "bad_header"}, got)
		})
	}
}

// H28: what was asked before the malformed request is answered, in order and to
// the right one; what follows it is not read.
func TestH28Pipeline(t *testing.T) {
	w := httpWorld(t)
	c := w.dial(t)
	all := whole(`"first"`) + whole(`"second"`) + head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
	for i := range 47 {
		all += whole(fmt.Sprintf(`"late %d"`, i))
	}
	c.send(all)
	for _, id := range []string{`"first"`, `"second"`} {
		if got := c.answer("POST"); got.Status != 200 || string(got.Message().ID) != id || got.Text() != "x" {
			t.Fatalf("want the answer to %s, got %d %s", id, got.Status, got.Body)
		}
	}
	if got := c.answer("POST"); got.Status != 400 || got.Message().ID != nil {
		t.Fatalf("the malformed one got %d %s", got.Status, got.Body)
	}
	c.closed()
	if n := len(w.up.Calls("tools/call")); n != 2 {
		t.Errorf("%d calls reached the server, want 2", n)
	}
	records := w.exchanges()[w.seen:]
	if len(records) != 3 || records[0].Outcome != "ok" || records[1].Outcome != "ok" || records[2].Reason != "bad_header" {
		t.Errorf("records:\n%s", lines(records))
	}
}
