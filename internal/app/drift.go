package app

import (
	"context"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/logs"
)

// drifts collects servers that showed tools other than the approved ones, so
// that they are examined again: once, and not before driftPause has passed
// since the last time, however often they say so (M11).
type drifts struct {
	mu   sync.Mutex
	due  map[string]bool
	last map[string]time.Time
	wake chan struct{}
}

const driftPause = 10 * time.Second

func newDrifts() *drifts {
	return &drifts{due: map[string]bool{}, last: map[string]time.Time{}, wake: make(chan struct{}, 1)}
}

// add notes a server; it never waits.
func (d *drifts) add(server string) {
	d.mu.Lock()
	d.due[server] = true
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// take returns the servers whose turn it is.
func (d *drifts) take(now time.Time) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for server := range d.due {
		if now.Sub(d.last[server]) >= driftPause {
			d.last[server] = now
			delete(d.due, server)
			out = append(out, server)
		}
	}
	return out
}

// watchDrift examines drifted servers until ctx ends.
func (a *App) watchDrift(ctx context.Context) {
	again := time.NewTicker(driftPause)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.drifted.wake:
		case <-again.C:
		}
		a.examine(ctx)
	}
}

// examine scans the servers that drifted; what differs is not callable until
// an operator approves it.
func (a *App) examine(ctx context.Context) {
	for _, server := range a.drifted.take(a.clock.Now()) {
		a.log.Warn("a server shows tools other than the approved ones", logs.Public("server", server))
		api := a.admin.As("gateway")
		if _, err := api.ScanServer(ctx, admin.Scan{ID: server, Change: admin.Change{Reason: "its tools changed"}}); err != nil {
			a.log.Warn("examine a server again", logs.Public("server", server), logs.Err(err))
		}
	}
}
