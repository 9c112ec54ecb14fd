package admit

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

// face is the caller's end of one HTTP exchange.
type face struct {
	door   *Door
	w      http1.Response
	r      *http1.Request
	origin string // accepted Origin, "" if none

	id     wire.ID // the caller's id as soon as it was read
	known  *session
	held   []func()     // slots to free at the end
	missed []wire.Event // what the session's stream lost; sent when it begins again
	ring   *ring        // keeps the stream for resumption; nil when its server does

	mu     sync.Mutex // guards w once the stream has begun
	stream bool
	ended  bool
	quiet  *time.Timer // sends a comment on a silent stream
}

// Read reads and parses the request of an identified caller.
func (f *face) Read(ctx context.Context, x *exchange.Exchange) error {
	err := f.read(ctx, x)
	if err != nil && x.Version == "" {
		f.presume(x)
	}
	return err
}

// presume finds the version of a message that could not be read, by the header
// or the session: the form of the refusal depends on it.
func (f *face) presume(x *exchange.Exchange) {
	header, _ := f.r.Header.Get("MCP-Protocol-Version")
	if v := wire.Version(header); v.Known() {
		x.Era, x.Version = v.Era(), v
		return
	}
	handle, _ := f.r.Header.Get("Mcp-Session-Id")
	if s, err := f.door.sessions.open(x.Principal.ID, x.Endpoint, handle, x.Start); err == nil {
		x.Era, x.Version = wire.Legacy, s.session.Version
	}
}

func (f *face) read(ctx context.Context, x *exchange.Exchange) error {
	if err := f.door.cfg.Rate.Take(x.Principal.ID, x.Start); err != nil {
		return err
	}
	if x.Verb != exchange.Post {
		return f.readVerb(x)
	}
	if err := f.take(f.door.calls, x.Principal.ID); err != nil {
		return err
	}
	if err := f.media(); err != nil {
		return err
	}
	raw, err := f.body(x)
	if err != nil {
		return err
	}
	if err := f.mirrors(x); err != nil {
		return err
	}
	if wire.IsBatch(raw) {
		return f.readBatch(x, raw)
	}
	m, err := wire.Parse(raw, f.door.cfg.Wire, wire.FromClient)
	if m != nil {
		f.id = m.ID()
	}
	if err != nil {
		return err
	}
	x.Request = m
	return f.era(x)
}

// slots is a counter that is given back at the end of the exchange.
type slots interface {
	Take(key string) error
	Give(key string)
}

func (f *face) take(s slots, key string) error {
	if err := s.Take(key); err != nil {
		return err
	}
	f.held = append(f.held, func() { s.Give(key) })
	return nil
}

// media checks Content-Type and Accept. A browser can send a cross-site POST
// with text/plain without asking; it cannot with application/json (H14).
func (f *face) media() error {
	if f.r.Header.Count("Content-Type") != 1 || f.r.Header.Count("Content-Encoding") > 0 {
		return fault.New(fault.MediaType)
	}
	value, _ := f.r.Header.Get("Content-Type")
	name, params, more := strings.Cut(value, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "application/json") || (more && !isUTF8(params)) {
		return fault.New(fault.MediaType)
	}
	json, events := false, false
	for accept := range f.r.Header.All("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			kind, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "*/*":
				json, events = true, true
			case "application/json", "application/*":
				json = true
			case "text/event-stream", "text/*":
				events = true
			}
		}
	}
	if !json || !events {
		return fault.New(fault.NotAcceptable)
	}
	return nil
}

func isUTF8(params string) bool {
	key, value, ok := strings.Cut(strings.TrimSpace(params), "=")
	return ok && strings.EqualFold(key, "charset") && strings.EqualFold(strings.Trim(value, `"`), "utf-8")
}

// body reads the whole request body within the limit and the budget.
func (f *face) body(x *exchange.Exchange) ([]byte, error) {
	limit := int64(f.door.cfg.Wire.Bytes)
	n := f.r.ContentLength
	if n > limit {
		return nil, fault.New(fault.TooLarge)
	}
	if n >= 0 {
		if err := f.hold(x, n); err != nil {
			return nil, err
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(f.r.Body, raw); err != nil {
			return nil, bodyError(err)
		}
		x.BytesIn = len(raw)
		return raw, nil
	}
	return f.chunkedBody(x, limit)
}

// chunkedBody reads a body of unknown length, charging the budget as it grows.
func (f *face) chunkedBody(x *exchange.Exchange, limit int64) ([]byte, error) {
	var raw []byte
	for {
		if len(raw) == cap(raw) {
			grow := max(4<<10, cap(raw))
			if err := f.hold(x, int64(grow)); err != nil {
				return nil, err
			}
			raw = append(make([]byte, 0, cap(raw)+grow), raw...)
		}
		n, err := f.r.Body.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		if int64(len(raw)) > limit {
			return nil, fault.New(fault.TooLarge)
		}
		if err == io.EOF {
			x.BytesIn = len(raw)
			return raw, nil
		}
		if err != nil {
			return nil, bodyError(err)
		}
	}
}

func (f *face) hold(x *exchange.Exchange, n int64) error {
	if err := f.door.cfg.Budget.Take(n); err != nil {
		return err
	}
	x.Held += n
	return nil
}

// bodyError tells malformed framing from a body that ended early, a slow client
// and a vanished one.
func bodyError(err error) error {
	switch {
	case http1.Malformed(err):
		return fault.Newf(fault.BadMessage, "The chunks of the body are malformed.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Newf(fault.BadMessage, "The body ended early.")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.Wrap(fault.SlowClient, err)
	}
	return fault.Wrap(fault.ClientGone, err)
}

// single are the headers of MCP that must not come twice: two readers could
// pick different ones.
var single = []string{"MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "Last-Event-ID"}

// mirrors collects the headers that repeat the body, and the trace context.
func (f *face) mirrors(x *exchange.Exchange) error {
	h := f.r.Header
	for _, name := range single {
		if h.Count(name) > 1 {
			return fault.Newf(fault.BadHeader, "The header %s came more than once.", name)
		}
	}
	m := &x.Mirrors
	m.Version, _ = h.Get("MCP-Protocol-Version")
	m.Method, m.HasMethod = h.Get("Mcp-Method")
	m.Name, m.HasName = h.Get("Mcp-Name")
	const most = 64
	for _, field := range h {
		switch {
		case len(field.Name) > 10 && strings.EqualFold(field.Name[:10], "Mcp-Param-"):
			if h.Count(field.Name) > 1 || len(m.Params) == most {
				return fault.Newf(fault.BadHeader, "A header Mcp-Param-* came twice, or there are too many.")
			}
			m.Params = append(m.Params, wire.Field(field))
		case strings.EqualFold(field.Name, "traceparent"), strings.EqualFold(field.Name, "tracestate"), strings.EqualFold(field.Name, "baggage"):
			if h.Count(field.Name) == 1 && len(field.Value) <= 8<<10 {
				m.Trace = append(m.Trace, wire.Field(field))
			}
		}
	}
	return nil
}
