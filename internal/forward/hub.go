package forward

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// listener opens one subscriptions/listen stream to a server with the given
// filter and yields what arrives until ctx ends or the server closes it.
type listener func(ctx context.Context, want filter) iter.Seq2[*wire.Message, error]

// hub lets any number of callers share one subscriptions/listen stream per
// server: it asks the server for the union of what the callers want, and gives
// each the part it asked for, under the caller's own subscription id
// (MCP 2026-07-28, basic/patterns/subscriptions).
type hub struct {
	open  listener
	queue int

	mu      sync.Mutex
	members map[*member]struct{}
	want    filter             // what the running stream asked for
	granted *filter            // what the server acknowledged; nil until then
	stop    context.CancelFunc // ends the running stream; nil when none runs
	closed  bool
	running sync.WaitGroup
}

// filter is what a listen request subscribes to.
type filter struct {
	tools, prompts, resources bool
	uris                      map[string]bool
}

// member is one caller's stream.
type member struct {
	want   filter
	acked  chan filter        // what the server honours of the union; capacity 1
	events chan *wire.Message // bounded; a caller too slow for it is cut
	ended  chan struct{}      // closed when the server's stream ended
	err    error              // why; read after ended
	cut    bool               // events overflowed
}

func newHub(open listener, queue int) *hub {
	return &hub{open: open, queue: queue, members: map[*member]struct{}{}}
}

// filterOf reads the notifications member of a listen request's params.
func filterOf(v wire.Value) filter {
	flag := func(key string) bool { b, _ := v.Get(key).Bool(); return b }
	f := filter{tools: flag("toolsListChanged"), prompts: flag("promptsListChanged"), resources: flag("resourcesListChanged"), uris: map[string]bool{}}
	for uri := range v.Get("resourceSubscriptions").Elements() {
		if s, ok := uri.Text(); ok {
			f.uris[s] = true
		}
	}
	return f
}

func (f filter) empty() bool { return !f.tools && !f.prompts && !f.resources && len(f.uris) == 0 }

// covers reports whether f includes all of g.
func (f filter) covers(g filter) bool {
	for uri := range g.uris {
		if !f.uris[uri] {
			return false
		}
	}
	return (f.tools || !g.tools) && (f.prompts || !g.prompts) && (f.resources || !g.resources)
}

func (f filter) union(g filter) filter {
	all := maps.Clone(f.uris)
	if all == nil {
		all = map[string]bool{}
	}
	maps.Copy(all, g.uris)
	return filter{f.tools || g.tools, f.prompts || g.prompts, f.resources || g.resources, all}
}

func (f filter) both(g filter) filter {
	some := map[string]bool{}
	for uri := range f.uris {
		if g.uris[uri] {
			some[uri] = true
		}
	}
	return filter{f.tools && g.tools, f.prompts && g.prompts, f.resources && g.resources, some}
}

// has reports whether a notification belongs to f.
func (f filter) has(m *wire.Message) bool {
	switch m.Method() {
	case "notifications/tools/list_changed":
		return f.tools
	case "notifications/prompts/list_changed":
		return f.prompts
	case "notifications/resources/list_changed":
		return f.resources
	case "notifications/resources/updated":
		uri, _ := m.Params().Get("uri").Text()
		return f.uris[uri]
	}
	return false
}

// json writes f as the notifications object of a request or acknowledgement.
func (f filter) json() string {
	var parts []string
	for _, p := range []struct {
		on  bool
		key string
	}{{f.tools, "toolsListChanged"}, {f.prompts, "promptsListChanged"}, {f.resources, "resourcesListChanged"}} {
		if p.on {
			parts = append(parts, `"`+p.key+`":true`)
		}
	}
	if len(f.uris) > 0 {
		var uris []string
		for _, uri := range slices.Sorted(maps.Keys(f.uris)) {
			uris = append(uris, string(wire.Quote(uri)))
		}
		parts = append(parts, `"resourceSubscriptions":[`+strings.Join(uris, ",")+`]`)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// listen returns the frames of one caller's listen stream: the
// acknowledgement first, then what it asked for, then the result.
func (h *hub) listen(ctx context.Context, x *exchange.Exchange) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		id := x.Request.ID()
		want := filterOf(x.Request.Params().Get("notifications"))
		m, err := h.join(want)
		if err != nil {
			yield(exchange.Answer{}, err)
			return
		}
		defer h.leave(m)
		granted, err := m.ack(ctx)
		if err == nil {
			err = m.relay(ctx, id, granted, yield)
		}
		if err != nil {
			yield(exchange.Answer{}, err)
		}
	}
}

