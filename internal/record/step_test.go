package record

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

var ctx = context.Background()

func message(t *testing.T, raw string) *wire.Message {
	t.Helper()
	side := wire.FromClient
	if strings.Contains(raw, `"result"`) || strings.Contains(raw, "notifications/progress") {
		side = wire.FromServer
	}
	m, err := wire.Parse([]byte(raw), wire.DefaultLimits(), side)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func hexSum(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:])
}

// A call is decided in the log before it may be forwarded, and finished there
// with the same id; the closing entry says all of it again.
func TestEveryExchangeHasItsEntries(t *testing.T) {
	w := newWorld(t)
	const request = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":"canary"}}}`
	const answer = `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`
	x := call("x1", registry.Write)
	x.Request = message(t, request)
	must(t, w.Open(ctx, x))
	if got := w.entries(); len(got) != 1 || got[0].Kind != "call.decided" || got[0].Decision != "allow" || got[0].Outcome != nil ||
		got[0].Request != hexSum(request) || got[0].Name != "search" {
		t.Fatalf("after Open the log holds %+v", got)
	}
	w.now = noon.Add(3 * time.Millisecond)
	x.Final, x.Outcome, x.Sent, x.BytesIn, x.BytesOut = message(t, answer), exchange.OK, true, 120, 300
	must(t, w.Close(ctx, x))
	got := w.entries()
	if len(got) != 2 {
		t.Fatalf("%d entries", len(got))
	}
	e := got[1]
	if e.Kind != "call.finished" || e.Exchange != "x1" || e.Actor != "s-app" || e.Server != "wiki" || e.Decision != "allow" ||
		e.ended() != "ok" || !e.Sent || e.Elapsed != 3000 || e.Registry != 7 || e.Need != "write" ||
		e.Request != hexSum(request) || e.Answer != hexSum(answer) || e.Time != "2026-11-24T12:00:00.000000Z" || e.Log != "calls/2026" {
		t.Fatalf("entry %+v", e)
	}
}

