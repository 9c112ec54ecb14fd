//go:build !unix

package http1

import (
	"errors"
	"net"
	"os"
	"time"
)

// prober has nothing to keep here.
type prober struct{}

func newProber(net.Conn) prober { return prober{} }

// stirs cannot look.
func (prober) stirs(int) bool { return false }

// silent reports whether the connection is open with no byte waiting. Without
// a way to look, it reads with its deadline past: a byte that came is lost, and
// so is the connection then. Plain sockets return what waits only within the
// deadline, so a closed peer is found by the first read instead.
func (prober) silent(nc net.Conn) bool {
	if nc.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var one [1]byte
	_, err := nc.Read(one[:])
	return errors.Is(err, os.ErrDeadlineExceeded) && nc.SetReadDeadline(time.Time{}) == nil
}
