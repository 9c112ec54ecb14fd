package sqlite

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		open, ring := opener(t), newRing(t)
		return func(t *testing.T) store.Store {
			t.Helper()
			s, err := sealed.Open(open(t), ring)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

func TestRaw(t *testing.T) { storetest.Raw(t, opener) }

func TestAudit(t *testing.T) { storetest.Audit(t, opener) }

// opener opens one database again and again.
func opener(t *testing.T) storetest.RawOpener {
	path, made := newPath(t), false
	return func(t *testing.T) store.Raw {
		t.Helper()
		get := Open
		if !made {
			get, made = Create, true
		}
		db, err := get(path)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
}

// newRing makes the keys of a gateway.
func newRing(t *testing.T) *keys.Ring {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// row is a row with a body of n bytes.
func row(id string, n int) store.Row {
	return store.Row{Kind: "agent", ID: id, Revision: 1, Body: bytes.Repeat([]byte("x"), n)}
}

func newPath(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "a b?#%.db") // a path is not a URL
}

// created makes a database with one agent and closes it.
func created(t *testing.T) string {
	t.Helper()
	path := newPath(t)
	db, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = db.InsertRow(row("robot", 20000))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused asserts that Open fails with target and leaves the file as it is.
func refused(t *testing.T, path string, target error) {
	t.Helper()
	before, beforeErr := os.ReadFile(path)
	db, err := Open(path)
	if err == nil {
		err = db.Close()
		t.Fatalf("opened (closed: %v)", err)
	}
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want %v", err, target)
	}
	if !strings.Contains(err.Error(), path) {
		t.Errorf("the error does not name the file: %v", err)
	}
	after, afterErr := os.ReadFile(path)
	if !bytes.Equal(before, after) || (beforeErr == nil) != (afterErr == nil) {
		t.Error("the refused file was changed or made anew")
	}
}

func TestR06MissingIsNotMadeAnew(t *testing.T) {
	path := newPath(t)
	refused(t, path, ErrMissing)
}

func TestR06ForeignFiles(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "short": "SQLite", "text": strings.Repeat("hello ", 1000), "headless": strings.Repeat("\x00", 8192),
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, path, ErrForeign)
		})
	}
	t.Run("other program's database", func(t *testing.T) {
		path := created(t)
		exec(t, path, "PRAGMA application_id = 7")
		refused(t, path, ErrForeign)
	})
}

func TestR06Damaged(t *testing.T) {
	t.Run("cut", func(t *testing.T) {
		path := created(t)
		if err := os.Truncate(path, 8192); err != nil {
			t.Fatal(err)
		}
		refused(t, path, ErrDamaged)
	})
	t.Run("overwritten pages", func(t *testing.T) {
		path := created(t)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 4096; i < len(data); i++ {
			data[i] ^= 0x5a
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, path, ErrDamaged)
	})
}

