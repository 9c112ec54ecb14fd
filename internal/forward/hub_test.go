package forward

import (
	"context"
	"iter"
	"sync"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// source is the server's end of a hub: each stream that the hub opens comes out
// of opened.
type source struct{ opened chan *opened }

type opened struct {
	want  filter
	items chan any // *wire.Message or error; closed: the server ends the stream
	gone  chan struct{}
}

func newSource() *source { return &source{make(chan *opened, 16)} }

func (s *source) open(ctx context.Context, want filter) iter.Seq2[*wire.Message, error] {
	return func(yield func(*wire.Message, error) bool) {
		o := &opened{want, make(chan any, 64), make(chan struct{})}
		defer close(o.gone)
		s.opened <- o
		for {
			select {
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			case item, ok := <-o.items:
				if !ok {
					return
				}
				if err, is := item.(error); is {
					yield(nil, err)
					return
				}
				if !yield(item.(*wire.Message), nil) {
					return
				}
			}
		}
	}
}

func (o *opened) acknowledge(t *testing.T, granted string) {
	t.Helper()
	o.items <- parsed(t, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1},"notifications":`+granted+`}}`, wire.FromServer)
}

const toolsChanged = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

func updated(uri string) string {
	return `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"` + uri + `","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`
}

// listening is one caller's stream, read in a goroutine of its own.
type listening struct {
	texts  chan string
	err    error // read after ended
	ended  chan struct{}
	cancel context.CancelCauseFunc
}

func listen(t *testing.T, h *hub, id, want string) *listening {
	t.Helper()
	x := &exchange.Exchange{Request: parsed(t, `{"jsonrpc":"2.0","id":`+id+`,"method":"subscriptions/listen","params":{`+modernMeta+`,"notifications":`+want+`}}`, wire.FromClient)}
	ctx, cancel := context.WithCancelCause(context.Background())
	l := &listening{texts: make(chan string, 64), ended: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(l.ended)
		defer close(l.texts)
		for a, err := range h.listen(ctx, x) {
			if err != nil {
				l.err = err
				return
			}
			l.texts <- string(a.Message.Raw())
		}
	}()
	t.Cleanup(func() { cancel(nil); <-l.ended })
	return l
}

func (l *listening) next(t *testing.T, want string) {
	t.Helper()
	if got := <-l.texts; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func acked(id, granted string) string {
	return `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `},"notifications":` + granted + `}}`
}

func complete(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}}}`
}