// Nothing that names a person or says what was asked is in an entry.
func TestEntriesNameNobody(t *testing.T) {
	w := newWorld(t)
	x := call("x1", registry.Read)
	x.Peer = netip.MustParseAddrPort("203.0.113.77:5000")
	x.Request = message(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":"canary"}}}`)
	must(t, w.Open(ctx, x))
	must(t, w.Close(ctx, x))
	must(t, w.Act(auditlog.Act{Kind: auditlog.ComponentSuspended, Action: "agent.suspend", By: "root", Agent: "app"}))
	for _, e := range w.entries() {
		if e.Actor == "app" || e.Agent == "app" || e.Actor == "root" || strings.Contains(e.Peer, "77") {
			t.Errorf("entry %+v", e)
		}
	}
}

func TestNetworksNotAddresses(t *testing.T) {
	for from, want := range map[string]string{
		"127.0.0.1:1": "127.0.0.1", "[::1]:1": "::1", "203.0.113.77:1": "203.0.113.0/24",
		"[2001:db8:1:2:3::4]:1": "2001:db8:1::/48", "[::ffff:203.0.113.77]:1": "203.0.113.0/24", "[fe80::1%eth0]:1": "fe80::/48",
	} {
		if got := network(netip.MustParseAddrPort(from)); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
	if got := network(netip.AddrPort{}); got != "" {
		t.Errorf("no address: %s", got)
	}
}

// The caller is told "unknown or not available"; the record says which.
func TestP01RefusalKeepsItsReason(t *testing.T) {
	w := newWorld(t)
	x := call("x1", "")
	x.Outcome, x.Fault = exchange.Refused, fault.New(fault.Denied)
	x.Decision = policy.Decision{Kind: fault.ToolUnknown, Reason: "tool changed after approval"}
	must(t, w.Close(ctx, x))
	got := w.entries()
	if len(got) != 1 {
		t.Fatalf("%d entries, want one that opens and closes", len(got))
	}
	if e := got[0]; e.Kind != "call.decided" || e.Decision != "deny" || e.Reason != "tool_unknown" || e.Detail != "tool changed after approval" || e.ended() != "refused" {
		t.Fatalf("entry %+v", e)
	}
}

// An exchange that was allowed and refused later on the way there is denied in
// its one entry: what reads the log must not wait for its end.
func TestRefusedAfterTheDecision(t *testing.T) {
	w := newWorld(t)
	x := call("x1", registry.Read)
	x.Outcome, x.Fault = exchange.Refused, fault.New(fault.BadParams)
	must(t, w.Close(ctx, x))
	if e := w.entries()[0]; e.Decision != "deny" || e.Reason != "bad_params" {
		t.Fatalf("entry %+v", e)
	}
	if left := w.c.Book.Orphans(); len(left) != 0 {
		t.Fatalf("it looks unfinished: %+v", left)
	}
}

func TestFloodIsSummarised(t *testing.T) {
	w := newWorld(t)
	const n = perSecond + 250
	for range n {
		x := &exchange.Exchange{Start: w.now, Outcome: exchange.Refused, Fault: fault.New(fault.Unauthenticated)}
		must(t, w.Close(ctx, x))
	}
	w.now = w.now.Add(time.Second)
	must(t, w.Flush(w.now))
	got := w.entries()
	if len(got) != perSecond+1 {
		t.Fatalf("%d entries for %d refusals", len(got), n)
	}
	if last := got[perSecond]; last.Kind != "flood.summarised" || last.Count != 250 || last.Reason != "unauthenticated" {
		t.Fatalf("summary %+v", last)
	}
	w.now = w.now.Add(time.Second)
	must(t, w.Flush(w.now))
	if again := w.entries(); len(again) != len(got) {
		t.Fatal("the same summary was written twice")
	}
}

// An identified caller's refusals are never only counted.
func TestIdentifiedCallersAreNotSummarised(t *testing.T) {
	w := newWorld(t)
	for range perSecond * 2 {
		x := &exchange.Exchange{ID: "x", Start: w.now, Principal: identity.Principal{ID: "app"}, Outcome: exchange.Refused, Fault: fault.New(fault.Denied)}
		must(t, w.Close(ctx, x))
	}
	if got := len(w.entries()); got != perSecond*2 {
		t.Fatalf("%d entries", got)
	}
}

// G06: a call is refused when its decision cannot be written, and what was
// refused that way is counted as soon as the log can be written again.
func TestG06NoCallWithoutEntry(t *testing.T) {
	w := newWorld(t)
	w.full.Store(true)
	const n = 5
	for range n {
		x := call("x", registry.Read)
		err := w.Open(ctx, x)
		if !fault.Is(err, fault.LogUnavailable) || x.Opened {
			t.Fatalf("Open without a log: %v, opened %v", err, x.Opened)
		}
		x.Fault, x.Outcome = fault.As(err), exchange.Refused
		must(t, w.Close(ctx, x))
	}
	if w.Flush(w.now.Add(time.Second)) == nil {
		t.Fatal("a summary was written into a log that takes nothing")
	}
	w.full.Store(false)
	w.again(t)
	w.now = w.now.Add(2 * time.Second)
	must(t, w.Flush(w.now))
	total := 0
	for _, e := range w.entries() {
		if e.Kind == "flood.summarised" && e.Reason == "log_unavailable" {
			total += e.Count
		}
	}
	if total != n {
		t.Fatalf("%d refusals were counted, want %d", total, n)
	}
}

// again waits until the log takes entries.
func (w *world) again(t *testing.T) {
	t.Helper()
	for {
		x := call("again", registry.Read)
		if err := w.Open(ctx, x); err == nil {
			x.Outcome = exchange.OK
			must(t, w.Close(ctx, x))
			return
		}
	}
}

// An outcome that the log refuses is not released when it has to be certain,
// and is written once when the log is back, whether somebody waited or not.
func TestOutcomesAreOwedAndPaid(t *testing.T) {
	for _, need := range []registry.Access{registry.Read, registry.Modify} {
		t.Run(string(need), func(t *testing.T) {
			w := newWorld(t)
			x := call("x1", need)
			must(t, w.Open(ctx, x))
			w.full.Store(true)
			x.Outcome, x.Sent = exchange.OK, true
			err := w.Close(ctx, x)
			if wants := need != registry.Read; wants != fault.Is(err, fault.LogUnavailable) {
				t.Fatalf("Close of a %s: %v", need, err)
			}
			w.settle()
			if w.Flush(w.now) == nil {
				t.Fatal("what is owed was paid to a log that takes nothing")
			}
			w.full.Store(false)
			w.again(t)
			must(t, w.Flush(w.now))
			must(t, w.Flush(w.now))
			ends := 0
			for _, e := range w.entries() {
				if e.Exchange == "x1" && e.Kind == "call.finished" {
					ends++
				}
			}
			if ends != 1 || w.Owed() != 0 {
				t.Fatalf("%d closing entries, %d owed", ends, w.Owed())
			}
		})
	}
}

// A call that a crash cut off gets one entry that says so, and only one.
func TestOrphansAreMarkedOnce(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"done", "lost"} {
		x := call(id, registry.Modify)
		must(t, w.Open(ctx, x))
		if id == "done" {
			x.Outcome = exchange.OK
			must(t, w.Close(ctx, x))
		}
	}
	for range 3 {
		w.reopen()
		if _, err := w.Reconcile(); err != nil {
			t.Fatal(err)
		}
	}
	marked := 0
	for _, e := range w.entries() {
		if e.Kind == "call.outcome_unknown" {
			marked++
			if e.Exchange != "lost" || e.ended() != "unknown" || e.Actor != "s-app" || e.Server != "wiki" || e.Decision != "allow" {
				t.Errorf("entry %+v", e)
			}
		}
	}
	if marked != 1 {
		t.Fatalf("%d calls are marked, want 1", marked)
	}
}

// G07: what callers and operators write cannot break an entry.
func TestG07FieldsCannotBreakAnEntry(t *testing.T) {
	w := newWorld(t)
	for _, hostile := range []string{"op\n{\"x\":1}", "name\u2028\x1b[31m", "=cmd()\r\n", "</script>", "\x00\xff", strings.Repeat("x", 1<<20)} {
		must(t, w.Act(auditlog.Act{Kind: auditlog.ComponentApproved, Action: "server.approve", By: "op", Subject: hostile, Reason: clip(hostile)}))
		x := call("x", registry.Read)
		x.Endpoint = hostile
		x.Outcome, x.Fault = exchange.Refused, fault.New(fault.ServerUnknown)
		must(t, w.Close(ctx, x))
	}
	if got := len(w.entries()); got != 12 {
		t.Fatalf("%d entries, want one each", got)
	}
}

// An act that changes nothing is durable when Act returns, and an act that the
// log refuses is an error.
func TestActs(t *testing.T) {
	w := newWorld(t)
	must(t, w.Act(auditlog.Act{Kind: auditlog.AuditRead, Action: "audit.query", By: "root", Change: map[string]int{"lines": 3}}))
	got := w.entries()
	if len(got) != 1 || got[0].Log != "control" || got[0].Kind != "audit.read" || got[0].Actor != "s-root" || string(got[0].Change) != `{"lines":3}` {
		t.Fatalf("entries %+v", got)
	}
	w.full.Store(true)
	if err := w.Act(auditlog.Act{Kind: auditlog.AuditRead, Action: "audit.query"}); !errors.Is(err, errDisk) {
		t.Fatalf("an act that was not written: %v", err)
	}
	w.full.Store(false)
	if err := w.Act(auditlog.Act{Kind: "made.up", Action: "x"}); !errors.Is(err, auditlog.ErrKind) {
		t.Fatalf("a kind that does not exist: %v", err)
	}
	if err := w.Act(auditlog.Act{Kind: auditlog.AuditRead, Change: func() {}}); err == nil {
		t.Fatal("a change that cannot be written was")
	}
}

// The entries of a sum of parts are there, in order.
func TestTheSumOfPartsHasEntries(t *testing.T) {
	w := newWorld(t)
	whole, part := call("x1", registry.Read), call("x2", registry.Modify)
	whole.Join, whole.Server, whole.Endpoint, part.Parent = join{}, nil, "", "x1"
	must(t, w.Open(ctx, whole))
	must(t, w.Open(ctx, part))
	part.Outcome, whole.Outcome = exchange.OK, exchange.OK
	must(t, w.Close(ctx, part))
	must(t, w.Close(ctx, whole))
	var order []string
	for _, e := range w.entries() {
		order = append(order, e.Exchange+" "+e.Kind)
	}
	if got := strings.Join(order, ", "); got != "x1 call.decided, x2 call.decided, x2 call.finished, x1 call.finished" {
		t.Fatal(got)
	}
}

type join struct{ exchange.Join }

// A caller of /mcp holds the parent's id: when it has an answer to more than a
// read, both ends are on stable storage; when one is not, there is no answer.
func TestAParentAnswersForItsParts(t *testing.T) {
	whole := func(need registry.Access) *exchange.Exchange {
		x := call("x1", need)
		x.Join, x.PartNeed, x.Decision.Need = join{}, need, ""
		return x
	}
	part := call("x2", registry.Modify)
	part.Parent = "x1"
	for need, wait := range map[registry.Access]bool{registry.Read: false, registry.Write: true, registry.Modify: true, "": true} {
		if got := mustWait(whole(need)); got != wait {
			t.Errorf("a part that needs %q: the parent waits %v, want %v", need, got, wait)
		}
	}
	if s := (&Step{c: Config{All: true}}); s.waits(part) || !s.waits(whole(registry.Read)) {
		t.Error("with audit.sync all a part waits, or its parent does not")
	}

	w := newWorld(t)
	x := whole(registry.Modify)
	must(t, w.Open(ctx, x))
	must(t, w.Open(ctx, part))
	part.Outcome, x.Outcome = exchange.OK, exchange.OK
	must(t, w.Close(ctx, part))
	x.PartEnds = append(x.PartEnds, part.Finished)
	must(t, w.Close(ctx, x))
	for _, e := range []*auditlog.Ticket{part.Finished, x.Finished} {
		if _, known, err := e.Done(); !known || err != nil {
			t.Errorf("answered before the end was there: known %v, %v", known, err)
		}
	}
	lost := w.c.Book.Submit(auditlog.Entry{Kind: "no.such"})
	x.PartEnds = []*auditlog.Ticket{lost}
	if err := parts(x); fault.As(err).Kind != fault.LogUnavailable {
		t.Errorf("the end of a part is lost: %v", err)
	}
}

// TestOutcomesThatMayTrail: only what is provably a read may trail.
func TestOutcomesThatMayTrail(t *testing.T) {
	tool := func(need registry.Access) *exchange.Exchange { return call("x", need) }
	fact := func(a wire.Action) *exchange.Exchange {
		x := call("x", registry.Read)
		x.Fact = wire.Fact{Action: a}
		return x
	}
	answer := fact(wire.ActRead)
	answer.Pending = &exchange.Pending{}
	for name, c := range map[string]struct {
		x    *exchange.Exchange
		wait bool
	}{
		"a tool that reads":           {tool(registry.Read), false},
		"a tool that writes":          {tool(registry.Write), true},
		"a tool that modifies":        {tool(registry.Modify), true},
		"a tool of no class":          {tool(""), true},
		"a list":                      {fact(wire.ActRead), false},
		"a resource":                  {fact(wire.ActReadResource), false},
		"a ping":                      {fact(wire.ActSession), false},
		"a task":                      {fact(wire.ActTask), true},
		"an answer to the server":     {answer, true},
		"a message about one's own":   {fact(wire.ActOwn), true},
		"a method that nobody named":  {fact(wire.ActNone), true},
		"the client's model":          {fact(wire.ActWriteClient), true},
		"an action from the future":   {fact(wire.Action(200)), true},
		"the end of a session (verb)": {&exchange.Exchange{Verb: exchange.End}, true},
	} {
		if got := mustWait(c.x); got != c.wait {
			t.Errorf("%s: waits %v, want %v", name, got, c.wait)
		}
		if !(&Step{c: Config{All: true}}).waits(c.x) {
			t.Errorf("%s does not wait though audit.sync is all", name)
		}
	}
}

// A session begins and ends in the log, once.
func TestSessions(t *testing.T) {
	w := newWorld(t)
	begin, end := call("x1", registry.Read), call("x2", registry.Read)
	begin.Session, begin.Fact = &exchange.Session{ID: "s1"}, wire.Fact{Method: "initialize", Action: wire.ActRead}
	end.Session, end.Verb, end.Fact = begin.Session, exchange.End, wire.Fact{}
	for _, x := range []*exchange.Exchange{begin, end} {
		must(t, w.Open(ctx, x))
		x.Outcome = exchange.OK
		must(t, w.Close(ctx, x))
	}
	var kinds []string
	for _, e := range w.entries() {
		if e.Session != "s1" {
			t.Errorf("entry %+v", e)
		}
		if strings.HasPrefix(e.Kind, "session.") {
			kinds = append(kinds, e.Kind)
		}
	}
	if strings.Join(kinds, " ") != "session.started session.ended" {
		t.Fatalf("%v", kinds)
	}
}

// The running digest depends on every message and on their order.
func TestStreamsAreDigested(t *testing.T) {
	over := func(raws ...string) Sum {
		x := &exchange.Exchange{}
		for _, raw := range raws {
			x.Message = message(t, raw)
			Passed(x)
		}
		return x.StreamSum
	}
	a, b := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2}}`
	all := map[Sum]string{}
	for name, s := range map[string]Sum{"none": over(), "a": over(a), "b": over(b), "ab": over(a, b), "ba": over(b, a), "aa": over(a, a)} {
		if other, dup := all[s]; dup {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		all[s] = name
	}
}
