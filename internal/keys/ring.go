package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// Ring is the opened set of keys of one gateway. It is safe for concurrent
// use. It prints as a marker.
type Ring struct {
	keys     map[Purpose]*dek
	handles  *Handles
	ca       *CA
	subjects *subjects
	macs     sync.Pool // of hash.Hash: keyed for tokens, ready for Reset
}

// String keeps keys out of anything that prints a ring.
func (r *Ring) String() string { return "[key ring]" }

// GoString keeps keys out of %#v.
func (r *Ring) GoString() string { return "[key ring]" }

// Folder returns the folder that holds the keys of the data directory dir.
func Folder(dir string) string { return filepath.Join(dir, "keys") }

// Create makes the keys of a new gateway in dir/keys and its certificate
// authority's public root in dir/ca.pem. It returns ErrExists when dir already
// has keys; then, and on any other error, it leaves nothing half-made.
func Create(dir string) (*Ring, error) { return CreateWith(dir, Options{}) }

// CreateWith is Create with a root key of the caller's choice.
func CreateWith(dir string, _ Options) (*Ring, error) {
	return createAt(dir, clock.Clock{}.Now())
}

func createAt(dir string, now time.Time) (*Ring, error) {
	folder := Folder(dir)
	if err := os.Mkdir(folder, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create keys in %s: %w", folder, ErrExists)
		}
		return nil, fmt.Errorf("create keys: %w", err)
	}
	ring, err := fillFolder(dir, now)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return ring, nil
}

// fillFolder writes every key file of a new gateway and syncs dir.
func fillFolder(dir string, now time.Time) (*Ring, error) {
	folder := Folder(dir)
	root := newRootKey()
	if err := writeFile(filepath.Join(folder, rootFile), encodeRoot(root), 0o600); err != nil {
		return nil, err
	}
	held := make(map[Purpose]*dek)
	for _, p := range purposes() {
		held[p] = newDEK()
	}
	store, err := encodeKeystore(root, held)
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(folder, keystoreFile), store, 0o600); err != nil {
		return nil, err
	}
	ca, err := createCA(dir, held[Authority], now)
	if err != nil {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return newRing(folder, held, ca)
}

// Open opens the keys in dir/keys. It refuses a folder or file that other
// users may open (ErrMode), a damaged file (ErrDamaged), one of an unknown
// version (ErrVersion), and missing keys (fs.ErrNotExist). It never repairs.
func Open(dir string) (*Ring, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with what the root key needs.
func OpenWith(dir string, _ Options) (*Ring, error) {
	folder := Folder(dir)
	info, err := os.Lstat(folder)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open keys: %s %w: not a folder", folder, ErrDamaged)
	}
	if err := checkMode(folder, info); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	root, err := readRoot(filepath.Join(folder, rootFile))
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	held, err := readKeystore(filepath.Join(folder, keystoreFile), root)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	ca, err := openCA(dir, held[Authority])
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return newRing(folder, held, ca)
}

func newRing(folder string, held map[Purpose]*dek, ca *CA) (*Ring, error) {
	subjects, err := openSubjects(folder, held[Subjects])
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return &Ring{keys: held, handles: newHandles(held[HandleSeal]), ca: ca, subjects: subjects}, nil
}

// CA returns the gateway's own certificate authority.
func (r *Ring) CA() *CA { return r.ca }

// Handles returns the sealer of what clients carry for us.
func (r *Ring) Handles() *Handles { return r.handles }
