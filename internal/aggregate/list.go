package aggregate

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// mostPages bounds how many upstream pages one page of the caller may cost:
// a page that filtering emptied is followed by the next.
const mostPages = 8

// cursorLife is how long a cursor of ours can be used.
const cursorLife = time.Hour

// list joins one page of a list from every server.
type list struct {
	step    *Step
	x       *exchange.Exchange
	servers []*registry.Server
	cursors cursors
	binding string
}

// cursors is what to ask of each server that has more: nil is the first page.
// An empty cursor is a cursor like any other.
type cursors map[string]*string

// list prepares tools/list and its kin.
func (s *Step) list(x *exchange.Exchange, servers []*registry.Server, version uint64) error {
	l := &list{step: s, x: x, servers: servers, cursors: cursors{}, binding: x.Request.Method() + " " + strconv.FormatUint(version, 10)}
	cursor := x.Request.Params().Get("cursor")
	if !cursor.Exists() {
		for _, srv := range servers {
			l.cursors[srv.ID] = nil
		}
		x.Join = l
		return nil
	}
	handle, ok := cursor.Text()
	if !ok {
		return fault.New(fault.CursorInvalid)
	}
	raw, err := s.Handles.Open("cursor", x.Principal.ID, l.binding, handle, x.Start)
	if err != nil {
		return fault.Wrap(fault.CursorInvalid, err)
	}
	if err := json.Unmarshal(raw, &l.cursors); err != nil {
		return fault.Wrap(fault.CursorInvalid, err)
	}
	x.Join = l
	return nil
}

// Answers yields the joined page.
func (l *list) Answers(ctx context.Context, run func(context.Context, *exchange.Exchange)) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		m, err := l.page(ctx, run)
		yield(exchange.Answer{Message: m}, err)
	}
}

// page asks every server that has more and joins what they say, in the order
// of their ids.
func (l *list) page(ctx context.Context, run func(context.Context, *exchange.Exchange)) (*wire.Message, error) {
	out := collected{ttl: -1}
	for range mostPages {
		answers := l.ask(ctx, run)
		next := cursors{}
		for _, id := range slices.Sorted(maps.Keys(l.cursors)) {
			l.add(&out, id, answers[id], next)
		}
		l.cursors = next
		if out.items > 0 || len(next) == 0 {
			break
		}
	}
	return l.result(&out)
}

// ask runs one part per server that has more and returns their answers; a
// server that is late or failed has none.
func (l *list) ask(ctx context.Context, run func(context.Context, *exchange.Exchange)) map[string]*wire.Message {
	ctx, cancel := context.WithTimeoutCause(ctx, l.step.Patience, fault.New(fault.UpstreamLate))
	defer cancel()
	var mu sync.Mutex
	answers := map[string]*wire.Message{}
	var parts []*exchange.Exchange
	for id, cursor := range l.cursors {
		srv := find(l.servers, id)
		if srv == nil {
			continue // no longer visible: its items simply end
		}
		p := l.step.part(l.x, srv)
		var err error
		if p.Request, err = withCursor(l.x.Request, cursor); err != nil {
			continue
		}
		p.Deadline = l.step.Patience
		p.Face.(*face).finish = func(p *exchange.Exchange) {
			mu.Lock()
			defer mu.Unlock()
			take(l.x, p)
			l.x.Sent = l.x.Sent || p.Sent
			answers[p.Endpoint] = p.Final
		}
		parts = append(parts, p)
	}
	runAll(ctx, parts, run)
	return answers
}

func withCursor(m *wire.Message, cursor *string) (*wire.Message, error) {
	if cursor == nil {
		if edit, ok := wire.RemoveMember(m.Params(), "cursor"); ok {
			return m.Rewrite(edit)
		}
		return m, nil
	}
	if !m.Params().Exists() {
		return m.Rewrite(wire.SetMember(m.Root(), "params", append(append([]byte(`{"cursor":`), wire.Quote(*cursor)...), '}')))
	}
	return m.Rewrite(wire.SetMember(m.Params(), "cursor", wire.Quote(*cursor)))
}

// collected is a page under construction.
type collected struct {
	body    bytes.Buffer
	items   int
	ttl     int64 // smallest ttlMs seen, -1 = none
	partial []string
}

// add appends the items of one server's answer.
func (l *list) add(out *collected, id string, m *wire.Message, next cursors) {
	if m == nil || m.Kind() != wire.Response {
		if m == nil || !unsupported(m) {
			out.partial = append(out.partial, id)
		}
		return
	}
	for v := range m.Result().Get(l.x.Fact.ListKey).Elements() {
		item, ok := renamed(id, l.x.Fact.ListKey, v)
		if !ok {
			continue
		}
		if out.items > 0 {
			out.body.WriteByte(',')
		}
		out.body.Write(item)
		out.items++
	}
	if cursor, ok := m.Result().Get("nextCursor").Text(); ok && len(cursor) <= 4<<10 {
		next[id] = &cursor
	}
	if ttl, ok := m.Result().Get("ttlMs").Int(); ok && (out.ttl < 0 || ttl < out.ttl) {
		out.ttl = ttl
	}
}

// unsupported reports whether the server simply has no such list.
func unsupported(m *wire.Message) bool {
	code, _ := m.ErrorObject().Get("code").Int()
	return code == -32601
}

// renamed returns a list item with its name or URI prefixed and everything
// else byte for byte as it was.
func renamed(server, key string, v wire.Value) ([]byte, bool) {
	field, as := "name", func(s string) (string, bool) { return prefixed(server, s) }
	switch key {
	case "resources":
		field, as = "uri", func(s string) (string, bool) { return prefixedURI(server, s), true }
	case "resourceTemplates":
		field, as = "uriTemplate", func(s string) (string, bool) { return prefixedURI(server, s), true }
	}
	old := v.Get(field)
	text, ok := old.Text()
	if !ok {
		return nil, false
	}
	full, ok := as(text)
	if !ok {
		return nil, false
	}
	start, _ := v.Range()
	from, to := old.Range()
	raw := v.Raw()
	item := append([]byte{}, raw[:from-start]...)
	item = append(item, wire.Quote(full)...)
	return append(item, raw[to-start:]...), true
}

// result writes the page.
func (l *list) result(out *collected) (*wire.Message, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if l.x.Era == wire.Modern {
		ttl := max(out.ttl, 0)
		if len(out.partial) > 0 {
			ttl = 0
		}
		b.WriteString(`"resultType":"complete","ttlMs":` + strconv.FormatInt(ttl, 10) + `,"cacheScope":"private",`)
	}
	b.WriteString(`"` + l.x.Fact.ListKey + `":[`)
	b.Write(out.body.Bytes())
	b.WriteByte(']')
	if len(l.cursors) > 0 {
		payload, err := json.Marshal(l.cursors)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err)
		}
		handle := l.step.Handles.Seal("cursor", l.x.Principal.ID, l.binding, payload, l.step.Clock.Now().Add(cursorLife))
		b.WriteString(`,"nextCursor":"` + handle + `"`)
	}
	if len(out.partial) > 0 {
		names, err := json.Marshal(out.partial)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err)
		}
		b.WriteString(`,"_meta":{"dev.ostiary/partial":` + string(names) + `}`)
	}
	b.WriteByte('}')
	return wire.NewResult(l.x.Request.ID(), b.Bytes())
}
