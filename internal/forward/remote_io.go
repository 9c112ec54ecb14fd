package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

// tellLimit bounds messages to a server that no caller waits for.
const tellLimit = 10 * time.Second

type mediaType uint8

const (
	noBody mediaType = iota
	jsonBody
	eventStream
)

// contentType reads the media type of an answer. The type never selects an
// unchecked way through: anything but JSON and SSE is refused (U12, H09).
func contentType(resp *http1.InResponse) (mediaType, error) {
	for encoding := range resp.Header.All("Content-Encoding") {
		if !strings.EqualFold(encoding, "identity") {
			return 0, fault.Wrap(fault.UpstreamBad, errors.New("content-encoding that was not asked for"))
		}
	}
	if resp.Header.Count("Content-Type") > 1 {
		return 0, fault.Wrap(fault.UpstreamBad, errors.New("more than one content type"))
	}
	value, ok := resp.Header.Get("Content-Type")
	if !ok {
		return noBody, nil
	}
	name, params, _ := strings.Cut(value, ";")
	params = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(params), `"`, ""))
	if params != "" && params != "charset=utf-8" && params != "charset=utf8" {
		return 0, fault.Wrap(fault.UpstreamBad, errors.New("content type with a charset other than utf-8"))
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "application/json":
		return jsonBody, nil
	case "text/event-stream":
		return eventStream, nil
	}
	if resp.Status == 200 {
		return 0, fault.Wrap(fault.UpstreamBad, errors.New("content type that is neither JSON nor SSE"))
	}
	return noBody, nil
}

// readBody reads a whole body of at most limit bytes. pool may be nil; else the
// second result, if not nil, gives the bytes back to it.
func readBody(resp *http1.InResponse, limit int, pool *buffers) ([]byte, func(), error) {
	if resp.ContentLength > int64(limit) {
		return nil, nil, fault.New(fault.UpstreamTooLarge)
	}
	if resp.ContentLength >= 0 {
		var raw []byte
		var release func()
		if pool != nil && resp.ContentLength > 0 {
			raw, release = pool.take(int(resp.ContentLength))
		} else {
			raw = make([]byte, resp.ContentLength)
		}
		_, err := io.ReadFull(resp.Body, raw)
		if err == nil {
			err = drained(resp.Body)
		}
		return raw, release, err
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err == nil && len(raw) > limit {
		err = fault.New(fault.UpstreamTooLarge)
	}
	return raw, nil, err
}

// drained reads the end of a body of known length, so that the connection can
// be used again.
func drained(r io.Reader) error {
	var one [1]byte
	n, err := r.Read(one[:])
	if n > 0 || (err != nil && err != io.EOF) {
		return fault.New(fault.UpstreamBad)
	}
	return nil
}

// headers returns the head of a POST: an allow-list, so that nothing the
// caller sent reaches the server but what is named here.
func (r *remote) headers(x *exchange.Exchange, session string, version wire.Version) (http1.Header, error) {
	h := make(http1.Header, 0, 8+len(r.fixed))
	h = append(h, http1.Field{Name: "Content-Type", Value: "application/json"},
		http1.Field{Name: "Accept", Value: "application/json, text/event-stream"},
		http1.Field{Name: "Accept-Encoding", Value: "identity"})
	if x.Era == wire.Modern {
		var params []wire.HeaderParam
		if x.Tool != nil {
			params = headerParams(x.Tool)
		}
		fields, err := wire.MirrorHeaders(x.Request, x.Version, params)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			h = append(h, http1.Field(f))
		}
		for _, f := range x.Mirrors.Params {
			if !mirrored(params, f.Name) { // not of the pinned schema: it passes as it came
				h = append(h, http1.Field(f))
			}
		}
	} else {
		h = append(h, sessionFields(session, version)...)
	}
	for _, f := range x.Mirrors.Trace {
		h = append(h, http1.Field(f))
	}
	return append(h, r.fixed...), nil
}

// mirrored reports whether a header is one that was made from the arguments.
func mirrored(params []wire.HeaderParam, name string) bool {
	for i := range params {
		if strings.EqualFold(params[i].Header, name) {
			return true
		}
	}
	return false
}

// sessionHeaders returns the head of a GET or DELETE.
func (r *remote) sessionHeaders(session string, version wire.Version) http1.Header {
	h := http1.Header{{Name: "Accept", Value: "text/event-stream"}, {Name: "Accept-Encoding", Value: "identity"}}
	return append(append(h, sessionFields(session, version)...), r.fixed...)
}

