package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// Gateway walks exchanges along the path and can end those under way.
type Gateway struct {
	steps Steps
	path  path
	live  *live
	log   func(msg string, x *exchange.Exchange, err error)
}

// New returns a gateway over steps. log receives failures of our own and the
// causes of refusals; it must not write x's credential.
func New(steps Steps, log func(string, *exchange.Exchange, error)) (*Gateway, error) {
	for name, missing := range map[string]bool{
		"Identify": steps.Identify == nil, "Read": steps.Read == nil, "Split": steps.Split == nil,
		"Authorize": steps.Authorize == nil, "Open": steps.Open == nil, "Forward": steps.Forward == nil,
		"Answer": steps.Answer == nil, "Return": steps.Return == nil, "Close": steps.Close == nil,
		"Asked": steps.Asked == nil, "Response": steps.Response == nil, "Reply": steps.Reply == nil,
		"Hide": steps.Hide == nil, "Withhold": steps.Withhold == nil, "Still": steps.Still == nil, "Passed": steps.Passed == nil, "Done": steps.Done == nil,
	} {
		if missing {
			return nil, fmt.Errorf("gateway: step %s is missing", name)
		}
	}
	return &Gateway{steps: steps, path: newPath(steps), live: newLive(), log: log}, nil
}

// Run takes one exchange from its caller to its end. It returns when the
// outcome is recorded and the last word is sent; it never panics for what a
// step does.
func (g *Gateway) Run(ctx context.Context, x *exchange.Exchange) {
	f := g.live.enter(x)
	defer g.live.leave(f)
	err := g.walk(ctx, f, x)
	if f.life != nil {
		ctx = f.life
	}
	g.settle(ctx, x, err)
	g.finish(ctx, x)
}

// Refuse ends an exchange that admit turned away before the path: it is
// recorded and answered like any other.
func (g *Gateway) Refuse(ctx context.Context, x *exchange.Exchange, why error) {
	g.settle(ctx, x, why)
	g.finish(ctx, x)
}

// finish records the outcome, then answers. An outcome that cannot be recorded
// is not released.
func (g *Gateway) finish(ctx context.Context, x *exchange.Exchange) {
	ctx = context.WithoutCancel(ctx)
	if err := g.steps.Close(ctx, x); err != nil {
		g.log("record.Close", x, err)
		x.Final, x.Accepted = nil, false
		x.Fault, x.Outcome = fault.As(err), exchange.Failed
	} else {
		g.steps.Reply(ctx, x)
	}
	x.Face.Finish(ctx, x)
	g.steps.Done(x)
	for _, release := range x.Release {
		release()
	}
	x.Release = nil
}

// walk runs the legs. A panic in a step becomes a refusal: the stack goes to
// the log, never to the caller.
func (g *Gateway) walk(ctx context.Context, f *flight, x *exchange.Exchange) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Wrap(fault.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if err := leg(ctx, g.path.arrive, x); err != nil {
		return err
	}
	f.begin(ctx, x)
	if err := leg(f.life, g.path.toward, x); err != nil {
		return err
	}
	f.watch()
	if err := leg(f.life, g.path.onward, x); err != nil {
		return err
	}
	return g.answers(f.life, x)
}

