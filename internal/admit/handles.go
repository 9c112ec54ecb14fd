package admit

import (
	"crypto/rand"
	"encoding/json"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// outward turns a server's message into what the client sees: ids and states
// that the client will hand back are ours.
// It sets x.Drop for a message that concerns nothing of this caller's.
func (f *face) outward(x *exchange.Exchange, m *wire.Message) (*wire.Message, error) {
	if f.haveTasks(x) {
		var err error
		if m, err = f.sealTasks(x, m); err != nil {
			return nil, err
		}
	}
	switch {
	case m.Kind() == wire.Request:
		return f.question(x, m)
	case m.Method() == "notifications/cancelled" && f.known != nil:
		return f.withdrawn(x, m)
	case m.Kind() == wire.Response && x.Era == wire.Modern && x.Fact.MRTR:
		return f.sealState(x, m)
	}
	return m, nil
}

// source returns the server that x.Message comes from.
func source(x *exchange.Exchange) string {
	if x.Source != "" {
		return x.Source
	}
	return x.Endpoint
}

// question gives a server's request an id that nobody can guess and that only
// this session can answer, once.
func (f *face) question(x *exchange.Exchange, m *wire.Message) (*wire.Message, error) {
	if f.known == nil {
		return nil, fault.New(fault.UpstreamBad) // a request before the session began
	}
	id := wire.StringID("ost-" + rand.Text())
	if !f.known.ask(id, exchange.Pending{Exchange: x.ID, Server: source(x), ID: m.ID(), Method: m.Method()}) {
		return nil, fault.New(fault.Busy)
	}
	return m.WithID(id)
}

// withdrawn renames the id in a server's cancellation of its own question.
func (f *face) withdrawn(x *exchange.Exchange, m *wire.Message) (*wire.Message, error) {
	v := m.Params().Get("requestId")
	id, ok := f.known.seen(source(x), v.ID())
	if !ok {
		x.Drop = fault.BadMessage
		return m, nil
	}
	return m.Rewrite(wire.Replace(v, []byte(id.Raw())))
}

// mark is what an event id holds: where the stream goes on.
type mark struct {
	Kept     bool   `json:"k,omitempty"` // by us: Ring and Number count, else the rest
	Ring     string `json:"g,omitempty"`
	Number   int    `json:"n,omitempty"`
	Server   string `json:"s,omitempty"`
	Event    string `json:"e,omitempty"`
	Request  string `json:"r,omitempty"` // the request's id as its source text
	Progress string `json:"p,omitempty"`
}

// eventLife is how long an event id can be used to resume.
const eventLife = 24 * time.Hour

// sealEvent returns the event id that the client sees.
func (d *Door) sealEvent(x *exchange.Exchange) string {
	m := mark{Server: source(x), Event: x.Event.ID}
	if x.Request != nil {
		m.Request, m.Progress = x.Request.ID().Raw(), x.Request.ProgressToken().Raw()
	} else if x.Resume != nil {
		m.Request, m.Progress = x.Resume.Request.Raw(), x.Resume.Progress.Raw()
	}
	return d.sealMark(x, m)
}

func (d *Door) sealMark(x *exchange.Exchange, m mark) string {
	payload, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return d.cfg.Handles.Seal("event", x.Principal.ID, x.Session.ID, payload, d.cfg.Clock.Now().Add(eventLife))
}

// openMark opens a Last-Event-ID of this session.
func (d *Door) openMark(x *exchange.Exchange, handle string) (mark, error) {
	var m mark
	payload, err := d.cfg.Handles.Open("event", x.Principal.ID, x.Session.ID, handle, x.Start)
	if err != nil {
		return m, fault.Newf(fault.BadHeader, "Last-Event-ID is not an event of this session.")
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return m, fault.Wrap(fault.Internal, err)
	}
	return m, nil
}

// stateBinding is what a requestState belongs to: this method, this name and
// these arguments, so that it cannot be moved to another call (M17).
func stateBinding(x *exchange.Exchange) (string, error) {
	digest := ""
	if args := x.Request.Params().Get("arguments"); args.Exists() {
		var err error
		if digest, err = registry.CanonicalDigest(args.Raw()); err != nil {
			return "", fault.Wrap(fault.BadParams, err)
		}
	}
	return x.Endpoint + "\x00" + x.Request.Method() + "\x00" + x.Request.Name() + "\x00" + digest, nil
}

// sealState wraps the server's requestState for the way through the client.
func (f *face) sealState(x *exchange.Exchange, m *wire.Message) (*wire.Message, error) {
	v := m.Result().Get("requestState")
	if !v.Exists() {
		return m, nil
	}
	if v.Kind() != wire.String || len(v.Raw()) > f.door.cfg.Limits.RequestState {
		return nil, fault.New(fault.UpstreamBad)
	}
	binding, err := stateBinding(x)
	if err != nil {
		return nil, err
	}
	cfg := f.door.cfg
	handle := cfg.Handles.Seal("mrtr", x.Principal.ID, binding, v.Raw(), cfg.Clock.Now().Add(cfg.Limits.StateLife))
	if handle == "" {
		return nil, fault.New(fault.UpstreamBad)
	}
	return m.Rewrite(wire.Replace(v, wire.Quote(handle)))
}

// openState puts the server's own requestState back, byte for byte.
func (f *face) openState(x *exchange.Exchange) error {
	if !x.Fact.MRTR {
		return nil
	}
	v := x.Request.Params().Get("requestState")
	if !v.Exists() {
		return nil
	}
	handle, ok := v.Text()
	if !ok {
		return fault.New(fault.StateInvalid)
	}
	binding, err := stateBinding(x)
	if err != nil {
		return err
	}
	raw, err := f.door.cfg.Handles.Open("mrtr", x.Principal.ID, binding, handle, x.Start)
	if err != nil {
		return fault.Wrap(fault.StateInvalid, err)
	}
	if x.Request, err = x.Request.Rewrite(wire.Replace(v, raw)); err != nil {
		return fault.Wrap(fault.StateInvalid, err)
	}
	return nil
}
