package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/postgres"
	"ostiary.dev/ostiary/internal/store/sqlite"
)

// Migration is what became of one format.
type Migration struct {
	What   string `json:"what"`   // "store" or "keystore"
	Before int64  `json:"before"` // format that was found
	After  int64  `json:"after"`
	Known  int64  `json:"known"` // the newest that this program knows
	State  string `json:"state"` // "current", "due" or "migrated"
}

// Migrate shows the formats of the store and the keystore in dir, and unless it
// should only look, brings them up to date, forward only. What a newer program
// wrote is refused. While a gateway runs everything is current: it migrated at
// its start.
func Migrate(ctx context.Context, dir string, o Options, look bool) (all []Migration, err error) {
	c, err := Load(dir, o.Environ)
	if err != nil {
		return nil, err
	}
	l, err := takeLock(ctx, filepath.Join(c.DataDir, lockName), 0)
	if errors.Is(err, ErrLocked) {
		return migratedByGateway(ctx, dir, o)
	}
	if err != nil {
		return nil, err
	}
	all, err = formats(c, dir, o)
	if err := errors.Join(err, l.release()); err != nil || look {
		return all, err
	}
	a, err := Open(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	if err := a.Close(); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].State == "due" {
			all[i].State = "migrated"
		}
		all[i].After = all[i].Known
	}
	return all, nil
}

// formats reads both formats. The caller holds the directory's lock.
func formats(c *Config, dir string, o Options) ([]Migration, error) {
	have, want, err := keys.Status(c.DataDir)
	if err != nil {
		return nil, explainNewer(err)
	}
	at := location{file: filepath.Join(c.DataDir, storeName), dsn: c.Store.DSN, base: dir, environ: o.Environ, guard: egress.New(egress.Config{})}
	s, err := at.status()
	if err != nil {
		return nil, explainNewer(err)
	}
	if s.Have > s.Want {
		return nil, &admin.Error{Code: admin.Invalid, Fix: "use the version that wrote it, or a later one",
			Message: fmt.Sprintf("a newer version of this program wrote the store: schema %d, this program knows %d", s.Have, s.Want)}
	}
	return []Migration{migration("keystore", int64(have), int64(want), false), migration("store", s.Have, s.Want, s.Clear)}, nil
}

func migration(what string, have, want int64, unsealed bool) Migration {
	m := Migration{What: what, Before: have, After: have, Known: want, State: "current"}
	if have < want || unsealed {
		m.State = "due"
	}
	return m
}

// status looks at the store without changing it.
func (l location) status() (store.Schema, error) {
	if l.dsn == "" {
		return sqlite.Status(l.file)
	}
	c, err := l.server()
	if err != nil {
		return store.Schema{}, err
	}
	s, err := postgres.Status(c)
	return s, explain(err)
}

func explainNewer(err error) error {
	if errors.Is(err, keys.ErrVersion) || errors.Is(err, sqlite.ErrNewer) {
		return &admin.Error{Code: admin.Invalid, Message: err.Error(), Fix: "use the version that wrote it, or a later one"}
	}
	return err
}

// migratedByGateway says that a gateway that answers has current formats.
func migratedByGateway(ctx context.Context, dir string, o Options) ([]Migration, error) {
	api, done, err := Connect(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	s, err := api.Status(ctx, admin.None{})
	if err := errors.Join(err, done()); err != nil {
		return nil, err
	}
	return []Migration{{What: "keystore and store of the gateway that runs, version " + s.Version, State: "current"}}, nil
}
