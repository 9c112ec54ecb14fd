package wrapper

import (
	"context"
	"errors"

	"ostiary.dev/ostiary/internal/child"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

// session is what a legacy initialize agreed on.
type session struct {
	id      string // Mcp-Session-Id, "" if the gateway gave none
	version string // negotiated
}

// headed is the first version whose requests carry MCP-Protocol-Version.
const headed = string(wire.V20250618)

func (v session) fields() http1.Header {
	var head http1.Header
	if v.id != "" {
		head = append(head, http1.Field{Name: "Mcp-Session-Id", Value: v.id})
	}
	if v.version >= headed {
		head = append(head, http1.Field{Name: "MCP-Protocol-Version", Value: v.version})
	}
	return head
}

func (s *shim) current() session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session
}

// head returns the fields of a POST in the session.
func (v session) head() http1.Header { return append(postHead(), v.fields()...) }

// streamHead returns the fields of a GET of a session's stream.
func streamHead(v session, last string) http1.Header {
	head := append(http1.Header{{Name: "Accept", Value: typeEvents}}, v.fields()...)
	if last != "" {
		head = append(head, http1.Field{Name: "Last-Event-ID", Value: last})
	}
	return head
}

// listen opens the session's GET stream in a goroutine that hush ends.
func (s *shim) listen() {
	s.hush()
	s.listening.Wait()
	ctx, cancel := context.WithCancel(s.callCtx)
	s.mu.Lock()
	s.mute = cancel
	s.mu.Unlock()
	s.listening.Go(func() {
		defer cancel()
		s.hear(ctx)
	})
}

// hush ends the GET stream, if there is one.
func (s *shim) hush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mute != nil {
		s.mute()
	}
}

// goodbye ends the session at the gateway. That it fails changes nothing: the
// gateway ends an idle session by itself.
func (s *shim) goodbye(ctx context.Context) {
	s.listening.Wait()
	old := s.current()
	s.mu.Lock()
	s.session = session{}
	s.mu.Unlock()
	if old.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTimeout)
	defer cancel()
	resp, err := s.request(ctx, "DELETE", old.fields(), nil)
	if err != nil {
		s.out.say("The session was not ended at the gateway.", err)
		return
	}
	finishBody(resp.Body)
	_ = resp.Body.Close()
}

// hear keeps the GET stream open: it reconnects after breaks where it left
// off, at the server's pace or with growing waits, until ctx ends or the
// gateway says that there is no such stream (405) or session.
func (s *shim) hear(ctx context.Context) {
	c := &call{ctx: ctx, within: s.current()}
	var pace child.Backoff
	for {
		now := s.cfg.Clock.Now()
		pace.Started(now)
		resp, err := s.request(ctx, "GET", streamHead(c.within, c.last), nil)
		if err == nil {
			if ended := s.hearOne(c, resp); ended {
				return
			}
		}
		now = s.cfg.Clock.Now()
		pace.Ended(now)
		wait := pace.Wait(now)
		if err == nil && c.retry > 0 {
			wait = c.retry
		}
		if s.cfg.pause(ctx, wait) != nil {
			return
		}
	}
}

// hearOne reads one HTTP answer of the GET stream and reports whether it was
// the last: the gateway will not open another.
func (s *shim) hearOne(c *call, resp *http1.InResponse) bool {
	defer resp.Body.Close()
	switch {
	case resp.Status == 409 || resp.Status == 429 || resp.Status/100 == 5:
		return false // taken, or too much at once: later perhaps
	case resp.Status != 200:
		if resp.Status != 405 {
			_, f := s.rejection(resp)
			s.out.say("The gateway refused the session's stream; its notifications will not arrive.", f)
		}
		return true
	case mediaType(resp) != typeEvents:
		s.out.say("The session's stream is of another media type.", nil)
		return true
	}
	events := wire.NewEvents(resp.Body, s.limits.Bytes)
	for {
		ev, err := events.Next()
		if err != nil {
			err = streamError(err)
			if bad := !errors.Is(err, errBroken) && c.ctx.Err() == nil; bad {
				s.out.say("The session's stream broke the protocol.", err)
			}
			return false
		}
		c.mark(ev)
		if len(ev.Data) == 0 {
			continue
		}
		m, err := wire.Parse(ev.Data, s.limits, wire.FromServer)
		if err == nil && m.Kind() != wire.Request && m.Kind() != wire.Notification {
			err = fault.Newf(fault.UpstreamBad, "An answer came on the session's stream.")
		}
		if err != nil {
			s.out.say("A message of the session's stream was dropped.", err)
			continue
		}
		s.out.message(m)
	}
}
