package gateway

import (
	"context"
	"sync"
	"sync/atomic"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/lifetime"
	"ostiary.dev/ostiary/internal/wire"
)

// live is the set of exchanges under way, so that a revoked caller's streams
// and long calls end at once. It is sharded because every call enters it.
type live struct{ shards [32]shard }

type shard struct {
	mu  sync.Mutex
	set map[*flight]struct{}
}

// flight is one exchange under way. seen and life may be read by the sweep only
// after watch.
type flight struct {
	x     *exchange.Exchange
	seen  exchange.Exchange // x as it was decided and recorded: later steps change x
	life  *lifetime.Life    // of the exchange once its request is known; nil before
	ready atomic.Bool
	shard *shard
}

var turn atomic.Uint32 // spreads flights over shards

func newLive() *live {
	l := &live{}
	for i := range l.shards {
		l.shards[i].set = map[*flight]struct{}{}
	}
	return l
}

func (l *live) enter(x *exchange.Exchange) *flight {
	f := &flight{x: x, shard: &l.shards[turn.Add(1)%32]}
	f.shard.mu.Lock()
	f.shard.set[f] = struct{}{}
	f.shard.mu.Unlock()
	return f
}

func (l *live) leave(f *flight) {
	f.shard.mu.Lock()
	delete(f.shard.set, f)
	f.shard.mu.Unlock()
	if f.life != nil {
		f.life.End(nil)
	}
}

// watch lets the sweep end the exchange. It comes before anything is sent: a
// server may take its time to begin an answer, and whoever was revoked meanwhile
// must not wait for it (A10, TestP04GrantRevokedWhileACallWaits).
func (f *flight) watch() {
	f.seen = *f.x
	f.ready.Store(true)
}

// begin gives the exchange its context, now that its era is known. In the
// modern era a closed connection is a cancellation; in the legacy era it is
// not (MCP 2025-11-25 basic/transports), so a request leaves the connection's
// context and keeps only the gateway's own ways to end it.
func (f *flight) begin(ctx context.Context, x *exchange.Exchange) {
	if x.Era == wire.Legacy && x.Verb == exchange.Post {
		f.life = &lifetime.Life{}
		return
	}
	f.life = lifetime.Under(ctx)
}

// Sweep ends every exchange that may not go on: call it when the registry
// changed and once a second for credentials that expire.
func (g *Gateway) Sweep() {
	g.each(func(f *flight) {
		if err := g.steps.Still(&f.seen); err != nil {
			f.life.End(revoked{err})
		}
	})
}

// revoked is why an exchange under way may not go on.
type revoked struct{ error }

func (r revoked) Unwrap() error { return r.error }

// EndStreams ends every open stream, for a graceful stop: calls may finish,
// streams never would.
func (g *Gateway) EndStreams() {
	g.each(func(f *flight) {
		if f.seen.Verb == exchange.Stream || f.seen.Fact.Method == "subscriptions/listen" {
			f.life.End(fault.New(fault.Draining))
		}
	})
}

// Active returns how many exchanges are under way.
func (g *Gateway) Active() int {
	n := 0
	for i := range g.live.shards {
		s := &g.live.shards[i]
		s.mu.Lock()
		n += len(s.set)
		s.mu.Unlock()
	}
	return n
}

func (g *Gateway) each(do func(*flight)) {
	for i := range g.live.shards {
		s := &g.live.shards[i]
		s.mu.Lock()
		var ready []*flight
		for f := range s.set {
			if f.ready.Load() {
				ready = append(ready, f)
			}
		}
		s.mu.Unlock()
		for _, f := range ready {
			do(f)
		}
	}
}
