package http1

import (
	"errors"
	"os"
	"sync"
	"time"
)

// watchDelay is how long a request runs before somebody looks whether its
// peer is still there: most end earlier, and cost no goroutine.
const watchDelay = 20 * time.Millisecond

// watch notices that the peer of a running request goes away. A timer starts
// it once the request was read whole; it then waits for a byte, which is kept
// if it comes (pipelining), or for the end of the connection.
type watch struct {
	timer  *time.Timer
	armed  bool          // the timer was started for this request
	done   chan struct{} // receives one value when the timer's function ends
	mu     sync.Mutex    // guards stop and the order of read deadlines
	stop   bool
	got    bool // one is a byte of the next request
	gone   bool
	one    [1]byte
	source *conn
}

// startWatch arms the watch. The request's body must have ended.
func (c *conn) startWatch() {
	w := &c.watch
	if w.timer == nil {
		w.timer = time.AfterFunc(watchDelay, w.run)
	} else {
		w.timer.Reset(watchDelay)
	}
	w.armed = true
}

// run waits in the timer's goroutine.
func (w *watch) run() {
	defer func() { w.done <- struct{}{} }()
	c := w.source
	w.mu.Lock()
	if w.stop {
		w.mu.Unlock()
		return
	}
	err := c.nc.SetReadDeadline(time.Time{})
	w.mu.Unlock()
	c.in.release()
	n := 0
	if err == nil {
		n, err = c.nc.Read(w.one[:])
	}
	if n == 1 {
		w.got = true
		return
	}
	w.mu.Lock()
	stopped := w.stop
	w.mu.Unlock()
	if stopped && errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	w.gone = true
	if ctx := c.current.Load(); ctx != nil {
		ctx.End(nil)
	}
}

// stopWatch ends the watch and waits for its goroutine, if one runs.
func (c *conn) stopWatch() {
	w := &c.watch
	if !w.armed {
		return
	}
	w.armed = false
	if w.timer.Stop() {
		return
	}
	w.mu.Lock()
	w.stop = true
	err := c.nc.SetReadDeadline(time.Unix(1, 0))
	w.mu.Unlock()
	if err != nil {
		c.raw.Close()
	}
	<-w.done
	c.readUntil = time.Unix(1, 0) // in force, and replaced by the next armRead
	if w.got {
		c.in.push(w.one[0])
	}
	if w.gone || err != nil {
		c.broken = true
	}
	w.stop, w.got = false, false
}
