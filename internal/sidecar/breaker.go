package sidecar

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// How many failures in a row open the breaker, and for how long. While it is
// open nobody waits for a service that does not answer.
const (
	tripAfter = 5
	openFor   = 10 * time.Second
)

// errOpen is what callers get while the breaker is open.
var errOpen = errors.New("sidecar: the service failed several times in a row and is left alone for a while")

// breaker counts failures. After openFor one call is let through to try.
type breaker struct {
	clock clock.Clock

	mu     sync.Mutex
	failed int
	until  time.Time
	trying bool
	last   error
}

func (b *breaker) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed < tripAfter {
		return nil
	}
	if b.trying || b.clock.Now().Before(b.until) {
		return errOpen
	}
	b.trying = true
	return nil
}

// leave notes how a call that was let in ended; counts is false when that says
// nothing about the service.
func (b *breaker) leave(err error, counts bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	switch {
	case !counts:
	case err == nil:
		b.failed, b.last = 0, nil
	default:
		b.failed, b.last = b.failed+1, err
		if b.failed >= tripAfter {
			b.until = b.clock.Now().Add(openFor)
		}
	}
}

// opens reports whether one more failure opens the breaker, or keeps it open.
func (b *breaker) opens() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed+1 >= tripAfter
}

// spare notes a failure that was the message's: the next one may open the breaker.
func (b *breaker) spare(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying, b.failed, b.last = false, tripAfter-1, err
}

func (b *breaker) state() (ok bool, detail string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == 0 {
		return true, ""
	}
	return false, fmt.Sprintf("%d requests in a row failed, the last one: %v", b.failed, b.last)
}
