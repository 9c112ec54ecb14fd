package sqlite

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/storetest"
)

// schema1 returns the path of a copy of the database that the release with
// schema 1 wrote (testdata/schema1.db).
func schema1(t *testing.T) string {
	t.Helper()
	path := newPath(t)
	if err := copyFile("testdata/schema1.db", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// traces returns the files beside path, path included, that hold a canary.
func traces(t *testing.T, path string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(path), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(storetest.Schema1Canary)) {
			found = append(found, e.Name())
		}
	}
	return found
}

// sealedAt opens the database at path, checks what it holds, that no file holds
// any of it in clear, and closes it.
func sealedAt(t *testing.T, path string, ring *keys.Ring) {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sealed.Open(db, ring)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Schema1(t, s)
	if found := traces(t, path); found != nil {
		t.Errorf("while it is open %v hold clear text", found)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if found := traces(t, path); found != nil {
		t.Errorf("when it is closed %v hold clear text", found)
	}
}

func TestSchema1IsSealed(t *testing.T) {
	path, ring := schema1(t), newRing(t)
	before, err := Status(path)
	if err != nil || before.Have != 1 || before.Want < 3 || !before.Clear {
		t.Errorf("the schema is %+v (%v)", before, err)
	}
	if found := traces(t, path); len(found) != 1 {
		t.Fatalf("the control is found in %v", found)
	}
	sealedAt(t, path, ring)
	sealedAt(t, path, ring) // the second opening finds nothing to do
	after, err := Status(path)
	if err != nil || after.Have != after.Want || after.Clear {
		t.Errorf("the schema is %+v (%v)", after, err)
	}
}

// snapping copies the files at points of the migration, as a kill would leave
// them.
type snapping struct {
	*DB
	snap func(point string)
}

func (s snapping) InTx(fn func(store.Raw) error) error {
	err := s.DB.InTx(func(in store.Raw) error {
		err := fn(in)
		s.snap("before the commit")
		return err
	})
	s.snap("after the commit")
	return err
}

func (s snapping) Scrub() error {
	for _, statement := range scrubbing() {
		if _, err := s.db.Exec(statement); err != nil {
			return err
		}
		s.snap("after " + statement)
	}
	return nil
}

func TestMigrationSurvivesKill(t *testing.T) {
	path, ring := schema1(t), newRing(t)
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]string{}
	s, err := sealed.Open(snapping{db, func(point string) {
		left[point] = newPath(t)
		err := copyFile(path, left[point])
		if e := copyFile(path+"-wal", left[point]+"-wal"); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}}, ring)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(left) < 5 {
		t.Fatalf("killed at %d points only", len(left))
	}
	if found := traces(t, left["before the commit"]); found == nil {
		t.Error("the control is not found")
	}
	for point, path := range left {
		t.Run(point, func(t *testing.T) { sealedAt(t, path, ring) })
	}
}

// TestSchema1WithoutKeys: the driver alone keeps the clear rows as they are.
func TestSchema1WithoutKeys(t *testing.T) {
	path := schema1(t)
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Clear()
	if err != nil || c == nil || len(c.Servers) != 2 || len(c.Agents) != 2 || len(c.Tokens) != 2 {
		t.Errorf("got %+v (%v)", c, err)
	}
	if err := errors.Join(db.Scrub(), db.Close()); err != nil {
		t.Fatal(err)
	}
	sealedAt(t, path, newRing(t))
}
