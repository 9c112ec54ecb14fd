package forward

import (
	"context"
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

// session returns the upstream session that x belongs to and its version;
// both are empty in the modern era and for initialize itself. A part of /mcp
// whose server has no session yet gets one now.
func (r *remote) session(ctx context.Context, x *exchange.Exchange) (string, wire.Version, error) {
	s := x.Session
	switch {
	case s == nil || s.New:
		return "", "", nil
	case !s.Bound:
		return s.Remote, s.Version, nil
	}
	r.mu.Lock()
	rs := r.sessions[s.ID]
	first := rs == nil
	if first {
		rs = &remoteSession{ready: make(chan struct{})}
		r.sessions[s.ID] = rs
	}
	r.mu.Unlock()
	if first {
		rs.id, rs.version, rs.err = r.handshake(ctx, s)
		if rs.err != nil {
			r.forget(s.ID)
		}
		close(rs.ready)
	}
	select {
	case <-rs.ready:
		return rs.id, rs.version, rs.err
	case <-ctx.Done():
		return "", "", context.Cause(ctx)
	}
}

// opened remembers the upstream session that an initialize of x made.
func (r *remote) opened(x *exchange.Exchange, m *wire.Message) {
	if m.Kind() != wire.Response || !x.Session.Bound {
		return
	}
	v, _ := m.Result().Get("protocolVersion").Text()
	rs := &remoteSession{ready: make(chan struct{}), id: x.Session.Remote, version: wire.Version(v)}
	close(rs.ready)
	r.mu.Lock()
	r.sessions[x.Session.ID] = rs
	r.mu.Unlock()
}

func (r *remote) knows(session string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[session] != nil
}

func (r *remote) forget(session string) {
	r.mu.Lock()
	delete(r.sessions, session)
	r.mu.Unlock()
}

// handshake opens an upstream session with what the client declared.
func (r *remote) handshake(ctx context.Context, s *exchange.Session) (string, wire.Version, error) {
	m, err := wire.NewRequest(wire.IntID(1), "initialize", initializeParams(s))
	if err != nil {
		return "", "", err
	}
	answer, id, err := r.ask(ctx, m, r.plainHeaders("", ""))
	if err != nil {
		return "", "", err
	}
	version, _ := answer.Result().Get("protocolVersion").Text()
	v := wire.Version(version)
	if answer.Kind() != wire.Response || v.Era() != wire.Legacy {
		return "", "", fault.Wrap(fault.UpstreamBad, fmt.Errorf("server %s refused initialize", r.srv.ID))
	}
	done, err := wire.NewNotification("notifications/initialized", nil)
	if err != nil {
		return "", "", err
	}
	if _, _, err := r.ask(ctx, done, r.plainHeaders(id, v)); err != nil {
		return "", "", err
	}
	return id, v, nil
}

func initializeParams(s *exchange.Session) []byte {
	info := s.ClientInfo
	if info == "" {
		info = `{"name":"ostiary","version":"1"}`
	}
	return []byte(`{"protocolVersion":"` + string(s.Version) + `","capabilities":` + s.Capabilities + `,"clientInfo":` + info + `}`)
}

// plainHeaders returns the head of a POST that the gateway makes by itself.
func (r *remote) plainHeaders(session string, v wire.Version) http1.Header {
	h := http1.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "Accept", Value: "application/json, text/event-stream"},
		{Name: "Accept-Encoding", Value: "identity"},
	}
	return append(append(h, sessionFields(session, v)...), r.fixed...)
}

// ask posts a message of the gateway's own and returns the answer (nil for a
// notification) and the session id that came with it.
func (r *remote) ask(ctx context.Context, m *wire.Message, h http1.Header) (*wire.Message, string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.step.limits.Start, fault.New(fault.UpstreamLate))
	defer cancel()
	resp, err := r.do(ctx, "POST", h, m.Raw())
	if err != nil {
		return nil, "", cause(ctx, err)
	}
	defer resp.Body.Close()
	session, _ := resp.Header.Get("Mcp-Session-Id")
	if !validSession(session) {
		return nil, "", fault.New(fault.UpstreamBad)
	}
	kind, err := contentType(resp)
	if err != nil {
		return nil, "", err
	}
	if m.Kind() != wire.Request {
		if resp.Status/100 != 2 {
			return nil, "", fault.Wrap(fault.UpstreamBad, fmt.Errorf("status %d to a notification", resp.Status))
		}
		return nil, session, nil
	}
	switch kind {
	case jsonBody:
		raw, _, err := readBody(resp, r.wire.Bytes, nil)
		if err != nil {
			return nil, "", cause(ctx, err)
		}
		answer, err := parse(raw, r.wire)
		if err == nil {
			answer, err = answerTo(m.ID(), answer)
		}
		return answer, session, err
	case eventStream:
		for a, err := range r.frames(ctx, resp, 0, nil) {
			if err != nil {
				return nil, "", err
			}
			if a.Message != nil && (a.Message.Kind() == wire.Response || a.Message.Kind() == wire.ErrorResponse) {
				answer, err := answerTo(m.ID(), a.Message)
				return answer, session, err
			}
		}
	}
	return nil, "", fault.Wrap(fault.UpstreamBad, fmt.Errorf("status %d without an answer", resp.Status))
}

var errNoStream = errors.New("server offers no stream")

// stream opens the session's GET stream, or goes on with an earlier one.
func (r *remote) stream(ctx context.Context, x *exchange.Exchange) error {
	session, version, err := r.session(ctx, x)
	if err != nil {
		return err
	}
	h := r.sessionHeaders(session, version)
	if x.Resume != nil {
		h = append(h, http1.Field{Name: "Last-Event-ID", Value: x.Resume.Event})
	}
	ctx, abort := context.WithCancelCause(ctx)
	x.Sent = true
	resp, err := r.do(ctx, "GET", h, nil)
	if err != nil {
		abort(nil)
		return cause(ctx, err)
	}
	refuse := func(err error) error {
		resp.Body.Close()
		abort(nil)
		return err
	}
	kind, err := contentType(resp)
	switch {
	case err != nil:
		return refuse(err)
	case resp.Status == 405:
		return refuse(fault.Wrap(fault.MethodNotAllowed, errNoStream))
	case resp.Status == 404:
		r.forget(x.Session.ID)
		return refuse(fault.New(fault.SessionUnknown))
	case resp.Status == 409:
		return refuse(fault.New(fault.StreamTaken))
	case resp.Status != 200 || kind != eventStream:
		return refuse(fault.Wrap(fault.UpstreamBad, fmt.Errorf("server %s answered status %d to GET", r.srv.ID, resp.Status)))
	}
	x.Answers = func(yield func(exchange.Answer, error) bool) {
		defer abort(nil)
		defer resp.Body.Close()
		r.events(ctx, abort, x, resp, yield)
	}
	return nil
}
