package protect

import (
	"encoding/json"
	"fmt"
	"strings"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// namespace is what keys of this gateway's own begin with.
const namespace = "dev.ostiary/"

// counts is the key under which a reader is told what was taken out.
const counts = namespace + "privacy"

// filter takes out of a server's message what its receiver does not need.
func (s *Step) filter(j *job, m *wire.Message) (*wire.Message, error) {
	if j.x.View == nil {
		return m, nil
	}
	plan := filter.Of(j.x.View).For(j.match())
	if plan == nil {
		return m, nil
	}
	var edits []wire.Edit
	var err error
	switch m.Kind() {
	case wire.Response:
		edits, j.report, err = plan.Apply(m.Result(), s.schema(j))
	case wire.ErrorResponse:
		edits, j.report, err = plan.ApplyError(m.ErrorObject())
	case wire.Notification:
		edits, j.report, err = plan.ApplyNotice(m.Method(), m.Params())
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("filter: %w", err))
	}
	if j.report.Unfit != "" {
		f := fault.Newf(fault.ContentBlocked, "The answer cannot be filtered and still have the shape that the tool promises.")
		f.Cause = fmt.Errorf("filter: %s", j.report.Unfit)
		return nil, f
	}
	p := &j.x.Privacy
	p.Fields, p.Rows = p.Fields+j.report.Fields, p.Rows+j.report.Rows
	p.Blocks, p.Bytes = p.Blocks+j.report.Blocks, p.Bytes+j.report.Bytes
	if len(edits) == 0 {
		return m, nil
	}
	n, err := m.Rewrite(edits...)
	if err != nil {
		return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("filter: %w", err))
	}
	return n, nil
}

// schema returns the output schema of the tool that was called; nil: none.
func (s *Step) schema(j *job) filter.Schema {
	if s.c.Schemas == nil || j.x.Tool == nil || j.x.Tool.Definition == "" {
		return nil
	}
	return s.c.Schemas(j.x.Tool)
}

// fits refuses a result that no longer has the shape that its tool promises: a
// client would take it for the server's fault, or read something else into it.
func (s *Step) fits(j *job, m *wire.Message) error {
	structured := m.Result().Get("structuredContent")
	schema := s.schema(j)
	if schema == nil || !structured.Exists() {
		return nil
	}
	if isError, _ := m.Result().Get("isError").Bool(); isError {
		return nil
	}
	if err := schema.Validate(structured.Raw()); err != nil {
		return fault.Newf(fault.ContentBlocked, "The answer cannot be hidden in part and still have the shape that the tool promises.")
	}
	return nil
}

// unclaimed takes keys of this gateway's namespace out of what a server says
// beside its answer: they would be taken for the gateway's word.
func unclaimed(m *wire.Message) (*wire.Message, error) {
	meta := m.Meta()
	if meta.Kind() != wire.Object || meta.Len() == 0 {
		return m, nil
	}
	edits := wire.RemoveMembers(meta, func(k wire.Member, _ wire.Value) bool { return strings.HasPrefix(k.Key, namespace) })
	if len(edits) == 0 {
		return m, nil
	}
	n, err := m.Rewrite(edits...)
	if err != nil {
		return nil, fault.Wrap(fault.UpstreamBad, err)
	}
	return n, nil
}

// told adds to a result how much was taken out and hidden, and how much the
// server did not receive as it was sent, so that a model does not ask again for
// what it will not get and knows what was written.
func told(j *job, m *wire.Message) (*wire.Message, error) {
	r := m.Result()
	if r.Kind() != wire.Object {
		return m, nil
	}
	note := struct {
		Fields int            `json:"fields,omitempty"`
		Rows   int            `json:"rows,omitempty"`
		Blocks int            `json:"blocks,omitempty"`
		Hidden map[string]int `json:"hidden,omitempty"`
		Sent   map[string]int `json:"hidden_from_server,omitempty"`
	}{j.report.Fields, j.report.Rows, j.report.Blocks, j.hidden, sent(&j.x.Privacy)}
	if note.Fields+note.Rows+note.Blocks+len(note.Hidden)+len(note.Sent) == 0 {
		return m, nil
	}
	text, err := json.Marshal(note)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err)
	}
	meta := r.Get("_meta")
	edit := wire.SetMember(meta, counts, text)
	if !meta.Exists() {
		edit = wire.SetMember(r, "_meta", []byte(fmt.Sprintf(`{%q:%s}`, counts, text)))
	}
	n, err := m.Rewrite(edit)
	if err != nil {
		return nil, fault.Wrap(fault.Unscannable, err)
	}
	return n, nil
}

// sent counts by type what the server got something else in the place of.
func sent(p *exchange.Privacy) map[string]int {
	if p.Shadow {
		return nil
	}
	var out map[string]int
	for _, c := range p.Counts {
		if a := privacy.Action(c.Action); c.Toward == toServer && changes(a) && a != restored {
			if out == nil {
				out = map[string]int{}
			}
			out[c.Type] += c.Count
		}
	}
	return out
}
