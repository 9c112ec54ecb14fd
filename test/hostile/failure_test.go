package hostile

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// limits adds lines to the limits of a configuration.
func limits(lines ...string) func(string) string {
	return func(yaml string) string { return yaml + "\nlimits:\n  " + strings.Join(lines, "\n  ") + "\n" }
}

// TestOneServerFails kills, hangs and floods one server while others are called
// (U15, and of M12 the answer that never comes): the caller concerned gets a clear
// error, the others notice nothing.
func TestOneServerFails(t *testing.T) {
	sick, steady := doortest.NewUpstream(t, doortest.Config{}), doortest.NewUpstream(t, doortest.Config{})
	pipe, dying := doortest.NewStdio(t, doortest.Script{}), doortest.NewStdio(t, doortest.Script{Mode: "exit"})
	w := &site{up: sick, Door: doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{{Name: "sick", URL: sick.URL()}, {Name: "steady", URL: steady.URL()},
			{Name: "pipe", Command: pipe.Command, Env: pipe.Env}, {Name: "dying", Command: dying.Command, Env: dying.Env}},
		Agents: []string{"a", "b"},
		Config: limits("call_timeout: 3s"),
	})}
	stop := w.others(t, "steady", "pipe", "sick")
	t.Run("U15 hung", w.hung)
	t.Run("killed while it answers", w.killed)
	t.Run("flooded", w.flooded)
	t.Run("process ends", func(t *testing.T) {
		n := len(w.Exchanges())
		r := w.client(t, "a", "dying").Tool(`"p"`, "echo", `{}`)
		w.failed(t, n, r, `"p"`, 502, 31054, "upstream_gone")
	})
	if calls := stop(); calls < 20 {
		t.Errorf("only %d calls were made beside the failures", calls)
	}
	t.Run("killed for good", func(t *testing.T) {
		sick.Close()
		n := len(w.Exchanges())
		r := w.client(t, "a", "sick").Tool("1", "echo", `{}`)
		w.failed(t, n, r, "1", 502, 31050, "upstream_unreachable")
		list := w.client(t, "a", "").Call("2", "tools/list", `{}`)
		if !strings.Contains(list.Final(), "steady__echo") || strings.Contains(list.Final(), "sick__echo") {
			t.Errorf("%d %s", list.Status, list.Body)
		}
	})
}

// others lets agent b call servers all the time; each call must succeed. What
// is returned stops it and tells how many calls there were. On the sick server
// b calls the tool "add", which stays well.
func (w *site) others(t *testing.T, servers ...string) (stop func() int64) {
	var calls atomic.Int64
	var over atomic.Bool
	var all sync.WaitGroup
	for _, server := range servers {
		c := w.client(t, "b", server)
		all.Go(func() {
			for !over.Load() && !t.Failed() {
				r := c.Tool("7", "add", `{"a":1,"b":2}`)
				if r.Status != 200 || r.Text() != "3" {
					t.Errorf("a call to %s beside the failures: %d %s", server, r.Status, r.Body)
				}
				calls.Add(1)
			}
		})
	}
	var once sync.Once
	end := func() int64 {
		once.Do(func() { over.Store(true); all.Wait() })
		return calls.Load()
	}
	t.Cleanup(func() { end() })
	return end
}

// failing makes the sick server's tool "echo" behave like h; the others stay well.
func (w *site) failing(h doortest.Handler) {
	w.up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) {
		if r.Get("Mcp-Name") == "echo" || strings.Contains(string(r.Body), `"echo"`) {
			h(c, r)
			return
		}
		c.Standard()
	})
}

// failed checks the one answer and the one record of agent a's failure.
func (w *site) failed(t *testing.T, n int, r doortest.Reply, id string, status, code int, reason string) {
	t.Helper()
	if r.Status != status || r.Code() != code || string(r.Message().ID) != id || !strings.Contains(string(r.Body), `"exchange":`) {
		t.Errorf("answered %d %.300s", r.Status, r.Body)
	}
	var own []doortest.Record
	for _, rec := range w.since(n) {
		if rec.Actor == "a" {
			own = append(own, rec)
		}
	}
	if len(own) != 1 || own[0].Reason != reason || own[0].Outcome != "failed" || !own[0].Sent {
		t.Errorf("records %s", listing(own))
	}
}

// hung tries every phase in which a server can stop, at once: each costs the
// whole limit of a call.
func (w *site) hung(t *testing.T) {
	phases := map[string]doortest.Handler{
		"no headers":   doortest.Hang,
		"half headers": func(c *doortest.Conn, _ *doortest.Request) { c.Raw("HTTP/1.1 200 OK\r\nContent-Type: appl"); c.Hang() },
		"no body": func(c *doortest.Conn, _ *doortest.Request) {
			c.Raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
			c.Hang()
		},
		"half a body": func(c *doortest.Conn, _ *doortest.Request) {
			c.Raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"jsonrpc\":")
			c.Hang()
		},
		"a silent stream": hangs,
		"half an event":   func(c *doortest.Conn, _ *doortest.Request) { c.Chunk("data: {\"jsonrpc\""); c.Hang() },
		"comments alone": func(c *doortest.Conn, _ *doortest.Request) {
			for {
				select {
				case <-c.Gone():
					c.Close()
					return
				default:
					c.Chunk(":\n\n")
				}
			}
		},
	}
	w.failing(func(c *doortest.Conn, r *doortest.Request) {
		for name, h := range phases {
			if strings.Contains(string(r.Body), `"`+name+`"`) {
				h(c, r)
			}
		}
	})
	n := len(w.Exchanges())
	var all sync.WaitGroup
	for name := range phases {
		c := w.client(t, "a", "sick")
		all.Go(func() {
			r := c.Tool(`"h"`, "echo", `{"text":"`+name+`"}`)
			if r.Code() != 31053 || r.Status != 504 && len(r.Messages) != 1 || string(r.Message().ID) != `"h"` {
				t.Errorf("%s: %d %.300s", name, r.Status, r.Body)
			}
		})
	}
	all.Wait()
	late := 0
	for _, rec := range w.since(n) {
		if rec.Actor == "a" && rec.Reason == "upstream_timeout" && rec.Outcome == "failed" {
			late++
		}
	}
	if late != len(phases) {
		t.Errorf("%d of %d are recorded as late", late, len(phases))
	}
}

