package wrapper

import (
	"bytes"
	"context"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// take handles one line of the app. Requests run side by side; notifications
// and responses are sent one after the other, so that they arrive in order.
func (s *shim) take(ctx context.Context, in line) {
	if s.turn != nil {
		// Nothing overtakes initialize: what follows needs its session.
		select {
		case <-s.turn:
			s.turn = nil
		case <-ctx.Done():
			return
		}
	}
	text := bytes.Trim(in.text, " \t\r\n")
	switch {
	case in.large:
		s.refuse(wire.ID{}, fault.New(fault.TooLarge))
	case len(text) == 0:
	case wire.IsBatch(text):
		s.takeBatch(ctx, text)
	default:
		s.takeOne(ctx, text)
	}
}

func (s *shim) takeOne(ctx context.Context, text []byte) {
	m, err := wire.Parse(text, s.limits, wire.FromClient)
	if err != nil {
		var id wire.ID
		if m != nil {
			id = m.ID()
		}
		s.refuse(id, fault.As(err))
		return
	}
	switch m.Kind() {
	case wire.Request:
		s.takeRequest(m)
	case wire.Notification:
		s.takeNotification(ctx, m)
	default:
		s.tell(ctx, s.current().head(), "a response", text)
	}
}

// refuse answers a line that was not understood. Its id is left out if a call
// waits under it: the line may be a malformed response, and the error would
// look like the call's answer.
func (s *shim) refuse(id wire.ID, f *fault.Error) {
	s.mu.Lock()
	if s.running[id] != nil {
		id = wire.ID{}
	}
	version := wire.Version(s.session.version)
	if version == "" {
		version = wire.Version(s.modern)
	}
	s.mu.Unlock()
	s.out.say("A message of the app was refused.", f)
	s.out.failure(id, orLatest(version), f)
}

// orLatest replaces a version that is not known yet.
func orLatest(v wire.Version) wire.Version {
	if v == "" {
		return wire.LatestLegacy
	}
	return v
}

func (s *shim) takeRequest(m *wire.Message) {
	c := &call{
		first: m, body: m.Raw(), method: m.Method(),
		open: map[wire.ID]bool{m.ID(): true}, order: []wire.ID{m.ID()},
		done: make(chan struct{}),
	}
	c.version, c.modern = m.ProtocolVersion()
	var err error
	switch {
	case c.modern:
		c.head, err = s.modernHead(m, c.version)
	case c.method == "initialize":
		s.hush()
		s.goodbye(s.callCtx)
		c.head = postHead()
		s.turn = c.done
	default:
		c.within = s.current()
		c.head, c.version = c.within.head(), c.within.version
	}
	if err == nil {
		err = s.admit(c)
	}
	if err != nil {
		close(c.done)
		s.refuse(m.ID(), fault.As(err))
		return
	}
	s.start(c)
}

// takeBatch passes a batch on as it is; batches exist in 2025-03-26 alone, and
// the gateway refuses them elsewhere.
func (s *shim) takeBatch(ctx context.Context, text []byte) {
	all, err := wire.ParseBatch(text, s.limits, maxBatch)
	if err != nil {
		s.refuse(wire.ID{}, fault.As(err))
		return
	}
	within := s.current()
	c := &call{
		body: text, method: "a batch", batch: true, within: within, head: within.head(), version: within.version,
		open: map[wire.ID]bool{}, done: make(chan struct{}),
	}
	for _, m := range all {
		if m.Kind() != wire.Request {
			continue
		}
		if c.open[m.ID()] || m.Method() == "initialize" {
			s.refuse(wire.ID{}, fault.New(fault.BadMessage))
			return
		}
		c.open[m.ID()] = true
		c.order = append(c.order, m.ID())
	}
	if len(c.order) == 0 {
		s.tell(ctx, c.head, c.method, text)
		return
	}
	if err := s.admit(c); err != nil {
		s.refuse(wire.ID{}, fault.As(err))
		return
	}
	s.start(c)
}

func (s *shim) takeNotification(ctx context.Context, m *wire.Message) {
	switch m.Method() {
	case "notifications/cancelled":
		s.takeCancel(ctx, m)
		return
	case "notifications/initialized":
		if s.tell(ctx, s.current().head(), m.Method(), m.Raw()) {
			s.listen()
		}
		return
	}
	version, modern := m.ProtocolVersion()
	s.mu.Lock()
	if !modern && s.session.version == "" && s.modern != "" {
		version, modern = s.modern, true
	}
	s.mu.Unlock()
	head := s.current().head()
	if modern {
		var err error
		if head, err = s.modernHead(m, version); err != nil {
			s.out.say("A notification of the app was refused.", err)
			return
		}
	}
	s.tell(ctx, head, m.Method(), m.Raw())
}

// takeCancel ends a call of the app. In the modern era closing the HTTP stream
// is the cancellation; in the legacy era the gateway is told, and the stream
// is given Grace to end by itself. Nothing is answered to a cancelled request.
func (s *shim) takeCancel(ctx context.Context, m *wire.Message) {
	id := m.Params().Get("requestId").ID()
	s.mu.Lock()
	c := s.running[id]
	s.mu.Unlock()
	switch {
	case c == nil:
		return // answered meanwhile, or never known
	case c.method == "initialize":
		s.out.say("The app cancelled initialize, which the protocol does not allow.", nil)
		return
	}
	idle := c.forgo(id)
	if c.modern {
		if idle {
			c.cancel(errCancelled)
		}
		return
	}
	s.tell(ctx, s.current().head(), m.Method(), m.Raw())
	if idle {
		c.linger(s.cfg.Grace)
	}
}
