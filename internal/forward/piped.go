package forward

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/child"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// piped is a server that answers on a pipe shared by many requests: a stdio
// child, or the HTTP+SSE transport of 2024-11-05. A legacy session has a pipe
// of its own; the modern era shares one.
type piped struct {
	step *Step
	srv  *registry.Server
	wire wire.Limits
	hub  *hub

	hidden credentials // what of the server's credentials no caller may see

	mu       sync.Mutex
	sessions map[string]*pipe // legacy, by our session id
	opening  map[string]chan struct{}
	shared   *pipe // modern
	calls    int   // under way on shared
	idle     *time.Timer
	backoff  child.Backoff
	alone    bool // examination
	closed   bool
}

func newPiped(s *Step, srv *registry.Server) (*piped, error) {
	p := &piped{step: s, srv: srv, wire: s.cfg.Wire, sessions: map[string]*pipe{}, opening: map[string]chan struct{}{}}
	if srv.MessageBytes > 0 {
		p.wire.Bytes = srv.MessageBytes
	}
	for _, secret := range srv.Secrets {
		value, err := s.cfg.Open(srv.ID, secret)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, fmt.Errorf("open credential %s of server %s: %w", secret.Name, srv.ID, err))
		}
		p.hidden = p.hidden.with(secret.Name, string(value))
	}
	p.hub = newHub(p.listen, s.limits.Queue)
	return p, nil
}

func (p *piped) send(ctx context.Context, x *exchange.Exchange) error {
	switch {
	case x.Verb == exchange.End:
		p.forget(x.Session.ID)
		return nil
	case x.Fact.Method == "subscriptions/listen":
		x.Answers = p.hub.listen(ctx, x)
		return nil
	}
	pipe, err := p.pipe(ctx, x)
	if err != nil {
		return err
	}
	switch {
	case x.Verb == exchange.Stream:
		return pipe.attach(ctx, x)
	case x.Request.Kind() != wire.Request:
		x.Sent = true
		return pipe.notify(x.Request)
	}
	return p.call(ctx, pipe, x)
}

// call sends a request on pipe and prepares the answer.
func (p *piped) call(ctx context.Context, pipe *pipe, x *exchange.Exchange) error {
	if err := p.step.slots.Take(p.srv.ID); err != nil {
		return err
	}
	p.busy(pipe, 1)
	ctx, abort := context.WithCancelCause(ctx)
	timer := time.AfterFunc(p.step.callLimit(x, p.srv), func() { abort(fault.New(fault.UpstreamLate)) })
	done := func() {
		timer.Stop()
		abort(nil)
		p.busy(pipe, -1)
		p.step.slots.Give(p.srv.ID)
	}
	x.Sent = true
	c, err := pipe.ask(x)
	if err != nil {
		done()
		p.failed(x)
		return err
	}
	x.Answers = func(yield func(exchange.Answer, error) bool) {
		defer done()
		defer pipe.drop(c)
		answered := c.yield(ctx, pipe, yield)
		if x.Fact.Method == "initialize" && !answered {
			p.forget(x.Session.ID)
		}
	}
	return nil
}

// failed drops the session of an initialize that could not be sent.
func (p *piped) failed(x *exchange.Exchange) {
	if x.Session != nil && x.Session.New {
		p.forget(x.Session.ID)
	}
}

