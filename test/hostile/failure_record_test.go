package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// tally counts the records of calls by what became of them.
func (w *site) tally() (ok, unavailable int) {
	for _, r := range w.Exchanges() {
		switch {
		case r.Method == "tools/call" && r.Outcome == "ok":
			ok++
		case r.Reason == "log_unavailable":
			unavailable++
		}
	}
	return ok, unavailable
}

// TestDiskIsFull fills the disk under the record while calls are under way: what
// began is answered and recorded, what is new is refused with log_unavailable and
// reaches no server, and when there is room again the gateway goes on by itself,
// without having lost a record.
func TestDiskIsFull(t *testing.T) {
	disk := smallDisk(t, 24)
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
	ok, unavailable := w.tally()
	if ok != 1+under+again || unavailable != refused+late {
		t.Errorf("recorded %d answers and %d refusals, want %d and %d", ok, unavailable, 1+under+again, refused+late)
	}
	if status, body := w.AdminGet("/readyz"); status != 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	// It went on, and it can be stopped and started on what it wrote.
	w.Restart()
	if r := c.Tool("1", "echo", `{"text":"x"}`); r.Text() != "x" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// TestKilledGateway ends the gateway without warning, again and again, under load:
// every call that was answered has its record, a line that was torn is cut off, the
// session of an HTTP server goes on, that of a process is gone.
func TestKilledGateway(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{})
	pipe := doortest.NewStdio(t, doortest.Script{})
	w := &site{up: up, Door: doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{{Name: "s", URL: up.URL()}, {Name: "pipe", Command: pipe.Command, Env: pipe.Env}},
		Agents:  []string{"app"},
	})}
	rounds := 3
	if *soak {
		rounds = 1000
	}
	session, bound := w.legacy(t, "app", "s", `{}`), w.legacy(t, "app", "pipe", `{}`)
	made := up.Sessions()
	answered := map[int]bool{} // by the size of the request, which is new each time
	size := 0
	for range rounds {
		size = w.killUnderLoad(t, size, answered)
		torn(t, w.Dir)
		w.Up()
		if r := session.Tool("1", "echo", `{"text":"x"}`); r.Text() != "x" || up.Sessions() != made {
			t.Errorf("the session of the HTTP server: %d %s, %d sessions", r.Status, r.Body, up.Sessions()-made)
		}
		if r := bound.Tool("1", "echo", `{"text":"x"}`); r.Status != 404 || r.Code() != 31009 {
			t.Errorf("the session of the process: %d %s", r.Status, r.Body)
		}
	}
	recorded := map[int]int{}
	for _, r := range w.Exchanges() {
		if r.Method == "tools/call" && r.Outcome == "ok" && r.Era == "modern" {
			recorded[bytesIn(t, r)]++
		}
	}
	for size := range answered {
		if recorded[size] != 1 {
			t.Errorf("the answered call of %d bytes has %d records", size, recorded[size])
		}
	}
	if len(answered) < rounds*20 {
		t.Errorf("only %d calls were answered", len(answered))
	}
	whole, err := os.ReadFile(filepath.Join(w.Dir, "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for l := range bytes.Lines(whole) {
		if !json.Valid(l) {
			t.Errorf("a line is not whole: %q", l)
		}
	}
	if strings.Contains(string(whole), "torn") {
		t.Error("the torn line is still there")
	}
}

// killUnderLoad lets four callers call until some dozens were answered, then
// kills the gateway. Each request is one byte larger than any before.
func (w *site) killUnderLoad(t *testing.T, size int, answered map[int]bool) int {
	t.Helper()
	var mu sync.Mutex
	enough := make(chan struct{})
	var all sync.WaitGroup
	before := len(answered)
	for range 4 {
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
				if len(answered) == before+40 {
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

// torn leaves half a line behind, as a crash in the middle of a write does.
func torn(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "records.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"time":"torn`); err != nil {
		t.Fatal(err)
	}
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