func (w *site) killed(t *testing.T) {
	for name, h := range map[string]doortest.Handler{
		"before the head": doortest.HangUp,
		"in the head":     doortest.Bytes("HTTP/1.1 200 OK\r\nContent-"),
		"in the body":     doortest.Bytes("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"jsonrpc\":"),
		"in a stream":     doortest.HalfStream(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`),
	} {
		w.failing(h)
		n := len(w.Exchanges())
		c := w.client(t, "a", "sick")
		r := c.Tool("1", "echo", `{}`)
		status := 502
		if name == "in a stream" {
			status = 200
		}
		w.failed(t, n, r, "1", status, 31054, "upstream_gone")
		if name == "in a stream" && len(r.Messages) != 1 {
			t.Errorf("%q", r.Messages)
		}
	}
}

func (w *site) flooded(t *testing.T) {
	w.failing(func(c *doortest.Conn, _ *doortest.Request) {
		c.Begin()
		for {
			select {
			case <-c.Gone():
				c.Close()
				return
			default:
				c.Chunk("data: " + strings.Repeat("x", 64<<10) + "\n")
			}
		}
	})
	n := len(w.Exchanges())
	r := w.client(t, "a", "sick").Tool("1", "echo", `{}`)
	w.failed(t, n, r, "1", 200, 31052, "result_too_large")
}

// TestGatewayStops asks the gateway to stop while a call and streams are open:
// the streams end in good order, the call gets its answer, the process ends well.
func TestGatewayStops(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{})
	d := doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"}})
	w := &site{Door: d, up: up}
	gate := make(chan struct{})
	up.On("tools/call", doortest.Gated(gate))
	c, session := w.client(t, "app", "s"), w.legacy(t, "app", "s", `{}`)
	listen := c.Open("POST", listenTo(c, `"l"`, `{"toolsListChanged":true}`))
	if e, err := listen.Next(); err != nil || !strings.Contains(e.Data, "acknowledged") {
		t.Fatalf("%q %v", e.Data, err)
	}
	get := session.Open("GET", "")
	answers := make(chan doortest.Reply, 2)
	for _, caller := range []*doortest.Client{w.client(t, "app", "s"), session} {
		go func() { answers <- caller.Tool("5", "echo", `{"text":"late"}`) }()
	}
	up.AwaitCalls("tools/call", 2)
	d.Process().Signal(syscall.SIGTERM)
	e, err := listen.Next()
	if err != nil || !strings.Contains(e.Data, `"id":"l","result"`) && !strings.Contains(e.Data, `"resultType":"complete"`) {
		t.Errorf("the listen stream ended with %q %v", e.Data, err)
	}
	for name, s := range map[string]*doortest.Stream{"listen": listen, "GET": get} {
		if e, err := s.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %q %v", name, e.Data, err)
		}
	}
	close(gate)
	for range 2 {
		if r := <-answers; r.Status != 200 || r.Text() != "late" {
			t.Errorf("the call under way: %d %s", r.Status, r.Body)
		}
	}
	<-d.Process().Done()
	if err := d.Process().Stop(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
	ended := map[string]int{}
	for _, r := range d.Exchanges() {
		ended[r.Method]++
	}
	if ended["tools/call"] != 2 || ended["subscriptions/listen"] != 1 || ended["GET"] != 1 {
		t.Errorf("records %v", ended)
	}
}

// TestIdleStreams holds many listen streams open: one stream to the server
// carries them all, and each gets what it asked for.
func TestIdleStreams(t *testing.T) {
	streams := 500
	if *soak {
		streams = 10_000
	}
	up := doortest.NewUpstream(t, doortest.Config{Modern: true})
	w := &site{up: up, Door: doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"},
		Config: limits("listen_streams: 10000", "streams: 10000", "in_flight: 10000"),
	})}
	c := w.client(t, "app", "s")
	c.HTTP2 = true
	open := make([]*doortest.Stream, streams)
	for i := range open {
		open[i] = c.Open("POST", listenTo(c, fmt.Sprint(i), `{"toolsListChanged":true}`))
		if e, err := open[i].Next(); err != nil || !strings.Contains(e.Data, "acknowledged") {
			t.Fatalf("stream %d: %d %q %v", i, open[i].Status, e.Data, err)
		}
	}
	up.AwaitStreams(1)
	if kib := w.resident(); *soak && kib > 500<<10 {
		t.Errorf("%d streams hold %d KiB", streams, kib)
	}
	up.Push(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	for i, s := range open {
		want := fmt.Sprintf(`subscriptionId":%d}`, i)
		if e, err := s.Next(); err != nil || !strings.Contains(e.Data, "list_changed") || !strings.Contains(e.Data, want) {
			t.Fatalf("stream %d: %q %v", i, e.Data, err)
		}
	}
	for _, s := range open {
		s.Close()
	}
	up.AwaitStreams(0)
	if n := len(up.Calls("subscriptions/listen")); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}
