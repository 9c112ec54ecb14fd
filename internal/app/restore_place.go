package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// restoreMark is in a directory for as long as a restore into it is not whole.
const restoreMark = ".restoring"

// prepare takes the directory. finish gives it back; unless the restore is kept
// it leaves the directory as it was.
func (w *restoring) prepare() (finish func(kept bool) error, err error) {
	made := false
	if err := os.MkdirAll(filepath.Dir(w.dir), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(w.dir, 0o700); err == nil {
		made = true
	} else if !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	lockPath := filepath.Join(w.dir, lockName)
	_, e := os.Lstat(lockPath)
	hadLock := e == nil
	l, err := takeLock(w.ctx, lockPath, 0)
	if err != nil {
		return nil, err
	}
	finish = func(kept bool) error {
		var errs []error
		if !kept {
			errs = append(errs, clearRestore(w.dir))
			if !hadLock {
				errs = append(errs, os.Remove(lockPath))
			}
		}
		errs = append(errs, l.release())
		if !kept && made {
			errs = append(errs, os.Remove(w.dir))
		}
		return errors.Join(errs...)
	}
	if err := w.clean(); err != nil {
		// What is there is somebody's: nothing of it is touched.
		if !hadLock {
			err = errors.Join(err, os.Remove(lockPath))
		}
		return nil, errors.Join(err, l.release())
	}
	if w.aside, err = os.MkdirTemp(w.dir, ".restore-"); err != nil {
		return nil, errors.Join(err, finish(false))
	}
	return finish, nil
}

// clean throws away what a killed restore left, refuses whatever else is there,
// and marks the directory as being restored into.
func (w *restoring) clean() error {
	_, marked := os.Lstat(filepath.Join(w.dir, restoreMark))
	_, whole := os.Lstat(filepath.Join(w.dir, ConfigName))
	if marked == nil && whole != nil {
		if err := clearRestore(w.dir); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lockName {
			return fmt.Errorf("%s: %w: %s is there; name an empty directory", w.dir, ErrGateway, e.Name())
		}
	}
	if err := os.Chmod(w.dir, 0o700); err != nil {
		return err
	}
	return writeSynced(filepath.Join(w.dir, restoreMark), []byte("A restore into this directory is not finished.\n"))
}

// restoredNames are what a restore puts into a directory, the configuration
// last: without it there is no gateway.
var restoredNames = []string{"keys", storeName, storeName + "-wal", caName, runName, ConfigName}

// clearRestore removes what a restore made, as long as it is not whole.
func clearRestore(dir string) error {
	var errs []error
	for _, name := range restoredNames {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	entries, err := os.ReadDir(dir)
	errs = append(errs, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".restore-") {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err := os.Remove(filepath.Join(dir, restoreMark)); err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// close closes what is open.
func (w *restoring) close() error {
	var errs []error
	switch {
	case w.store != nil:
		errs = append(errs, w.store.Close())
	case w.raw != nil:
		errs = append(errs, w.raw.Close())
	}
	w.store, w.raw = nil, nil
	return errors.Join(errs...)
}

// discard takes back what lies outside the directory. A draft that it cannot
// reach is thrown away by whoever makes the next one.
func (w *restoring) discard() error {
	if w.draft == nil {
		return nil
	}
	return w.draft.Remove()
}

// place makes the gateway whole: a store elsewhere gets its name, then every
// file, the configuration last. A kill in between leaves a directory without a
// gateway, which the next restore clears (TestRestoreKilled).
func (w *restoring) place() error {
	if err := os.Mkdir(filepath.Join(w.aside, runName), 0o700); err != nil {
		return err
	}
	if w.draft != nil {
		if err := w.draft.Place(); err != nil {
			return err
		}
	}
	if err := w.close(); err != nil {
		return err
	}
	if err := syncFolder(w.aside); err != nil {
		return err
	}
	for _, name := range restoredNames {
		err := os.Rename(filepath.Join(w.aside, name), filepath.Join(w.dir, name))
		if errors.Is(err, os.ErrNotExist) && (name == storeName || name == storeName+"-wal") {
			continue
		}
		if err != nil {
			return fmt.Errorf("put the restored gateway in place: %w", err)
		}
	}
	if err := syncFolder(w.dir); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(w.aside), os.Remove(filepath.Join(w.dir, restoreMark)))
}
