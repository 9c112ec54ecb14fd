package registry

import (
	"sync"
	"sync/atomic"
)

// Live holds the current Snapshot. The zero value holds an empty one. It is
// safe for concurrent use; Load never waits.
type Live struct {
	current atomic.Pointer[Snapshot]

	mu   sync.Mutex // guards subs, and orders swaps with their wake-ups
	subs map[chan struct{}]struct{}
}

// Load returns the current view, never nil.
func (l *Live) Load() *Snapshot {
	if s := l.current.Load(); s != nil {
		return s
	}
	return &Snapshot{}
}

// Swap makes s the current view and wakes every subscriber.
func (l *Live) Swap(s *Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current.Store(s)
	for c := range l.subs {
		select {
		case c <- struct{}{}:
		default: // a wake-up is already waiting; it will see s
		}
	}
}

// Subscribe returns a channel that receives after each swap; swaps that come
// faster than they are received make one wake-up. cancel ends it; the channel
// is never closed, so a receiver also watches its own end.
func (l *Live) Subscribe() (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.subs == nil {
		l.subs = make(map[chan struct{}]struct{})
	}
	l.subs[c] = struct{}{}
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.subs, c)
	}
}
