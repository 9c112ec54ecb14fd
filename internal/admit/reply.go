package admit

import (
	"context"
	"errors"
	"strconv"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

var errGone = errors.New("the client is gone")

// Reply sends one frame on the caller's stream, which it begins when there is
// none yet. A frame without message and event only begins the stream.
func (f *face) Reply(_ context.Context, x *exchange.Exchange) error {
	e := wire.Event{Retry: x.Event.Retry}
	if x.Era == wire.Legacy && x.Event.HasID {
		e.ID, e.HasID = f.door.sealEvent(x), true
	}
	if _, again := x.Join.(*follow); again {
		return f.send(x, x.Event)
	}
	if x.Message != nil {
		m, err := f.outward(x, x.Message)
		if err != nil || x.Drop != "" {
			return err
		}
		e.Name, e.Data = x.Event.Name, m.OneLine().Raw()
	}
	return f.send(x, e)
}

// send writes one event and begins the stream if need be.
func (f *face) send(x *exchange.Exchange, e wire.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stream {
		if err := f.begin(x); err != nil {
			f.ended = true
			return err
		}
	}
	if e.Data != nil && !e.HasID {
		e.ID, e.HasID = f.number(x, e.Data)
	}
	err := f.write(x, e)
	if err != nil {
		f.ended = true
		if f.ring != nil && x.Verb == exchange.Post {
			return nil // the client can come back for it
		}
	}
	return err
}

// write writes one event. The caller holds mu.
func (f *face) write(x *exchange.Exchange, e wire.Event) error {
	if f.ended {
		return errGone
	}
	if e.Data != nil || e.HasID || e.Retry != "" {
		out := wire.AppendEvent(nil, e)
		if _, err := f.w.Write(out); err != nil {
			return err
		}
		x.BytesOut += len(out)
	}
	f.quiet.Reset(f.door.cfg.Limits.KeepAlive)
	return f.w.Flush()
}

// begin sends the head of the stream and starts the keep-alive. The caller
// holds mu.
func (f *face) begin(x *exchange.Exchange) error {
	if x.Verb == exchange.Post {
		if err := f.take(f.door.streams, x.Principal.ID); err != nil {
			return err
		}
	}
	h := http1.Header{
		{Name: "Content-Type", Value: "text/event-stream"},
		{Name: "Cache-Control", Value: "no-store"},
		{Name: "X-Accel-Buffering", Value: "no"},
	}
	f.stream = true
	f.quiet = time.AfterFunc(f.door.cfg.Limits.KeepAlive, f.keepAlive)
	if err := f.w.Start(200, f.cors(h), -1); err != nil {
		return err
	}
	f.keep(x)
	for _, e := range f.missed {
		if err := f.write(x, e); err != nil {
			return err
		}
	}
	f.missed = nil
	if f.ring != nil && x.Request != nil && x.Version == wire.V20251125 {
		first := wire.Event{ID: f.door.sealMark(x, mark{Ring: f.ring.id, Kept: true}), HasID: true}
		return f.write(x, first) // SEP-1699: an id to come back with, before anything else
	}
	return nil
}

// keepAlive sends a comment on a stream that was silent, so that proxies keep
// it open and a vanished client is noticed.
func (f *face) keepAlive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	_, err := f.w.Write([]byte(":\n\n"))
	if err == nil {
		err = f.w.Flush()
	}
	if err != nil {
		f.ended = true
		return
	}
	f.quiet.Reset(f.door.cfg.Limits.KeepAlive)
}

// Finish sends the last word and gives back what the exchange held.
func (f *face) Finish(_ context.Context, x *exchange.Exchange) {
	defer f.release(x)
	final := f.last(x)
	f.mu.Lock()
	streaming := f.stream
	f.mu.Unlock()
	if final != nil && x.Attest != nil { // now that nothing else changes its bytes
		if streaming {
			final = final.OneLine()
		}
		final = x.Attest(final)
	}
	if streaming {
		if final != nil {
			_ = f.send(x, f.finalEvent(x, final)) // a client that is gone misses it
		}
		f.mu.Lock()
		f.ended = true
		f.quiet.Stop()
		if f.ring != nil && x.Verb == exchange.Post {
			f.ring.end()
		}
		f.mu.Unlock()
		return
	}
	f.plain(x, final)
}

// finalEvent frames the answer on a stream that has begun.
func (f *face) finalEvent(x *exchange.Exchange, final *wire.Message) wire.Event {
	e := wire.Event{Data: final.OneLine().Raw()}
	if x.Fault == nil && x.Era == wire.Legacy && x.Event.HasID {
		e.ID, e.HasID = f.door.sealEvent(x), true
	}
	if x.Fault == nil {
		e.Name = x.Event.Name
	}
	return e
}

// last returns the message that ends the exchange, or nil when there is none.
func (f *face) last(x *exchange.Exchange) *wire.Message {
	if x.Fault != nil {
		if x.Verb != exchange.Post && f.stream {
			return nil // a stream that ends says nothing
		}
		return spoken(x, f.id)
	}
	if x.Final == nil {
		return nil
	}
	m, err := f.outward(x, x.Final)
	if err != nil {
		x.Fault = fault.As(err)
		return wire.NewError(f.id, versionOf(x), x.Fault, x.ID)
	}
	return m
}