// pipe returns the pipe of x, starting what must be started.
func (p *piped) pipe(ctx context.Context, x *exchange.Exchange) (*pipe, error) {
	if x.Session == nil {
		return p.sharedPipe()
	}
	id := x.Session.ID
	for {
		p.mu.Lock()
		if c := p.sessions[id]; c != nil {
			p.mu.Unlock()
			if c.broken() == nil {
				return c, nil
			}
			if x.Parent == "" {
				return nil, fault.Wrap(fault.SessionUnknown, c.broken())
			}
			return nil, fault.Wrap(fault.UpstreamGone, c.broken())
		}
		if !x.Session.New && x.Parent == "" {
			p.mu.Unlock()
			return nil, fault.New(fault.SessionUnknown)
		}
		wait, busy := p.opening[id]
		if !busy {
			if err := p.room(); err != nil {
				p.mu.Unlock()
				return nil, err
			}
			p.opening[id] = make(chan struct{})
			p.mu.Unlock()
			return p.openSession(ctx, x)
		}
		p.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// openSession starts the pipe of a legacy session. A part of /mcp that did not
// begin with initialize is introduced to the server first.
func (p *piped) openSession(ctx context.Context, x *exchange.Exchange) (*pipe, error) {
	c, err := p.start()
	if err == nil && !x.Session.New {
		if err = c.handshake(ctx, x.Session, p.step.limits.Start); err != nil {
			c.stop()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	id := x.Session.ID
	close(p.opening[id])
	delete(p.opening, id)
	switch {
	case err != nil:
		return nil, err
	case p.closed:
		c.stop()
		return nil, fault.New(fault.Draining)
	}
	x.Session.Bound = true
	p.sessions[id] = c
	return c, nil
}

// sharedPipe returns the one pipe of the modern era. After a crash it is
// started again, at growing intervals.
func (p *piped) sharedPipe() (*pipe, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fault.New(fault.Draining)
	}
	now := p.step.cfg.Clock.Now()
	if p.shared != nil {
		if p.shared.broken() == nil {
			return p.shared, nil
		}
		p.backoff.Ended(now)
		p.step.closing.Go(p.shared.stop)
		p.shared = nil
	}
	if wait := p.backoff.Wait(now); wait > 0 {
		return nil, fault.Wrap(fault.UpstreamUnreachable, fmt.Errorf("server %s ended and starts again in %v", p.srv.ID, wait.Round(time.Millisecond)))
	}
	if err := p.room(); err != nil {
		return nil, err
	}
	p.backoff.Started(now)
	c, err := p.start()
	if err != nil {
		p.backoff.Ended(now)
		return nil, err
	}
	p.shared = c
	return c, nil
}

// busy counts the calls on the shared pipe, which is stopped when it had none
// for a while.
func (p *piped) busy(c *pipe, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c != p.shared {
		return
	}
	if p.idle != nil {
		p.idle.Stop()
	}
	if p.calls += n; p.calls == 0 && p.srv.Transport == registry.Stdio {
		p.idle = time.AfterFunc(p.step.limits.ProcessIdle, func() { p.retire(c) })
	}
}

func (p *piped) retire(c *pipe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared == c && p.calls == 0 && p.hub.idle() {
		p.shared = nil
		p.step.closing.Go(c.stop)
	}
}

// start starts a child or opens an SSE stream.
func (p *piped) start() (*pipe, error) {
	c, err := p.conduit()
	if err != nil {
		return nil, err
	}
	return newPipe(c, p, p.alone), nil
}

func (p *piped) conduit() (conduit, error) {
	if p.srv.Transport == registry.SSE {
		return openSSE(p.step, p.srv, p.wire)
	}
	env, err := environment(p.step.cfg, p.srv)
	if err != nil {
		return nil, err
	}
	dir := p.srv.Dir
	if dir == "" {
		dir = p.step.cfg.Dir
	}
	process, err := child.Start(context.Background(), child.Spec{
		Command: p.srv.Command, Dir: dir, Env: env, LineBytes: p.wire.Bytes,
		Stderr: func(line string) { p.step.cfg.Log(p.srv.ID, "stderr: "+line, nil) },
	})
	if err != nil {
		return nil, fault.As(err)
	}
	return process, nil
}

// room refuses when the server has as many pipes as it may. The caller holds mu.
func (p *piped) room() error {
	alive := len(p.opening)
	for _, c := range p.sessions {
		if c.broken() == nil {
			alive++
		}
	}
	if alive >= p.step.limits.Processes {
		return fault.Wrap(fault.Busy, errors.New("too many processes of one server"))
	}
	return nil
}

func (p *piped) tell(ctx context.Context, x *exchange.Exchange, m *wire.Message) error {
	c, err := p.pipe(ctx, x)
	if err != nil {
		return err
	}
	return c.notify(m)
}

func (p *piped) forget(session string) {
	p.mu.Lock()
	c := p.sessions[session]
	delete(p.sessions, session)
	p.mu.Unlock()
	if c != nil {
		c.stop()
	}
}

func (p *piped) close() {
	p.hub.close()
	p.mu.Lock()
	p.closed = true
	all := []*pipe{}
	for _, c := range p.sessions {
		all = append(all, c)
	}
	if p.shared != nil {
		all = append(all, p.shared)
	}
	if p.idle != nil {
		p.idle.Stop()
	}
	p.sessions, p.shared = map[string]*pipe{}, nil
	p.mu.Unlock()
	for _, c := range all {
		c.stop()
	}
}

// inherited are the variables that every child may see; nothing else of the
// gateway's environment reaches one (U09).
var inherited = []string{"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SYSTEMROOT", "PATHEXT", "TEMP", "USERPROFILE", "APPDATA"}

// environment returns a child's whole environment.
func environment(c Config, srv *registry.Server) ([]string, error) {
	var env []string
	for _, name := range append(append([]string{}, inherited...), srv.PassEnv...) {
		if v, ok := c.Environ(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for _, s := range srv.Secrets {
		v, err := c.Open(srv.ID, s)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, fmt.Errorf("open credential %s of server %s: %w", s.Name, srv.ID, err))
		}
		env = append(env, s.Name+"="+string(v))
	}
	return env, nil
}

// listen opens the hub's stream on the shared pipe.
func (p *piped) listen(ctx context.Context, want filter) iter.Seq2[*wire.Message, error] {
	return func(yield func(*wire.Message, error) bool) {
		c, err := p.sharedPipe()
		if err != nil {
			yield(nil, err)
			return
		}
		m, err := listenRequest(wire.IntID(1), want)
		if err != nil {
			yield(nil, err)
			return
		}
		x := &exchange.Exchange{Request: m}
		call, err := c.ask(x)
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.drop(call)
		call.yield(ctx, c, func(a exchange.Answer, err error) bool { return yield(a.Message, err) })
	}
}
