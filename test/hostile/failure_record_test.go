package hostile

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// fill writes a file until nothing more fits.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2] // to the last byte
		}
	}
}

// tally counts the records of calls by what became of them. Calls that were
// refused because the log was full are counted in summaries.
func (w *site) tally() (ok, unavailable int) {
	for _, r := range w.Records() {
		switch {
		case r.Method == "tools/call" && r.Outcome == "ok":
			ok++
		case r.Reason == "log_unavailable":
			unavailable += max(r.Count, 1)
		}
	}
	return ok, unavailable
}

// TestDiskIsFull fills the disk under the record while calls are under way: what
// began is answered and recorded, what is new is refused with log_unavailable and
// reaches no server, and when there is room again the gateway goes on by itself,
// without having lost a record.
func TestDiskIsFull(t *testing.T) {
	disk := smallDisk(t, 40)
	up := doortest.NewUpstream(t, doortest.Config{})
	w := &site{up: up, Door: doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"}})}
	c := w.client(t, "app", "s")
	if r := c.Tool("0", "echo", `{"text":"x"}`); r.Text() != "x" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	gate := make(chan struct{})
	up.On("tools/call", doortest.Gated(gate))
	const under = 20
	var early sync.WaitGroup
	for i := range under {
		early.Go(func() {
			if r := c.Tool(fmt.Sprint(i), "echo", `{"text":"early"}`); r.Text() != "early" {
				t.Errorf("a call that had begun: %d %s", r.Status, r.Body)
			}
		})
	}
	up.AwaitCalls("tools/call", under+1)
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	up.Forget()
	const refused = 30
	for i := range refused {
		if r := c.Tool(fmt.Sprint(i), "echo", `{"text":"new"}`); r.Status != 503 || r.Code() != 31040 || string(r.Message().ID) != fmt.Sprint(i) || r.Header.Get("Retry-After") == "" {
			t.Fatalf("a new call: %d %v %s", r.Status, r.Header, r.Body)
		}
	}
	if up.Bytes() != 0 {
		t.Errorf("%d bytes reached the server: %q", up.Bytes(), up.Received())
	}
	if status, body := w.AdminGet("/readyz"); status == 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _ := w.AdminGet("/livez"); status != 200 {
		t.Errorf("/livez: %d", status)
	}
	close(gate)
	early.Wait()
	up.On("tools/call", nil)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	again, late := 0, 0
	doortest.Poll(t, "the gateway to go on", func() bool {
		r := c.Tool("9", "echo", `{"text":"again"}`)
		if r.Code() == 31040 {
			late++
			return false
		}
		again++
		return r.Text() == "again"
	})
	if status, body := w.AdminGet("/readyz"); status != 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	// It went on, and it can be stopped and started on what it wrote.
	w.Restart()
	ok, unavailable := w.tally()
	if ok != 1+under+again || unavailable != refused+late {
		t.Errorf("recorded %d answers and %d refusals, want %d and %d", ok, unavailable, 1+under+again, refused+late)
	}
	w.verified()
	if r := c.Tool("1", "echo", `{"text":"x"}`); r.Text() != "x" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// verified runs the verifier over the whole log.
func (w *site) verified() { w.Must("audit", "verify") }

// G05: TestKilledGateway ends the gateway without warning, again and again, at
// random points under load: every call that was answered has its record, none has
// two, those that were cut off say so, and the log verifies. The session of an
// HTTP server goes on, that of a process is gone.
func TestKilledGateway(t *testing.T) {
	for name, options := range drivers(t) {
		t.Run(name, func(t *testing.T) { killedGateway(t, options) })
	}
}

func killedGateway(t *testing.T, o doortest.Options) {
	up := doortest.NewUpstream(t, doortest.Config{})
	pipe := doortest.NewStdio(t, doortest.Script{})
	o.Servers = []doortest.Server{{Name: "s", URL: up.URL()}, {Name: "pipe", Command: pipe.Command, Env: pipe.Env}}
	o.Agents = []string{"app"}
	w := &site{up: up, Door: doortest.Gateway(t, o)}
	rounds := 3
	if *soak {
		rounds = 200
	}
	session, bound := w.legacy(t, "app", "s", `{}`), w.legacy(t, "app", "pipe", `{}`)
	made := up.Sessions()
	answered := map[int]bool{} // by the size of the request, which is new each time
	size := 0
	for range rounds {
		size = w.killUnderLoad(t, size, answered)
		w.Up()
		if r := session.Tool("1", "echo", `{"text":"x"}`); r.Text() != "x" || up.Sessions() != made {
			t.Errorf("the session of the HTTP server: %d %s, %d sessions", r.Status, r.Body, up.Sessions()-made)
		}
		if r := bound.Tool("1", "echo", `{"text":"x"}`); r.Status != 404 || r.Code() != 31009 {
			t.Errorf("the session of the process: %d %s", r.Status, r.Body)
		}
	}
	w.complete(t, answered)
	w.verified()
	if len(answered) < rounds*20 {
		t.Errorf("only %d calls were answered", len(answered))
	}
}

// complete holds the log to what clients saw: each answered call has one line
// with its outcome, no exchange has two, and none is left open.
func (w *site) complete(t *testing.T, answered map[int]bool) {
	t.Helper()
	ended, lines, cut := map[int]int{}, map[string]int{}, 0
	for _, r := range w.Records() {
		if r.Method != "tools/call" || r.Era != "modern" {
			continue
		}
		lines[r.Exchange]++
		switch r.Kind {
		case "call.finished":
			if r.Outcome == "ok" {
				ended[bytesIn(t, r)]++
			}
		case "call.outcome_unknown":
			cut++
		default:
			t.Errorf("a call without an end: %s", r.Line)
		}
	}
	for exchange, n := range lines {
		if n != 1 {
			t.Errorf("exchange %s has %d lines", exchange, n)
		}
	}
	for size := range answered {
		if ended[size] != 1 {
			t.Errorf("the answered call of %d bytes has %d records", size, ended[size])
		}
	}
	t.Logf("%d calls were answered, %d cut off", len(answered), cut)
}

// killUnderLoad lets 64 callers call, kills the gateway at a moment that nobody
// chose, and returns the size of the largest request. Each request is one byte
// larger than any before. What the callers call counts as modify, so that an
// answer that reached one of them has its outcome in the log.
func (w *site) killUnderLoad(t *testing.T, size int, answered map[int]bool) int {
	t.Helper()
	var mu sync.Mutex
	enough := make(chan struct{})
	stop := 40 + rand.IntN(400)
	var all sync.WaitGroup
	before := len(answered)
	for range 64 {
		c := w.client(t, "app", "s")
		all.Go(func() {
			for {
				mu.Lock()
				size++
				body := c.Request("1", "tools/call", `{"name":"echo","arguments":{"text":"`+strings.Repeat("x", size)+`"}}`)
				mu.Unlock()
				r, err := c.Attempt(body)
				if err != nil {
					return // killed
				}
				if r.Status != 200 {
					t.Errorf("%d %s", r.Status, r.Body)
					return
				}
				mu.Lock()
				answered[len(body)] = true
				if len(answered) == before+stop {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	w.Process().Kill()
	all.Wait()
	return size
}

func bytesIn(t *testing.T, r doortest.Record) int {
	t.Helper()
	var e struct {
		BytesIn int `json:"bytes_in"`
	}
	if err := json.Unmarshal(r.Line, &e); err != nil {
		t.Fatal(err)
	}
	return e.BytesIn
}
