package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeyFile is one file of the folder keys, as a backup carries it.
type KeyFile struct {
	Name string
	Data []byte
}

// String keeps the bytes out of anything that prints a file.
func (f KeyFile) String() string { return "[key file " + f.Name + "]" }

// GoString keeps the bytes out of %#v.
func (f KeyFile) GoString() string { return f.String() }

// Files returns every key file as it is at one moment, for a backup of the keys
// (security.md 1.3). Changes of the keystore wait meanwhile, so what is returned
// opens.
func (r *Ring) Files() ([]KeyFile, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		return nil, fmt.Errorf("read key files: %w", err)
	}
	var all []KeyFile
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() {
			continue // an unfinished file, or none of ours
		}
		data, err := readFile(filepath.Join(r.folder, e.Name()), subjectLimit)
		if err != nil {
			return nil, err
		}
		all = append(all, KeyFile{e.Name(), data})
	}
	return all, nil
}

// Place makes the folder keys in dir from the files of a backup. It refuses a
// directory that has keys; on an error it leaves nothing.
func Place(dir string, files []KeyFile) (err error) {
	folder := Folder(dir)
	if err := os.Mkdir(folder, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("place keys in %s: %w", folder, ErrExists)
		}
		return fmt.Errorf("place keys: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	for _, f := range files {
		// A name with a folder in it would lead out of ours (TestPlaceRefusesPaths).
		if f.Name == "" || f.Name != filepath.Base(f.Name) || strings.HasPrefix(f.Name, ".") || strings.ContainsAny(f.Name, `/\:`) {
			return fmt.Errorf("place keys: %q %w: no name of a key file", f.Name, ErrDamaged)
		}
		if err := writeFile(filepath.Join(folder, f.Name), f.Data, 0o600); err != nil {
			return err
		}
	}
	return syncDir(dir)
}