// TestHubShares: two callers share one stream, each under its own id with type
// and digits, each with what it asked for and no more.
func TestHubShares(t *testing.T) {
	src := newSource()
	h := newHub(src.open, 8)
	defer h.close()
	a := listen(t, h, `"a"`, `{"toolsListChanged":true,"resourceSubscriptions":["f:1","f:2"]}`)
	o := <-src.opened
	o.acknowledge(t, `{"toolsListChanged":true,"resourceSubscriptions":["f:1"]}`)
	a.next(t, acked(`"a"`, `{"toolsListChanged":true,"resourceSubscriptions":["f:1"]}`))
	b := listen(t, h, `9007199254740993`, `{"resourceSubscriptions":["f:1"]}`)
	b.next(t, acked(`9007199254740993`, `{"resourceSubscriptions":["f:1"]}`))
	o.items <- parsed(t, toolsChanged, wire.FromServer)
	o.items <- parsed(t, updated("f:1"), wire.FromServer)
	a.next(t, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"a"}}}`)
	a.next(t, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"f:1","_meta":{"io.modelcontextprotocol/subscriptionId":"a"}}}`)
	b.next(t, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"f:1","_meta":{"io.modelcontextprotocol/subscriptionId":9007199254740993}}}`)
	b.cancel(fault.New(fault.ClientGone))
	<-b.ended
	wantKind(t, "who left", b.err, fault.ClientGone)
	if h.idle() {
		t.Error("idle while one listens")
	}
	close(o.items) // the server ends the stream in order
	a.next(t, complete(`"a"`))
	<-a.ended
	if a.err != nil || !h.idle() {
		t.Errorf("%v, idle %v", a.err, h.idle())
	}
}

// TestHubWidens: a caller that wants more makes a wider stream; nobody's stream
// ends. The last to leave ends the server's.
func TestHubWidens(t *testing.T) {
	src := newSource()
	h := newHub(src.open, 8)
	defer h.close()
	a := listen(t, h, "1", `{"toolsListChanged":true}`)
	first := <-src.opened
	first.acknowledge(t, `{"toolsListChanged":true}`)
	a.next(t, acked("1", `{"toolsListChanged":true}`))
	b := listen(t, h, "2", `{"promptsListChanged":true,"resourcesListChanged":true}`)
	<-first.gone
	second := <-src.opened
	if !second.want.tools || !second.want.prompts || !second.want.resources {
		t.Errorf("the wider stream asks for %+v", second.want)
	}
	second.acknowledge(t, `{"toolsListChanged":true,"promptsListChanged":true}`)
	b.next(t, acked("2", `{"promptsListChanged":true}`))
	second.items <- parsed(t, toolsChanged, wire.FromServer)
	a.next(t, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`)
	for _, l := range []*listening{a, b} {
		l.cancel(fault.New(fault.ClientGone))
		<-l.ended
	}
	<-second.gone
	if len(src.opened) != 0 || !h.idle() {
		t.Error("a stream is left over")
	}
}

// TestHubEnds: what ends a caller's stream, and how the caller is told.
func TestHubEnds(t *testing.T) {
	start := func(t *testing.T, queue int) (*hub, *listening, *opened) {
		src := newSource()
		h := newHub(src.open, queue)
		t.Cleanup(h.close)
		l := listen(t, h, "1", `{"toolsListChanged":true}`)
		o := <-src.opened
		return h, l, o
	}
	t.Run("the server refuses", func(t *testing.T) {
		_, l, o := start(t, 1)
		o.items <- fault.New(fault.MethodUnknown)
		<-l.ended
		wantKind(t, "refused", l.err, fault.MethodUnknown)
	})
	t.Run("the server ends before it acknowledges", func(t *testing.T) {
		_, l, o := start(t, 1)
		close(o.items)
		<-l.ended
		wantKind(t, "ended", l.err, fault.UpstreamGone)
	})
	t.Run("the server answers", func(t *testing.T) {
		_, l, o := start(t, 1)
		o.acknowledge(t, `{"toolsListChanged":true}`)
		l.next(t, acked("1", `{"toolsListChanged":true}`))
		o.items <- parsed(t, complete("1"), wire.FromServer)
		l.next(t, complete("1"))
		<-l.ended
		wantKind(t, "answered", l.err, "")
	})
	t.Run("the server cancels", func(t *testing.T) {
		_, l, o := start(t, 1)
		o.acknowledge(t, `{"toolsListChanged":true}`)
		l.next(t, acked("1", `{"toolsListChanged":true}`))
		o.items <- parsed(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, wire.FromServer)
		l.next(t, complete("1"))
	})
	t.Run("nothing is granted", func(t *testing.T) {
		_, l, o := start(t, 1)
		o.acknowledge(t, `{"promptsListChanged":true}`)
		l.next(t, acked("1", `{}`))
		l.next(t, complete("1"))
	})
	t.Run("the gateway drains", func(t *testing.T) {
		_, l, o := start(t, 1)
		o.acknowledge(t, `{"toolsListChanged":true}`)
		l.next(t, acked("1", `{"toolsListChanged":true}`))
		l.cancel(fault.New(fault.Draining))
		l.next(t, complete("1"))
		<-l.ended
		wantKind(t, "drained", l.err, "")
	})
	t.Run("the caller leaves before the acknowledgement", func(t *testing.T) {
		_, l, o := start(t, 1)
		l.cancel(fault.New(fault.ClientGone))
		<-l.ended
		<-o.gone
		wantKind(t, "left", l.err, fault.ClientGone)
	})
	t.Run("the hub closes", func(t *testing.T) {
		h, l, o := start(t, 1)
		o.acknowledge(t, `{"toolsListChanged":true}`)
		l.next(t, acked("1", `{"toolsListChanged":true}`))
		h.close()
		l.next(t, complete("1"))
		late := listen(t, h, "2", `{"toolsListChanged":true}`)
		<-late.ended
		wantKind(t, "who comes later", late.err, fault.Draining)
	})
}

