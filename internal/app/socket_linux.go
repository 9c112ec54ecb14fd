package app

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxSocket is the longest path of a Unix socket on every system we run on.
const maxSocket = 103

// socketPath returns a path under which the socket in dir can be bound and
// dialled. A path that is too long for the kernel is reached through an open
// directory; release closes it.
func socketPath(dir string) (path string, release func(), err error) {
	path = filepath.Join(dir, socketName)
	if len(path) <= maxSocket {
		return path, func() {}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketName), func() { d.Close() }, nil
}
