package http1

// An upstream on the same machine answers within some tens of microseconds:
// less than it takes to put a thread to sleep and to wake it. So a call that is
// alone looks for its answer for a moment before it waits, which costs no more
// processor time than the waking would (docs/measurements.md). It pauses after
// each look in vain, twice as long each time, so that slow upstreams cost
// nothing.
const (
	busyLooks = 256 // at one connection's socket, about 0.1 ms in all
	busyPause = 63  // calls at most between looks
)

// busy is the memory of one connection about its looks.
type busy struct {
	pause int // calls to let pass after the next look in vain
	rest  int // calls to let pass still
}

// look waits busily for the first byte of an answer, when that may be worth it.
func (cc *clientConn) look() {
	b := &cc.busy
	if b.rest > 0 {
		b.rest--
		return
	}
	if cc.client.waiting.Load() > 1 || cc.client.cpus < 2 { // others need the processor
		return
	}
	if cc.probe.stirs(busyLooks) {
		b.pause = 0
		return
	}
	b.pause = min(2*b.pause+1, busyPause)
	b.rest = b.pause
}
