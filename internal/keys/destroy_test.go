package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// holds reports whether any file of the folder holds any of the byte strings,
// raw or in base64 as JSON writes them.
func holds(t *testing.T, folder string, what ...[]byte) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, w := range what {
			found = found || bytes.Contains(data, w) || bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString(w)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestEraseSubject: an erased subject opens nothing, by no name; its wrapped
// key is in no file; the name comes back as somebody else.
func TestEraseSubject(t *testing.T) {
	r := newTestRing(t)
	id := Identity{Record: "x"}
	gone, other := makeSubject(t, r, "robot"), makeSubject(t, r, "other")
	entry := r.subjects.ids[gone.Pseudonym]
	if !holds(t, r.folder, entry.Sealed) || !holds(t, r.folder, entry.Name) {
		t.Fatal("the control: the wrapped key is not found")
	}
	order, err := r.Condemn(gone.KeyID())
	if err != nil || order.Pseudonym != gone.Pseudonym || order.State != Destroying {
		t.Fatalf("ordered %+v (%v)", order, err)
	}
	if _, ok := r.FindSubject("robot"); ok {
		t.Error("found while it is erased")
	}
	if _, err := r.Subject("robot"); !errors.Is(err, ErrErasing) {
		t.Errorf("made anew while it is erased: %v", err)
	}
	if err := r.Bury(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	if holds(t, r.folder, entry.Sealed, entry.Name, []byte(entry.Index)) {
		t.Error("the wrapped key, the name or the index is still on the disk")
	}
	for _, r := range []*Ring{r, reopen(t, r)} {
		if _, ok := r.SubjectOf(gone.Pseudonym); ok {
			t.Error("the pseudonym is still somebody")
		}
		if tomb, ok := r.Erased(gone.Pseudonym); !ok || tomb.State != Destroyed || tomb.KeyID != gone.KeyID() {
			t.Errorf("tombstone %+v", tomb)
		}
		if s, ok := r.FindSubject("other"); !ok || s.Pseudonym != other.Pseudonym {
			t.Error("another subject is gone")
		}
		if len(r.Condemned()) != 0 || len(r.Destroyed()) != 1 {
			t.Errorf("%d ordered, %d destroyed", len(r.Condemned()), len(r.Destroyed()))
		}
	}
	if again := makeSubject(t, r, "robot"); again.Pseudonym == gone.Pseudonym || again.KeyID() == gone.KeyID() {
		t.Error("the name has its old pseudonym or key again")
	}
	if _, err := r.Condemn(gone.KeyID()); !errors.Is(err, ErrGone) {
		t.Errorf("destroyed twice: %v", err)
	}
	if _, err := other.Seal(id, nil); err != nil {
		t.Errorf("another subject's key: %v", err)
	}
}

// TestEraseKilled: the process may die after the order and after the bytes are
// gone; at start the order is listed, and carrying it out again succeeds.
func TestEraseKilled(t *testing.T) {
	r := newTestRing(t)
	gone := makeSubject(t, r, "robot")
	if _, err := r.Condemn(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	r = reopen(t, r) // killed after the order
	if c := r.Condemned(); len(c) != 1 || c[0].KeyID != gone.KeyID() {
		t.Fatalf("ordered: %+v", c)
	}
	if _, ok := r.FindSubject("robot"); ok {
		t.Error("found after the order")
	}
	if err := r.subjects.remove(map[string]bool{gone.Pseudonym: true}); err != nil {
		t.Fatal(err)
	}
	r = reopen(t, r) // killed before the tombstone was final
	if len(r.Condemned()) != 1 {
		t.Fatal("the order is lost")
	}
	if err := r.Bury(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	if d := reopen(t, r).Destroyed(); len(d) != 1 {
		t.Errorf("destroyed: %+v", d)
	}
}

func TestSpare(t *testing.T) {
	r := newTestRing(t)
	s := makeSubject(t, r, "robot")
	if err := r.Spare(s.KeyID()); !errors.Is(err, ErrNoOrder) {
		t.Errorf("spared without an order: %v", err)
	}
	if _, err := r.Condemn(s.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := r.Spare(s.KeyID()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Ring{r, reopen(t, r)} {
		if back, ok := r.FindSubject("robot"); !ok || back.Pseudonym != s.Pseudonym {
			t.Error("not found after it was spared")
		}
	}
}

// TestOldSubjectsFileDoesNotRevive: putting back the file from before an
// erasure brings nobody back, and the file is written anew at once.
func TestOldSubjectsFileDoesNotRevive(t *testing.T) {
	r := newTestRing(t)
	gone := makeSubject(t, r, "robot")
	path := filepath.Join(r.folder, subjectFile)
	before := read(t, path)
	sealed := r.subjects.ids[gone.Pseudonym].Sealed
	if _, err := r.Condemn(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := r.Bury(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, r)
	if _, ok := again.FindSubject("robot"); ok {
		t.Error("the erased subject is back")
	}
	if holds(t, r.folder, sealed) {
		t.Error("its key stays on the disk")
	}
}

// TestApply: a restored older keystore learns what was destroyed since.
func TestApply(t *testing.T) {
	dir := t.TempDir()
	r, err := createAt(dir, epoch)
	if err != nil {
		t.Fatal(err)
	}
	gone, kept := makeSubject(t, r, "robot"), makeSubject(t, r, "kept")
	record, err := r.Seal(Audit, Identity{Record: "p"}, []byte("part"))
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	first := r.state.Load().current(Audit).hexID()
	if _, err := r.Rotate(string(Audit), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{gone.KeyID(), first} {
		if _, err := r.Condemn(id); err != nil {
			t.Fatal(err)
		}
		if err := r.Bury(id); err != nil {
			t.Fatal(err)
		}
	}
	private(t, backup)
	old, err := Open(backup)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := old.FindSubject("robot"); !ok {
		t.Fatal("the control: the backup does not know the subject")
	}
	for round, want := range []int{2, 0} {
		if n, err := old.Apply(r.Destroyed()); err != nil || n != want {
			t.Errorf("round %d replayed %d (%v), want %d", round, n, err, want)
		}
	}
	for _, old := range []*Ring{old, reopen(t, old)} {
		if _, ok := old.FindSubject("robot"); ok {
			t.Error("the subject is back")
		}
		if _, ok := old.FindSubject("kept"); !ok {
			t.Error("another subject is gone")
		}
		if _, err := old.Open(Audit, Identity{Record: "p"}, record); !errors.Is(err, ErrSeal) {
			t.Errorf("a destroyed key opens: %v", err)
		}
		if _, err := old.Seal(Audit, Identity{}, nil); err != nil {
			t.Errorf("nothing can be sealed any more: %v", err)
		}
		if len(old.Destroyed()) != 2 {
			t.Errorf("tombstones: %+v", old.Destroyed())
		}
	}
	if kept.Name() != "kept" {
		t.Error("the name is lost")
	}
}

// private gives copied key files their modes back.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(Folder(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDestroyOldVersion: values under a destroyed version are gone, its bytes
// are in no file, and the current version stays.
func TestDestroyOldVersion(t *testing.T) {
	r := newTestRing(t)
	id := Identity{Record: "p"}
	old, err := r.Seal(Audit, id, []byte("part"))
	if err != nil {
		t.Fatal(err)
	}
	first := r.state.Load().current(Audit).hexID()
	if _, err := r.Condemn(first); !errors.Is(err, ErrInUse) {
		t.Errorf("the current key is destroyed: %v", err)
	}
	if _, err := r.Rotate(string(Audit), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	young, err := r.Seal(Audit, id, []byte("part"))
	if err != nil {
		t.Fatal(err)
	}
	var doc keystoreDoc
	if err := strictJSON(read(t, r.folder, keystoreFile), &doc); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(doc.Keys, func(k keyDoc) bool { return k.KeyID == first })
	sealed := doc.Keys[at].Sealed
	if _, err := r.Condemn(first); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(Audit, id, old); !errors.Is(err, ErrSeal) {
		t.Errorf("it opens after the order: %v", err)
	}
	if err := r.Bury(first); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Ring{r, reopen(t, r)} {
		if _, err := r.Open(Audit, id, old); !errors.Is(err, ErrSeal) {
			t.Errorf("it opens: %v", err)
		}
		if _, err := r.Open(Audit, id, young); err != nil {
			t.Errorf("the current one does not: %v", err)
		}
	}
	if holds(t, r.folder, sealed) {
		t.Error("the wrapped key stays on the disk")
	}
	for _, bad := range []string{"", "x", strings.Repeat("0", 32)} {
		if _, err := r.Condemn(bad); !errors.Is(err, ErrNoKey) {
			t.Errorf("%q: %v", bad, err)
		}
		if err := r.Bury(bad); !errors.Is(err, ErrNoOrder) {
			t.Errorf("%q buried: %v", bad, err)
		}
	}
	if _, err := r.Condemn(r.state.Load().tenant.key.hexID()); !errors.Is(err, ErrInUse) {
		t.Error("the tenant's key is destroyed")
	}
}

// TestOldKeystoreBytesAreOverwritten: what stood in a replaced file is gone
// from the file itself, not only from its name.
func TestOldKeystoreBytesAreOverwritten(t *testing.T) {
	r := newTestRing(t)
	path := filepath.Join(r.folder, keystoreFile)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Link(path, link); err != nil {
		t.Skip("hard links are not available here")
	}
	before := read(t, link)
	if _, err := r.Rotate(TenantKey, RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	if after := read(t, link); bytes.Equal(before, after) || bytes.Contains(after, []byte("wrapped")) {
		t.Error("the old file's bytes are still there")
	}
}