func TestR06NewerSchema(t *testing.T) {
	path := created(t)
	exec(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
	refused(t, path, ErrNewer)
	if s, err := Status(path); err != nil || s.Have != 999 || s.Want >= s.Have {
		t.Errorf("the schema is %+v (%v)", s, err)
	}
}

func TestR06Locked(t *testing.T) {
	path := created(t)
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second opening: %v, want %v", err, ErrLocked)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err = Open(path)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCreateRefusesTakenPath(t *testing.T) {
	path := created(t)
	if _, err := Create(path); !errors.Is(err, ErrExists) {
		t.Errorf("error is %v, want %v", err, ErrExists)
	}
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Row("agent", "robot"); err != nil {
		t.Errorf("the database lost its rows: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCreateReplacesCrashedDraft(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v), want the database alone", entries, err)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	path := created(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v (%v), want 0600", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		refused(t, path, ErrMode)
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.Chmod(filepath.Dir(path), 0o770)); err != nil {
		t.Fatal(err)
	}
	refused(t, path, ErrMode)
}

func TestLinkIsRefused(t *testing.T) {
	path := created(t)
	link := newPath(t)
	if err := os.Symlink(path, link); err != nil {
		t.Skip("links are not available here")
	}
	refused(t, link, ErrForeign)
}

// TestSettings reads back the pragmas that the guarantees rest on.
func TestSettings(t *testing.T) {
	db, err := Create(newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1",
		"trusted_schema": "0", "temp_store": "2", "locking_mode": "exclusive",
	} {
		var got string
		if err := db.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", pragma, got, err, want)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// exec runs a statement on the raw file.
func exec(t *testing.T, path, statement string) {
	t.Helper()
	db, err := connect(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestKilledProcessKeepsWhatWasCommitted opens what a killed process leaves:
// the file and its log as they stand while the database is still open.
func TestKilledProcessKeepsWhatWasCommitted(t *testing.T) {
	path := newPath(t)
	db, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.InsertRow(row("committed", 1)); err != nil {
		t.Fatal(err)
	}
	left := newPath(t)
	err = db.InTx(func(in store.Raw) error {
		if err := in.InsertRow(row("not-committed", 1)); err != nil {
			return err
		}
		return errors.Join(copyFile(path, left), copyFile(path+"-wal", left+"-wal"))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	db, err = Open(left)
	if err != nil {
		t.Fatal(err)
	}
	all, err := db.Rows("agent")
	if err != nil || len(all) != 1 || all[0].ID != "committed" {
		t.Errorf("rows are %v (%v)", all, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

// TestSecretBytesLeaveTheFile: what a row held is gone from the file once the
// row was replaced and the database closed.
func TestSecretBytesLeaveTheFile(t *testing.T) {
	path := newPath(t)
	db, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	canary := row("k", 1)
	canary.Body = []byte("canary-5d1e")
	if err := db.InsertRow(canary); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Contains(data, []byte("canary-5d1e")) {
		t.Fatalf("the control is not found (%v)", err)
	}
	if db, err = Open(path); err != nil {
		t.Fatal(err)
	}
	canary.Body, canary.Revision = []byte("replaced"), 2
	if err := errors.Join(db.UpdateRow(1, canary), db.Close()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(path), e.Name()))
		if err != nil || bytes.Contains(data, []byte("canary-5d1e")) {
			t.Errorf("%s still holds it (%v)", e.Name(), err)
		}
	}
}

func TestAttacks(t *testing.T) {
	ring := newRing(t)
	storetest.Attacks(t, opener, func(t *testing.T, raw store.Raw) storetest.Sealed {
		t.Helper()
		s, err := sealed.Open(raw, ring)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestAuditAttacks(t *testing.T) {
	storetest.AuditAttacks(t, opener, func(t *testing.T, raw store.Raw, statement string, args ...any) {
		t.Helper()
		if _, err := raw.(*DB).db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}, newRing(t))
}

// TestFullAndReadOnly: SQLite's own refusals get their meaning, undo the whole
// transaction, and the store goes on when the cause is gone.
func TestFullAndReadOnly(t *testing.T) {
	db, err := Create(newPath(t))
	if err != nil {
		t.Fatal(err)
	}
	set := func(pragma string) {
		t.Helper()
		if _, err := db.db.Exec("PRAGMA " + pragma); err != nil {
			t.Fatal(err)
		}
	}
	write := func() error {
		return db.InTx(func(in store.Raw) error {
			return errors.Join(in.InsertRow(row("small", 1)), in.InsertRow(row("large", 1<<20)))
		})
	}
	for _, c := range []struct {
		broken, mended string
		want           error
	}{
		{"max_page_count = 1", "max_page_count = 1000000", store.ErrFull}, // 1 means what it has now
		{"query_only = 1", "query_only = 0", store.ErrReadOnly},
	} {
		set(c.broken)
		if err := write(); !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, want %v", c.broken, err, c.want)
		}
		set(c.mended)
		if all, err := db.Rows("agent"); err != nil || len(all) != 0 {
			t.Errorf("%s: %d rows are left (%v)", c.broken, len(all), err)
		}
	}
	if err := errors.Join(write(), db.Close()); err != nil {
		t.Error(err)
	}
}

func TestLogAttacks(t *testing.T) {
	storetest.LogAttacks(t, func(t *testing.T) (storetest.RawOpener, storetest.Vandal) {
		path, made := newPath(t), false
		open := func(t *testing.T) store.Raw {
			t.Helper()
			get := Open
			if !made {
				get, made = Create, true
			}
			db, err := get(path)
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
		return open, storetest.Vandal{
			SQL: func(t *testing.T, statement string) { exec(t, path, statement) },
			Flip: func(t *testing.T, table, column, where string) {
				db, err := connect(path)
				if err != nil {
					t.Fatal(err)
				}
				var b []byte
				err = db.QueryRow("SELECT " + column + " FROM " + table + " WHERE " + where).Scan(&b)
				if err == nil {
					b[len(b)-1] ^= 1
					_, err = db.Exec("UPDATE "+table+" SET "+column+" = ? WHERE "+where, b)
				}
				if err := errors.Join(err, db.Close()); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}
