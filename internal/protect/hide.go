package protect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

// finding is one span that something is done to. Offsets are into the message.
type finding struct {
	start, end int // what is replaced
	typ        pii.Type
	sub        string
	action     privacy.Action
	value      string // decoded
	path       string // of its spot, from the message's root
	key        bool   // in a member's name
	number     bool   // the spot is a JSON number and is replaced whole
	whole      bool   // the finding is all of its spot
	spot       int    // where the spot begins
	text       string // what takes its place
}

// maxFindings bounds what is done to one message; a message with more is
// refused, for nobody needs so many clear values at once.
const maxFindings = 100_000

// hide returns m as its receiver may see it, or m itself when nothing in it is
// to be changed.
func (s *Step) hide(ctx context.Context, j *job, m *wire.Message) (*wire.Message, error) {
	spans, err := s.scan(ctx, j, m.Raw())
	if err != nil {
		return s.unscanned(j, m, err)
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
	if err := s.replace(ctx, j, found); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f finding) bool { return f.action != privacy.Drop && f.text == f.value })
	if len(found) == 0 {
		return m, nil // such as an address of a page with nothing in it to hide
	}
	return j.splice(m, found)
}

// scan asks the detector. What it cannot hold is refused, never passed.
func (s *Step) scan(ctx context.Context, j *job, raw []byte) (spans []pii.Span, err error) {
	defer recovered(&err)
	if s.c.Scan != nil {
		return s.c.Scan(ctx, j.p, raw)
	}
	return j.p.Scanner().ScanJSON(raw), nil
}

// scanText asks the detector about text that stands in no message.
func (s *Step) scanText(ctx context.Context, j *job, text []byte) (spans []pii.Span, err error) {
	if s.c.Scan != nil {
		return s.scan(ctx, j, text)
	}
	defer recovered(&err)
	return j.p.Scanner().Scan(text), nil
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

// place finds the string, key or number that each span lies in, and decides
// what becomes of it.
func (s *Step) place(j *job, m *wire.Message, spans []pii.Span) ([]finding, error) {
	if len(spans) > maxFindings {
		return nil, fault.New(fault.Unscannable)
	}
	raw, found, i := m.Raw(), make([]finding, 0, len(spans)), 0
	ours := vault.Find(raw)
	for spot := range m.Spots() {
		if i == len(spans) {
			break
		}
		path := ""
		for ; i < len(spans) && spans[i].Start < spot.End; i++ {
			sp := spans[i]
			if sp.Start < spot.Start || sp.End > spot.End {
				return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("a finding of type %s is not inside one value", sp.Type))
			}
			if path == "" {
				path = spot.Path()
			}
			if touches(ours, sp) || opaque(path) && !spot.Key {
				continue
			}
			f, err := j.finding(raw, spot, sp, path)
			if err != nil {
				return nil, err
			}
			if privacy.Ours(f.typ, f.value) {
				continue // an invented value that a first pass put there
			}
			found = append(found, f)
		}
	}
	if i < len(spans) {
		return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("a finding of type %s is in no value", spans[i].Type))
	}
	return found, nil
}

// touches reports whether a span lies in one of our pseudonyms: those pass.
func touches(ours [][2]int, sp pii.Span) bool {
	at, _ := slices.BinarySearchFunc(ours, sp.Start, func(t [2]int, start int) int {
		if t[1] <= start {
			return -1
		}
		return 1
	})
	return at < len(ours) && ours[at][0] <= sp.Start && sp.End <= ours[at][1]
}

// finding decides about one span.
func (j *job) finding(raw []byte, spot wire.Spot, sp pii.Span, path string) (finding, error) {
	f := finding{start: sp.Start, end: sp.End, typ: sp.Type, sub: sp.Sub, path: path, key: spot.Key, spot: spot.Start}
	if !spot.Key && spot.Value.Kind() == wire.Number {
		f.start, f.end, f.number, f.whole = spot.Start, spot.End, true, true
		f.value = string(raw[f.start:f.end])
	} else {
		f.start, f.end = max(f.start, spot.Start+1), min(f.end, spot.End-1)
		f.whole = f.start == spot.Start+1 && f.end == spot.End-1
		text, err := decoded(raw[f.start:f.end])
		if err != nil {
			return f, fault.Wrap(fault.Unscannable, fmt.Errorf("a finding of type %s parts an escape", sp.Type))
		}
		f.value = text
	}
	w := j.where
	w.Path = below(path)
	f.action = j.p.Decide(w, sp.Type, sp.Sub)
	if !f.action.Known() {
		f.action = privacy.Block
	}
	if fixed(path) && !spot.Key && changes(f.action) {
		f.action = privacy.Block // another name would ask for another thing
	}
	if f.action == privacy.Token && j.definition() {
		f.action = privacy.Redact // a definition is no place for what can be turned back
	}
	return f, nil
}

// definition reports whether the message lists what a server offers.
func (j *job) definition() bool {
	return j.where.Toward == privacy.Client && j.x.Fact.ListKey != ""
}

// changes reports whether an action alters the text.
func changes(a privacy.Action) bool {
	return a != privacy.Keep && a != privacy.Flag && a != privacy.Block
}