// TestHubCutsTheSlow: a caller that does not read is cut; the others go on.
func TestHubCutsTheSlow(t *testing.T) {
	src := newSource()
	h := newHub(src.open, 1)
	defer h.close()
	slow, err := h.join(filter{tools: true})
	if err != nil {
		t.Fatal(err)
	}
	o := <-src.opened
	fast := listen(t, h, "1", `{"toolsListChanged":true}`)
	o.acknowledge(t, `{"toolsListChanged":true}`)
	fast.next(t, acked("1", `{"toolsListChanged":true}`))
	granted := <-slow.acked
	for range 3 {
		o.items <- parsed(t, toolsChanged, wire.FromServer)
		if got := <-fast.texts; got == "" {
			t.Fatal("the fast caller's stream ended")
		}
	}
	<-slow.ended
	if !slow.cut {
		t.Error("ended, but not for being slow")
	}
	err = slow.relay(context.Background(), wire.IntID(2), granted, func(exchange.Answer, error) bool { return true })
	wantKind(t, "the slow caller", err, fault.Busy)
}

func TestFilters(t *testing.T) {
	a := filter{tools: true, uris: map[string]bool{"a": true, "b": true}}
	b := filter{prompts: true, uris: map[string]bool{"b": true}}
	all := a.union(b)
	if !all.covers(a) || !all.covers(b) || a.covers(b) || b.covers(a) || !a.covers(filter{}) || all.empty() || !(filter{}).empty() {
		t.Error("union and covers disagree")
	}
	if got := all.json(); got != `{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a","b"]}` {
		t.Error(got)
	}
	if got := a.both(b).json(); got != `{"resourceSubscriptions":["b"]}` {
		t.Error(got)
	}
	if got := (filter{}).union(filter{}).json(); got != "{}" {
		t.Error(got)
	}
	if (filter{tools: true}).has(parsed(t, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`, wire.FromServer)) {
		t.Error("a log belongs to a subscription")
	}
}

// TestHubAtOnce: callers come and go in any order without a lost stream.
func TestHubAtOnce(t *testing.T) {
	h := newHub(func(ctx context.Context, want filter) iter.Seq2[*wire.Message, error] {
		return func(yield func(*wire.Message, error) bool) {
			m, err := wire.Parse([]byte(acked("1", want.json())), wire.DefaultLimits(), wire.FromServer)
			if err != nil || !yield(m, err) {
				return
			}
			<-ctx.Done()
			yield(nil, context.Cause(ctx))
		}
	}, 4)
	var wait sync.WaitGroup
	for i := range 24 {
		want := filter{tools: i%2 == 0, prompts: i%3 == 0, resources: i%5 == 0}
		wait.Go(func() {
			m, err := h.join(want)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := m.ack(context.Background()); err != nil || got.json() != want.json() {
				t.Errorf("%s, %v, want %s", got.json(), err, want.json())
			}
			h.leave(m)
		})
	}
	wait.Wait()
	if !h.idle() {
		t.Error("somebody is left")
	}
	h.close()
	if _, err := h.join(filter{}); !fault.Is(err, fault.Draining) {
		t.Errorf("%v", err)
	}
}
