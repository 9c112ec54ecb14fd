//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkMode refuses a file that others may open, and a folder in which others
// could put another one in its place.
func checkMode(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w (mode %04o)", ErrMode, info.Mode().Perm())
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if folder.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: its folder has mode %04o", ErrMode, folder.Mode().Perm())
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
