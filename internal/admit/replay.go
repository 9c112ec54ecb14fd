package admit

import (
	"bytes"
	"context"
	"iter"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// ring keeps what was sent on one stream, so that a client that lost the
// connection can go on after the last event it saw (MCP 2025-11-25
// basic/transports, resumability). It serves streams whose server gives no
// event ids of its own: stdio servers and /mcp. It lives in this process; when
// it is gone, resuming is refused.
type ring struct {
	id       string  // of the exchange; "" for the session's own stream
	request  wire.ID // the request whose answer ends the stream; zero for the session's own
	progress wire.ID

	mu     sync.Mutex
	events []kept
	bytes  int
	next   int // number of the next event
	over   bool
	more   chan struct{} // closed and replaced whenever something was added
}

type kept struct {
	number int
	at     time.Time
	data   []byte // the message as the client sees it, on one line
}

// rings are the streams of one session that can be resumed.
type rings struct {
	mu   sync.Mutex
	byID map[string]*ring
}

// mostRings bounds the streams that one session keeps.
const mostRings = 32

// open begins to keep a stream; the oldest finished one makes room.
func (r *rings) open(id string, request, progress wire.ID) *ring {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[string]*ring{}
	}
	if len(r.byID) >= mostRings {
		for old, one := range r.byID {
			if one.finished() {
				delete(r.byID, old)
				break
			}
		}
	}
	if len(r.byID) >= mostRings {
		return nil
	}
	one := &ring{id: id, request: request, progress: progress, more: make(chan struct{})}
	r.byID[id] = one
	return one
}

func (r *rings) find(id string) *ring {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id]
}

func (r *ring) finished() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// add keeps a message and returns its number. What is too old or too much is
// dropped from the front.
func (r *ring) add(data []byte, now time.Time, l Limits) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	r.events = append(r.events, kept{r.next, now, bytes.Clone(data)})
	r.bytes += len(data)
	for len(r.events) > 0 && (r.bytes > l.ReplayBytes || now.Sub(r.events[0].at) > l.ReplayAge) {
		r.bytes -= len(r.events[0].data)
		r.events = r.events[1:]
	}
	r.wake()
	return r.next
}

// end says that nothing follows.
func (r *ring) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.wake()
}

func (r *ring) wake() {
	close(r.more)
	r.more = make(chan struct{})
}

// after returns the events that follow number, whether the stream is over, and
// what to wait on for more.
func (r *ring) after(number int) (events []kept, over bool, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.number > number {
			events = append(events, e)
		}
	}
	return events, r.over, r.more
}

// follow goes on with a request's stream after an event: what was missed, then
// what still comes. It yields bare events: they were decided on and renamed
// when they were sent first.
type follow struct {
	ring *ring
	from int
	id   func(number int) string
}

// Answers yields the rest of the stream.
func (f *follow) Answers(ctx context.Context, _ func(context.Context, *exchange.Exchange)) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		seen := f.from
		for {
			events, over, more := f.ring.after(seen)
			for _, e := range events {
				seen = e.number
				if !yield(exchange.Answer{Event: wire.Event{Data: e.data, ID: f.id(e.number), HasID: true}}, nil) {
					return
				}
			}
			if over {
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				yield(exchange.Answer{}, context.Cause(ctx))
				return
			}
		}
	}
}

// keeps reports whether x's stream is kept by us: its server gives no event
// ids. Streams of HTTP servers are the servers' own to resume.
func keeps(x *exchange.Exchange) bool {
	if x.Era != wire.Legacy || x.Session == nil || x.Session.New {
		return false
	}
	if _, again := x.Join.(*follow); again {
		return false
	}
	return x.Join != nil || x.Server != nil && x.Server.Transport != registry.HTTP
}

// keep opens the ring of a stream that begins. The session's own stream goes
// on with the ring it had.
func (f *face) keep(x *exchange.Exchange) {
	if !keeps(x) || f.known == nil {
		return
	}
	id, request, progress := "", wire.ID{}, wire.ID{}
	if x.Request != nil {
		id, request, progress = x.ID, x.Request.ID(), x.Request.ProgressToken()
	}
	if f.ring = f.known.rings.find(id); f.ring == nil {
		f.ring = f.known.rings.open(id, request, progress)
	}
}

// number keeps one message and returns its event id; false when the stream is
// not kept.
func (f *face) number(x *exchange.Exchange, data []byte) (id string, ok bool) {
	if f.ring == nil {
		return "", false
	}
	n := f.ring.add(data, f.door.cfg.Clock.Now(), f.door.cfg.Limits)
	return f.door.sealMark(x, mark{Ring: f.ring.id, Number: n, Kept: true}), true
}

// rejoin makes x go on with a stream that was kept.
func (f *face) rejoin(x *exchange.Exchange, m mark) error {
	r := f.known.rings.find(m.Ring)
	if r == nil {
		return fault.Newf(fault.BadHeader, "The stream of Last-Event-ID is no longer kept.")
	}
	id := func(n int) string { return f.door.sealMark(x, mark{Ring: m.Ring, Number: n, Kept: true}) }
	if r.request.IsZero() {
		missed, _, _ := r.after(m.Number)
		for _, e := range missed {
			f.missed = append(f.missed, wire.Event{Data: e.data, ID: id(e.number), HasID: true})
		}
		return nil
	}
	x.Join = &follow{ring: r, from: m.Number, id: id}
	return nil
}
