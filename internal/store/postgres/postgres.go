// Package postgres is the driver of store.Raw for a PostgreSQL server, 15 or
// later: one connection, which owns the store alone, and every write on stable
// storage of the server before it returns.
//
// It may touch the schema ostiary of one database, files of certificates that
// the connection string names, and the server's unix socket; connections over
// TCP it asks of whoever opened it. It deliberately creates a store only when
// told to and never repairs or replaces one, takes nothing from the environment
// or the home directory, and speaks over a network only with verified TLS. It
// has no queries of several processes: the lock that every connection takes
// lets one in.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"ostiary.dev/ostiary/internal/store"
)

// Errors of Create and Open, and of every call after them.
var (
	ErrDSN         = errors.New("the connection string cannot be used")
	ErrUnreachable = errors.New("the database cannot be reached")
	ErrServer      = errors.New("the database server cannot be used")
	ErrExists      = errors.New("the database already holds a store (schema " + schema + ")")
	ErrMissing     = errors.New("the database holds no store; a lost one is restored from a backup, never made anew")
	ErrForeign     = errors.New("the schema in the database is not one of this program")
	ErrDamaged     = errors.New("the store is damaged; restore it from a backup")
	ErrNewer       = errors.New("a newer version of this program wrote the store; use that version")
	ErrLocked      = errors.New("another process uses the store")
	ErrLost        = errors.New("another process used the store meanwhile; restart this one")
)

//go:embed migrations/*.sql
var migrations embed.FS

// The schema that holds the store, the name under which it is made, and the
// comment that marks either as ours.
const (
	schema = "ostiary"
	draft  = "ostiary_new"
	mark   = "store of an Ostiary gateway"
)

var _ store.Raw = (*DB)(nil)

// DB is an open store. It is safe for concurrent use.
type DB struct {
	rows
	db *sql.DB
}

// Create makes an empty store in the database and opens it. The store appears
// whole or not at all. ErrExists when there is one.
func Create(c Config) (*DB, error) {
	if err := create(c); err != nil {
		return nil, fmt.Errorf("create store: %w", translate(err))
	}
	return Open(c)
}

func create(c Config) error {
	d, err := Begin(c)
	if err != nil {
		return err
	}
	return errors.Join(d.Place(), d.Close())
}

// Draft is a store that is being made. Nobody sees it until Place; a process
// that is killed before leaves a draft, which the next one throws away.
type Draft struct{ DB }

// Begin makes a draft with an empty store in it. ErrExists when the database
// has a store.
func Begin(c Config) (*Draft, error) {
	db, _, err := connect(c, draft)
	if err != nil {
		return nil, err
	}
	if err := begin(db); err != nil {
		return nil, errors.Join(translate(err), release(db))
	}
	return &Draft{DB{rows: rows{h: db}, db: db}}, nil
}

func begin(db *sql.DB) error {
	if err := usable(db); err != nil {
		return err
	}
	if _, there, err := comment(db, schema); err != nil || there {
		return errors.Join(err, ErrExists)
	}
	// An older draft is what a crash left behind, and nobody's.
	text, there, err := comment(db, draft)
	if err != nil {
		return err
	}
	if there && text != mark {
		return fmt.Errorf("%w (%s)", ErrForeign, draft)
	}
	if err := run(db, "BEGIN; DROP SCHEMA IF EXISTS "+draft+" CASCADE; CREATE SCHEMA "+draft+";"+
		"COMMENT ON SCHEMA "+draft+" IS '"+mark+"'; COMMIT"); err != nil {
		return err
	}
	return migrate(db)
}

// Place makes the draft the store of the database, in one step.
func (d *Draft) Place() error {
	return run(d.db, "ALTER SCHEMA "+draft+" RENAME TO "+schema)
}

// Remove throws the draft away.
func (d *Draft) Remove() error { return run(d.db, "DROP SCHEMA IF EXISTS "+draft+" CASCADE") }

