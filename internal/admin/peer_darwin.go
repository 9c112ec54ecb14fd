package admin

import (
	"net"

	"golang.org/x/sys/unix"
)

// credentialsOf asks the kernel who opened the connection (LOCAL_PEERCRED).
func credentialsOf(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Xucred
	var got error
	err = raw.Control(func(fd uintptr) {
		cred, got = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	})
	if err != nil {
		return 0, err
	}
	if got != nil {
		return 0, got
	}
	return cred.Uid, nil
}
