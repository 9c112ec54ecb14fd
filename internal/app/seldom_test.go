package app

import (
	"fmt"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// TestC18RepeatedFailuresAreToldOnce: ten thousand failures of one cause are one
// line a minute, which says how many there were; another cause has its own.
func TestC18RepeatedFailuresAreToldOnce(t *testing.T) {
	now := time.Unix(1, 0)
	s := &seldom{clock: clock.Fixed(func() time.Time { return now })}
	told := 0
	for range 10_000 {
		if _, due := s.due("the service was not reached"); due {
			told++
		}
	}
	if _, due := s.due("another"); told != 1 || !due {
		t.Errorf("told %d times, another one %v", told, due)
	}
	now = now.Add(seldomPause)
	if more, due := s.due("the service was not reached"); !due || more != 9_999 {
		t.Errorf("a minute later: %d, %v", more, due)
	}
	now = now.Add(-time.Hour)
	if _, due := s.due("the service was not reached"); !due {
		t.Error("a clock that went back keeps it silent")
	}
	for i := range 10 * seldomKeys {
		s.due(fmt.Sprint(i))
	}
	if len(s.said) > seldomKeys {
		t.Errorf("%d causes are remembered", len(s.said))
	}
}
