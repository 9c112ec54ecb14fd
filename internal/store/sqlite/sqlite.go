// Package sqlite is the embedded driver of store.Raw: one file, one process,
// one connection, every write on stable storage before it returns.
//
// It may touch the database file and what SQLite puts beside it. It
// deliberately creates a database only when told to and never repairs or
// replaces one: a damaged, foreign, newer or missing file is refused with a
// sentence that says so. The settings are those of the security design:
// write-ahead log, synchronous=FULL, secure_delete, no trusted schema.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"ostiary.dev/ostiary/internal/store"
)

// Errors of Create and Open.
var (
	ErrExists  = errors.New("the database already exists")
	ErrMissing = errors.New("there is no database; a lost one is restored from a backup, never made anew")
	ErrDamaged = errors.New("the database is damaged; restore it from a backup")
	ErrForeign = errors.New("the file is not a database of this program")
	ErrNewer   = errors.New("a newer version of this program wrote the database; use that version")
	ErrLocked  = errors.New("another process uses the database")
	ErrMode    = errors.New("the database is open to other users; chmod go-rwx it")
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file as ours: "OSTY".
const applicationID = 0x4F535459

var _ store.Raw = (*DB)(nil)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	rows
	db *sql.DB
}

// Create makes an empty database and opens it. The file appears whole or not
// at all. ErrExists when path is taken.
func Create(path string) (*DB, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("create %s: %w", path, ErrExists)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("create database: %w", err)
	}
	draft := path + ".new"
	if err := createDraft(draft); err != nil {
		return nil, errors.Join(fmt.Errorf("create %s: %w", path, err), removeAll(draft))
	}
	if err := os.Rename(draft, path); err != nil {
		return nil, errors.Join(fmt.Errorf("create database: %w", err), removeAll(draft))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	return Open(path)
}

// createDraft makes the file at a temporary name. An older draft is what a
// crash left behind, and holds nothing.
func createDraft(draft string) error {
	if err := removeAll(draft); err != nil {
		return err
	}
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connect(draft)
	if err != nil {
		return err
	}
	_, err = db.Exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	if err == nil {
		err = migrate(db)
	}
	return errors.Join(err, db.Close())
}

func removeAll(draft string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(draft + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Open opens an existing database, checks it whole, and brings its schema up
// to date. It holds the file alone until Close. Errors: ErrMissing, ErrMode,
// ErrForeign, ErrDamaged, ErrNewer, ErrLocked (hostile case R06).
func Open(path string) (*DB, error) {
	db, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, translate(err))
	}
	statements, err := prepare(db)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, errors.Join(translate(err), db.Close()))
	}
	return &DB{rows: rows{db, statements}, db: db}, nil
}

func open(path string) (*sql.DB, error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	db, err := connect(path)
	if err != nil {
		return nil, err
	}
	if err = verify(db); err == nil {
		err = checkSchema(db)
	}
	if err == nil {
		err = migrate(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkFile looks at the file before SQLite may touch it: SQLite would turn an
// empty file into a new database.
func checkFile(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: not a regular file", ErrForeign)
	}
	if err := checkMode(path, info); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	const header = "SQLite format 3\x00"
	head := make([]byte, len(header))
	if _, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if string(head) != header {
		return ErrForeign
	}
	return nil
}

// connect opens path with one connection. The exclusive locking mode comes
// before the write-ahead log, so that the lock is kept and no shared-memory
// file is made.
func connect(path string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	slashed := filepath.ToSlash(abs)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	// Large pages count for new files only: each commit of the log writes a few
	// of them, and each write is a call of the system.
	query := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {
		"page_size(16384)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)", "temp_store(memory)",
		"secure_delete(1)", "foreign_keys(1)", "trusted_schema(0)", "cell_size_check(1)",
	}}
	dsn := url.URL{Scheme: "file", Path: slashed, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	// The lock is taken by the first write, so write nothing now.
	if _, err := db.Exec("BEGIN EXCLUSIVE; COMMIT"); err != nil {
		return nil, errors.Join(translate(err), db.Close())
	}
	return db, nil
}

// verify refuses a file that is damaged or not ours.
func verify(db *sql.DB) error {
	var id int64
	if err := db.QueryRow("PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if id != applicationID {
		return ErrForeign
	}
	tables, err := small(db)
	if err != nil {
		return err
	}
	for _, name := range tables {
		var result string
		if err := db.QueryRow("PRAGMA quick_check('" + name + "')").Scan(&result); err != nil {
			return err
		}
		if result != "ok" {
			return fmt.Errorf("%w (%s)", ErrDamaged, result)
		}
	}
	return nil
}

// small returns the tables that are read whole at each start. Those of the logs
// are not: they grow without end, and auditlog holds what it reads of them to
// their hashes.
func small(db *sql.DB) (names []string, err error) {
	rows, err := db.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'audit_*' AND name NOT GLOB '*[^a-z0-9_]*'")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// migrate runs the migrations that the database lacks. It goes forward only: a
// newer schema is refused.
func migrate(db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	s, err := schemaOf(p)
	if err != nil {
		return err
	}
	if s.Have > s.Want {
		return fmt.Errorf("%w (schema %d, this program knows %d)", ErrNewer, s.Have, s.Want)
	}
	if _, err := p.Up(context.Background()); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

func schemaOf(p *goose.Provider) (s store.Schema, err error) {
	if s.Have, s.Want, err = p.GetVersions(context.Background()); err != nil {
		return s, fmt.Errorf("read schema version: %w", err)
	}
	return s, nil
}

// Status says which schema the database at path has. It changes nothing, and
// reads a newer one, too.
func Status(path string) (s store.Schema, err error) {
	fail := func(err error) (store.Schema, error) {
		return store.Schema{}, fmt.Errorf("look at %s: %w", path, translate(err))
	}
	if err := checkFile(path); err != nil {
		return fail(err)
	}
	db, err := connect(path)
	if err != nil {
		return fail(err)
	}
	if err = verify(db); err == nil {
		s, err = status(db)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fail(err)
	}
	return s, nil
}

func status(db *sql.DB) (store.Schema, error) {
	p, err := provider(db)
	if err != nil {
		return store.Schema{}, err
	}
	s, err := schemaOf(p)
	if err != nil {
		return s, err
	}
	s.Clear, err = rows{h: db}.hasClear()
	return s, err
}

// InTx runs fn in one transaction; see store.Raw.
func (d *DB) InTx(fn func(store.Raw) error) (err error) {
	tx, err := d.db.BeginTx(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", translate(err))
	}
	done := false
	defer func() {
		if !done { // fn panicked
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if err := fn(inTx{rows{tx, d.audit}}); err != nil {
		done = true
		return errors.Join(err, tx.Rollback())
	}
	done = true
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", translate(err))
	}
	return nil
}

// Close writes the log back into the file and lets go of it.
func (d *DB) Close() error {
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// InsertRows adds rows in a transaction.
func (d *DB) InsertRows(all []store.Row) error {
	return d.InTx(func(in store.Raw) error { return in.InsertRows(all) })
}

// inTx is the Raw inside a transaction.
type inTx struct{ rows }

func (t inTx) InTx(fn func(store.Raw) error) error { return fn(t) }

// Scrub is for the database as a whole.
func (t inTx) Scrub() error { return errors.New("scrub: inside a transaction") }

func (t inTx) Close() error { return errors.New("close: inside a transaction") }
