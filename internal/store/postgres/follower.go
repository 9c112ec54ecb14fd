package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/vault"
)

// ErrFollower says that rows are changed by the process that owns the store.
var ErrFollower = errors.New("this gateway follows another one, which alone changes the store")

// channel is where a committed change of rows is told.
const channel = "ostiary_rows"

// Follower is the store as a process sees it that does not own it: it reads the
// rows, and appends to the logs as Queue does. Safe for concurrent use.
type Follower struct{ *Queue }

var _ store.Raw = (*Follower)(nil)

// OpenFollower opens an existing store beside its owner.
func OpenFollower(c Config) (*Follower, error) {
	q, err := OpenQueue(c)
	if err != nil {
		return nil, err
	}
	return &Follower{q}, nil
}

// Mark returns a text that differs whenever the rows do that snapshots are made
// of: not those of pseudonyms, which are many, change all the time and are read
// one by one.
func (f *Follower) Mark(ctx context.Context) (mark string, err error) {
	err = f.db.QueryRowContext(ctx, `SELECT count(*)::text || '/' || coalesce(sum(revision), 0)::text || '/' ||
 coalesce(sum(hashtextextended(kind || ' ' || id, revision)::numeric), 0)::text FROM sealed_row WHERE kind < $1 OR kind > $1`, vault.Kind).Scan(&mark)
	if err != nil {
		return "", fmt.Errorf("look for changes: %w", translate(err))
	}
	return mark, nil
}

// Listen sends to changed after each committed change of rows, until ctx ends.
// What is sent while nobody receives is one wake-up. A lost connection is made
// again; whoever listens also looks by himself from time to time.
func (f *Follower) Listen(ctx context.Context, changed chan<- struct{}) {
	for ctx.Err() == nil {
		_ = f.listen(ctx, changed) // the one who looks by himself finds what is wrong
		pause := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

func (f *Follower) listen(ctx context.Context, changed chan<- struct{}) error {
	conn, err := f.db.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	err = conn.Raw(func(c any) error {
		native, ok := c.(*stdlib.Conn)
		if !ok {
			return errors.New("not a connection of pgx")
		}
		return hear(ctx, native.Conn(), changed)
	})
	return errors.Join(err, conn.Close())
}

func hear(ctx context.Context, conn *pgx.Conn, changed chan<- struct{}) error {
	end, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	defer conn.Close(end) // it waits for news: nobody else may get it
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		select {
		case changed <- struct{}{}:
		default:
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}

// InTx runs fn in one transaction, in which logs can be appended to.
func (f *Follower) InTx(fn func(store.Raw) error) error {
	return transact(f.db, func(tx *sql.Tx) error { return fn(followed{rows{h: tx, tx: true}}) })
}

// InsertRow refuses, as do the four below.
func (f *Follower) InsertRow(store.Row) error { return ErrFollower }

// InsertRows refuses.
func (f *Follower) InsertRows([]store.Row) error { return ErrFollower }

// UpdateRow refuses.
func (f *Follower) UpdateRow(int64, store.Row) error { return ErrFollower }

// DeleteRow refuses.
func (f *Follower) DeleteRow(string, string) error { return ErrFollower }

// DropClear refuses.
func (f *Follower) DropClear() error { return ErrFollower }

// Scrub has nothing to do.
func (f *Follower) Scrub() error { return nil }

// Ping asks the server for a sign of life.
func (f *Follower) Ping(ctx context.Context) error {
	if err := f.db.PingContext(ctx); err != nil {
		return translate(err)
	}
	return nil
}

// followed is the Raw of a follower inside a transaction.
type followed struct{ rows }

func (t followed) InsertRow(store.Row) error           { return ErrFollower }
func (t followed) InsertRows([]store.Row) error        { return ErrFollower }
func (t followed) UpdateRow(int64, store.Row) error    { return ErrFollower }
func (t followed) DeleteRow(string, string) error      { return ErrFollower }
func (t followed) DropClear() error                    { return ErrFollower }
func (t followed) InTx(fn func(store.Raw) error) error { return fn(t) }
func (t followed) Scrub() error                        { return errors.New("scrub: inside a transaction") }
func (t followed) Close() error                        { return errors.New("close: inside a transaction") }
