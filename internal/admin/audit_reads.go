package admin

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// reads holds the questions under way. A question that nobody goes on with
// ends by itself.
type reads struct {
	mu  sync.Mutex
	set map[string]*reading
}

// keep holds r until it is taken, and makes room: the question that waits
// longest goes.
func (s *reads) keep(r *reading, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set == nil {
		s.set = map[string]*reading{}
	}
	oldest := ""
	for id, other := range s.set {
		if now.Sub(other.used) > readExpiry {
			delete(s.set, id)
		} else if oldest == "" || other.used.Before(s.set[oldest].used) {
			oldest = id
		}
	}
	if len(s.set) >= mostReads {
		delete(s.set, oldest)
	}
	id := uuid.NewString()
	r.used = now
	s.set[id] = r
	return id
}

// take returns a question of by. Another operator cannot go on with it: the
// record says who asked.
func (s *reads) take(id, by string) (*reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.set[id]
	if r == nil || r.by != by {
		return nil, &Error{Code: NotFound, Message: "this reading of the log has ended", Fix: "ask again"}
	}
	delete(s.set, id)
	return r, nil
}

// exports holds the exports under way.
type exports struct {
	mu  sync.Mutex
	set map[string]*exporting
}
