package forward

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

func legacyTool(tool string) string {
	return `"id":"c","method":"tools/call","params":{"name":"` + tool + `"}`
}

func modernTool(tool string) string {
	return `"id":"c","method":"tools/call","params":{"name":"` + tool + `",` + modernMeta + `}`
}

const emptyResult = `{"jsonrpc":"2.0","id":"c","result":{"content":[]}}`

// TestChildEnvironment is U09 with a real child: it sees what is listed.
func TestChildEnvironment(t *testing.T) {
	t.Setenv("GATEWAY_SECRET", "canary")
	h := newHouse(t)
	h.env = map[string]string{"PATH": os.Getenv("PATH"), "HOME": "/nowhere", "GATEWAY_SECRET": "canary", "PASSED": "on"}
	srv := stdio(t, func(s *registry.Server) { s.PassEnv = []string{"PASSED"} })
	got := lastOf(t, h, modern(t, srv, modernTool("env")))
	if strings.Contains(got, "canary") || !strings.Contains(got, "PASSED=on") || !strings.Contains(got, asServer+"=1") || !strings.Contains(got, "HOME=/nowhere") {
		t.Error(got)
	}
}

// TestSessionsOfChildren: each legacy session has a child of its own, which
// ends with it.
func TestSessionsOfChildren(t *testing.T) {
	h, srv := newHouse(t, func(c *Config) { c.Limits.Processes = 2 }), stdio(t)
	begin := func(session string) error {
		x := legacy(t, srv, initializeText)
		x.Session.ID = session
		_, err := sent(t, h, x)
		if err == nil && !x.Session.Bound {
			t.Errorf("session %s is not bound to this process", session)
		}
		return err
	}
	use := func(session, tool string) error {
		x := legacy(t, srv, legacyTool(tool))
		x.Session.ID = session
		_, err := sent(t, h, x)
		return err
	}
	wantKind(t, "a session that never began", use("a", "t"), fault.SessionUnknown)
	wantKind(t, "the first", begin("a"), "")
	wantKind(t, "the second", begin("b"), "")
	wantKind(t, "one too many", begin("c"), fault.Busy)
	wantKind(t, "a call", use("a", "t"), "")
	wantKind(t, "a server that ends", use("a", "exit"), fault.UpstreamGone)
	wantKind(t, "a call after its end", use("a", "t"), fault.SessionUnknown)
	wantKind(t, "another session", use("b", "t"), "")
	wantKind(t, "one in place of the ended", begin("c"), "")
	end := legacy(t, srv, legacyList)
	end.Verb, end.Request, end.Fact, end.Session.ID = exchange.End, nil, wire.Fact{}, "b"
	if err := h.Send(t.Context(), end); err != nil || end.Answers != nil {
		t.Error(err)
	}
	wantKind(t, "a call after DELETE", use("b", "t"), fault.SessionUnknown)
	h.Forget("c")
	wantKind(t, "a call after expiry", use("c", "t"), fault.SessionUnknown)
}

// TestSessionsAtOnce: sessions that begin at the same time are counted and do
// not disturb each other.
func TestSessionsAtOnce(t *testing.T) {
	h, srv := newHouse(t, func(c *Config) { c.Limits.Processes = 3 }), stdio(t)
	var wait sync.WaitGroup
	var mu sync.Mutex
	began := 0
	for i := range 8 {
		x := legacy(t, srv, initializeText)
		x.Session.ID = fmt.Sprint("s", i)
		wait.Go(func() {
			err := h.Send(context.Background(), x)
			if err == nil {
				_, err = frames(x)
			}
			if err != nil && !fault.Is(err, fault.Busy) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				began++
			}
		})
	}
	wait.Wait()
	if began != 3 {
		t.Errorf("%d sessions began", began)
	}
}

// TestPartsOfChildren: a part of /mcp introduces its client when the server is
// first needed, and does not get a session back that its server lost.
func TestPartsOfChildren(t *testing.T) {
	h, srv := newHouse(t), stdio(t)
	part := func(tool string) error {
		x := legacy(t, srv, legacyTool(tool))
		x.Parent = "x-0"
		_, err := sent(t, h, x)
		return err
	}
	wantKind(t, "the first call", part("t"), "")
	wantKind(t, "the second", part("t"), "")
	wantKind(t, "the end", part("exit"), fault.UpstreamGone)
	wantKind(t, "after it", part("t"), fault.UpstreamGone)
}

