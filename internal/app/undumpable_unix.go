//go:build linux || darwin

package app

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// noCore sets the size of a core file to nothing, for this process and the
// servers that it starts, whose environments hold credentials.
func noCore() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("set the core limit to 0: %w", err)
	}
	return nil
}
