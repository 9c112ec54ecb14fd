package clientfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Errors of Backups.
var (
	ErrNoBackup = errors.New("there is no backup of this file")
	ErrSealing  = errors.New("backups need functions that seal and open them")
)

// ChangedError says that a file is not what it was expected to be. Diffs holds
// differences with secret values masked.
type ChangedError struct {
	Path  string
	Ours  string // the original against our edit; "" on Write
	Since string // what we last saw against what stands there now
}

// Error names the file and what to do.
func (e *ChangedError) Error() string {
	return e.Path + " was changed meanwhile; nothing was written. Take the change back, or edit the file by hand"
}

// Backups keeps the originals of edited files, sealed, one file each, in Dir.
// Two processes may add at the same time; two that edit one file are told apart
// by the old content that Write compares.
type Backups struct {
	Dir  string // 0700, made when needed
	Seal func(plain []byte) ([]byte, error)
	Open func(sealed []byte) ([]byte, error)
}

// Backup is one kept original.
type Backup struct {
	ID     string      `json:"id"`
	Path   string      `json:"path"`   // as the caller named it
	Target string      `json:"target"` // where links lead
	Mode   fs.FileMode `json:"mode"`
	MTime  time.Time   `json:"mtime"`
	Absent bool        `json:"absent"` // there was no file

	Original []byte `json:"original"`
	Edited   []byte `json:"edited"` // what we wrote; nil until Write
	Written  bool   `json:"written"`
}

// String names the backup and hides the content.
func (b Backup) String() string { return b.ID + " " + b.Path }

// GoString hides the content.
func (b Backup) GoString() string { return b.String() }

const suffix = ".backup"

