package gateway

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// world is a house of fakes that notes what was called.
type world struct {
	calls   []string
	fail    map[string]error
	answers iter.Seq2[exchange.Answer, error]
	still   error
	close   error
}

func (w *world) step(name string) func(context.Context, *exchange.Exchange) error {
	return func(_ context.Context, x *exchange.Exchange) error {
		w.calls = append(w.calls, name)
		if name == "forward.Send" {
			x.Answers, x.Sent = w.answers, true
		}
		return w.fail[name]
	}
}

func (w *world) gateway(t *testing.T) *Gateway {
	t.Helper()
	g, err := New(Steps{
		Identify: w.step("identify.Caller"), Read: w.step("admit.Read"), Asked: w.step("attest.Request"), Response: w.step("attest.Response"), Split: w.step("aggregate.Split"),
		Authorize: w.step("authorize.Call"), Open: w.step("record.Open"), Forward: w.step("forward.Send"),
		Hide: w.step("protect.Request"), Withhold: w.step("protect.Answer"),
		Answer: w.step("authorize.Answer"), Return: w.step("forward.Return"),
		Close: func(context.Context, *exchange.Exchange) error {
			w.calls = append(w.calls, "record.Close")
			return w.close
		},
		Still:  func(*exchange.Exchange) error { return w.still },
		Passed: func(*exchange.Exchange) {},
		Reply:  func(context.Context, *exchange.Exchange) { w.calls = append(w.calls, "attest.Reply") },
		Done:   func(*exchange.Exchange) {},
	}, func(string, *exchange.Exchange, error) {})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

type caller struct {
	w       *world
	replies int
	gone    error
}

func (c *caller) Read(context.Context, *exchange.Exchange) error { return nil }

func (c *caller) Reply(context.Context, *exchange.Exchange) error {
	c.w.calls = append(c.w.calls, "reply")
	c.replies++
	return c.gone
}

func (c *caller) Finish(context.Context, *exchange.Exchange) { c.w.calls = append(c.w.calls, "finish") }

func message(t *testing.T, raw string, from wire.Side) *wire.Message {
	t.Helper()
	m, err := wire.Parse([]byte(raw), wire.DefaultLimits(), from)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func call(t *testing.T, w *world) (*exchange.Exchange, *caller) {
	t.Helper()
	c := &caller{w: w}
	return &exchange.Exchange{ID: "x", Face: c, Era: wire.Legacy,
		Request: message(t, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}`, wire.FromClient)}, c
}

func frames(t *testing.T, raws ...string) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		for _, raw := range raws {
			if !yield(exchange.Answer{Message: message(t, raw, wire.FromServer)}, nil) {
				return
			}
		}
	}
}

const result = `{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`

func TestPathIsThisList(t *testing.T) {
	want := []string{"identify.Caller", "admit.Read", "attest.Request", "aggregate.Split", "authorize.Call", "protect.Request", "record.Open", "forward.Send", "attest.Response", "authorize.Answer", "protect.Answer",
		"record.Close", "attest.Reply"}
	if got := newPath(Steps{}).Names(); !slices.Equal(got, want) {
		t.Fatalf("the path is %v, want %v", got, want)
	}
}

func TestStepsRunInOrderAndTheAnswerWaitsForTheRecord(t *testing.T) {
	w := &world{answers: frames(t, result)}
	x, _ := call(t, w)
	w.gateway(t).Run(context.Background(), x)
	want := []string{"identify.Caller", "admit.Read", "attest.Request", "aggregate.Split", "authorize.Call", "protect.Request", "record.Open", "forward.Send", "attest.Response", "authorize.Answer", "protect.Answer",
		"record.Close", "attest.Reply", "finish"}
	if !slices.Equal(w.calls, want) || x.Outcome != exchange.OK || x.Final == nil {
		t.Fatalf("%v, outcome %s", w.calls, x.Outcome)
	}
}

func TestARefusalStopsThePathAndIsRecorded(t *testing.T) {
	for _, at := range []string{"identify.Caller", "admit.Read", "attest.Request", "aggregate.Split", "authorize.Call", "protect.Request", "record.Open"} {
		t.Run(at, func(t *testing.T) {
			w := &world{fail: map[string]error{at: fault.New(fault.Denied)}, answers: frames(t, result)}
			x, _ := call(t, w)
			w.gateway(t).Run(context.Background(), x)
			if slices.Contains(w.calls, "forward.Send") {
				t.Fatal("the server was reached")
			}
			if n := len(w.calls); w.calls[n-3] != "record.Close" || w.calls[n-2] != "attest.Reply" || w.calls[n-1] != "finish" {
				t.Fatalf("%v", w.calls)
			}
			if x.Outcome != exchange.Refused || x.Fault.Kind != fault.Denied {
				t.Fatalf("outcome %s, fault %v", x.Outcome, x.Fault)
			}
		})
	}
}

func TestAnErrorThatIsNoFaultIsInternal(t *testing.T) {
	w := &world{fail: map[string]error{"authorize.Call": errors.New("boom with a secret")}}
	x, _ := call(t, w)
	w.gateway(t).Run(context.Background(), x)
	if x.Fault.Kind != fault.Internal || x.Fault.Public != fault.New(fault.Internal).Public {
		t.Fatalf("%v", x.Fault)
	}
}

func TestAPanicIsARefusal(t *testing.T) {
	w := &world{answers: func(func(exchange.Answer, error) bool) { panic("broken") }}
	x, _ := call(t, w)
	w.gateway(t).Run(context.Background(), x)
	if x.Fault == nil || x.Fault.Kind != fault.Internal || !slices.Contains(w.calls, "record.Close") {
		t.Fatalf("fault %v, calls %v", x.Fault, w.calls)
	}
}

func TestWhatCannotBeRecordedIsNotReleased(t *testing.T) {
	w := &world{answers: frames(t, result), close: fault.New(fault.LogUnavailable)}
	x, _ := call(t, w)
	w.gateway(t).Run(context.Background(), x)
	if x.Final != nil || x.Fault.Kind != fault.LogUnavailable {
		t.Fatalf("final %v, fault %v", x.Final, x.Fault)
	}
}

func TestNothingFollowsTheAnswer(t *testing.T) {
	w := &world{answers: frames(t, result, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`)}
	x, c := call(t, w)
	w.gateway(t).Run(context.Background(), x)
	if c.replies != 0 || x.Final == nil {
		t.Fatalf("%d replies", c.replies)
	}
}

const note = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`

// MCP 2025-11-25 basic/transports: disconnection is not cancellation. The answer
// is read to its end, and the record says that it reached nobody.
func TestLegacyCallOutlivesItsConnection(t *testing.T) {
	read := 0
	w := &world{answers: func(yield func(exchange.Answer, error) bool) {
		for a, err := range frames(t, note, note, result) {
			read++
			if !yield(a, err) {
				return
			}
		}
	}}
	x, c := call(t, w)
	c.gone = errors.New("broken pipe")
	w.gateway(t).Run(context.Background(), x)
	if c.replies != 1 || read != 3 || x.Outcome != exchange.Cancelled || !fault.Is(x.Fault, fault.ClientGone) {
		t.Fatalf("%d replies, %d frames read, outcome %s, fault %v", c.replies, read, x.Outcome, x.Fault)
	}
}

func TestModernCallEndsWithItsConnection(t *testing.T) {
	w := &world{answers: frames(t, note, note, result)}
	x, c := call(t, w)
	x.Era, c.gone = wire.Modern, errors.New("broken pipe")
	w.gateway(t).Run(context.Background(), x)
	if x.Outcome != exchange.Cancelled || x.Final != nil {
		t.Fatalf("outcome %s", x.Outcome)
	}
}

// A10: a revoked caller's stream ends while it is open.
func TestA10SweepEndsARevokedStream(t *testing.T) {
	started := make(chan struct{})
	w := &world{}
	var g *Gateway
	x, _ := call(t, w)
	x.Verb, x.Request = exchange.Stream, nil
	ctxs := make(chan context.Context, 1)
	g = w.gateway(t)
	g.path.onward[0].Run = func(ctx context.Context, x *exchange.Exchange) error {
		ctxs <- ctx
		x.Answers = func(yield func(exchange.Answer, error) bool) {
			close(started)
			<-ctx.Done()
			yield(exchange.Answer{}, context.Cause(ctx))
		}
		return nil
	}
	done := make(chan struct{})
	go func() { defer close(done); g.Run(context.Background(), x) }()
	<-started
	w.still = fault.New(fault.Unauthenticated)
	g.Sweep()
	<-done
	if x.Fault == nil || x.Fault.Kind != fault.Unauthenticated || !x.Ended {
		t.Fatalf("fault %v, ended %v", x.Fault, x.Ended)
	}
	if g.Active() != 0 {
		t.Fatal("the exchange is still counted")
	}
}

func TestEndStreamsLeavesCallsAlone(t *testing.T) {
	w := &world{}
	g := w.gateway(t)
	release := make(chan struct{})
	x, _ := call(t, w)
	g.path.onward[0].Run = func(ctx context.Context, x *exchange.Exchange) error {
		x.Answers = func(yield func(exchange.Answer, error) bool) {
			g.EndStreams()
			select {
			case <-ctx.Done():
				t.Error("a call was ended like a stream")
			default:
			}
			close(release)
			yield(exchange.Answer{Message: message(t, result, wire.FromServer)}, nil)
		}
		return nil
	}
	g.Run(context.Background(), x)
	<-release
	if x.Final == nil {
		t.Fatalf("fault %v", x.Fault)
	}
}

func TestNewRefusesAMissingStep(t *testing.T) {
	if _, err := New(Steps{}, nil); err == nil {
		t.Fatal("a path without steps was made")
	}
}
