package authorize

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

const noSecretOut = `@id("flow") forbid (principal, action == Ostiary::Action::"call:raw/look", resource) when { context.call.session_labels.contains("secret") };`

// under puts the policies in force.
func under(t *testing.T, s *Step, text string) {
	t.Helper()
	p := registry.Policy{Version: 1, Sources: []policy.Source{{Name: "p", Text: text}}}
	p.Hash = registry.PolicyHash(p.Sources)
	n, err := registry.NewNoun(registry.KindPolicy, registry.PolicyActive, "", p)
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.Live.Load().WithNouns([]registry.Noun{n}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Live.Swap(next)
}

// flowWorld is a world whose tool "put" is secret and whose server "raw" is
// where no secret may go, at a time that the test moves.
func flowWorld(t *testing.T) (*Step, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	s := world(t, func(srv *registry.Server) { srv.Tools[1].Labels = []string{"secret"} })
	s.Clock = clock.Fixed(func() time.Time { return now })
	under(t, s, noSecretOut)
	return s, &now
}

// within makes x a part of what came to /mcp in a session.
func within(x *exchange.Exchange, session string) *exchange.Exchange {
	x.Parent, x.Session = "x-0", &exchange.Session{ID: session}
	return x
}

// TestP15ReadThenSend: what a session read is held against it where it could
// send it, on any server, until an hour has passed; other callers and other
// sessions are not concerned.
func TestP15ReadThenSend(t *testing.T) {
	s, now := flowWorld(t)
	send := func(x *exchange.Exchange) error { return s.Call(context.Background(), x) }
	old := func(agent string) *exchange.Exchange { return legacy(t, agent, "raw", "tools/call", `{"name":"look"}`) }
	fresh := func(agent string) *exchange.Exchange { return modern(t, agent, "raw", "tools/call", `,"name":"look"`) }
	read := func(x *exchange.Exchange, body string) {
		t.Helper()
		if err := answered(t, s, called(t, s, x), body); err != nil || x.Drop != "" {
			t.Fatalf("%v, drop %q", err, x.Drop)
		}
	}
	const shown = `{"resultType":"complete","content":[]}`

	read(legacy(t, "owner", "files", "tools/list", "{}"), result(`{"tools":[`+putDef+`]}`))
	read(modern(t, "owner", "files", "tools/call", `,"name":"plain"`), result(shown))
	called(t, s, legacy(t, "owner", "files", "tools/call", `{"name":"put"}`)) // not answered yet
	wantKind(t, "nothing was read", send(old("owner")), "")

	read(within(legacy(t, "owner", "files", "tools/call", `{"name":"put"}`), "one"), result(shown))
	wantKind(t, "its session", send(within(old("owner"), "one")), fault.Denied)
	wantKind(t, "another session", send(within(old("owner"), "two")), "")
	wantKind(t, "no session", send(fresh("owner")), fault.Denied)
	wantKind(t, "the session of one server", send(old("owner")), fault.Denied)
	wantKind(t, "another agent", send(fresh("reader")), "")
	other := fresh("owner")
	other.Principal.Person = "someone"
	wantKind(t, "the agent for a person", send(other), "")

	read(modern(t, "owner", "files", "tools/call", `,"name":"put"`), result(shown))
	wantKind(t, "every session after a read without one", send(within(old("owner"), "two")), fault.Denied)
	*now = now.Add(59 * time.Minute)
	wantKind(t, "an hour later", send(fresh("owner")), fault.Denied)
	*now = now.Add(2 * time.Minute)
	wantKind(t, "long after", send(fresh("owner")), "")

	failed := legacy(t, "owner", "files", "tools/call", `{"name":"put"}`)
	read(failed, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"it says: a secret"}}`)
	wantKind(t, "after an error's words", send(old("owner")), fault.Denied)
}

// TestP15CallUnderWayGoesOn: what is read after a call was sent does not end it.
func TestP15CallUnderWayGoesOn(t *testing.T) {
	s, _ := flowWorld(t)
	sent := called(t, s, modern(t, "owner", "raw", "tools/call", `,"name":"look"`))
	read := called(t, s, modern(t, "owner", "files", "tools/call", `,"name":"put"`))
	if err := answered(t, s, read, result(`{"resultType":"complete","content":[]}`)); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "under way", s.Still(sent), "")
	wantKind(t, "the next", s.Call(context.Background(), modern(t, "owner", "raw", "tools/call", `,"name":"look"`)), fault.Denied)
}

// TestP15ResumedAndTasks: an answer that comes apart from its call counts as
// that of any tool that it could be of.
func TestP15ResumedAndTasks(t *testing.T) {
	for name, make := range map[string]func(*exchange.Exchange){
		"resumed":      func(x *exchange.Exchange) { x.Request, x.Resume = nil, &exchange.Resume{Server: "files"} },
		"task":         func(x *exchange.Exchange) { x.Origin = &exchange.Origin{Method: "tools/call", Name: "put"} },
		"unknown task": func(*exchange.Exchange) {},
	} {
		s, _ := flowWorld(t)
		x := legacy(t, "owner", "files", "tasks/result", `{"taskId":"t"}`)
		make(x)
		x.Server, x.View = s.Live.Load().Server("files"), s.Live.Load()
		if err := answered(t, s, x, result(`{"content":[]}`)); err != nil {
			t.Fatal(err)
		}
		wantKind(t, name, s.Call(context.Background(), legacy(t, "owner", "raw", "tools/call", `{"name":"look"}`)), fault.Denied)
	}
}

// TestP15NothingIsPushedOut: opening sessions and being many callers makes the
// gateway forget nothing that still counts.
func TestP15NothingIsPushedOut(t *testing.T) {
	f, now := &flows{}, time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	x := func(agent, session string) *exchange.Exchange {
		return within(&exchange.Exchange{Principal: identity.Principal{ID: agent}}, session)
	}
	f.note(x("a", "first"), []string{"secret"}, now)
	for i := range 2 * maxSessions {
		f.note(x("a", strconv.Itoa(i)), []string{"other"}, now)
	}
	for i := range 2 * sweepAt {
		f.note(x("b"+strconv.Itoa(i), "s"), []string{"other"}, now)
	}
	if got := f.seen(x("a", "first"), now); strings.Join(got, " ") != "other secret" {
		t.Errorf("%q", got)
	}
	if n := len(f.callers[caller{"a", ""}].sessions); n != maxSessions {
		t.Errorf("%d sessions", n)
	}
	later := now.Add(2 * labelLife)
	f.note(x("c", "s"), []string{"other"}, later)
	if len(f.callers) != 1 || f.seen(x("a", "first"), later) != nil {
		t.Errorf("%d callers stay", len(f.callers))
	}
}
