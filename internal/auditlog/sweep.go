package auditlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sweep is the tuning of a background verification. Zero values are defaults.
type Sweep struct {
	Pause time.Duration // between two reads of some batches; default 200 ms
	Rest  time.Duration // between two rounds over all logs; default 1 h

	// Found is told of a log that is broken, in each round again. It must not
	// block.
	Found func(*Broken)
	// Failed is told when a round could not read what is stored.
	Failed func(error)
	// Round is told when every log was walked to its end. Nil: nobody is.
	Round func()
}

// Sweep verifies every log slowly, round after round, until ctx ends: a start
// looks at little, and what somebody edits later nobody would see before an
// auditor does.
func (b *Book) Sweep(ctx context.Context, s Sweep) {
	if s.Pause <= 0 {
		s.Pause = 200 * time.Millisecond
	}
	if s.Rest <= 0 {
		s.Rest = time.Hour
	}
	for {
		for _, l := range b.all() {
			s.report(ctx, l.verify(verifyOptions{pace: func() error { return rest(ctx, s.Pause) }}))
		}
		if ctx.Err() == nil && s.Round != nil {
			s.Round()
		}
		if rest(ctx, s.Rest) != nil {
			return
		}
	}
}

func (s *Sweep) report(ctx context.Context, err error) {
	var broken *Broken
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.As(err, &broken):
		if s.Found != nil {
			s.Found(broken)
		}
	case s.Failed != nil:
		s.Failed(err)
	}
}

// rest waits, or returns why it should not go on.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("sweep: %w", context.Cause(ctx))
	}
}