// Open opens an existing store and brings its schema up to date. It owns the
// store until Close. Errors: those above but ErrExists and ErrLost.
func Open(c Config) (*DB, error) {
	db, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", translate(err))
	}
	return &DB{rows: rows{h: db}, db: db}, nil
}

func open(c Config) (*sql.DB, error) {
	db, o, err := connect(c, schema)
	if err != nil {
		return nil, err
	}
	if err = usable(db); err == nil {
		err = verify(db)
	}
	if err == nil {
		err = checkForeign(db)
	}
	if err == nil {
		err = migrate(db)
	}
	if err == nil {
		err = checkTables(db)
	}
	if err == nil {
		err = o.take(db)
	}
	if err != nil {
		return nil, errors.Join(err, release(db))
	}
	return db, nil
}

// Remove destroys the store. It is for the one who has just made it and could
// not make the rest of the gateway.
func Remove(c Config) (err error) {
	db, _, err := connect(c, schema)
	if err != nil {
		return fmt.Errorf("remove store: %w", translate(err))
	}
	if err = verify(db); err == nil {
		err = run(db, "DROP SCHEMA "+schema+" CASCADE")
	}
	if err := errors.Join(err, release(db)); err != nil {
		return fmt.Errorf("remove store: %w", translate(err))
	}
	return nil
}

// connect opens the one connection, which holds the owner's lock. Names stand
// for what is in the schema within.
func connect(c Config, within string) (*sql.DB, *owner, error) {
	settings, err := c.settings()
	if err != nil {
		return nil, nil, err
	}
	o := &owner{within: within, wait: c.OwnerWait}
	if o.wait <= 0 {
		o.wait = ownerWait
	}
	db := stdlib.OpenDB(*settings, stdlib.OptionAfterConnect(o.begin))
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	db.SetConnMaxIdleTime(0)
	ctx, cancel := limit()
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		return nil, nil, errors.Join(translate(err), db.Close())
	}
	return db, o, nil
}