func leg(ctx context.Context, steps []exchange.Step, x *exchange.Exchange) error {
	for _, s := range steps {
		if err := s.Run(ctx, x); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

// back walks the steps of one answer; a message that one of them withholds goes
// no further.
func back(ctx context.Context, steps []exchange.Step, x *exchange.Exchange) error {
	for i := range steps {
		if x.Drop != "" {
			return nil
		}
		if err := leg(ctx, steps[i:i+1], x); err != nil {
			return err
		}
	}
	return nil
}

// answers walks every frame from the server to the caller and keeps the last
// one back until it is recorded.
func (g *Gateway) answers(ctx context.Context, x *exchange.Exchange) error {
	if x.Join != nil {
		x.Answers = x.Join.Answers(ctx, g.Run)
	}
	if x.Answers == nil {
		x.Accepted = true
		return nil
	}
	if x.Verb == exchange.Stream { // the client waits for the head, not for a first event
		x.Event, x.Message = wire.Event{}, nil
		if err := x.Face.Reply(ctx, x); err != nil {
			return fault.Wrap(fault.ClientGone, err)
		}
	}
	gone := false
	for a, err := range x.Answers {
		if err != nil {
			return fmt.Errorf("forward.Answers: %w", err)
		}
		last, err := g.answer(ctx, x, a, gone)
		if err == nil && !last {
			continue
		}
		if last && err == nil && gone {
			return fault.New(fault.ClientGone) // the answer came, and reached nobody
		}
		if last || !outlives(x) {
			return err
		}
		// The legacy era does not take a lost connection for a
		// cancellation: read on for the record, unless the client can
		// resume, which needs the server's stream to be free again.
		if x.Event.HasID {
			return err
		}
		gone = true
	}
	if gone {
		return fault.New(fault.ClientGone)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return nil
}

// answer walks one frame. It reports whether it was the last one, and an error
// when the step or the caller failed.
func (g *Gateway) answer(ctx context.Context, x *exchange.Exchange, a exchange.Answer, gone bool) (bool, error) {
	x.Event, x.Message, x.Drop, x.Back = a.Event, a.Message, "", nil
	if x.Message != nil {
		if err := back(ctx, g.path.back, x); err != nil {
			return true, err
		}
	}
	if x.Back != nil {
		if err := g.steps.Return(ctx, x); err != nil {
			g.log("forward.Return", x, err)
		}
	}
	if x.Drop != "" {
		withhold(x)
		return false, nil
	}
	if isLast(x) {
		x.Final = x.Message
		return true, nil
	}
	if gone {
		return false, nil
	}
	if err := x.Face.Reply(ctx, x); err != nil {
		return false, fault.Wrap(fault.ClientGone, err)
	}
	if x.Drop != "" {
		withhold(x)
		return false, nil
	}
	x.Passed++
	g.steps.Passed(x)
	return false, nil
}

// withhold counts a message that does not reach the caller.
func withhold(x *exchange.Exchange) {
	x.Dropped++
	if x.DropKind == "" {
		x.DropKind = x.Drop
	}
}

// isLast reports whether x.Message answers what the exchange asked.
func isLast(x *exchange.Exchange) bool {
	m := x.Message
	if m == nil || (m.Kind() != wire.Response && m.Kind() != wire.ErrorResponse) {
		return false
	}
	if x.Request != nil {
		return m.ID() == x.Request.ID()
	}
	return x.Resume != nil && m.ID() == x.Resume.Request
}

// outlives reports whether the exchange goes on when its caller's connection
// is lost.
func outlives(x *exchange.Exchange) bool {
	return x.Era == wire.Legacy && x.Verb == exchange.Post && x.Request != nil
}

// settle turns the end of the walk into an outcome.
func (g *Gateway) settle(ctx context.Context, x *exchange.Exchange, err error) {
	if err == nil {
		x.Outcome = outcomeOf(x.Final)
		if x.Final != nil {
			x.BytesOut += len(x.Final.Raw())
		}
		return
	}
	cause := context.Cause(ctx)
	if cause != nil && !errors.As(err, new(*fault.Error)) {
		err = cause
	}
	x.Ended = errors.As(cause, new(revoked))
	if errors.Is(err, context.Canceled) {
		err = fault.Wrap(fault.ClientGone, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.Wrap(fault.UpstreamLate, err)
	}
	x.Fault, x.Final, x.Accepted = fault.As(err), nil, false
	switch {
	case x.Fault.Kind == fault.ClientGone:
		x.Outcome = exchange.Cancelled
	case x.Sent || x.Fault.Kind == fault.Internal:
		x.Outcome = exchange.Failed
	default:
		x.Outcome = exchange.Refused
	}
	if x.Fault.Cause != nil && x.Fault.Kind != fault.ClientGone {
		g.log("refused", x, err)
	}
}

func outcomeOf(final *wire.Message) exchange.Outcome {
	switch {
	case final == nil:
		return exchange.OK
	case final.Kind() == wire.ErrorResponse:
		return exchange.RPCError
	}
	if isError, _ := final.Result().Get("isError").Bool(); isError {
		return exchange.ToolError
	}
	return exchange.OK
}
