package http1

import (
	"context"
	"sync"
	"time"
)

// requestContext is the context of one request. It is cheaper than one of the
// standard library's: it makes a channel only when somebody waits, and
// contexts derived from it hang on AfterFunc instead of a goroutine.
type requestContext struct {
	mu    sync.Mutex
	err   error
	done  chan struct{} // made by the first Done
	after []*afterFunc
}

type afterFunc struct{ f func() }

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Deadline reports that there is none.
func (*requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value holds nothing.
func (*requestContext) Value(any) any { return nil }

// Done is closed when the request has ended or its peer is gone.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		if c.err != nil {
			c.done = closedChan
		} else {
			c.done = make(chan struct{})
		}
	}
	return c.done
}

// Err returns context.Canceled once Done is closed.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc has f called when the context ends, at once if it has. The
// context package calls it for derived contexts; f must not block.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		f()
		return func() bool { return false }
	}
	entry := &afterFunc{f}
	c.after = append(c.after, entry)
	c.mu.Unlock()
	return func() bool { return c.remove(entry) }
}

func (c *requestContext) remove(entry *afterFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range c.after {
		if e == entry {
			last := len(c.after) - 1
			c.after[i], c.after[last] = c.after[last], nil
			c.after = c.after[:last]
			return true
		}
	}
	return false
}

// cancel ends the context; later calls do nothing.
func (c *requestContext) cancel() {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
	after := c.after
	c.after = nil
	c.mu.Unlock()
	for _, e := range after {
		e.f()
	}
}
