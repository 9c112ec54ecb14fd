//go:build linux || darwin

package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// listenSocket listens at path, replacing a socket that nobody listens at. The
// directory's lock, which the caller holds, says that nobody does.
func listenSocket(path string) (net.Listener, error) {
	if st, err := os.Lstat(path); err == nil {
		if st.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s is in the way: it is not a socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// The mask makes the socket private from its first moment; the mode is
	// set again because some systems ignore the mask for sockets.
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func peerOf(c net.Conn) peer {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return peer{err: errors.New("not a Unix socket")}
	}
	uid, err := credentialsOf(u)
	return peer{uid, err}
}

// mayOperate reports whether a local user is an operator: the one that the
// gateway runs as, or root.
func mayOperate(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

// Self is the operator's name of a command that works on the data directory
// itself.
func Self() string { return operatorName(uint32(os.Geteuid())) }
