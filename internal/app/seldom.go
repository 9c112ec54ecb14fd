package app

import (
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// Bounds of what is told seldom.
const (
	seldomPause = time.Minute
	seldomKeys  = 64
)

// seldom lets each of a few messages pass once a minute, so that one cause which
// meets every call does not bury the rest of the log (C18). The record of each call
// has it all the same.
type seldom struct {
	clock clock.Clock

	mu   sync.Mutex
	said map[string]*said
}

type said struct {
	at   time.Time
	more int // times since then
}

// due reports whether a message may be told now, and how often it came since it
// was told last.
func (s *seldom) due(key string) (more int, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	m := s.said[key]
	switch {
	case m == nil:
		if s.said == nil || len(s.said) >= seldomKeys {
			s.said = map[string]*said{} // so many causes are told again
		}
		s.said[key] = &said{at: now}
		return 0, true
	case now.Sub(m.at) < seldomPause && !now.Before(m.at):
		m.more++
		return 0, false
	}
	more, m.at, m.more = m.more, now, 0
	return more, true
}
