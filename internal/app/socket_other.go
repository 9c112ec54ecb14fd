//go:build !linux

package app

import (
	"fmt"
	"path/filepath"
)

// maxSocket is the longest path of a Unix socket on every system we run on.
const maxSocket = 103

// socketPath returns the path of the socket in dir.
func socketPath(dir string) (path string, release func(), err error) {
	path = filepath.Join(dir, socketName)
	if len(path) > maxSocket {
		return "", nil, fmt.Errorf("the path of %s is longer than %d bytes; use a shorter data directory", path, maxSocket)
	}
	return path, func() {}, nil
}
