package wrapper

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

// carry posts a call and passes on what comes back. It returns when every
// request is answered, or with the reason why some never will be.
func (s *shim) carry(c *call) error {
	resp, err := s.request(c.ctx, "POST", c.head, c.body)
	if err != nil {
		return err
	}
	if resp.Status == 400 && c.first != nil && c.method == "tools/call" && c.modern {
		return s.mismatched(c, resp)
	}
	return s.answer(c, resp)
}

// answer reads one HTTP answer to a call.
func (s *shim) answer(c *call, resp *http1.InResponse) error {
	if resp.Status != 200 {
		defer resp.Body.Close()
		return s.refused(c, resp)
	}
	if c.method == "initialize" && !c.modern && c.within.id == "" {
		c.within.id, _ = resp.Header.Get("Mcp-Session-Id")
	}
	switch mediaType(resp) {
	case typeEvents:
		return s.follow(c, resp)
	case typeJSON:
		defer resp.Body.Close()
		text, err := s.whole(resp)
		if err == nil {
			err = s.deliver(c, text, false)
		}
		return err
	}
	defer resp.Body.Close()
	return fault.Wrap(fault.UpstreamBad, errors.New("the answer is of another media type"))
}

// deliver passes one message, or one batch of answers, on to the app. Messages
// other than answers may come on a stream only.
func (s *shim) deliver(c *call, text []byte, stream bool) error {
	if !wire.IsBatch(text) {
		m, err := wire.Parse(text, s.limits, wire.FromServer)
		if err != nil {
			return fault.Wrap(fault.UpstreamBad, err)
		}
		if m, err = s.accept(c, m, stream); m != nil {
			s.out.message(m)
		}
		return err
	}
	all, err := wire.ParseValue(text, s.limits)
	if err != nil {
		return fault.Wrap(fault.UpstreamBad, err)
	}
	var passed [][]byte
	for v := range all.Elements() {
		m, err2 := wire.Parse(v.Raw(), s.limits, wire.FromServer)
		if err2 != nil {
			err = fault.Wrap(fault.UpstreamBad, err2)
			break
		}
		if m, err = s.accept(c, m, stream); err != nil {
			break
		}
		if m != nil {
			passed = append(passed, m.Raw())
		}
	}
	switch {
	case len(passed) == 0:
	case len(passed) == all.Len():
		s.out.line(spaced(text))
	default:
		s.out.line(spaced(array(passed)))
	}
	return err
}

// array joins messages to a batch.
func array(messages [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(messages, []byte(","))...), ']')
}

// spaced replaces line breaks, which in checked JSON stand between tokens only.
func spaced(text []byte) []byte {
	for i, b := range text {
		if b == '\n' || b == '\r' {
			text[i] = ' '
		}
	}
	return text
}

// accept decides on one message of a call's answer: it returns the message for
// the app, or nil if the app no longer waits for it. An answer to something
// else is an error, after which nothing more of this stream is believed.
func (s *shim) accept(c *call, m *wire.Message, stream bool) (*wire.Message, error) {
	switch {
	case m.Kind() == wire.Response || m.Kind() == wire.ErrorResponse:
	case stream:
		return m, nil
	default:
		return nil, fault.Wrap(fault.UpstreamBad, errors.New("the answer is no response"))
	}
	if id := m.ID(); (id.IsZero() || id == wire.NullID) && !c.batch {
		named, err := m.WithID(c.order[0])
		if err != nil {
			return nil, fault.Wrap(fault.UpstreamBad, err)
		}
		m = named
	}
	waits, known := c.settle(m.ID())
	if !known {
		return nil, fault.Wrap(fault.UpstreamBad, errors.New("the answer is to another request"))
	}
	if !waits {
		return nil, nil
	}
	if m.Kind() == wire.Response {
		s.learn(c, m)
	}
	s.release(c, m.ID())
	return m, nil
}

