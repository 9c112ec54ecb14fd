package aggregate

import (
	"context"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// say sends notifications on a part's stream and then waits for its end.
func say(t *testing.T, texts ...string) func(context.Context, *exchange.Exchange) {
	return func(ctx context.Context, p *exchange.Exchange) {
		for _, text := range texts {
			p.Message = parse(t, text, wire.FromServer)
			if err := p.Face.Reply(ctx, p); err != nil {
				p.Fault = fault.As(err)
				return
			}
		}
		<-ctx.Done()
		p.Fault = fault.As(context.Cause(ctx))
	}
}

const changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

// TestListen: each server is asked for what is its own; the acknowledgement
// names what can be seen and nothing of what cannot.
func TestListen(t *testing.T) {
	s := world(t)
	members := `,"notifications":{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["ostiary://one/f:1","ostiary://hidden/f:2","ostiary://old/f:3","f:4","ostiary://one/f:5"]}`
	ack := `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{"toolsListChanged":true}}}`
	up := &servers{says: map[string]func(context.Context, *exchange.Exchange){
		"one": say(t, ack, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"f:1"}}`),
		"two": say(t, ack, changed),
	}}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	x := split(t, s, modern(t, "subscriptions/listen", members))
	var got []string
	for a, err := range x.Join.Answers(ctx, up.run) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(a.Message.Raw()))
		if len(got) == 3 {
			cancel(fault.New(fault.Draining))
		}
	}
	if len(got) != 4 {
		t.Fatalf("%d messages: %s", len(got), got)
	}
	if want := `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{"toolsListChanged":true,"resourceSubscriptions":["ostiary://one/f:1","ostiary://one/f:5"]}}}`; got[0] != want {
		t.Errorf("%s\nwant %s", got[0], want)
	}
	both := got[1] + got[2]
	if !strings.Contains(both, `"uri":"ostiary://one/f:1"`) || !strings.Contains(both, changed) {
		t.Errorf("%s", both)
	}
	if want := `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":7}}}`; got[3] != want {
		t.Errorf("%s\nwant %s", got[3], want)
	}
	if one := up.asked("one", 0); !strings.Contains(one, `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["f:1","f:5"]}`) {
		t.Errorf("one was asked %s", one)
	}
	if two := up.asked("two", 0); !strings.Contains(two, `"notifications":{"toolsListChanged":true}`) {
		t.Errorf("two was asked %s", two)
	}
	if len(up.saw["hidden"])+len(up.saw["old"]) != 0 {
		t.Error("a server that cannot be seen was asked")
	}
}

// TestListenForNothing: a filter that names nothing visible is acknowledged as
// empty and ends at once.
func TestListenForNothing(t *testing.T) {
	s := world(t)
	for _, members := range []string{``, `,"notifications":{}`, `,"notifications":{"resourceSubscriptions":["ostiary://hidden/f:2"]}`} {
		up := &servers{}
		got, err := collect(t, split(t, s, modern(t, "subscriptions/listen", members)), up)
		if err != nil || len(got) != 2 || string(got[0].Params().Get("notifications").Raw()) != "{}" || got[1].Kind() != wire.Response || len(up.saw) != 0 {
			t.Errorf("%s: %d messages, %v", members, len(got), err)
		}
	}
}

func stream(t *testing.T) *exchange.Exchange {
	t.Helper()
	x := legacy(t, "ping", "")
	x.Verb, x.Request, x.Fact = exchange.Stream, nil, wire.Fact{}
	return x
}

// TestStreamOfAll: one failing server does not end the caller's stream, and
// when all fail it stays open until the caller leaves.
func TestStreamOfAll(t *testing.T) {
	s := world(t)
	x := stream(t)
	if err := s.Split(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	up := &servers{says: map[string]func(context.Context, *exchange.Exchange){"two": say(t, changed, changed)}}
	frames := 0
	for a, err := range x.Join.Answers(context.Background(), up.run) {
		if err != nil || a.Message.Method() != "notifications/tools/list_changed" || x.Source != "two" {
			t.Errorf("%v, source %q", err, x.Source)
		}
		if frames++; frames == 2 {
			break // the caller leaves: every part must end
		}
	}
	if frames != 2 || len(up.saw) != 4 {
		t.Errorf("%d frames of %d servers", frames, len(up.saw))
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	up = &servers{}
	ended := make(chan error, 1)
	go func() {
		var last error
		for _, err := range x.Join.Answers(ctx, up.run) {
			last = err
		}
		ended <- last
	}()
	cancel(fault.New(fault.Unauthenticated)) // the credential was revoked
	wantKind(t, "the end of the stream", <-ended, fault.Unauthenticated)
}

// TestStreamDrains: a graceful stop ends the stream without an error.
func TestStreamDrains(t *testing.T) {
	s := world(t)
	x := stream(t)
	if err := s.Split(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(fault.New(fault.Draining))
	up := &servers{other: say(t)}
	for a, err := range x.Join.Answers(ctx, up.run) {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestStreamEnds: when the servers end their streams, so does the caller's.
func TestStreamEnds(t *testing.T) {
	s := world(t)
	x := stream(t)
	if err := s.Split(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	up := &servers{other: func(context.Context, *exchange.Exchange) {}}
	if got, err := collect(t, x, up); err != nil || len(got) != 0 {
		t.Errorf("%d messages, %v", len(got), err)
	}
}

// TestCallerLeavesFirst: who leaves at the acknowledgement starts nothing that
// stays.
func TestCallerLeavesFirst(t *testing.T) {
	s := world(t)
	x := split(t, s, modern(t, "subscriptions/listen", `,"notifications":{"toolsListChanged":true}`))
	up := &servers{other: say(t, changed)}
	for range x.Join.Answers(context.Background(), up.run) {
		break
	}
	if len(up.saw) != 3 {
		t.Errorf("%d servers", len(up.saw))
	}
}

func TestFace(t *testing.T) {
	f := &face{}
	p := &exchange.Exchange{}
	if f.Read(context.Background(), p) != nil || f.Reply(context.Background(), p) != nil {
		t.Error("a face without a join refuses")
	}
	f.Finish(context.Background(), p)
}
