package protect

import (
	"context"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// scan asks the detector. What it cannot hold is refused, never passed.
func (s *Step) scan(ctx context.Context, j *job, raw []byte) (spans []pii.Span, err error) {
	defer recovered(&err)
	if s.c.Scan != nil {
		spans, err = s.c.Scan(ctx, j.p, raw)
		return j.p.Sure(spans), err
	}
	return j.p.Sure(j.p.Scanner().ScanJSON(raw)), nil
}

// scanText asks the detector about text that stands in no message.
func (s *Step) scanText(ctx context.Context, j *job, text []byte) (spans []pii.Span, err error) {
	if s.c.Scan != nil {
		return s.scan(ctx, j, text)
	}
	defer recovered(&err)
	return j.p.Sure(j.p.Scanner().Scan(text)), nil
}

// unscanned does what the profile says about a message that the detector failed
// on: it blocks unless an operator chose otherwise, which the record shows.
func (s *Step) unscanned(j *job, m *wire.Message, err error) (*wire.Message, error) {
	if s.c.Log != nil {
		s.c.Log("protect: the detector failed", j.x, err)
	}
	switch j.p.OnError() {
	case privacy.Flag:
		j.x.Privacy.Degraded = true
		return m, nil
	case privacy.Redact:
		if n, ok := withheld(m); ok {
			j.x.Privacy.Degraded = true
			return n, nil
		}
	}
	return nil, fault.Wrap(fault.Unscannable, err)
}

// withheld returns a tool's result without anything that the server said in it.
// Other messages have no form without their content.
func withheld(m *wire.Message) (*wire.Message, bool) {
	if m == nil || m.Result().Get("content").Kind() != wire.Array {
		return nil, false
	}
	start, end := m.Result().Range()
	n, err := m.Rewrite(wire.Edit{Start: start, End: end, Text: []byte(`{"content":[{"type":"text","text":"[the content could not be examined and was withheld]"}],"isError":true}`)})
	return n, err == nil
}
