package child

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// The runtime of the test binary opens files before any script runs; it marks
// them close-on-exec, which tells them from what was inherited.
func init() {
	scripts["script:descriptors"] = func() {
		for fd := range uintptr(1024) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
				fmt.Println(fd)
			}
		}
	}
}
