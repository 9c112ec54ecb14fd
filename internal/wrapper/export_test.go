package wrapper

import (
	"context"
	"time"
)

// noPause makes a shim's waits end at once and notes their lengths.
func noPause(waits chan<- time.Duration) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		if waits != nil {
			waits <- d
		}
		return context.Cause(ctx)
	}
}
