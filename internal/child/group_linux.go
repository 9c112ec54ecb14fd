package child

import (
	"errors"
	"math"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes puts the child into a session of its own, without a terminal,
// and has it killed when the gateway dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// hideDescriptors marks every descriptor that the gateway itself inherited
// close-on-exec; those that Go opens are marked already. It stops a child from
// using a socket or file that a service manager left open (U09,
// TestU09NoDescriptors). Kernels before 5.11 lack the flag.
func hideDescriptors() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		return hideListed("/proc/self/fd")
	}
	return err
}

// reap waits for the end of the process and calls last while its number is
// still taken.
func reap(cmd *exec.Cmd, last func()) error {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			last()
			return cmd.Wait()
		}
		if !errors.Is(err, unix.EINTR) {
			return reapFirst(cmd, last)
		}
	}
}