// TestSharedChild: the modern era shares a child, which starts again after it
// ended, not at once.
func TestSharedChild(t *testing.T) {
	now := time.Unix(1000, 0)
	var mu sync.Mutex
	h := newHouse(t, func(c *Config) {
		c.Clock = clock.Fixed(func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
	})
	srv := stdio(t)
	if got := lastOf(t, h, modern(t, srv, modernTool("t"))); got != emptyResult {
		t.Error(got)
	}
	if got := lastOf(t, h, modern(t, srv, modernTool("last"))); got != emptyResult {
		t.Errorf("the last answer: %s", got)
	}
	b := h.backends[srv.ID].backend.(*piped)
	<-b.shared.done
	_, err := sent(t, h, modern(t, srv, modernTool("t")))
	wantKind(t, "too soon", err, fault.UpstreamUnreachable)
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	if got := lastOf(t, h, modern(t, srv, modernTool("t"))); got != emptyResult {
		t.Error(got)
	}
	_, err = sent(t, h, modern(t, srv, modernTool("junk")))
	wantKind(t, "a line that is no message", err, fault.UpstreamBad)
	note := modern(t, srv, `"method":"notifications/progress","params":{"progressToken":1,"progress":1}`)
	if err := h.Send(t.Context(), note); err == nil {
		t.Error("a notification started a child before its time")
	}
}

// TestChildLimits: calls in flight and the time of each are bounded.
func TestChildLimits(t *testing.T) {
	h, srv := newHouse(t, func(c *Config) { c.Limits.InFlight = 1 }), stdio(t)
	quiet := modern(t, srv, modernTool("quiet"))
	quiet.Deadline = time.Millisecond
	if err := h.Send(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	_, err := sent(t, h, modern(t, srv, modernTool("t")))
	wantKind(t, "a second call", err, fault.Busy)
	_, err = frames(quiet)
	wantKind(t, "a server that does not answer", err, fault.UpstreamLate)
	if got := lastOf(t, h, modern(t, srv, modernTool("t"))); got != emptyResult {
		t.Error(got)
	}
}

// TestIdleChild: a shared child without calls is stopped, and started when it
// is needed.
func TestIdleChild(t *testing.T) {
	h, srv := newHouse(t, func(c *Config) { c.Limits.ProcessIdle = time.Hour }), stdio(t)
	if got := lastOf(t, h, modern(t, srv, modernTool("t"))); got != emptyResult {
		t.Error(got)
	}
	b := h.backends[srv.ID].backend.(*piped)
	old := b.shared
	busy := modern(t, srv, modernTool("t"))
	if err := h.Send(t.Context(), busy); err != nil {
		t.Fatal(err)
	}
	b.retire(old)
	if b.shared != old {
		t.Error("a child was retired during a call")
	}
	if _, err := frames(busy); err != nil {
		t.Error(err)
	}
	b.retire(old)
	<-old.done
	b.retire(old) // no more to do
	if b.shared != nil {
		t.Error("an idle child stays")
	}
	if got := lastOf(t, h, modern(t, srv, modernTool("t"))); got != emptyResult || b.shared == old {
		t.Error(got)
	}
}

// TestChildRefusals: what cannot be started is not.
func TestChildRefusals(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		srv  *registry.Server
		kind fault.Kind
	}{
		"no such program":    {stdio(t, func(s *registry.Server) { s.Command = []string{"/nowhere/server"} }), fault.UpstreamUnreachable},
		"no such folder":     {stdio(t, func(s *registry.Server) { s.Dir = "/nowhere" }), fault.UpstreamUnreachable},
		"damaged credential": {stdio(t, func(s *registry.Server) { s.Secrets[0].Sealed = []byte("damaged") }), fault.Internal},
	} {
		c.srv.ID = strings.ReplaceAll(name, " ", "-")
		_, err := sent(t, h, modern(t, c.srv, modernTool("t")))
		wantKind(t, name, err, c.kind)
		x := legacy(t, c.srv, initializeText)
		_, err = sent(t, h, x)
		wantKind(t, name, err, c.kind)
		if x.Session.Bound {
			t.Errorf("%s: the session is bound", name)
		}
	}
	h.Close()
	_, err := sent(t, h, modern(t, stdio(t), modernTool("t")))
	wantKind(t, "a closed gateway", err, fault.Draining)
}

// TestChildNotifications: they go to the session's child and have no answer;
// so do the gateway's refusals.
func TestChildNotifications(t *testing.T) {
	h, srv := newHouse(t), stdio(t)
	if _, err := sent(t, h, legacy(t, srv, initializeText)); err != nil {
		t.Fatal(err)
	}
	note := legacy(t, srv, `"method":"notifications/roots/list_changed"`)
	if err := h.Send(t.Context(), note); err != nil || note.Answers != nil || !note.Sent {
		t.Errorf("%v, sent %v", err, note.Sent)
	}
	note.Back = wire.NewError(wire.StringID("q"), note.Version, fault.New(fault.CapabilityMissing), "x")
	if err := h.Return(t.Context(), note); err != nil {
		t.Error(err)
	}
	note.Session.ID = "other"
	wantKind(t, "another session", h.Return(t.Context(), note), fault.SessionUnknown)
	stream := legacy(t, srv, legacyList)
	stream.Verb, stream.Request = exchange.Stream, nil
	if err := h.Send(t.Context(), stream); err != nil || stream.Answers == nil {
		t.Fatal(err)
	}
	wantKind(t, "a second stream", h.Send(t.Context(), stream), fault.StreamTaken)
}