// spoken is a refusal in words: an error, or the question that stands in its
// place.
func spoken(x *exchange.Exchange, id wire.ID) *wire.Message {
	if x.Fault.Result != "" && !id.IsZero() {
		if m, err := wire.NewResult(id, []byte(x.Fault.Result)); err == nil {
			return m
		}
	}
	return wire.NewError(id, versionOf(x), x.Fault, x.ID)
}

func versionOf(x *exchange.Exchange) wire.Version {
	if x.Version == "" {
		return wire.LatestLegacy
	}
	return x.Version
}

// plain answers without a stream.
func (f *face) plain(x *exchange.Exchange, final *wire.Message) {
	status := statusOf(x)
	if status == statusGone {
		return
	}
	h := make(http1.Header, 0, 6)
	h = append(h, http1.Field{Name: "Cache-Control", Value: "no-store"})
	if final != nil {
		h = append(h, http1.Field{Name: "Content-Type", Value: "application/json"})
	}
	switch {
	case status == 401:
		h = append(h, http1.Field{Name: "WWW-Authenticate", Value: f.challenge(x)})
		if nonce, _ := f.nonce(); nonce != "" {
			h = append(h, http1.Field{Name: "DPoP-Nonce", Value: nonce})
		}
	case x.Fault != nil && x.Fault.Kind == fault.ScopeMissing:
		h = append(h, http1.Field{Name: "WWW-Authenticate", Value: f.challenge(x)})
	case status == 405:
		h = append(h, http1.Field{Name: "Allow", Value: "POST"})
	case status == 429 || status == 503:
		h = append(h, http1.Field{Name: "Retry-After", Value: strconv.Itoa(max(1, x.Fault.Retry))})
	}
	if x.Fault == nil && x.Final != nil && x.Fact.Method == "initialize" && x.Final.Kind() == wire.Response {
		s, err := f.beginSession(x)
		if err != nil {
			x.Fault = fault.As(err)
			status, final = x.Fault.Status(), wire.NewError(f.id, versionOf(x), x.Fault, x.ID)
		} else {
			h = append(h, http1.Field{Name: "Mcp-Session-Id", Value: s.handle})
		}
	}
	var body []byte
	if final != nil {
		body = final.Raw()
	}
	if f.w.Start(status, f.cors(h), int64(len(body))) == nil && len(body) > 0 {
		_, _ = f.w.Write(body) // a client that is gone misses it
	}
}

// beginSession makes the session that initialize agreed on.
func (f *face) beginSession(x *exchange.Exchange) (*session, error) {
	v, _ := x.Final.Result().Get("protocolVersion").Text()
	x.Session.Version = wire.Version(v)
	return f.door.sessions.begin(x, f.door.cfg.Clock.Now())
}

// statusGone stands for a client that cannot be answered any more.
const statusGone = 499

// statusOf returns the HTTP status of the answer. In the legacy era 404 means
// that the session has ended, so an unknown method is a JSON-RPC error in an
// ordinary answer there.
func statusOf(x *exchange.Exchange) int {
	switch {
	case x.Fault != nil && x.Fault.Kind == fault.MethodUnknown && x.Era == wire.Legacy:
		return 200
	case x.Fault != nil && x.Fault.Kind == fault.BadParams && x.View != nil:
		return 200 // the message was well-formed; what it says does not fit the tool
	case x.Fault != nil:
		return x.Fault.Status()
	case x.Verb == exchange.End:
		return 204
	case x.Final == nil:
		return 202
	case x.Status != 0:
		return x.Status
	case x.Era == wire.Modern && x.Final.Kind() == wire.ErrorResponse:
		return modernStatus(x.Final)
	}
	return 200
}

// modernStatus returns the status that 2026-07-28 demands for an error code,
// for servers whose transport has no status of its own.
func modernStatus(m *wire.Message) int {
	code, _ := m.ErrorObject().Get("code").Int()
	switch code {
	case -32601:
		return 404
	case -32020, -32021, -32022:
		return 400
	}
	return 200
}

// cors adds what a browser needs to read the answer, for listed origins only.
func (f *face) cors(h http1.Header) http1.Header {
	if f.origin == "" {
		return h
	}
	return append(h, http1.Field{Name: "Access-Control-Allow-Origin", Value: f.origin},
		http1.Field{Name: "Vary", Value: "Origin"},
		http1.Field{Name: "Access-Control-Expose-Headers", Value: "Mcp-Session-Id, WWW-Authenticate, DPoP-Nonce"})
}

// preflight answers a browser's question about a listed origin.
func (f *face) preflight() {
	h := http1.Header{
		{Name: "Access-Control-Allow-Methods", Value: "POST, GET, DELETE"},
		{Name: "Access-Control-Allow-Headers", Value: "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name"},
		{Name: "Access-Control-Max-Age", Value: "600"},
	}
	_ = f.w.Start(204, f.cors(h), 0) // a browser that is gone needs none
}

// release gives back everything that the exchange held.
func (f *face) release(x *exchange.Exchange) {
	for i := len(f.held) - 1; i >= 0; i-- {
		f.held[i]()
	}
	f.held = nil
	f.door.cfg.Budget.Give(x.Held)
	x.Held = 0
}
