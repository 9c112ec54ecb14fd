package protect

import (
	"context"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// finding is one span that something is done to. Offsets are into the message.
type finding struct {
	start, end int // what is replaced
	typ        pii.Type
	sub        string
	action     privacy.Action
	value      string          // decoded
	path       string          // of its spot, from the message's root
	key        bool            // in a member's name
	number     bool            // the spot is a JSON number and is replaced whole
	whole      bool            // the finding is all of its spot
	spot       int             // where the spot begins
	text       string          // what takes its place
	shape      *privacy.Schema // that the value drawn for it must fit; nil: a pseudonym's text fits
	subject    string          // whom it is about; "" when nobody knows
}

// maxFindings bounds what is done to one message; a message with more is
// refused, for nobody needs so many clear values at once.
const maxFindings = 100_000

// hide returns m as its receiver may see it, or m itself when nothing in it is
// to be changed.
func (s *Step) hide(ctx context.Context, j *job, m *wire.Message) (*wire.Message, error) {
	m, err := s.pictures(ctx, j, m)
	if err != nil {
		return m, err
	}
	spans, err := s.scan(ctx, j, m.Raw())
	if err != nil {
		return s.unscanned(j, m, err)
	}
	if spans, err = s.outside(ctx, j, m, spans); err != nil {
		return nil, err
	}
	if len(spans) == 0 {
		return m, nil
	}
	found, err := s.place(j, m, spans)
	if err != nil {
		return nil, err
	}
	if j.p.Shadow() {
		for _, f := range found {
			j.count(f.typ, f.action, 1)
		}
		return m, nil
	}
	if err := j.blocked(found); err != nil {
		return nil, err
	}
	found = j.acted(found)
	if len(found) == 0 {
		return m, nil
	}
	j.whose(m, found)
	if err := s.replace(ctx, j, found); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f finding) bool { return f.action != privacy.Drop && f.text == f.value })
	if len(found) == 0 {
		return m, nil // such as an address of a page with nothing in it to hide
	}
	return j.splice(m, found)
}

// blocked returns the refusal if any finding demands one. It names types, which
// are a closed set, and never a value.
func (j *job) blocked(found []finding) error {
	var types []string
	for _, f := range found {
		if f.action == privacy.Block {
			j.count(f.typ, f.action, 1)
			types = append(types, string(f.typ))
		}
	}
	if len(types) == 0 {
		return nil
	}
	slices.Sort(types)
	return refusal(j.where.Toward, slices.Compact(types))
}

func refusal(toward privacy.Toward, types []string) error {
	list := strings.Join(types, ", ")
	if toward == privacy.Server {
		return fault.Newf(fault.ContentBlocked, "The message holds %s, which may not go to this server; take it out and send the rest.", list)
	}
	return fault.Newf(fault.ContentBlocked, "The answer holds %s, which may not reach this client.", list)
}

// acted counts what passes and returns what is to be changed.
func (j *job) acted(found []finding) []finding {
	changed := found[:0]
	for _, f := range found {
		switch f.action {
		case privacy.Keep, privacy.Flag:
			if f.action == privacy.Flag {
				j.count(f.typ, f.action, 1)
			}
			if label := j.p.Labels(f.typ); !slices.Contains(j.clear, label) {
				j.clear = append(j.clear, label)
			}
		default:
			changed = append(changed, f)
		}
	}
	return changed
}
