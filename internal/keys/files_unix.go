//go:build unix

package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkMode refuses a file or folder on which group or others have any right.
func checkMode(path string, info fs.FileInfo) error {
	if bits := info.Mode().Perm() & 0o077; bits != 0 {
		return fmt.Errorf("%s %w (mode %04o): chmod go-rwx it, and consider its keys known", path, ErrMode, info.Mode().Perm())
	}
	return nil
}

// syncDir makes the folder's entries durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
