//go:build unix

package child

import (
	"os"

	"golang.org/x/sys/unix"
)

const separators = "/"

func sameName(a, b string) bool { return a == b }

// checkScript has nothing to refuse: a script gets its arguments as they are.
func checkScript(string, []string) error { return nil }

// group is the child's process group, which has the child's number.
type group struct{}

func (group) adopt(*os.Process) error { return nil }
func (group) release()                {}

// terminate and kill signal the whole group. The only error is that nobody is
// left in it.
func (group) terminate(pid int) { _ = unix.Kill(-pid, unix.SIGTERM) }
func (group) kill(pid int)      { _ = unix.Kill(-pid, unix.SIGKILL) }
