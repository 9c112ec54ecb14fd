package keys

import (
	"bytes"
	"context"
	"crypto/fips140"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeKMS is a root key in memory.
type fakeKMS struct {
	name string
	key  *dek
	down error
}

func (k *fakeKMS) ID() string { return k.name }

func (k *fakeKMS) Wrap(_ context.Context, aad, plain []byte) ([]byte, error) {
	if k.down != nil {
		return nil, k.down
	}
	return k.key.seal(Identity{Record: string(aad)}, plain)
}

func (k *fakeKMS) Unwrap(_ context.Context, aad, wrapped []byte) ([]byte, error) {
	if k.down != nil {
		return nil, k.down
	}
	return k.key.open(Identity{Record: string(aad)}, wrapped)
}

func (k *fakeKMS) Rewrap(ctx context.Context, aad, wrapped []byte) ([]byte, error) {
	plain, err := k.Unwrap(ctx, aad, wrapped)
	if err != nil {
		return nil, err
	}
	return k.Wrap(ctx, aad, plain)
}

func (k *fakeKMS) Destroy(context.Context) (time.Time, error) { return epoch, nil }

func newKMS(name string) *fakeKMS { return &fakeKMS{name: name, key: newDEK()} }

func phrase(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}

const testPhrase = "correct horse battery\n"

const testFactor = 4

// needAge skips in the strict FIPS build, after checking that age is refused
// there by name.
func needAge(t *testing.T) {
	t.Helper()
	if !fips140.Enforced() {
		return
	}
	if _, err := CreateWith(t.TempDir(), Options{Passphrase: phrase(testPhrase), factor: testFactor}); !errors.Is(err, ErrFIPS) {
		t.Errorf("a passphrase in strict mode: %v", err)
	}
	if _, _, err := NewRecovery(); !errors.Is(err, ErrFIPS) {
		t.Errorf("recovery in strict mode: %v", err)
	}
	t.Skip("strict FIPS mode has no age")
}

func TestPassphrase(t *testing.T) {
	needAge(t)
	dir := t.TempDir()
	r, err := CreateWith(dir, Options{Passphrase: phrase(testPhrase), factor: testFactor})
	if err != nil {
		t.Fatal(err)
	}
	made := makeSubject(t, r, "robot")
	if _, err := os.Lstat(filepath.Join(r.folder, rootFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the plain root key is there: %v", err)
	}
	before := snapshotFolder(t, dir)
	for what, ask := range map[string]func() ([]byte, error){
		"wrong": phrase("wrong horse battery"), "empty": phrase(""), "line break": phrase("\n"), "none": nil,
	} {
		if _, err := OpenWith(dir, Options{Passphrase: ask}); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: %v", what, err)
		}
	}
	broken := errors.New("no such variable")
	if _, err := OpenWith(dir, Options{Passphrase: func() ([]byte, error) { return nil, broken }}); !errors.Is(err, broken) {
		t.Errorf("a passphrase that cannot be read: %v", err)
	}
	if snapshotFolder(t, dir) != before {
		t.Error("a refusal changed the folder")
	}
	again, err := OpenWith(dir, Options{Passphrase: phrase(strings.TrimSpace(testPhrase))})
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := again.FindSubject("robot"); !ok || s.Pseudonym != made.Pseudonym {
		t.Error("a subject does not survive")
	}
	if _, err := CreateWith(t.TempDir(), Options{Passphrase: phrase("short")}); err == nil {
		t.Error("a short passphrase is taken")
	}
	rotate(t, again, RootKey)
	if _, err := OpenWith(dir, Options{Passphrase: phrase(testPhrase), factor: testFactor}); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
}

// TestMoveRoot goes through every pair of providers and back; each time only
// the new one opens, and the old one's file is gone.
func TestMoveRoot(t *testing.T) {
	kms := newKMS("kms:one")
	places := map[string]Options{"file": {}, "kms": {Wrapper: kms}, "other": {Wrapper: newKMS("kms:two")}}
	tour := []string{"kms", "file", "other", "kms", "other", "file"}
	if !fips140.Enforced() {
		places["passphrase"] = Options{Passphrase: phrase(testPhrase), factor: testFactor}
		tour = append(tour, "passphrase", "file", "passphrase", "kms", "passphrase", "other", "file")
	}
	dir := t.TempDir()
	r, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	made := makeSubject(t, r, "robot")
	first := read(t, r.folder, rootFile)[len(rootHead):][:keySize]
	for _, to := range tour {
		if _, err := r.MoveRoot(places[to]); err != nil {
			t.Fatalf("to %s: %v", to, err)
		}
		for name, o := range places {
			again, err := OpenWith(dir, o)
			if name != to {
				if err == nil && (to != "file") {
					t.Errorf("in %s, it opens as %s", to, name)
				}
				continue
			}
			if err != nil {
				t.Fatalf("in %s: %v", to, err)
			}
			if s, ok := again.FindSubject("robot"); !ok || s.Pseudonym != made.Pseudonym {
				t.Errorf("in %s, a subject is lost", to)
			}
			r = again
		}
		for _, name := range []string{rootFile, rootAgeFile} {
			_, err := os.Lstat(filepath.Join(r.folder, name))
			if want := name == fileOf(r.root.provider()); want != (err == nil) {
				t.Errorf("in %s, %s: %v", to, name, err)
			}
		}
		if holds(t, dir, first) {
			t.Errorf("in %s, the first root key is on the disk", to)
		}
	}
}

// TestMoveRootKilledAnywhere stops a move after each of its writes, by taking
// the folder as it was then; each of them opens with the old or the new root
// key and settles.
func TestMoveRootKilledAnywhere(t *testing.T) {
	dir := t.TempDir()
	r, err := createAt(dir, epoch)
	if err != nil {
		t.Fatal(err)
	}
	made := makeSubject(t, r, "robot")
	snapshot := func() string {
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		private(t, copied)
		return copied
	}
	fresh, err := newLocal(r.folder, ProviderFile, rootNext, Options{})
	if err != nil {
		t.Fatal(err)
	}
	copies := []string{snapshot()} // the new file, not yet used
	next := r.state.Load().clone()
	w, err := wrapTenant(t.Context(), fresh, next.tenant.key, epoch)
	if err != nil {
		t.Fatal(err)
	}
	next.wraps = append(next.wraps, w)
	if err := r.save(next); err != nil {
		t.Fatal(err)
	}
	copies = append(copies, snapshot()) // both open
	if err := settleRoot(r.folder, fresh, r.state.Load().wraps[:1]); err != nil {
		t.Fatal(err)
	}
	copies = append(copies, snapshot()) // the new file in place, the old wrap still there
	for i, dir := range copies {
		for range 2 {
			again, err := Open(dir)
			if err != nil {
				t.Fatalf("stopped after write %d: %v", i, err)
			}
			if s, ok := again.FindSubject("robot"); !ok || s.Pseudonym != made.Pseudonym {
				t.Errorf("stopped after write %d: a subject is lost", i)
			}
			if n := len(again.state.Load().wraps); n != 1 {
				t.Errorf("stopped after write %d: %d wraps", i, n)
			}
			if _, err := os.Lstat(filepath.Join(again.folder, rootFile+rootNext)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("stopped after write %d: a second root key stays", i)
			}
		}
	}
}

func TestExternalRoot(t *testing.T) {
	dir := t.TempDir()
	kms := newKMS("kms:one")
	r, err := CreateWith(dir, Options{Wrapper: kms})
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, r, RootKey)
	rotate(t, r, TenantKey)
	if _, err := OpenWith(dir, Options{Wrapper: kms}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrProvider) || !strings.Contains(err.Error(), "kms:one") {
		t.Errorf("without the KMS: %v", err)
	}
	if _, err := OpenWith(dir, Options{Wrapper: newKMS("kms:two")}); !errors.Is(err, ErrProvider) {
		t.Errorf("another KMS: %v", err)
	}
	if _, err := OpenWith(dir, Options{Wrapper: &fakeKMS{name: "kms:one", key: newDEK()}}); err == nil {
		t.Error("another key of the same name opens")
	}
	kms.down = errors.New("unreachable")
	before := snapshotFolder(t, dir)
	if _, err := OpenWith(dir, Options{Wrapper: kms}); !errors.Is(err, kms.down) {
		t.Errorf("a KMS that is down: %v", err)
	}
	if snapshotFolder(t, dir) != before {
		t.Error("a refusal changed the folder")
	}
	if _, err := r.Rotate(RootKey, RotateOptions{}); !errors.Is(err, kms.down) {
		t.Errorf("rotated without the KMS: %v", err)
	}
	if _, err := CreateWith(t.TempDir(), Options{Wrapper: newKMS("kms:x"), Recovery: "age1x"}); err == nil {
		t.Error("a root key outside has a recovery file")
	}
}

