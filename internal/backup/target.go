package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
)

// Target is a file that appears under its name when Place is called, whole and
// on stable storage, and otherwise never. It never replaces another file.
type Target struct {
	path string
	part *os.File
	sum  hash.Hash
	size int64
}

// NewTarget begins the file path; nobody but the user can open it.
func NewTarget(path string) (*Target, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s: %w", path, ErrExists)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.part") // mode 0600
	if err != nil {
		return nil, err
	}
	return &Target{path: path, part: f, sum: sha256.New()}, nil
}

// Write implements io.Writer.
func (t *Target) Write(b []byte) (int, error) {
	n, err := t.part.Write(b)
	t.sum.Write(b[:n])
	t.size += int64(n)
	return n, err
}

// Size returns how many bytes were written.
func (t *Target) Size() int64 { return t.size }

// SHA256 returns the hex digest of what was written.
func (t *Target) SHA256() string { return hex.EncodeToString(t.sum.Sum(nil)) }

// Discard throws away what was written. It does nothing after Place.
func (t *Target) Discard() error {
	if t.part == nil {
		return nil
	}
	err := errors.Join(t.part.Close(), os.Remove(t.part.Name()))
	t.part = nil
	return err
}

// Seal makes the bytes durable, but not yet the name.
func (t *Target) Seal() error { return t.part.Sync() }

// Place gives the file its name. A link fails where a rename would replace
// what somebody put there meanwhile; file systems without links get a look
// before the rename.
func (t *Target) Place() error {
	if err := t.part.Sync(); err != nil {
		return errors.Join(err, t.Discard())
	}
	temp := t.part.Name()
	err := os.Link(temp, t.path)
	switch {
	case err == nil:
		return t.Discard()
	case errors.Is(err, fs.ErrExist):
		return errors.Join(fmt.Errorf("%s: %w", t.path, ErrExists), t.Discard())
	}
	if _, e := os.Lstat(t.path); e == nil {
		return errors.Join(fmt.Errorf("%s: %w", t.path, ErrExists), t.Discard())
	}
	err = errors.Join(t.part.Close(), os.Rename(temp, t.path))
	t.part = nil
	return err
}
