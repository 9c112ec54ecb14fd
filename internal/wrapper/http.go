package wrapper

import (
	"context"
	"io"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

const (
	typeJSON   = "application/json"
	typeEvents = "text/event-stream"
)

// postHead returns the fields of every POST.
func postHead() http1.Header {
	return http1.Header{
		{Name: "Content-Type", Value: typeJSON},
		{Name: "Accept", Value: typeJSON + ", " + typeEvents},
	}
}

// modernHead returns the fields of a POST that repeat parts of its body.
func (s *shim) modernHead(m *wire.Message, version string) (http1.Header, error) {
	fields, err := wire.MirrorHeaders(m, wire.Version(version), s.tools.of(m.Name()))
	if err != nil {
		return nil, err
	}
	head := postHead()
	for _, f := range fields {
		head = append(head, http1.Field(f))
	}
	return head, nil
}

// request sends one request to the endpoint.
func (s *shim) request(ctx context.Context, method string, head http1.Header, body []byte) (*http1.InResponse, error) {
	return s.client.Do(ctx, &http1.OutRequest{
		Method: method, TLS: s.cfg.TLS, Addr: s.addr, Target: s.target, Header: head, Body: body,
	})
}

// tell posts a message that gets no answer, and reports whether the gateway
// took it. A failure can only be logged.
func (s *shim) tell(ctx context.Context, head http1.Header, what string, body []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	resp, err := s.request(ctx, "POST", head, body)
	if err != nil {
		s.out.say("The gateway did not take "+what+" of the app.", err)
		return false
	}
	defer resp.Body.Close()
	if resp.Status/100 == 2 {
		finishBody(resp.Body)
		return true
	}
	_, f := s.rejection(resp)
	s.out.say("The gateway did not take "+what+" of the app.", f)
	return false
}

// mediaType returns the type of an answer's body without its parameters.
func mediaType(resp *http1.InResponse) string {
	value, _ := resp.Header.Get("Content-Type")
	value, _, _ = strings.Cut(value, ";")
	return strings.ToLower(strings.Trim(value, " \t"))
}

// whole reads a body of at most one message.
func (s *shim) whole(resp *http1.InResponse) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, int64(s.limits.Bytes)+1))
	if err == nil && len(text) > s.limits.Bytes {
		err = fault.New(fault.UpstreamTooLarge)
	}
	return text, err
}

// finishBody reads what little may follow the last answer, so that the
// connection can be used again; a body that does not end is closed.
func finishBody(body io.ReadCloser) {
	timer := time.AfterFunc(time.Second, func() { _ = body.Close() })
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, body, 64<<10) // an error drops the connection
}
