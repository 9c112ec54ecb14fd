package child

import (
	"math/rand/v2"
	"time"
)

const (
	firstDelay = 200 * time.Millisecond
	lastDelay  = 30 * time.Second
	settled    = time.Minute // a life this long forgets earlier failures
)

// Backoff paces restarts: 0.2 s after the first end, doubling to 30 s, each
// less up to a fifth by chance so that replicas do not restart in step. It is
// told the time and keeps none of its own. The zero value allows a start at
// once. It is not safe for concurrent use.
type Backoff struct {
	failures int
	started  time.Time
	due      time.Time
}

// Started notes that a process starts at now.
func (b *Backoff) Started(now time.Time) { b.started = now }

// Ended notes that a process ended, or failed to start, at now.
func (b *Backoff) Ended(now time.Time) {
	if !b.started.IsZero() && now.Sub(b.started) >= settled {
		b.failures = 0
	}
	b.started = time.Time{}
	delay := lastDelay
	if b.failures < 8 {
		delay = min(firstDelay<<b.failures, lastDelay)
		b.failures++
	}
	b.due = now.Add(delay - rand.N(delay/5+1))
}

// Wait returns how long after now the next start has to wait; 0 means not.
func (b *Backoff) Wait(now time.Time) time.Duration {
	return max(0, b.due.Sub(now))
}
