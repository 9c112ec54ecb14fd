// Package lifetime holds contexts that every call makes several of: one
// allocation each, a channel only when somebody waits, and no goroutine for
// what is derived from them. It touches nothing and starts nothing.
package lifetime

import (
	"context"
	"sync"
	"time"
)

// Life is a context.Context that ends when it is told to, or with its parent.
// It has no deadline and no values. The zero Life has no parent. It is safe
// for concurrent use.
type Life struct {
	mu    sync.Mutex
	cause error
	done  chan struct{} // made by the first Done
	after *hook         // a list, youngest first
	leave func() bool   // lets go of the parent
}

// hook is a function to call at the end.
type hook struct {
	life       *Life
	call       func()
	prev, next *hook
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Under returns a Life that ends with parent, for the parent's cause.
func Under(parent context.Context) *Life {
	l := &Life{}
	leave := AfterFunc(parent, func() { l.End(context.Cause(parent)) })
	l.mu.Lock()
	l.leave = leave
	l.mu.Unlock()
	return l
}

// AfterFunc is context.AfterFunc, but f must not block: where ctx is a Life, f
// runs within End.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) {
	if l, ok := ctx.(*Life); ok {
		return l.AfterFunc(f)
	}
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, f)
}

// End ends l for a cause; nil stands for context.Canceled. Only the first call
// counts.
func (l *Life) End(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	l.mu.Lock()
	if l.cause != nil {
		l.mu.Unlock()
		return
	}
	l.cause = cause
	if l.done != nil {
		close(l.done)
	}
	first, leave := l.after, l.leave
	l.after, l.leave = nil, nil
	for h := first; h != nil; h = h.next {
		h.life = nil // too late to stop it
	}
	l.mu.Unlock()
	if leave != nil {
		leave()
	}
	for h := first; h != nil; h = h.next {
		h.call()
	}
}

// Deadline reports that there is none.
func (*Life) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value holds nothing, so that context.Cause asks Err.
func (*Life) Value(any) any { return nil }

// Done is closed when l has ended.
func (l *Life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		if l.cause != nil {
			l.done = closed
		} else {
			l.done = make(chan struct{})
		}
	}
	return l.done
}

// Err returns nil until l has ended, and then its cause: context.Cause of a
// context that is not the standard library's own is its Err.
func (l *Life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// AfterFunc has f called when l ends, at once if it has. stop reports whether
// it prevented the call. The context package finds this method and hangs
// derived contexts on it; f must not block.
func (l *Life) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	if l.cause != nil {
		l.mu.Unlock()
		f()
		return func() bool { return false }
	}
	h := &hook{life: l, call: f, next: l.after}
	if h.next != nil {
		h.next.prev = h
	}
	l.after = h
	l.mu.Unlock()
	return func() bool { return l.remove(h) }
}

// remove takes h from the list, unless it is called already or was removed.
func (l *Life) remove(h *hook) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.life == nil {
		return false
	}
	h.life = nil
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		l.after = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	}
	return true
}
