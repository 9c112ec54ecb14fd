package hostile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// aborts is how many requests TestH10R01 gives up.
func aborts() int {
	if *soak {
		return 1_000_000
	}
	return 2_000
}

// keptConnections is how many idle connections to one server the gateway keeps.
const keptConnections = 64

// descriptors counts the gateway's open files; 0 where /proc is missing.
func (w *world) descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.door.Process().Pid()))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return len(all)
}

// abortWorld is one of its own: what was given up is recorded late.
var abortWorld = shared("")

// TestH10AbortedRequests holds (R01 in short) that callers who leave in the
// middle of a head, of a body or of an answer leave nothing behind.
func TestH10AbortedRequests(t *testing.T) {
	w := abortWorld(t)
	c := w.client(t, doortest.ModernVersion)
	round := func(n int) {
		for i := range n {
			r := w.dialPlain(t)
			switch i % 4 {
			case 0:
				r.send("POST /s/s/mcp HTTP/1.1\r\nHost: loc")
			case 1:
				r.send(plainHead + "Content-Length: 5000\r\n\r\n{")
			case 2:
				r.send(plainHead + "Transfer-Encoding: chunked\r\n\r\n5\r\n{")
			default:
				r.send(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", plainHead, len(call), call))
			}
			if err := r.c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.Post(good("2026-07-28")); got.Status != 200 || got.Text() != "x" {
			t.Fatalf("a call afterwards got %d %s", got.Status, got.Body)
		}
	}
	round(200) // fills pools
	goroutines, files, memory := w.door.Metrics()["go_goroutines"], w.descriptors(t), w.resident(t)
	if goroutines == 0 {
		t.Fatal("the metrics do not count goroutines")
	}
	round(aborts())
	doortest.Poll(t, "as many goroutines and files as before", func() bool {
		return w.door.Metrics()["go_goroutines"] <= goroutines+8 && w.descriptors(t) <= files+keptConnections
	})
	w.flat(t, memory, 64<<20)
}

// plainHead is head for the plaintext listener.
const plainHead = "POST /s/s/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
	"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"
