package app

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Undumpable keeps the memory of this process off the disk and away from other
// processes of its user: it writes no core file, and no debugger attaches.
func Undumpable() error {
	var errs []error
	if err := unix.PtraceDenyAttach(); err != nil {
		errs = append(errs, fmt.Errorf("refuse debuggers: %w", err))
	}
	return errors.Join(append(errs, noCore())...)
}
