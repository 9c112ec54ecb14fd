package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrExists says that the data directory already holds keys. Making new ones
// over them would lose everything that the old ones sealed.
var ErrExists = errors.New("keys already exist")

// ErrMode says that a key file or its folder is open to other users.
var ErrMode = errors.New("is open to other users")

// ErrDamaged says that a key file is not what this program wrote.
var ErrDamaged = errors.New("is damaged")

// ErrVersion says that a key file was written by another version.
var ErrVersion = errors.New("has an unknown version")

// writeFile writes a file that appears whole or not at all: temporary file in
// the same folder, fsync, rename, fsync of the folder.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	err = fill(f, data, mode)
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write key file: %w", err), os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// fill gives f its mode and content, durable on return, and closes it.
func fill(f *os.File, data []byte, mode fs.FileMode) error {
	err := f.Chmod(mode)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readFile reads a secret file of at most limit bytes. It refuses anything
// but a regular file that nobody else may open.
//
// A link or a wide mode would let another local user plant or read keys;
// TestOpenRefusesModes and TestOpenRefusesLinks prove the refusal.
func readFile(path string, limit int64) ([]byte, error) {
	before, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("read key file: %s %w: not a regular file", path, ErrDamaged)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if !os.SameFile(before, now) {
		return nil, fmt.Errorf("read key file: %s %w: exchanged while it was opened", path, ErrDamaged)
	}
	if err := checkMode(path, now); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read key file: %s %w: longer than %d bytes", path, ErrDamaged, limit)
	}
	return data, nil
}

// wipe overwrites a file with random bytes and removes it; no file is no
// error. On a disk that writes elsewhere than it read (flash, copy on write,
// snapshots) the old bytes may stay until their blocks are reused, which no
// program can help; docs/keys.md says so.
func wipe(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wipe key file: %w", err)
	}
	err = scrub(f)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("wipe key file: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// scrub overwrites f with random bytes and closes it.
func scrub(f *os.File) error {
	info, err := f.Stat()
	if err == nil {
		block := make([]byte, 64<<10)
		for at := int64(0); at < info.Size() && err == nil; at += int64(len(block)) {
			fillRandom(block)
			_, err = f.WriteAt(block[:min(int64(len(block)), info.Size()-at)], at)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// rewriteFile is writeFile for a file whose old content must not stay: the old
// bytes are overwritten when the new ones have taken their place.
func rewriteFile(path string, data []byte) error {
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write key file: %w", err)
	}
	if err := writeFile(path, data, 0o600); err != nil {
		if old != nil {
			err = errors.Join(err, old.Close())
		}
		return err
	}
	if old == nil {
		return nil
	}
	if err := scrub(old); err != nil {
		return fmt.Errorf("wipe key file: %w", err)
	}
	return nil
}

// replaceFile renames from to path and overwrites what was there.
func replaceFile(from, path string) error {
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace key file: %w", err)
	}
	err = os.Rename(from, path)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if old != nil {
		if err != nil {
			err = errors.Join(err, old.Close())
		} else {
			err = scrub(old)
		}
	}
	if err != nil {
		return fmt.Errorf("replace key file: %w", err)
	}
	return nil
}