func sessionFields(session string, version wire.Version) []http1.Field {
	var f []http1.Field
	if version >= wire.V20250618 {
		f = append(f, http1.Field{Name: "MCP-Protocol-Version", Value: string(version)})
	}
	if session != "" {
		f = append(f, http1.Field{Name: "Mcp-Session-Id", Value: session})
	}
	return f
}

// validSession reports whether a server's session id has the specified form:
// visible ASCII, bounded.
func validSession(id string) bool {
	if len(id) > 1024 {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x21 || id[i] > 0x7e {
			return false
		}
	}
	return true
}

// events yields the frames of an SSE answer to a request, up to the answer
// itself; what follows it is cut.
func (r *remote) events(ctx context.Context, abort context.CancelCauseFunc, x *exchange.Exchange, resp *http1.InResponse, yield func(exchange.Answer, error) bool) {
	var id wire.ID
	if x.Request != nil {
		id = x.Request.ID()
	} else if x.Resume != nil {
		id = x.Resume.Request
	}
	resumable := false
	for e, err := range r.frames(ctx, resp, r.step.limits.Idle, abort) {
		if err != nil {
			yield(exchange.Answer{}, err)
			return
		}
		resumable = resumable || e.Event.HasID
		m := e.Message
		if m != nil && (m.Kind() == wire.Response || m.Kind() == wire.ErrorResponse) {
			if m, err = answerTo(id, m); err != nil {
				x.Dropped++
				x.DropKind = fault.UpstreamBad
				continue
			}
			yield(exchange.Answer{Message: m, Event: e.Event}, nil)
			return
		}
		if !yield(e, nil) {
			return
		}
	}
	if x.Request != nil && !resumable {
		yield(exchange.Answer{}, fault.New(fault.UpstreamGone))
	}
}

// frames reads events, parses them, paces notifications and watches for
// silence: abort ends the request's context when no byte came for limit; nil
// leaves that to ctx.
func (r *remote) frames(ctx context.Context, resp *http1.InResponse, limit time.Duration, abort context.CancelCauseFunc) func(func(exchange.Answer, error) bool) {
	return func(yield func(exchange.Answer, error) bool) {
		if abort != nil {
			idle := time.AfterFunc(limit, func() { abort(fault.New(fault.UpstreamLate)) })
			defer idle.Stop()
			resp.Body = &touching{resp.Body, func() { idle.Reset(limit) }}
		}
		events := wire.NewEvents(resp.Body, r.wire.Bytes)
		pace := newPace(r.step.limits.PerSecond, r.step.cfg.Clock)
		for {
			e, err := events.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) || context.Cause(ctx) != nil {
					yield(exchange.Answer{}, cause(ctx, err))
				}
				return
			}
			a, keep, err := r.frame(e, pace)
			if err != nil {
				yield(exchange.Answer{}, err)
				return
			}
			if keep && !yield(a, nil) {
				return
			}
		}
	}
}

// touching calls touch whenever bytes arrive.
type touching struct {
	io.ReadCloser
	touch func()
}

func (t *touching) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if n > 0 {
		t.touch()
	}
	return n, err
}

// frame turns one event into an answer; keep is false for frames that only
// keep the connection alive or exceed the pace.
func (r *remote) frame(e wire.Event, pace *pace) (a exchange.Answer, keep bool, err error) {
	switch {
	case e.Comment:
		return a, false, nil
	case len(e.Data) == 0:
		return exchange.Answer{Event: e}, e.HasID || e.Retry != "", nil
	case e.Name != "" && e.Name != "message":
		return a, false, fault.Wrap(fault.UpstreamBad, fmt.Errorf("event of kind %q", e.Name))
	}
	m, err := parse(e.Data, r.wire)
	if err == nil {
		m, err = r.secrets().strip(m)
	}
	if err != nil {
		return a, false, err
	}
	if m.Kind() == wire.Notification && !pace.allow() {
		return a, false, nil
	}
	e.Data = nil
	return exchange.Answer{Message: m, Event: e}, true, nil
}

// cause prefers the reason why ctx ended over the I/O error it led to.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	if errors.As(err, new(*fault.Error)) {
		return err
	}
	return fault.Wrap(fault.UpstreamGone, err)
}