// learn keeps what later requests need: the session, and the arguments that
// tools want repeated in headers.
func (s *shim) learn(c *call, m *wire.Message) {
	switch {
	case c.method == "initialize" && !c.modern:
		version, _ := m.Result().Get("protocolVersion").Text()
		s.mu.Lock()
		s.session = session{id: c.within.id, version: version}
		s.mu.Unlock()
	case c.method == "tools/list" && c.modern:
		for name, err := range s.tools.learn(m, !c.first.Params().Get("cursor").Exists()) {
			s.out.say(fmt.Sprintf("The tool %q wants headers against the rules; calls of it may fail.", name), err)
		}
	}
}

// refused passes on an answer with another status than 200: the gateway's
// JSON-RPC error if there is one, or a sentence of ours.
func (s *shim) refused(c *call, resp *http1.InResponse) error {
	m, f := s.rejection(resp)
	if f.Kind == fault.SessionUnknown && c.within.id != "" && c.method != "initialize" {
		s.out.say("The session has ended; restart this server in the app.", nil)
		s.hush()
	}
	return s.pass(c, m, f)
}

// pass gives the gateway's error to the app; without one, or for a batch,
// which needs one for each request, f is the call's end.
func (s *shim) pass(c *call, m *wire.Message, f *fault.Error) error {
	if m == nil || c.batch {
		return f
	}
	m, err := s.accept(c, m, false)
	if m != nil {
		s.out.message(m)
	}
	return err
}

// rejection reads the body of an answer that is no success. m is the JSON-RPC
// error in it, nil if there is none; f says the same for our own use.
func (s *shim) rejection(resp *http1.InResponse) (m *wire.Message, f *fault.Error) {
	f = byStatus(resp.Status)
	if mediaType(resp) != typeJSON {
		return nil, f
	}
	text, err := s.whole(resp)
	if err != nil {
		return nil, f
	}
	m, err = wire.Parse(text, s.limits, wire.FromServer)
	if err != nil || m.Kind() != wire.ErrorResponse {
		return nil, f
	}
	if said, ok := m.ErrorObject().Get("message").Text(); ok {
		f.Public = said
	}
	if f.Kind == fault.SessionUnknown && codeOf(m) != f.Code() {
		f.Kind = fault.PathUnknown // a 404 for another reason
	}
	return m, f
}

// codeOf returns the code of an error answer, 0 if it is out of range.
func codeOf(m *wire.Message) int {
	code, _ := m.ErrorObject().Get("code").Int()
	return int(code)
}

// byStatus words an HTTP status that came without a JSON-RPC error.
func byStatus(status int) *fault.Error {
	switch status {
	case 401, 403:
		return fault.Newf(fault.Unauthenticated, "The gateway does not accept this agent's certificate.")
	case 404:
		return fault.Newf(fault.SessionUnknown, "The session has ended or the gateway has nothing at this path; restart this server in the app.")
	case 413:
		return fault.New(fault.TooLarge)
	case 429:
		return fault.New(fault.RateLimited)
	case 503:
		return fault.New(fault.Overloaded)
	}
	return fault.Newf(fault.UpstreamBad, "The gateway answered with HTTP status %d.", status)
}

// sentence says why a call has no answer. Faults of the connection are worded
// for the gateway, which is the far end here.
func sentence(c *call, err error) *fault.Error {
	var f *fault.Error
	switch cause := context.Cause(c.ctx); {
	case cause == nil:
		f = fault.As(err)
	case errors.Is(cause, context.DeadlineExceeded):
		f = fault.Wrap(fault.UpstreamLate, cause)
	default:
		f = fault.Wrap(fault.UpstreamGone, cause)
	}
	public := map[fault.Kind]string{
		fault.UpstreamUnreachable: "The gateway cannot be reached; check that it runs and try again.",
		fault.UpstreamLate:        "The gateway did not answer in time.",
		fault.UpstreamGone:        "The connection to the gateway ended before the answer.",
		fault.UpstreamTooLarge:    "The answer is larger than the limit.",
	}[f.Kind]
	if public == "" {
		return f
	}
	return &fault.Error{Kind: f.Kind, Public: public, Cause: f.Cause}
}