// TestProviderIsExpected: keys in a file are not taken for keys in a KMS.
func TestProviderIsExpected(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenWith(dir, Options{Provider: ProviderExternal, Wrapper: newKMS("kms:one")}); !errors.Is(err, ErrProvider) {
		t.Errorf("error is %v, want %v", err, ErrProvider)
	}
	if _, err := OpenWith(dir, Options{Provider: ProviderFile}); err != nil {
		t.Error(err)
	}
}

func TestForeignRootKey(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		if _, err := Create(d); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(Folder(dir), rootFile)
	if err := os.WriteFile(path, read(t, Folder(other), rootFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("another gateway's root key: %v", err)
	}
}

func TestRecover(t *testing.T) {
	needAge(t)
	identity, to, err := NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	for what, o := range map[string]Options{"file": {Recovery: to}, "passphrase": {Recovery: to, Passphrase: phrase(testPhrase), factor: testFactor}} {
		dir := t.TempDir()
		r, err := CreateWith(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		made := makeSubject(t, r, "robot")
		rotate(t, r, RootKey) // the recovery file follows
		for _, name := range []string{rootFile, rootAgeFile} {
			if err := os.Remove(filepath.Join(r.folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		before := snapshotFolder(t, dir)
		stranger, _, err := NewRecovery()
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"", "nonsense", stranger} {
			if err := Recover(dir, []byte(bad)); !errors.Is(err, ErrRecovery) {
				t.Errorf("%s: the identity %.20q: %v", what, bad, err)
			}
		}
		if snapshotFolder(t, dir) != before {
			t.Errorf("%s: a refusal changed the folder", what)
		}
		if err := Recover(dir, []byte("# kept in the safe\n"+identity+"\n")); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		again, err := Open(dir)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if s, ok := again.FindSubject("robot"); !ok || s.Pseudonym != made.Pseudonym {
			t.Errorf("%s: a subject is lost", what)
		}
	}
	if _, err := CreateWith(t.TempDir(), Options{Recovery: "age1nonsense"}); err == nil {
		t.Error("a recipient that is none is taken")
	}
}

func TestSettleLeavesOneFile(t *testing.T) {
	dir := t.TempDir()
	r, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	root := read(t, r.folder, rootFile)
	if err := os.WriteFile(filepath.Join(r.folder, rootFile+rootNext), encodeRoot(newRootKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, r.folder, rootFile), root) {
		t.Error("the root key in use was replaced")
	}
}
