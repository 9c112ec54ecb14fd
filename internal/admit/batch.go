package admit

import (
	"context"
	"iter"
	"strings"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

func acceptsEvents(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "*/*", "text/*", "text/event-stream":
			return true
		}
	}
	return false
}

// readBatch splits a batch of 2025-03-26. Each member becomes an exchange of
// its own, decided and recorded alone (J14); every other version refuses.
func (f *face) readBatch(x *exchange.Exchange, raw []byte) error {
	x.Era = wire.Legacy
	if err := f.session(x, wire.Version(x.Mirrors.Version)); err != nil {
		return fault.Newf(fault.BadMessage, "Batches are not part of this protocol version.")
	}
	if x.Version != wire.V20250326 {
		return fault.Newf(fault.BadMessage, "Batches are not part of this protocol version.")
	}
	all, err := wire.ParseBatch(raw, f.door.cfg.Wire, f.door.cfg.Limits.Batch)
	if err != nil {
		return err
	}
	b := &batch{}
	for _, m := range all {
		if m.Method() == "initialize" {
			return fault.Newf(fault.BadMessage, "initialize must not be part of a batch.")
		}
		part := *x
		part.ID, part.Parent, part.Request = newID(), x.ID, m
		part.Held, part.BytesIn = 0, len(m.Raw())
		part.Face = &member{face: face{door: f.door, r: f.r, known: f.known}}
		b.parts = append(b.parts, &part)
	}
	x.Join = b
	return nil
}

// batch runs its members one after the other and streams their answers.
type batch struct{ parts []*exchange.Exchange }

func (b *batch) Answers(ctx context.Context, run func(context.Context, *exchange.Exchange)) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		for _, p := range b.parts {
			going := true
			p.Face.(*member).out = func(m *wire.Message) {
				if going && m != nil {
					going = yield(exchange.Answer{Message: m}, nil)
				}
			}
			run(ctx, p)
			if !going {
				return
			}
		}
	}
}

// member is the face of one message of a batch.
type member struct {
	face
	out func(*wire.Message)
}

// Read takes the message, which was parsed with the batch, through the checks
// of its session.
func (m *member) Read(_ context.Context, x *exchange.Exchange) error {
	if x.Request.Kind() == wire.Response || x.Request.Kind() == wire.ErrorResponse {
		return m.answer(x)
	}
	fact, known := wire.Lookup(x.Request.Method(), x.Version, wire.FromClient)
	if !known {
		return fault.New(fault.MethodUnknown)
	}
	x.Fact = fact
	if x.Request.Kind() == wire.Request {
		return m.enter(x)
	}
	return nil
}

// Reply passes a message on to the batch's stream.
func (m *member) Reply(_ context.Context, x *exchange.Exchange) error {
	if x.Message == nil {
		return nil
	}
	out, err := m.outward(x, x.Message)
	if err == nil && x.Drop == "" {
		m.out(out)
	}
	return err
}

// Finish passes the answer on.
func (m *member) Finish(_ context.Context, x *exchange.Exchange) {
	defer m.release(x)
	switch {
	case x.Fault != nil && x.Request.Kind() == wire.Request:
		m.out(wire.NewError(x.Request.ID(), x.Version, x.Fault, x.ID))
	case x.Final != nil:
		m.out(x.Final)
	}
}