// usable refuses a server on which the promises of store.Raw do not hold.
func usable(db *sql.DB) error {
	type server struct {
		version         int
		encoding, fsync string
		standby         bool
	}
	s, err := row(db, func(r scanner) (s server, err error) {
		err = r.Scan(&s.version, &s.encoding, &s.fsync, &s.standby)
		return s, err
	}, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_setting('fsync'), pg_is_in_recovery()`)
	switch {
	case err != nil:
		return err
	case s.version < 150000:
		return fmt.Errorf("%w: it is older than PostgreSQL 15", ErrServer)
	case s.encoding != "UTF8" && s.encoding != "SQL_ASCII":
		return fmt.Errorf("%w: the database's encoding is %s, not UTF8", ErrServer, s.encoding)
	case s.fsync != "on":
		return fmt.Errorf("%w: it runs with fsync off, which loses what it acknowledged", ErrServer)
	case s.standby:
		return fmt.Errorf("%w: it is a standby, which cannot be written", ErrServer)
	}
	return nil
}

// comment returns a schema's comment, and whether there is such a schema.
func comment(db *sql.DB, name string) (text string, there bool, err error) {
	all, err := list(db, scanOne[string], `SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = $1`, name)
	if err != nil || len(all) == 0 {
		return "", false, err
	}
	return all[0], true, nil
}

// verify refuses a database without a store of ours.
func verify(db *sql.DB) error {
	text, there, err := comment(db, schema)
	switch {
	case err != nil:
		return err
	case !there:
		return ErrMissing
	case text != mark:
		return fmt.Errorf("%w (%s)", ErrForeign, schema)
	}
	return nil
}

// migrate runs the migrations that the store lacks. It goes forward only: a
// newer schema is refused.
func migrate(db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), txTimeout)
	defer cancel()
	s, err := schemaOf(ctx, p)
	if err != nil {
		return err
	}
	if s.Have > s.Want {
		return fmt.Errorf("%w (schema %d, this program knows %d)", ErrNewer, s.Have, s.Want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", translate(err))
	}
	return nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

func schemaOf(ctx context.Context, p *goose.Provider) (s store.Schema, err error) {
	if s.Have, s.Want, err = p.GetVersions(ctx); err != nil {
		return s, fmt.Errorf("read schema version: %w", translate(err))
	}
	return s, nil
}

// Status says which schema the store has. It changes nothing, and reads a newer
// one, too.
func Status(c Config) (s store.Schema, err error) {
	fail := func(err error) (store.Schema, error) {
		return store.Schema{}, fmt.Errorf("look at store: %w", translate(err))
	}
	db, _, err := connect(c, schema)
	if err != nil {
		return fail(err)
	}
	if err = usable(db); err == nil {
		err = verify(db)
	}
	if err == nil {
		s, err = status(db)
	}
	if err = errors.Join(err, release(db)); err != nil {
		return fail(err)
	}
	return s, nil
}

func status(db *sql.DB) (store.Schema, error) {
	p, err := provider(db)
	if err != nil {
		return store.Schema{}, err
	}
	ctx, cancel := limit()
	defer cancel()
	s, err := schemaOf(ctx, p)
	if err != nil {
		return s, err
	}
	s.Clear, err = rows{h: db}.hasClear()
	return s, err
}

// run executes statements without parameters.
func run(db *sql.DB, statements string) error {
	ctx, cancel := limit()
	defer cancel()
	_, err := db.ExecContext(ctx, statements)
	return translate(err)
}

// InTx runs fn in one transaction; see store.Raw. Whoever follows the store is
// told when it commits.
func (d *DB) InTx(fn func(store.Raw) error) (err error) {
	return transact(d.db, func(tx *sql.Tx) error {
		if err := fn(inTx{rows{h: tx, tx: true}}); err != nil {
			return err
		}
		_, err := rows{h: tx, tx: true}.exec("SELECT pg_notify('" + channel + "', '')")
		return err
	})
}

// appending is the lock of a transaction that may append to the control log:
// several processes do, and each reads the log's end first.
const appending = "SELECT pg_advisory_xact_lock(1330861145, 2)"

// transact runs fn in one transaction.
func transact(db *sql.DB, fn func(*sql.Tx) error) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), txTimeout)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", translate(err))
	}
	done := false
	defer func() {
		if !done { // fn panicked
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if _, err := tx.ExecContext(ctx, appending); err != nil {
		done = true
		return errors.Join(fmt.Errorf("begin: %w", translate(err)), rollback(tx))
	}
	if err := fn(tx); err != nil {
		done = true
		return errors.Join(err, rollback(tx))
	}
	done = true
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", translate(err))
	}
	return nil
}

// rollback gives up a transaction. One that ended with its connection is
// undone already.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return translate(err)
	}
	return nil
}

// Ping asks the server for a sign of life. ErrLost says that this process no
// longer owns the store, ErrUnreachable that it cannot tell.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.db.PingContext(ctx); err != nil {
		return translate(err)
	}
	return nil
}

// Close lets go of the store.
func (d *DB) Close() error {
	if err := release(d.db); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// release gives the lock back before the connection ends: the server notices
// the end only after a moment, in which the next process would be refused.
func release(db *sql.DB) error {
	if db.Stats().OpenConnections > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
		defer cancel()
		// When this fails there is no connection, and so no lock.
		_, _ = db.ExecContext(ctx, "SELECT pg_advisory_unlock_all()")
	}
	return db.Close()
}

// releaseTimeout bounds the wait for running work at the end.
const releaseTimeout = 5 * time.Second

// inTx is the Raw inside a transaction.
type inTx struct{ rows }

func (t inTx) InTx(fn func(store.Raw) error) error { return fn(t) }

// Scrub is for the database as a whole.
func (t inTx) Scrub() error { return errors.New("scrub: inside a transaction") }

func (t inTx) Close() error { return errors.New("close: inside a transaction") }
