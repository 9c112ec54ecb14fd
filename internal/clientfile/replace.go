package clientfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile puts content in the place of path as one step: a temporary file
// beside it, synced, then renamed. On an error the old file stands as it was
// and the temporary one is gone. Links must have been followed before; hard
// links to the file keep the old content.
func replaceFile(path string, content []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".ostiary-*")
	if err != nil {
		return fmt.Errorf("write beside %s (is the folder writable?): %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("replace %s: %w", path, errors.Join(err, discard(tmp)))
		}
	}()
	if _, err := tmp.Write(content); err != nil {
		return err
	}
	if err := keepOwner(tmp, path); err != nil {
		return err
	}
	if err := tmp.Chmod(mode); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// discard closes and removes a temporary file; that it is closed or gone
// already is fine.
func discard(tmp *os.File) error {
	err := tmp.Close()
	if errors.Is(err, fs.ErrClosed) {
		err = nil
	}
	gone := os.Remove(tmp.Name())
	if errors.Is(gone, fs.ErrNotExist) {
		gone = nil
	}
	return errors.Join(err, gone)
}