// ack waits for what the server honours.
func (m *member) ack(ctx context.Context) (filter, error) {
	select {
	case f := <-m.acked:
		return m.want.both(f), nil
	case <-m.ended:
		if m.err == nil {
			m.err = fault.New(fault.UpstreamGone)
		}
		return filter{}, m.err
	case <-ctx.Done():
		return filter{}, context.Cause(ctx)
	}
}

// relay yields the acknowledgement, the notifications and the result.
func (m *member) relay(ctx context.Context, id wire.ID, granted filter, yield func(exchange.Answer, error) bool) error {
	meta := `{"io.modelcontextprotocol/subscriptionId":` + id.Raw() + `}`
	ack, err := wire.NewNotification("notifications/subscriptions/acknowledged",
		[]byte(`{"_meta":`+meta+`,"notifications":`+granted.json()+`}`))
	if err != nil {
		return err
	}
	if !yield(exchange.Answer{Message: ack}, nil) {
		return nil
	}
	for !granted.empty() {
		select {
		case n := <-m.events:
			if n, err = underID(n, id); err != nil {
				return err
			}
			if !yield(exchange.Answer{Message: n}, nil) {
				return nil
			}
			continue
		case <-ctx.Done():
			if !fault.Is(context.Cause(ctx), fault.Draining) {
				return context.Cause(ctx)
			}
		case <-m.ended:
			if len(m.events) > 0 {
				continue // what came before the end goes first
			}
			if m.cut {
				return fault.New(fault.Busy)
			}
		}
		break
	}
	result, err := wire.NewResult(id, []byte(`{"resultType":"complete","_meta":`+meta+`}`))
	if err == nil {
		yield(exchange.Answer{Message: result}, nil)
	}
	return err
}

// underID returns n with the caller's subscription id in place of the hub's.
func underID(n *wire.Message, id wire.ID) (*wire.Message, error) {
	meta := n.Params().Get("_meta")
	switch {
	case meta.Exists():
		return n.Rewrite(wire.SetMember(meta, "io.modelcontextprotocol/subscriptionId", []byte(id.Raw())))
	case n.Params().Exists():
		return n.Rewrite(wire.SetMember(n.Params(), "_meta", []byte(`{"io.modelcontextprotocol/subscriptionId":`+id.Raw()+`}`)))
	}
	return n.Rewrite(wire.SetMember(n.Root(), "params", []byte(`{"_meta":{"io.modelcontextprotocol/subscriptionId":`+id.Raw()+`}}`)))
}

// join adds a member and makes sure that a stream runs which covers it.
func (h *hub) join(want filter) (*member, error) {
	m := &member{want: want, acked: make(chan filter, 1), events: make(chan *wire.Message, h.queue), ended: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fault.New(fault.Draining)
	}
	h.members[m] = struct{}{}
	if h.stop != nil && h.want.covers(want) {
		if h.granted != nil {
			m.acked <- *h.granted
		}
		return m, nil
	}
	if h.stop != nil {
		h.stop() // a wider stream replaces it; nobody's stream ends
	}
	h.start(h.want.union(want))
	return m, nil
}

// errNoSubscriptions is what callers are told when a server refuses to listen,
// instead of waiting for an acknowledgement that never comes.
func errNoSubscriptions() error {
	return fault.Newf(fault.MethodUnknown, "The server does not offer subscriptions.")
}

