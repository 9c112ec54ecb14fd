package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/postgres"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/sqlite"
)

// The drivers of the store.
const (
	driverSQLite   = "sqlite"
	driverPostgres = "postgres"
)

// location is where a gateway's store is.
type location struct {
	file    string // of SQLite
	dsn     string // reference to PostgreSQL's connection string; "" = SQLite
	base    string // folder at which a relative file: reference starts
	environ func(string) (string, bool)
	guard   *egress.Guard
}

// storeAt returns where the store of an opened data directory is.
func (a *App) storeAt() location {
	return location{file: filepath.Join(a.dir, storeName), dsn: a.config.Load().Store.DSN, base: filepath.Dir(a.file),
		environ: a.options.Environ, guard: a.guard}
}

// storeAt returns where Init makes the store of a gateway in dir.
func (o InitOptions) storeAt(dir string) location {
	return location{file: filepath.Join(dir, storeName), dsn: o.DSN, base: dir, environ: o.Environ, guard: egress.New(egress.Config{})}
}

// open opens the store with the keys that its rows are sealed under. A missing
// one is never made.
func (l location) open(ring *keys.Ring) (*sealed.Store, error) {
	raw, err := l.raw()
	if err != nil {
		return nil, err
	}
	s, err := sealed.Open(raw, ring)
	if err != nil {
		return nil, explain(err)
	}
	return s, nil
}

// raw opens the driver.
func (l location) raw() (store.Raw, error) {
	if l.dsn == "" {
		db, err := sqlite.Open(l.file)
		if err != nil {
			return nil, explain(err) // a nil *DB in a Raw is not nil
		}
		return db, nil
	}
	c, err := l.server()
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(c)
	if err != nil {
		return nil, explain(err)
	}
	return db, nil
}

// create makes an empty store.
func (l location) create() error {
	if l.dsn == "" {
		db, err := sqlite.Create(l.file)
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			return fmt.Errorf("make store: %w", err)
		}
		return nil
	}
	c, err := l.server()
	if err != nil {
		return err
	}
	db, err := postgres.Create(c)
	if err == nil {
		err = db.Close()
	}
	return explain(err)
}

// remove takes create back, as far as removing the directory does not.
func (l location) remove() error {
	if l.dsn == "" {
		return nil
	}
	c, err := l.server()
	if err != nil {
		return err
	}
	return explain(postgres.Remove(c))
}

// server resolves the reference to the connection string.
func (l location) server() (postgres.Config, error) {
	dsn, err := Resolve(l.dsn, l.base, l.environ, nil)
	if err != nil {
		return postgres.Config{}, &admin.Error{Code: admin.Invalid, Message: "the connection string of the store cannot be read",
			Cause: err.Error(), Fix: "set what store.dsn in " + ConfigName + " points to"}
	}
	// The operator chose the database: it may be on this machine or in a
	// private network.
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return l.guard.Dial(ctx, network, address, true)
	}
	return postgres.Config{DSN: string(dsn), Dial: dial}, nil
}

// explain says what to do about an error of the store.
func explain(err error) error {
	if err == nil {
		return nil
	}
	for _, one := range []struct {
		is   error
		code admin.Code
		fix  string
	}{
		{postgres.ErrDSN, admin.Invalid, "correct what store.dsn points to"},
		{postgres.ErrUnreachable, admin.Unavailable, "check that the database server runs, and the connection string that store.dsn points to"},
		{postgres.ErrServer, admin.Invalid, "use a server and a database that fit: ostiary config schema, store.dsn"},
		{postgres.ErrLocked, admin.Unavailable, "stop the other gateway; one process works on a store at a time"},
		{postgres.ErrLost, admin.Unavailable, "restart the gateway, and give each one its own database"},
		{postgres.ErrExists, admin.Exists, "name another database; the store in this one may be a gateway's"},
		{postgres.ErrMissing, admin.NotFound, "restore the database from its backup, or correct what store.dsn points to"},
		{postgres.ErrForeign, admin.Invalid, "name another database"},
		{postgres.ErrNewer, admin.Invalid, "use the version that wrote it, or a later one"},
		{postgres.ErrDamaged, admin.Failed, "restore the database from its backup"},
		{sqlite.ErrLocked, admin.Unavailable, "stop the other program that has the database open; one process works on it at a time"},
		{sqlite.ErrMissing, admin.NotFound, "restore it from a backup: ostiary restore"},
		{sqlite.ErrForeign, admin.Integrity, "find out who wrote to the database, then restore it from a backup: ostiary restore"},
		{sqlite.ErrDamaged, admin.Integrity, "keep the file as it is, and restore it from a backup: ostiary restore"},
		{sqlite.ErrNewer, admin.Invalid, "use the version that wrote it, or a later one"},
		{sqlite.ErrMode, admin.Invalid, "take the rights of others from the file: chmod 600"},
		{store.ErrReadOnly, admin.Unavailable, "make the file system and the file writable for the gateway's user"},
		{store.ErrDamage, admin.Integrity, "find out who wrote to the database, then restore it from its backup"},
	} {
		if errors.Is(err, one.is) {
			return &admin.Error{Code: one.code, Message: err.Error(), Fix: one.fix}
		}
	}
	return fmt.Errorf("store: %w", err)
}

// checkStore is the check that says whether the store can be changed.
const checkStore = "store"

// How often a store over a network is asked for a sign of life, and how long
// the answer may take.
const (
	storeEvery = 5 * time.Second
	storeWait  = 8 * time.Second
)

// watchStore keeps the store's check until ctx ends. Calls go on while the
// store cannot be reached: they are decided by the registry as it was read, and
// nothing but this process changes it.
func (a *App) watchStore(ctx context.Context) {
	if a.storeAt().dsn == "" {
		return
	}
	tick := time.NewTicker(storeEvery)
	defer tick.Stop()
	for a.lookAtStore(ctx, a.store.Ping) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookAtStore sets the store's check and reports whether the store is still
// ours. Another process that took it may have revoked what this one would
// allow, so from then on nobody is known here and every call is refused
// (TestPostgresGateway).
func (a *App) lookAtStore(ctx context.Context, ping func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	err := ping(ctx)
	switch {
	case err == nil:
		a.health.Set(checkStore, stateOK, "")
	case errors.Is(err, postgres.ErrLost):
		a.health.Set(checkStore, stateFail, "calls are refused: "+err.Error())
		a.live.Swap(registry.NewSnapshot(a.live.Load().Version(), nil, nil, nil, nil, nil))
		a.logError("the store belongs to another process; calls are refused", err)
		return false
	default:
		a.health.Set(checkStore, stateDegraded, "servers, agents and grants cannot be changed: "+err.Error())
	}
	return true
}
