package keys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func newTestRing(t testing.TB) *Ring {
	t.Helper()
	r, err := createAt(t.TempDir(), epoch)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCreateThenOpen(t *testing.T) {
	dir := t.TempDir()
	made, err := createAt(dir, epoch)
	if err != nil {
		t.Fatal(err)
	}
	record, err := made.Seal(Config, Identity{Record: "r"}, []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := opened.Open(Config, Identity{Record: "r"}, record); err != nil || string(plain) != "v" {
		t.Errorf("a value does not survive: %q, %v", plain, err)
	}
	token, _, hash := made.NewToken()
	if !EqualHash(hash, opened.HashToken(token)) {
		t.Error("a token's hash does not survive")
	}
	handle := made.Handles().Seal("p", "a", "b", nil, epoch.Add(time.Hour))
	if _, err := opened.Handles().Open("p", "a", "b", handle, epoch); err != nil {
		t.Errorf("a handle does not survive: %v", err)
	}
	if !bytes.Equal(made.CA().RootPEM(), opened.CA().RootPEM()) {
		t.Error("the root certificate does not survive")
	}
}

func TestCreateTwiceIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); err != nil {
		t.Fatal(err)
	}
	before := snapshotFolder(t, dir)
	if _, err := Create(dir); !errors.Is(err, ErrExists) {
		t.Errorf("error is %v, want %v", err, ErrExists)
	}
	if after := snapshotFolder(t, dir); after != before {
		t.Error("the refused creation changed the folder")
	}
}

func TestCreateLeavesNothingHalfMade(t *testing.T) {
	dir := t.TempDir()
	// ca.pem cannot be written over a folder.
	if err := os.MkdirAll(filepath.Join(dir, caPublicFile, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir); err == nil {
		t.Fatal("created over a folder")
	}
	if _, err := os.Stat(Folder(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder of keys is left behind: %v", err)
	}
	if _, err := Create(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing data directory: %v", err)
	}
}

func snapshotFolder(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out.WriteString(path + "=" + string(data) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestNoKeyInClear: no file but root.key holds the root key, and none holds
// another key.
func TestNoKeyInClear(t *testing.T) {
	dir := t.TempDir()
	r, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	root, err := readRoot(filepath.Join(Folder(dir), rootFile))
	if err != nil {
		t.Fatal(err)
	}
	all := snapshotFolder(t, dir)
	if n := strings.Count(all, string(root.key[:])); n != 1 {
		t.Errorf("the root key stands %d times, want once", n)
	}
	for p, list := range r.state.Load().keys {
		if strings.Contains(all, string(list[0].key.key[:])) {
			t.Errorf("the key for %s stands in clear", p)
		}
	}
}

func TestOpenRefusesModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	for _, name := range []string{rootFile, keystoreFile, subjectFile, caRootFile, caIssuerFile, "."} {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o622, 0o601, 0o710} {
			dir := t.TempDir()
			if _, err := Create(dir); err != nil {
				t.Fatal(err)
			}
			if name == "." {
				mode |= 0o700
			}
			if err := os.Chmod(filepath.Join(Folder(dir), name), mode); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir); !errors.Is(err, ErrMode) {
				t.Errorf("%s with mode %04o: %v, want %v", name, mode, err, ErrMode)
			}
		}
	}
}

func TestOpenRefusesLinks(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(Folder(dir), rootFile)
	if err := os.Rename(path, filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), path); err != nil {
		t.Skip("links are not available here")
	}
	if _, err := Open(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("error is %v, want %v", err, ErrDamaged)
	}
}

// TestOpenRefusesEveryDamagedByte changes each byte of the small files, one at
// a time, and cuts them: Open must fail, and never with a panic.
func TestOpenRefusesEveryDamagedByte(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{rootFile, caIssuerFile, caRootFile} {
		path := filepath.Join(Folder(dir), name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := range good {
			bad := bytes.Clone(good)
			bad[at] ^= 0x41
			openDamaged(t, dir, path, bad)
		}
		for _, n := range []int{0, 1, len(good) / 2, len(good) - 1} {
			openDamaged(t, dir, path, good[:n])
		}
		openDamaged(t, dir, path, append(bytes.Clone(good), 0))
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err != nil {
		t.Errorf("restored, it does not open: %v", err)
	}
}

func openDamaged(t *testing.T, dir, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir)
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
		t.Errorf("%s: error is %v, want damage or version", filepath.Base(path), err)
	}
	if err != nil && !strings.Contains(err.Error(), path) {
		t.Errorf("the error does not name the file: %v", err)
	}
}

func TestOpenMissingFiles(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no keys at all: %v", err)
	}
	for _, name := range []string{rootFile, keystoreFile, subjectFile, caRootFile, caIssuerFile} {
		dir := t.TempDir()
		if _, err := Create(dir); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(Folder(dir), name)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", name, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made anew", name)
		}
	}
}

// TestA24WeakRootKey: a root key that nobody drew at random is refused, also
// with a fitting checksum.
func TestA24WeakRootKey(t *testing.T) {
	for _, fill := range []byte{0, 'a', 0xff} {
		weak := &dek{}
		copy(weak.key[:], bytes.Repeat([]byte{fill}, keySize))
		if _, err := decodeRoot(encodeRoot(weak)); !errors.Is(err, ErrDamaged) {
			t.Errorf("filled with %#x: %v", fill, err)
		}
	}
	if _, err := decodeRoot(encodeRoot(newRootKey())); err != nil {
		t.Errorf("a random key: %v", err)
	}
}

func TestRootVersion(t *testing.T) {
	data := encodeRoot(newRootKey())
	data[len(rootMagic)] = 2
	if _, err := decodeRoot(data); !errors.Is(err, ErrVersion) {
		t.Errorf("error is %v, want %v", err, ErrVersion)
	}
}
