package keys

import (
	"errors"
	"net"
	"testing"
)

// pipe returns the two ends of a connection in memory.
func pipe(t *testing.T) (near, far net.Conn) {
	t.Helper()
	near, far = net.Pipe()
	t.Cleanup(func() {
		if err := errors.Join(near.Close(), far.Close()); err != nil {
			t.Error(err)
		}
	})
	return near, far
}
