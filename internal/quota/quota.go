// Package quota counts what callers use at once: bytes held in memory, calls
// in flight, streams, and calls per minute. It only counts and refuses; it
// knows no HTTP and no policy, starts nothing, and deliberately never waits.
package quota

import (
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

// Budget bounds the bytes that all exchanges together hold in memory.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget returns a budget of limit bytes; 0 means no bound.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Take reserves n bytes or refuses with fault.Overloaded and reserves nothing.
func (b *Budget) Take(n int64) error {
	if b == nil || n == 0 {
		return nil
	}
	if used := b.used.Add(n); b.limit > 0 && used > b.limit {
		b.used.Add(-n)
		return fault.New(fault.Overloaded)
	}
	return nil
}

// Give returns n bytes that Take reserved.
func (b *Budget) Give(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}

// Used returns the bytes reserved now.
func (b *Budget) Used() int64 { return b.used.Load() }

// Slots counts what each key holds at once, for example calls in flight of
// one principal. The zero value is not usable; call NewSlots.
type Slots struct {
	limit int
	mu    sync.Mutex
	held  map[string]int
}

// NewSlots returns a counter that lets each key hold limit slots; 0 means no
// bound.
func NewSlots(limit int) *Slots { return &Slots{limit: limit, held: map[string]int{}} }

// Take takes one slot of key or refuses with fault.Busy.
func (s *Slots) Take(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit > 0 && s.held[key] >= s.limit {
		return fault.New(fault.Busy)
	}
	s.held[key]++
	return nil
}

// TakeUpTo is Take with a limit of the key's own.
func (s *Slots) TakeUpTo(key string, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key] >= limit {
		return fault.New(fault.Busy)
	}
	s.held[key]++
	return nil
}

// Give frees one slot of key.
func (s *Slots) Give(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key]--; s.held[key] <= 0 {
		delete(s.held, key)
	}
}

// Rate is a token bucket per key: perMinute calls a minute, all of which may
// come at once. It forgets keys that are full again.
type Rate struct {
	perMinute float64
	mu        sync.Mutex
	buckets   map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// NewRate returns a limiter; perMinute 0 means no bound.
func NewRate(perMinute int) *Rate {
	return &Rate{perMinute: float64(perMinute), buckets: map[string]bucket{}}
}

// Take spends one call of key at time now or refuses with fault.RateLimited.
func (r *Rate) Take(key string, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.perMinute == 0 {
		return nil
	}
	b, ok := r.buckets[key]
	if !ok {
		r.forget(now)
		b = bucket{left: r.perMinute, at: now}
	}
	b.left = min(r.perMinute, b.left+max(0, now.Sub(b.at).Minutes())*r.perMinute)
	b.at = now
	if b.left < 1 {
		r.buckets[key] = b
		return fault.New(fault.RateLimited)
	}
	b.left--
	r.buckets[key] = b
	return nil
}

// forget drops buckets that would be full by now, so that the map holds only
// keys of the last minute. The caller holds mu.
func (r *Rate) forget(now time.Time) {
	if len(r.buckets) < 1024 {
		return
	}
	for k, b := range r.buckets {
		if now.Sub(b.at) > time.Minute {
			delete(r.buckets, k)
		}
	}
}

// Set changes the bound; buckets keep what is left in them, at most the new
// bound.
func (r *Rate) Set(perMinute int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.perMinute = float64(perMinute)
}
