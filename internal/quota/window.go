package quota

import (
	"errors"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

// Lease takes n more of the window of key that began at start, and returns once
// that is on stable storage. It returns how much was got, at most n, so that
// all takers together get at most limit; 0 means that nothing is left.
type Lease func(key string, start time.Time, n, limit int64) (got int64, err error)

// Windows counts what keys use in windows of a fixed length, aligned to the
// clock. A long window is leased in blocks that are on stable storage before
// they are used: a crash then counts what was left of a block as used, at most
// a hundredth of the limit, and never too little (TestLeasedBlocksOverCount).
type Windows struct {
	lease Lease // nil: nothing survives a restart
	long  time.Duration

	mu   sync.Mutex
	held map[string]*window
}

type window struct {
	mu     sync.Mutex // held while a block is leased, so that one caller pays for all
	start  time.Time
	length time.Duration
	used   int64
	leased int64 // of a long window: what may be used without asking
	over   bool  // nothing is left of this window
}

// Bound is how much may be used in each window of a length.
type Bound struct {
	Limit  int64
	Window time.Duration
}

// NewWindows returns counters; windows at least as long as long are leased.
func NewWindows(lease Lease, long time.Duration) *Windows {
	return &Windows{lease: lease, long: long, held: map[string]*window{}}
}

// maxWindows bounds the counters that are held; beyond it, those whose windows
// are over are dropped first.
const maxWindows = 4096

// Take uses n of key in the window at now, or refuses and uses nothing; wait is
// then how long the window lasts.
func (w *Windows) Take(key string, b Bound, n int64, now time.Time) (wait time.Duration, err error) {
	if b.Limit <= 0 || b.Window <= 0 {
		return 0, nil
	}
	start := now.Truncate(b.Window)
	c := w.of(key, b.Window, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if start.After(c.start) { // a clock that steps back gains nothing
		c.start, c.used, c.leased, c.over = start, 0, 0, false
	}
	wait = max(time.Second, c.start.Add(b.Window).Sub(now))
	if c.over || c.used+n > b.Limit {
		return wait, fault.New(fault.RateLimited)
	}
	if w.lease == nil || b.Window < w.long {
		c.used += n
		return 0, nil
	}
	if c.used+n > c.leased {
		got, err := w.lease(key, c.start, max(n, b.Limit/100, 1), b.Limit)
		if err != nil {
			return wait, fault.Wrap(fault.Busy, err)
		}
		c.leased += got
	}
	if c.used+n > c.leased {
		c.over = n == 1 // what is left is less than asked for; smaller takes may still fit
		return wait, fault.New(fault.RateLimited)
	}
	c.used += n
	return 0, nil
}

// Add counts n that was used already, even beyond the limit: the bytes of an
// answer are known when it has been sent.
func (w *Windows) Add(key string, b Bound, n int64, now time.Time) error {
	if b.Limit <= 0 || b.Window <= 0 || n <= 0 {
		return nil
	}
	start := now.Truncate(b.Window)
	c := w.of(key, b.Window, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if start.After(c.start) {
		c.start, c.used, c.leased, c.over = start, 0, 0, false
	}
	c.used += n
	if w.lease == nil || b.Window < w.long || c.used <= c.leased {
		return nil
	}
	got, err := w.lease(key, c.start, max(c.used-c.leased, b.Limit/100), b.Limit)
	c.leased += got
	if err == nil && got == 0 {
		c.over = true
	}
	return err
}

// Unused returns what is leased and not used, by key, and forgets the leases: a
// clean stop gives it back.
func (w *Windows) Unused() map[string]Left {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]Left{}
	for key, c := range w.held {
		c.mu.Lock()
		if left := c.leased - c.used; left > 0 {
			out[key] = Left{c.start, left}
			c.leased = c.used
		}
		c.mu.Unlock()
	}
	return out
}

// Left is what was leased of a window and not used.
type Left struct {
	Start time.Time
	N     int64
}

func (w *Windows) of(key string, length time.Duration, now time.Time) *window {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.held[key]
	if c != nil {
		return c
	}
	if len(w.held) >= maxWindows {
		for k, old := range w.held {
			if old.mu.TryLock() { // who leases is not over
				if now.Sub(old.start) > 2*old.length {
					delete(w.held, k)
				}
				old.mu.Unlock()
			}
		}
	}
	c = &window{length: length, start: now.Truncate(length)}
	w.held[key] = c
	return c
}

// errFair is no error of a caller's: the share of its key is used up.
var errFair = errors.New("the caller's share of the capacity is in use")

// Fair shares a capacity among keys. A key may hold what would be its part if
// one more key came: one alone gets half, two a third each. Whoever floods is
// refused while others still find room (TestFairShares).
type Fair struct {
	capacity int
	mu       sync.Mutex
	total    int
	held     map[string]int
}

// NewFair returns shares of a capacity; 0 means no bound.
func NewFair(capacity int) *Fair { return &Fair{capacity: capacity, held: map[string]int{}} }

// Take takes one place for key or refuses with fault.Busy.
func (f *Fair) Take(key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.capacity > 0 {
		keys := len(f.held)
		if f.held[key] == 0 {
			keys++
		}
		if f.total >= f.capacity || f.held[key] >= max(1, f.capacity/(keys+1)) {
			return fault.Wrap(fault.Busy, errFair)
		}
	}
	f.held[key]++
	f.total++
	return nil
}

// Give frees one place of key.
func (f *Fair) Give(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total--
	if f.held[key]--; f.held[key] <= 0 {
		delete(f.held, key)
	}
}

// Shares is a Fair for each of many things, such as servers, which need not be
// known before.
type Shares struct {
	capacity int
	mu       sync.Mutex
	of       map[string]*Fair
}

// NewShares returns shares of things that have a capacity each; 0 means no
// bound.
func NewShares(capacity int) *Shares { return &Shares{capacity: capacity, of: map[string]*Fair{}} }

// Take takes one place of a thing for key or refuses with fault.Busy.
func (s *Shares) Take(thing, key string) error {
	s.mu.Lock()
	f := s.of[thing]
	if f == nil {
		f = NewFair(s.capacity)
		s.of[thing] = f
	}
	s.mu.Unlock()
	return f.Take(key)
}

// Give frees one place of key.
func (s *Shares) Give(thing, key string) {
	s.mu.Lock()
	f := s.of[thing]
	s.mu.Unlock()
	f.Give(key)
}
