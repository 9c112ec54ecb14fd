//go:build unix && !linux

package child

import (
	"os/exec"
	"syscall"
)

// attributes puts the child into a session of its own, without a terminal.
// When the gateway dies its end of stdin closes, which ends an orderly child.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// hideDescriptors marks what the gateway itself inherited close-on-exec (U09).
func hideDescriptors() error { return hideListed("/dev/fd") }

// reap waits for the end of the process and calls last. The wait of these
// systems that leaves a process to be reaped also ends when it is stopped.
func reap(cmd *exec.Cmd, last func()) error { return reapFirst(cmd, last) }