// target follows links, so that an edit leaves the link and changes what it
// leads to. A file that does not exist yet is its own target.
func target(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("name of client file: %w", err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err == nil {
		return real, nil
	}
	if _, lerr := os.Lstat(abs); errors.Is(lerr, fs.ErrNotExist) {
		return abs, nil
	}
	return "", fmt.Errorf("follow the link %s: %w", path, err)
}

// current returns the content of a file, nil if there is none.
func current(path string) ([]byte, error) {
	src, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if src == nil && err == nil {
		src = []byte{}
	}
	return src, err
}

// Save keeps the file as it is now and returns the backup's id. While the file
// is still as our last edit left it, the earlier backup stays the one that
// Undo restores, and its id is returned.
func (b Backups) Save(path string) (string, error) {
	real, err := target(path)
	if err != nil {
		return "", err
	}
	src, err := current(real)
	if err != nil {
		return "", err
	}
	last, err := b.last(real)
	switch {
	case err == nil && (last.Written && same(src, last.Edited) || !last.Written && same(src, last.before())):
		return last.ID, nil
	case err != nil && !errors.Is(err, ErrNoBackup):
		return "", err
	}
	kept := Backup{Path: path, Target: real, Absent: src == nil, Original: src}
	if src != nil {
		info, err := os.Stat(real)
		if err != nil {
			return "", fmt.Errorf("back up client file: %w", err)
		}
		kept.Mode, kept.MTime = info.Mode().Perm(), info.ModTime()
	}
	return b.add(kept)
}

// before returns the original, nil if there was no file.
func (k Backup) before() []byte {
	if k.Absent {
		return nil
	}
	if k.Original == nil {
		return []byte{}
	}
	return k.Original
}

// same compares contents; nil, no file, differs from an empty file.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// Write puts new in the place of the file, which must still hold old (nil: not
// exist). The file must have been saved. Writing what already stands there
// does nothing. The mode is kept; a new file gets 0600.
func (b Backups) Write(path string, new, old []byte) error {
	real, err := target(path)
	if err != nil {
		return err
	}
	now, err := current(real)
	if err != nil {
		return err
	}
	if !same(now, old) {
		return &ChangedError{Path: path, Since: Diff(old, now, path)}
	}
	if same(now, new) {
		return nil
	}
	kept, err := b.last(real)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	mode := fs.FileMode(0o600)
	if !kept.Absent {
		mode = kept.Mode
	}
	// The record comes first: after a crash between the two, Undo finds the
	// original in place and has nothing to do (TestUndoAfterCrash).
	kept.Edited, kept.Written = new, true
	if err := b.put(kept); err != nil {
		return err
	}
	return replaceFile(real, new, mode)
}

// Undo puts the file back as it was before our edit, byte for byte, with mode
// and time of change, and forgets the backup. It refuses with *ChangedError
// when the file is not as our edit left it.
func (b Backups) Undo(path string) error {
	real, err := target(path)
	if err != nil {
		return err
	}
	kept, err := b.last(real)
	if err != nil {
		return fmt.Errorf("undo %s: %w", path, err)
	}
	now, err := current(real)
	if err != nil {
		return err
	}
	switch {
	case same(now, kept.before()): // never written, or restored before a crash
	case !kept.Written || !same(now, kept.edited()):
		return &ChangedError{Path: path, Ours: Diff(kept.Original, kept.Edited, path), Since: Diff(kept.Edited, now, path)}
	case kept.Absent:
		if err := os.Remove(real); err != nil {
			return fmt.Errorf("undo %s: %w", path, err)
		}
	default:
		if err := replaceFile(real, kept.before(), kept.Mode); err != nil {
			return err
		}
	}
	if !kept.Absent {
		if err := os.Chtimes(real, time.Time{}, kept.MTime); err != nil {
			return fmt.Errorf("undo %s: %w", path, err)
		}
	}
	if err := os.Remove(filepath.Join(b.Dir, kept.ID+suffix)); err != nil {
		return fmt.Errorf("forget backup: %w", err)
	}
	return nil
}

func (k Backup) edited() []byte {
	if k.Edited == nil {
		return []byte{}
	}
	return k.Edited
}

// List returns every backup, oldest first.
func (b Backups) List() ([]Backup, error) {
	if b.Seal == nil || b.Open == nil {
		return nil, ErrSealing
	}
	names, err := os.ReadDir(b.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var all []Backup
	for _, n := range names {
		id, ok := strings.CutSuffix(n.Name(), suffix)
		if !ok {
			continue
		}
		if info, err := n.Info(); err != nil || info.Size() == 0 {
			continue // claimed by an add that runs, or that ended early
		}
		kept, err := b.get(id)
		if err != nil {
			return nil, err
		}
		all = append(all, kept)
	}
	return all, nil
}

// last returns the newest backup of a target, else ErrNoBackup.
func (b Backups) last(real string) (Backup, error) {
	all, err := b.List()
	if err != nil {
		return Backup{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Target == real {
			return all[i], nil
		}
	}
	return Backup{}, ErrNoBackup
}

func (b Backups) get(id string) (Backup, error) {
	sealed, err := os.ReadFile(filepath.Join(b.Dir, id+suffix))
	if err != nil {
		return Backup{}, fmt.Errorf("read backup: %w", err)
	}
	plain, err := b.Open(sealed)
	if err != nil {
		return Backup{}, fmt.Errorf("open backup %s: %w", id, err)
	}
	var kept Backup
	if err := json.Unmarshal(plain, &kept); err != nil || kept.ID != id {
		return Backup{}, fmt.Errorf("backup %s is damaged", id)
	}
	return kept, nil
}

// add gives a backup the next id and keeps it.
func (b Backups) add(kept Backup) (string, error) {
	all, err := b.List()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(b.Dir, 0o700); err != nil {
		return "", fmt.Errorf("make backup folder: %w", err)
	}
	next := 1
	if len(all) > 0 {
		n, err := strconv.Atoi(all[len(all)-1].ID)
		if err != nil {
			return "", fmt.Errorf("backup %s has a foreign name: %w", all[len(all)-1].ID, err)
		}
		next = n + 1
	}
	for ; ; next++ {
		kept.ID = fmt.Sprintf("%08d", next)
		claim, err := os.OpenFile(filepath.Join(b.Dir, kept.ID+suffix), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) { // another process took it
			continue
		}
		if err != nil {
			return "", fmt.Errorf("make backup: %w", err)
		}
		if err := claim.Close(); err != nil {
			return "", fmt.Errorf("make backup: %w", err)
		}
		return kept.ID, b.put(kept)
	}
}

func (b Backups) put(kept Backup) error {
	plain, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("encode backup: %w", err)
	}
	sealed, err := b.Seal(plain)
	if err != nil {
		return fmt.Errorf("seal backup: %w", err)
	}
	return replaceFile(filepath.Join(b.Dir, kept.ID+suffix), sealed, 0o600)
}
