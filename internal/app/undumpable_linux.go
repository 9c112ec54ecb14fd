package app

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Undumpable keeps the memory of this process off the disk and away from other
// processes of its user: it writes no core file and cannot be traced.
//
// A core file would hold keys and whatever calls carry, in clear, in a folder
// that nobody guards. The limit alone does not help where a program receives
// cores (/proc/sys/kernel/core_pattern with a pipe), the flag alone does.
// TestWritesNoCore proves it on the built binary.
func Undumpable() error {
	var errs []error
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		errs = append(errs, fmt.Errorf("make the process undumpable: %w", err))
	}
	return errors.Join(append(errs, noCore())...)
}
