package wrapper

import (
	"context"
	"errors"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

var errCancelled = errors.New("cancelled by the app")

// call is one request of the app, or one batch, until it is answered.
type call struct {
	first   *wire.Message // the request; nil for a batch
	head    http1.Header
	body    []byte
	method  string
	version string // as the request or the session says; may be empty
	modern  bool
	batch   bool
	order   []wire.ID     // of the requests
	done    chan struct{} // closed after the last answer
	ctx     context.Context
	cancel  context.CancelCauseFunc
	stop    context.CancelFunc // of the deadline

	within session       // that the call belongs to; the call's goroutine's own
	last   string        // id of the last event; likewise
	retry  time.Duration // the server's hint, 0 if none; likewise

	mu    sync.Mutex       // guards what follows
	open  map[wire.ID]bool // waits for an answer (true) or was given up (false)
	timer *time.Timer      // ends a legacy call that was cancelled
}

// settle notes the answer to id. It reports whether the app waits for it, and
// whether the id was ever asked.
func (c *call) settle(id wire.ID) (waits, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits, known = c.open[id]
	if waits {
		delete(c.open, id)
	}
	return waits, known
}

// forgo notes that the app no longer waits for id, and reports whether it
// waits for nothing else of the call.
func (c *call) forgo(id wire.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[id] {
		c.open[id] = false
	}
	return len(c.waitingLocked()) == 0
}

// waiting returns the ids that still need an answer, in the order of asking.
func (c *call) waiting() []wire.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waitingLocked()
}

func (c *call) waitingLocked() []wire.ID {
	var ids []wire.ID
	for _, id := range c.order {
		if c.open[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// linger ends the call after d.
func (c *call) linger(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer == nil {
		c.timer = time.AfterFunc(d, func() { c.cancel(errCancelled) })
	}
}

// close frees what the call holds.
func (c *call) close() {
	c.mu.Lock()
	if c.timer != nil {
		c.timer.Stop() // a cancel that is under way is harmless
	}
	c.mu.Unlock()
	c.cancel(nil)
	c.stop()
	close(c.done)
}

// admit enters a call in the table. An id that is in use, or a call too many,
// is refused: two answers under one id could not be told apart.
func (s *shim) admit(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running)+len(c.order) > maxCalls {
		return fault.New(fault.Busy)
	}
	for _, id := range c.order {
		if s.running[id] != nil {
			return fault.Newf(fault.BadMessage, "The id is in use by a request that is not answered yet.")
		}
	}
	for _, id := range c.order {
		s.running[id] = c
	}
	limit := callTimeout
	if c.modern {
		s.modern = c.version
	} else if c.method == "initialize" {
		limit = startTimeout // everything else of the app waits for it
	}
	var ctx context.Context
	ctx, c.stop = context.WithTimeout(s.callCtx, limit)
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return nil
}

// start carries an admitted call in a goroutine of its own.
func (s *shim) start(c *call) {
	s.calls.Go(func() {
		defer c.close()
		s.fail(c, s.carry(c))
		s.release(c, c.order...)
	})
}

// release frees ids of c for new requests. It comes before the answer leaves,
// because the app may use an id again as soon as it sees the answer.
func (s *shim) release(c *call, ids ...wire.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.running[id] == c {
			delete(s.running, id)
		}
	}
}

// fail answers what is still open of a call that ended with err.
func (s *shim) fail(c *call, err error) {
	ids := c.waiting()
	if len(ids) == 0 {
		return
	}
	if err == nil {
		err = fault.Wrap(fault.UpstreamBad, errors.New("the answer lacks a response"))
	}
	f := sentence(c, err)
	s.out.say("No answer to "+c.method+".", f)
	version := orLatest(wire.Version(c.version))
	if !c.batch {
		s.release(c, ids...)
		s.out.failure(ids[0], version, f)
		return
	}
	text := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, wire.NewError(id, version, f, "").OneLine().Raw()...)
	}
	s.release(c, ids...)
	s.out.line(append(text, ']'))
}

// endStreams ends the calls that would never end by themselves.
func (s *shim) endStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.running {
		if c.method == "subscriptions/listen" {
			c.cancel(errEnding)
		}
	}
}
