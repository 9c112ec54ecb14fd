package hostile

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// TestP16FiftyConnections: a limit holds exactly over fifty connections of one
// agent, in both eras, survives a restart, and is another agent's own.
func TestP16FiftyConnections(t *testing.T) {
	for _, version := range eras {
		t.Run(version, func(t *testing.T) {
			w := newPeople(t, `@id("nothing") forbid (principal, action, resource is Ostiary::Prompt);`)
			w.door.Must("limit", "set", "--server", "s", "--tool", "echo", "--calls", "100/24h", "--reason", "test")
			first := w.client("app", version, `{}`)
			var passed, limited, id atomic.Int32
			var wait sync.WaitGroup
			for range 50 {
				c := w.door.Client(w.door.Agents["app"], "s")
				c.Version, c.Session = version, first.Session
				wait.Go(func() {
					for range 4 {
						r, err := c.Attempt(c.Request(strconv.Itoa(int(id.Add(1))), "tools/call", `{"name":"echo","arguments":{"text":"x"}}`))
						switch {
						case err != nil:
						case r.Text() != "":
							passed.Add(1)
						case r.Status == http.StatusTooManyRequests && kindOf(r) == "rate_limited":
							limited.Add(1)
							if n, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || n < 1 {
								t.Errorf("Retry-After: %q", r.Header.Get("Retry-After"))
							}
						}
					}
				})
			}
			wait.Wait()
			if n := passed.Load(); n < 95 || n > 100 || n+limited.Load() != 200 {
				t.Errorf("%d passed, %d were limited", n, limited.Load())
			}
			w.door.Restart()
			if r := w.client("app", version, `{}`).Tool("1", "echo", `{"text":"x"}`); r.Status != http.StatusTooManyRequests {
				t.Errorf("after a restart: %d %s", r.Status, r.Body)
			}
			w.passes("another agent", w.client("other", version, `{}`).Tool("1", "echo", `{"text":"x"}`))
			w.passes("another tool", w.client("app", version, `{}`).Tool("1", "add", `{"a":1,"b":2}`))
			w.door.Must("limit", "remove", "s/echo", "--reason", "test")
			w.passes("without the limit", w.client("app", version, `{}`).Tool("1", "echo", `{"text":"x"}`))
		})
	}
}

// TestRefusedCallsDoNotUseWhatIsShared: bytes count answers too, cost counts the
// weight of a tool, and a call that an agent's own limit refuses uses up
// nothing of what all share.
func TestRefusedCallsDoNotUseWhatIsShared(t *testing.T) {
	w := newPeople(t, `@id("nothing") forbid (principal, action, resource is Ostiary::Prompt);`)
	app, other := w.client("app", doortest.ModernVersion, ""), w.client("other", doortest.ModernVersion, "")
	w.door.Must("limit", "set", "--id", "each", "--server", "s", "--calls", "2/24h", "--reason", "test")
	w.door.Must("limit", "set", "--id", "all", "--shared", "--calls", "4/24h", "--reason", "test")
	for i := range 20 {
		if r := app.Tool("1", "echo", `{"text":"x"}`); (r.Text() != "") != (i < 2) {
			t.Fatalf("call %d: %d %s", i, r.Status, r.Body)
		}
	}
	w.passes("the other agent's first", other.Tool("1", "echo", `{"text":"x"}`))
	w.passes("and second", other.Tool("2", "echo", `{"text":"x"}`))
	w.door.Must("limit", "remove", "each", "--reason", "test")
	if r := other.Tool("3", "echo", `{"text":"x"}`); r.Status != http.StatusTooManyRequests {
		t.Errorf("a fifth call: %d %s", r.Status, r.Body)
	}
	w.door.Must("limit", "remove", "all", "--reason", "test")
	w.door.Must("limit", "set", "--server", "s", "--cost", "10/24h", "--reason", "test")
	w.door.Must("limit", "set", "--server", "s", "--tool", "echo", "--weight", "6", "--reason", "test")
	w.passes("a dear call", app.Tool("4", "echo", `{"text":"x"}`))
	if r := app.Tool("5", "echo", `{"text":"x"}`); r.Status != http.StatusTooManyRequests {
		t.Errorf("a second dear call: %d %s", r.Status, r.Body)
	}
	w.passes("a cheap call", app.Tool("6", "add", `{"a":1,"b":2}`))
	w.door.Must("limit", "set", "--server", "s", "--bytes", "1KiB/24h", "--reason", "test")
	passed := 0
	for range 20 {
		if other.Tool("7", "add", `{"a":1,"b":2}`).Text() != "" {
			passed++
		}
	}
	if passed == 0 || passed > 5 {
		t.Errorf("%d calls passed 1 KiB", passed)
	}
}
