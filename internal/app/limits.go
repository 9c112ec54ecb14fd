package app

import (
	"context"
	"time"

	"ostiary.dev/ostiary/internal/authorize"
)

// newLimits returns the counters of calls. Long windows are written down before
// they are used.
func (a *App) newLimits(places int) *authorize.Limits {
	return authorize.NewLimits(func(key string, start time.Time, n, limit int64) (int64, error) {
		return a.admin.Own().LeaseQuota(context.Background(), key, start, n, limit)
	}, places, a.clock.Now)
}

// returnLimits gives back what was leased and not used. What cannot be given
// back counts as used.
func (a *App) returnLimits(l *authorize.Limits) {
	for key, left := range l.Unused() {
		if _, err := a.admin.Own().LeaseQuota(context.Background(), key, left.Start, -left.N, 0); err != nil {
			a.logError("give back what is left of a quota", err)
			return
		}
	}
}
