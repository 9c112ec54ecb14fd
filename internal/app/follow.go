package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/postgres"
	"ostiary.dev/ostiary/internal/store/sealed"
)

// How a follower keeps up with the gateway that owns the store: it is told of
// each change, looks by itself from time to time, and refuses every call once
// it could not look for too long, because what it knows may have been revoked
// (TestFollowerRefusesWhatItCannotCheck).
const (
	followEvery = time.Second
	followStale = 4 * time.Second
	followWait  = 3 * time.Second // for one look at the database
)

// follower is what an App has that follows another one's store.
type follower struct {
	rows *postgres.Follower
	mark string                    // of the rows that the view was made of
	seen atomic.Pointer[time.Time] // when the view was last known to be the newest

	learn   sync.Mutex // guards learned
	learned time.Time  // when the keys were last read for somebody unknown
}

// follows reports whether the store is another gateway's.
func (c *Config) follows() bool { return c.Store.Follow != "" }

// keysAt returns the data directory that holds the keys.
func (a *App) keysAt() string {
	c := a.config.Load()
	if !c.follows() {
		return a.dir
	}
	if filepath.IsAbs(c.Store.Follow) {
		return c.Store.Follow
	}
	return filepath.Join(filepath.Dir(a.file), c.Store.Follow)
}

// openStore opens the store, as its owner or beside it.
func (a *App) openStore() (err error) {
	if !a.config.Load().follows() {
		a.store, err = a.storeAt().open(a.ring)
		return err
	}
	c, err := a.storeAt().server()
	if err != nil {
		return err
	}
	rows, err := postgres.OpenFollower(c)
	if err != nil {
		return explain(err)
	}
	a.follower = &follower{rows: rows}
	if a.store, err = sealed.OpenFollower(rows, a.ring); err != nil {
		return errors.Join(explain(err), rows.Close())
	}
	return nil
}

// caughtUp makes keys and rows those of now, as the control log describes them.
// Its owner may change both meanwhile: only what differs although nothing
// changed is damage.
func (a *App) caughtUp(ctx context.Context) (mark string, err error) {
	for range 5 {
		if mark, err = a.follower.rows.Mark(ctx); err != nil {
			return "", explain(err)
		}
		if err = a.readAnew(); err == nil {
			return mark, nil
		}
		after, e := a.follower.rows.Mark(ctx)
		if e != nil {
			return "", explain(e)
		}
		if after == mark {
			return "", err
		}
	}
	return "", fmt.Errorf("the store changes faster than it can be read: %w", err)
}

func (a *App) readAnew() error {
	if err := a.ring.Refresh(); err != nil {
		return err
	}
	if err := a.store.Reload(); err != nil {
		return explain(err)
	}
	newest, older, err := a.controls()
	if err != nil {
		return err
	}
	return explain(a.store.CheckRows(newest, older...))
}

// follow keeps the view until ctx ends.
func (a *App) follow(ctx context.Context) {
	changed := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() { defer close(done); a.follower.rows.Listen(ctx, changed) }()
	defer func() { <-done }()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		err := a.look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			a.health.Set(checkStore, stateOK, "")
		case errors.Is(err, store.ErrDamage):
			a.health.Set(checkStore, stateFail, "calls are refused: "+err.Error())
			a.live.Swap(registry.NewSnapshot(a.live.Load().Version(), nil, nil, nil, nil, nil))
		default:
			a.health.Set(checkStore, stateFail, "what may be revoked cannot be read; calls are refused until it can: "+err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-changed:
		}
	}
}

// look makes the view that of now, if it is another one.
func (a *App) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, followWait)
	defer cancel()
	began := a.clock.Now()
	mark, err := a.follower.rows.Mark(ctx)
	if err != nil {
		return explain(err)
	}
	if mark != a.follower.mark {
		if mark, err = a.caughtUp(ctx); err != nil {
			return err
		}
		a.vault.Forget() // somebody may have been erased, or a key destroyed
		if err := a.admin.Refresh(); err != nil {
			return err
		}
		a.follower.mark = mark
	}
	a.follower.seen.Store(&began)
	return nil
}

// behind refuses while the view may be too old.
func (a *App) behind() error {
	if a.follower == nil {
		return nil
	}
	seen := a.follower.seen.Load()
	if seen == nil || a.clock.Now().Sub(*seen) > followStale {
		return fault.New(fault.Stale)
	}
	return nil
}

// fresh is identify.Caller behind that check.
func (a *App) fresh(identify func(context.Context, *exchange.Exchange) error) func(context.Context, *exchange.Exchange) error {
	if a.follower == nil {
		return identify
	}
	return func(ctx context.Context, x *exchange.Exchange) error {
		if err := a.behind(); err != nil {
			return err
		}
		return identify(ctx, x)
	}
}

// initFollower makes the data directory of a gateway that follows another one:
// its configuration, and nothing that needs a key.
func initFollower(dir string, o InitOptions) error {
	if err := writeSynced(filepath.Join(dir, ConfigName), o.text()); err != nil {
		return err
	}
	a, err := Open(context.Background(), dir, Options{Clock: o.Clock, Environ: o.Environ})
	if err != nil {
		return err
	}
	return a.Close()
}

// ownerRefusal is what changes get at a follower; nil: this gateway owns its store.
func (a *App) ownerRefusal() error {
	if a.follower == nil {
		return nil
	}
	return &admin.Error{Code: admin.Unavailable, Message: "this gateway follows the store of another one, which alone changes it",
		Fix: "run the command there: --dir " + a.keysAt()}
}

// grown says how far the keys have grown; a follower's are another process's.
func (a *App) grown() func() (uint64, uint64) {
	if a.follower != nil {
		return nil
	}
	return a.ring.Grown
}
