package wrapper

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"ostiary.dev/ostiary/internal/child"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

const (
	maxResumes = 5                // failures in a row after which a stream is given up
	longest    = 30 * time.Second // of a server's retry hint
)

// errBroken is why a stream ended before its last answer.
var errBroken = errors.New("the stream ended before the answer")

// follow passes on a call's stream. A legacy stream that breaks, or that the
// server closes to be polled (SEP-1699), is resumed at its last event; one
// without event ids cannot be, and a modern request is lost with its stream.
func (s *shim) follow(c *call, resp *http1.InResponse) error {
	for {
		err := s.drain(c, resp)
		if len(c.waiting()) == 0 || !errors.Is(err, errBroken) {
			return err
		}
		if c.modern || c.last == "" {
			return fault.Wrap(fault.UpstreamGone, err)
		}
		if resp, err = s.resume(c); err != nil {
			return err
		}
		if resp.Status != 200 || mediaType(resp) != typeEvents {
			return s.answer(c, resp)
		}
	}
}

// resume asks for what follows a call's last event. It waits as the server
// said, or with growing pauses, and gives up after maxResumes failures.
func (s *shim) resume(c *call) (*http1.InResponse, error) {
	var pace child.Backoff
	wait := c.retry
	for failures := 1; ; failures++ {
		if now := s.cfg.Clock.Now(); wait == 0 {
			pace.Ended(now)
			wait = pace.Wait(now)
		}
		if err := s.cfg.pause(c.ctx, wait); err != nil {
			return nil, err
		}
		wait = 0
		resp, err := s.request(c.ctx, "GET", streamHead(c.within, c.last), nil)
		switch {
		case err == nil && resp.Status/100 != 5:
			return resp, nil
		case failures == maxResumes:
			return resp, err
		case err == nil:
			_ = resp.Body.Close() // it says no more than its status
		}
	}
}

// drain passes on the events of one HTTP answer. It returns nil when the call
// is answered, errBroken when the stream ended before, and else a fault.
func (s *shim) drain(c *call, resp *http1.InResponse) error {
	defer resp.Body.Close()
	events := wire.NewEvents(resp.Body, s.limits.Bytes)
	for {
		ev, err := events.Next()
		if err != nil {
			return streamError(err)
		}
		c.mark(ev)
		if len(ev.Data) == 0 {
			continue
		}
		if err := s.deliver(c, ev.Data, true); err != nil {
			return err
		}
		if len(c.waiting()) == 0 {
			finishBody(resp.Body)
			return nil
		}
	}
}

// mark keeps an event's id and retry hint.
func (c *call) mark(ev wire.Event) {
	if ev.HasID {
		c.last = ev.ID
	}
	if ev.Retry != "" {
		c.retry = hint(ev.Retry)
	}
}

// hint turns a retry field, milliseconds, into a wait of at most longest.
func hint(digits string) time.Duration {
	ms, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return longest // digits beyond the range
	}
	return min(time.Duration(ms)*time.Millisecond, longest)
}

// streamError tells what breaks a stream from what makes it unbelievable.
func streamError(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, wire.ErrTruncated):
		return errBroken
	case fault.Is(err, fault.UpstreamBad), fault.Is(err, fault.UpstreamTooLarge):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return errors.Join(errBroken, err)
}
