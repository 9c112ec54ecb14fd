//go:build unix

package child

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// hideListed marks the descriptors that a directory such as /proc/self/fd
// lists close-on-exec, but for 0-2.
func hideListed(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd < 3 {
			continue
		}
		unix.CloseOnExec(fd) // one that has been closed since is no loss
	}
	return nil
}