// start runs a stream for want. The caller holds mu.
func (h *hub) start(want filter) {
	ctx, cancel := context.WithCancel(context.Background())
	h.want, h.granted, h.stop = want, nil, cancel
	h.running.Go(func() { h.run(ctx, want) })
}

// run reads one stream and hands out what arrives.
func (h *hub) run(ctx context.Context, want filter) {
	var end error
	for m, err := range h.open(ctx, want) {
		if err == nil && m.Kind() == wire.ErrorResponse {
			err = errNoSubscriptions()
		}
		if err != nil {
			end = err
			break
		}
		if !h.deliver(ctx, m) {
			break
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return // replaced or left by everybody
	}
	for m := range h.members {
		h.end(m, end)
	}
	h.want, h.granted, h.stop = filter{}, nil, nil
}

// deliver gives m to every member that wants it; false after the stream's end.
func (h *hub) deliver(ctx context.Context, m *wire.Message) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return false
	case m.Kind() == wire.Response, m.Method() == "notifications/cancelled":
		return false
	case m.Method() == "notifications/subscriptions/acknowledged":
		granted := filterOf(m.Params().Get("notifications"))
		h.granted = &granted
		for one := range h.members {
			select {
			case one.acked <- granted:
			default: // it has an acknowledgement already
			}
		}
		return true
	}
	for one := range h.members {
		if !one.want.has(m) {
			continue
		}
		select {
		case one.events <- m:
		default:
			one.cut = true
			h.end(one, nil)
		}
	}
	return true
}

// end ends one member's stream. The caller holds mu.
func (h *hub) end(m *member, err error) {
	if _, ok := h.members[m]; !ok {
		return
	}
	delete(h.members, m)
	m.err = err
	close(m.ended)
}

// leave removes a member; the last one ends the server's stream.
func (h *hub) leave(m *member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.members, m)
	if len(h.members) == 0 && h.stop != nil {
		h.stop()
		h.want, h.granted, h.stop = filter{}, nil, nil
	}
}

// idle reports whether nobody listens.
func (h *hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.members) == 0
}

func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
	for m := range h.members {
		h.end(m, nil)
	}
	h.mu.Unlock()
	h.running.Wait()
}

// listenRequest builds the hub's own listen request.
func listenRequest(id wire.ID, want filter) (*wire.Message, error) {
	return wire.NewRequest(id, "subscriptions/listen", []byte(`{"_meta":`+gatewayMeta+`,"notifications":`+want.json()+`}`))
}

// gatewayMeta is the metadata of modern requests that the gateway makes by
// itself.
const gatewayMeta = `{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"ostiary","version":"1"}}`

// listen opens the hub's stream to a server reached by HTTP.
func (r *remote) listen(ctx context.Context, want filter) iter.Seq2[*wire.Message, error] {
	return func(yield func(*wire.Message, error) bool) {
		ctx, abort := context.WithCancelCause(ctx)
		defer abort(nil)
		m, err := listenRequest(wire.IntID(1), want)
		if err != nil {
			yield(nil, err)
			return
		}
		x := &exchange.Exchange{Era: wire.Modern, Version: wire.V20260728, Request: m}
		h, err := r.headers(x, "", "")
		if err != nil {
			yield(nil, err)
			return
		}
		head := time.AfterFunc(r.step.limits.Start, func() { abort(fault.New(fault.UpstreamLate)) })
		resp, err := r.do(ctx, "POST", h, m.Raw())
		head.Stop()
		if err != nil {
			yield(nil, cause(ctx, err))
			return
		}
		defer resp.Body.Close()
		kind, err := contentType(resp)
		if err == nil && (resp.Status != 200 || kind != eventStream) {
			answer, refused := r.refusal(ctx, x, resp, kind)
			if err = refused; err == nil && answer != nil {
				err = errNoSubscriptions()
			}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for a, err := range r.frames(ctx, resp, r.step.limits.ListenIdle, abort) {
			if err != nil {
				yield(nil, err)
				return
			}
			if a.Message != nil && !yield(a.Message, nil) {
				return
			}
		}
	}
}
