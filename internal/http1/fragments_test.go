package http1

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// The pieces of messages that smuggle: each list holds good and bad ones.
var (
	startLines = []string{
		"POST /mcp HTTP/1.1", "GET /a?b HTTP/1.1", "GET //a HTTP/1.1", "GET / HTTP/1.1 ", "GET http://a/ HTTP/1.1", "OPTIONS * HTTP/1.1",
		"HTTP/1.1 200 OK", "HTTP/1.1 200", "HTTP/1.0 200 OK", "HTTP/1.1 204 x", "HTTP/1.1 304 x", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 404 \t",
	}
	headerLines = []string{
		"Host: gw", "Host: gw", "Host: gw", "host:gw:80", "Host:", "Content-Length: 5", "Content-Length: 5", "content-length:05", "Content-Length: 5,5", "Content-Length: -5",
		"Content-Length:\t5 ", "Content-Length : 5", "Content-Length: 0x5", "Content-Length: 5 5", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked",
		"transfer-encoding:\tCHUNKED\t", "Transfer-Encoding: chunked,", "Transfer-Encoding: identity", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: \"chunked\"",
		"Transfer-Encoding:", "Transfer_Encoding: chunked", "Connection: close", "Connection: keep-alive, close", "Connection: closed", "Trailer: X", "Trailer: Content-Length",
		"Expect: 100-continue", "X: y", "X:", "X: a\tb", " folded", "\tfolded", "X\x00: y", "X: y\x00", "X: y\rz", "X y: z", ": z", "Pragma: no-cache", "X: é",
	}
	badEnds  = []string{"\n", "\r", "\r\r\n", "\n\r\n", " \r\n"}
	payloads = []string{
		"", "hello", "hellorest", "5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n", "5;a=b\r\nhello\r\n0;c\r\n\r\n", "5\nhello\n0\n\n",
		"05\r\nhello\r\n000\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "0\r\n\r\nrest", "5\r\nhello0\r\n\r\n", "5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n", "5\r\nhello\r\n0\r\n", "0\r\n\r", "5\r\nhello\r\n;\r\n\r\n",
		"A\r\nhellohello\r\n0\r\nX:\r\n y\r\n\r\n", "FFFFFFFFFFFFFFFF5\r\nhello\r\n0\r\n\r\n",
	}
)

// TestHeadsFromFragments puts messages together from such pieces and holds
// those that we accept against net/http, like FuzzHead.
func TestHeadsFromFragments(t *testing.T) {
	count := 100_000
	if testing.Short() {
		count = 10_000
	}
	rnd := rand.New(rand.NewPCG(2026, 728))
	pick := func(list []string) string { return list[rnd.IntN(len(list))] }
	end := func() string {
		if rnd.IntN(40) == 0 {
			return pick(badEnds)
		}
		return "\r\n"
	}
	accepted := 0
	for range count {
		var b strings.Builder
		b.WriteString(pick(startLines) + end())
		if rnd.IntN(2) == 0 {
			b.WriteString("Host: gw\r\n")
		}
		for range rnd.IntN(5) {
			b.WriteString(pick(headerLines) + end())
		}
		b.WriteString(end() + pick(payloads))
		raw := []byte(b.String())
		lim := DefaultLimits()
		if s, _, err := ours(raw, &lim); err == nil && s.req.Host != "" {
			accepted++
		}
		compareBoth(t, raw)
	}
	if accepted < count/100 {
		t.Errorf("only %d of %d messages were accepted: the test tests little", accepted, count)
	}
	t.Logf("%d of %d requests accepted", accepted, count)
}

func compareBoth(t *testing.T, raw []byte) {
	defer func() {
		if t.Failed() {
			t.Logf("with %q", raw)
		}
	}()
	compareRequest(t, raw)
	compareResponse(t, raw)
}