// decoded undoes JSON's escapes in a part of a string.
func decoded(inside []byte) (string, error) {
	if !slices.Contains(inside, '\\') {
		return string(inside), nil
	}
	v, err := wire.ParseValue(slices.Concat([]byte{'"'}, inside, []byte{'"'}), wire.DefaultLimits())
	if err != nil {
		return "", err
	}
	text, _ := v.Text()
	return text, nil
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

// replace sets what takes the place of each finding. All pseudonyms of a message
// are made in one transaction, which is durable before anything leaves.
func (s *Step) replace(ctx context.Context, j *job, found []finding) error {
	shapes := j.shapes()
	var tokens []*finding
	for i := range found {
		f := &found[i]
		shape := shapes.at(f)
		if !shape.Free() {
			f.action = j.p.Shaped(f.action, privacy.Finding{Type: f.typ, Sub: f.sub, Value: f.value, Schema: shape})
		}
		switch f.action {
		case privacy.Block:
			return refusal(j.where.Toward, []string{string(f.typ)})
		case privacy.Token:
			if len(f.value) <= longestToken {
				tokens = append(tokens, f)
				continue
			}
			f.action = privacy.Redact // a whole encoded run: nobody repeats it
		case privacy.Drop:
			if f.key || !f.whole {
				f.action = privacy.Redact // a part of a text cannot be taken out as a member
			} else {
				continue
			}
		}
		text, err := j.p.Transform(f.action, privacy.Finding{Type: f.typ, Sub: f.sub, Value: f.value, Scope: s.scopeOf(j), Schema: shape}, s.c.Secrets)
		if err != nil {
			return fault.Wrap(fault.Unscannable, fmt.Errorf("%s of %s: %w", f.action, f.typ, err))
		}
		f.text = text
	}
	return s.tokens(ctx, j, tokens)
}

// longestToken is the longest value, in bytes, that a pseudonym stands for.
const longestToken = 4 << 10

// tokens fills in the pseudonyms, one for each value.
func (s *Step) tokens(ctx context.Context, j *job, found []*finding) error {
	if len(found) == 0 {
		return nil
	}
	place := map[vault.Value]int{}
	var values []vault.Value
	for _, f := range found {
		v := vault.Value{Type: string(f.typ), Value: f.value}
		if _, known := place[v]; !known {
			place[v] = len(values)
			values = append(values, v)
		}
	}
	if s.c.Vault == nil {
		return fault.Wrap(fault.Unscannable, errNoVault)
	}
	made, err := s.c.Vault.Hide(ctx, s.scopeOf(j), j.p.Keyed(), values)
	if err != nil {
		return fault.Wrap(fault.Unscannable, fmt.Errorf("make pseudonyms: %w", err))
	}
	if len(made) != len(values) {
		return fault.New(fault.Unscannable)
	}
	for _, f := range found {
		f.text = made[place[vault.Value{Type: string(f.typ), Value: f.value}]]
	}
	return nil
}

// splice puts the texts in the places of the findings and of their twins
// elsewhere in the message.
func (j *job) splice(m *wire.Message, found []finding) (*wire.Message, error) {
	found = append(found, twins(m, found)...)
	slices.SortFunc(found, func(a, b finding) int { return a.start - b.start })
	gone := map[int]bool{}
	for _, f := range found {
		if f.action == privacy.Drop {
			gone[f.spot] = true
		}
	}
	edits, cut := removals(m, gone)
	names := map[string]int{}
	last := -1
	for _, f := range found {
		j.count(f.typ, f.action, 1)
		j.hide(f)
		if f.action == privacy.Drop || cut.covers(f.start) || f.start < last {
			continue
		}
		edits = append(edits, wire.Edit{Start: f.start, End: f.end, Text: f.written(names)})
		last = f.end
	}
	n, err := m.Rewrite(edits...)
	if err != nil {
		return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("the message cannot be written anew: %w", err))
	}
	return n, nil
}

// hide counts what the reader is told about.
func (j *job) hide(f finding) {
	if j.hidden == nil {
		j.hidden = map[string]int{}
	}
	j.hidden[string(f.typ)]++
}

// written is the JSON that takes the finding's place. Names of members stay
// distinct, so that no two become one.
func (f *finding) written(names map[string]int) []byte {
	text := f.text
	if f.key {
		if n := names[text]; n > 0 {
			text = fmt.Sprintf("%s-%d", text, n+1)
		}
		names[f.text]++
	}
	quoted := wire.Quote(text)
	if f.number {
		if v, err := wire.ParseValue([]byte(text), wire.DefaultLimits()); err == nil && v.Kind() == wire.Number {
			return []byte(text)
		}
		return quoted
	}
	return quoted[1 : len(quoted)-1]
}

// headers looks at what the caller put into headers: Mcp-Param-* of a tool whose
// schema is not known, and trace context, travel on as they are, so that any
// finding that may not pass blocks.
func (s *Step) headers(ctx context.Context, x *exchange.Exchange, j *job) error {
	for _, fields := range [][]wire.Field{x.Mirrors.Params, x.Mirrors.Trace} {
		for _, f := range fields {
			text, err := wire.DecodeHeader(f.Value)
			if err != nil {
				text = f.Value
			}
			if err := s.header(ctx, j, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Step) header(ctx context.Context, j *job, text string) error {
	spans, err := s.scanText(ctx, j, []byte(text))
	if err != nil {
		_, err = s.unscanned(j, nil, err)
		return err
	}
	for _, sp := range spans {
		a := j.p.Decide(j.where, sp.Type, sp.Sub)
		if a == privacy.Keep || a == privacy.Flag || j.p.Shadow() {
			continue
		}
		if a != privacy.Block && s.mirrored(j.x) {
			continue // the body's own finding changes it, and the header is made anew
		}
		j.count(sp.Type, privacy.Block, 1)
		return refusal(j.where.Toward, []string{string(sp.Type)})
	}
	return nil
}

// mirrored reports whether the Mcp-Param-* headers are made from the body.
func (s *Step) mirrored(x *exchange.Exchange) bool { return x.Tool != nil && x.Tool.Definition != "" }
