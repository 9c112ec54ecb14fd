package aggregate

import (
	"context"
	"errors"
	"iter"
	"sync"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// face is the caller's end of a part: the join that waits for it.
type face struct {
	reply  func(p *exchange.Exchange) error // nil: messages before the answer are withheld
	finish func(p *exchange.Exchange)
}

// Read has nothing to do: the parent was read.
func (f *face) Read(context.Context, *exchange.Exchange) error { return nil }

// Reply hands a message to the join.
func (f *face) Reply(_ context.Context, p *exchange.Exchange) error {
	if f.reply == nil {
		return nil
	}
	return f.reply(p)
}

// Finish hands the end to the join.
func (f *face) Finish(_ context.Context, p *exchange.Exchange) {
	if f.finish != nil {
		f.finish(p)
	}
}

// take moves what the part holds to its parent, which reads the part's answer
// after the part has ended, and whose record answers for the part's.
func take(x, p *exchange.Exchange) {
	if p.Finished != nil {
		x.PartEnds = append(x.PartEnds, p.Finished)
	}
	x.Held += p.Held
	x.Release = append(x.Release, p.Release...)
	p.Held, p.Release = 0, nil
}

// route joins a single part: everything passes, renamed.
type route struct {
	x    *exchange.Exchange
	part *exchange.Exchange
}

// Answers runs the part and yields its frames.
func (r *route) Answers(ctx context.Context, run func(context.Context, *exchange.Exchange)) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		x, p := r.x, r.part
		x.Source = p.Endpoint
		going := true
		pass := func(m *wire.Message, e wire.Event) error {
			if m != nil {
				var err error
				if m, err = outward(p.Endpoint, m); err != nil {
					return err
				}
			}
			if going = going && yield(exchange.Answer{Message: m, Event: e}, nil); !going {
				return fault.New(fault.ClientGone)
			}
			return nil
		}
		f := p.Face.(*face)
		f.reply = func(p *exchange.Exchange) error {
			if p.Message == nil && !p.Event.HasID && p.Event.Retry == "" {
				return nil
			}
			return pass(p.Message, p.Event)
		}
		f.finish = func(p *exchange.Exchange) {
			x.PartNeed = p.Decision.Need
			take(x, p)
		}
		run(ctx, p)
		x.Sent = x.Sent || p.Sent
		switch {
		case !going:
		case p.Fault != nil:
			yield(exchange.Answer{}, p.Fault)
		case p.Final != nil:
			x.Status = p.Status
			if err := pass(p.Final, p.Event); err != nil && going {
				yield(exchange.Answer{}, err)
			}
		}
	}
}

// static answers without any server.
type static struct {
	x      *exchange.Exchange
	result string
}

// Answers yields the fixed result.
func (s static) Answers(context.Context, func(context.Context, *exchange.Exchange)) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		m, err := wire.NewResult(s.x.Request.ID(), []byte(s.result))
		yield(exchange.Answer{Message: m}, err)
	}
}

// all tells every server and answers for them, whatever they say.
type all struct {
	static
	parts []*exchange.Exchange
}

// Answers runs every part, then yields the fixed result if one is due.
func (a *all) Answers(ctx context.Context, run func(context.Context, *exchange.Exchange)) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		runAll(ctx, a.parts, run)
		if a.x != nil {
			a.static.Answers(ctx, run)(yield)
		}
	}
}

// runAll runs parts side by side and returns when all have ended.
func runAll(ctx context.Context, parts []*exchange.Exchange, run func(context.Context, *exchange.Exchange)) {
	var wait sync.WaitGroup
	for _, p := range parts {
		wait.Go(func() { run(ctx, p) })
	}
	wait.Wait()
}

// fan joins the streams of all servers into one: frames pass as they come, and
// one failing server does not end the caller's stream.
type fan struct {
	x     *exchange.Exchange
	parts []*exchange.Exchange
	// first is yielded before anything else; last at the orderly end.
	first, last *wire.Message
	// keep chooses what passes of a part's frames; nil passes all.
	keep func(m *wire.Message) bool
}

type framed struct {
	server string
	m      *wire.Message
}

// Answers runs the parts side by side and yields what they send until the
// caller leaves or, when there is nothing to wait for, at once.
func (f *fan) Answers(ctx context.Context, run func(context.Context, *exchange.Exchange)) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		frames := make(chan framed)
		done := make(chan struct{})
		for _, p := range f.parts {
			p.Face.(*face).reply = func(p *exchange.Exchange) error {
				if p.Message == nil {
					return nil
				}
				select {
				case frames <- framed{p.Endpoint, p.Message}:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		}
		var wait sync.WaitGroup
		wait.Go(func() { runAll(ctx, f.parts, run); close(done) })
		defer wait.Wait()
		defer cancel(fault.New(fault.ClientGone))
		if f.first != nil && !yield(exchange.Answer{Message: f.first}, nil) {
			return
		}
		err := f.pump(ctx, frames, done, yield)
		switch {
		case err == errLeft:
		case err != nil:
			yield(exchange.Answer{}, err)
		case f.last != nil:
			yield(exchange.Answer{Message: f.last}, nil)
		}
	}
}

// errLeft ends the pump without a word: the caller has left.
var errLeft = errors.New("the caller left")

func (f *fan) pump(ctx context.Context, frames <-chan framed, done <-chan struct{}, yield func(exchange.Answer, error) bool) error {
	for {
		select {
		case got := <-frames:
			if f.keep != nil && !f.keep(got.m) {
				continue
			}
			m, err := outward(got.server, got.m)
			if err != nil {
				return err
			}
			f.x.Source = got.server
			if !yield(exchange.Answer{Message: m}, nil) {
				return errLeft
			}
		case <-done:
			if f.x.Verb != exchange.Stream || len(f.parts) > 0 && anyOpen(f.parts) {
				return nil
			}
			done = nil // no server offers a stream: keep the caller's open all the same
		case <-ctx.Done():
			if fault.Is(context.Cause(ctx), fault.Draining) {
				return nil
			}
			return context.Cause(ctx)
		}
	}
}

// anyOpen reports whether some server had offered a stream.
func anyOpen(parts []*exchange.Exchange) bool {
	for _, p := range parts {
		if p.Fault == nil {
			return true
		}
	}
	return false
}
