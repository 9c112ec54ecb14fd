//go:build unix

package http1

import (
	"net"
	"syscall"
)

// prober looks at a socket without taking a byte and without blocking. It is
// made once per connection and used before each use of it.
type prober struct{ rc syscall.RawConn }

func newProber(nc net.Conn) prober {
	if sc, ok := nc.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			return prober{rc}
		}
	}
	return prober{} // not a socket: the first read will tell
}

// stirs looks at the socket up to most times, and reports whether there was
// something to read, or an end.
func (p prober) stirs(most int) bool {
	if p.rc == nil {
		return false
	}
	stirred := false
	err := p.rc.Control(func(fd uintptr) {
		var one [1]byte
		for i := 0; i < most && !stirred; i++ {
			_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			stirred = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK
		}
	})
	return err == nil && stirred
}

// silent reports whether the socket is open with no byte waiting.
func (p prober) silent(net.Conn) bool {
	if p.rc == nil {
		return true
	}
	silent := false
	err := p.rc.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		silent = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return err == nil && silent
}
