// Package clock is the only place that reads the time of day, so that tests
// can hold it still. It does nothing else.
package clock

import "time"

// Clock tells the time. The zero value is the system clock.
type Clock struct{ now func() time.Time }

// Fixed returns a clock whose time is what now returns.
func Fixed(now func() time.Time) Clock { return Clock{now} }

// Now returns the current time; system readings carry the monotonic part.
func (c Clock) Now() time.Time {
	if c.now != nil {
		return c.now()
	}
	return time.Now()
}
