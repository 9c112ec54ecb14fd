package vault

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// maxCallers bounds the callers whose new values are counted apart. Further ones
// share one count.
const maxCallers = 1 << 16

// callerKey is where a context holds who asks.
type callerKey struct{}

// For says for whom values are hidden: each caller has a bound of its own on how
// many new values it may have hidden in an hour.
func For(ctx context.Context, caller string) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

func callerOf(ctx context.Context) string {
	caller, _ := ctx.Value(callerKey{}).(string)
	return caller
}

// fresh counts new tokens, and known values that are said to be about somebody new,
// by caller and hour. The attack: a caller has a server repeat values that it makes
// up, or one value for people whom it makes up, until the store or the keys of people
// are full or rows of others are hard to find among them (TestNewValuesAreBounded,
// TestNewPeopleAreBounded).
type fresh struct {
	mu      sync.Mutex
	hour    int64
	callers map[string]int
	refused atomic.Uint64
}

// allow reports whether a caller may have more new tokens. Nothing is counted.
func (f *fresh) allow(caller string, most int, now time.Time) bool {
	if most <= 0 {
		return true
	}
	f.mu.Lock()
	ok := f.at(now)[f.place(caller)] < most
	f.mu.Unlock()
	if !ok {
		f.refused.Add(1)
	}
	return ok
}

// made counts what a caller got.
func (f *fresh) made(caller string, n int, now time.Time) {
	if n == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(now)[f.place(caller)] += n
}

// at returns the counts of the hour; the caller holds the lock.
func (f *fresh) at(now time.Time) map[string]int {
	if hour := now.Unix() / 3600; hour != f.hour || f.callers == nil {
		f.hour, f.callers = hour, map[string]int{}
	}
	return f.callers
}

func (f *fresh) place(caller string) string {
	if _, known := f.callers[caller]; !known && len(f.callers) >= maxCallers {
		return ""
	}
	return caller
}
