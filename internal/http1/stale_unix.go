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

// peek looks at the socket up to most times, until there is something to read
// or an end. It fails on a connection that was closed on this side.
func (p prober) peek(most int) (stirs bool, err error) {
	err = p.rc.Control(func(fd uintptr) {
		var one [1]byte
		for i := 0; i < most && !stirs; i++ {
			_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			stirs = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK
		}
	})
	return stirs, err
}

// stirs reports whether one of up to most looks at the socket found something
// to read, or an end.
func (p prober) stirs(most int) bool {
	if p.rc == nil {
		return false
	}
	stirs, err := p.peek(most)
	return err == nil && stirs
}

// silent reports whether the socket is open with no byte waiting.
func (p prober) silent(net.Conn) bool {
	if p.rc == nil {
		return true
	}
	stirs, err := p.peek(1)
	return err == nil && !stirs
}
