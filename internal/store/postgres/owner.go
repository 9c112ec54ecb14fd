package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// The store's advisory lock: a number of ours, "OSTY", and which of our locks.
const lockKey = "1330861145, 1"

// owner makes every connection the only one to the store. The lock belongs to
// the server's session and ends with it, so a connection that broke may have
// been followed by another process; the epoch, which each opening counts up,
// tells.
type owner struct {
	within string
	wait   time.Duration
	epoch  atomic.Int64 // of our opening; 0 before take
}

// begin prepares a new connection: settings, lock, epoch. A connection that it
// refuses is never used, so no statement of a process that lost the store
// reaches it (TestLostStore).
func (o *owner) begin(ctx context.Context, conn *pgx.Conn) error {
	err := o.prepare(ctx, conn)
	if err != nil {
		err = errors.Join(translate(err), conn.Close(ctx))
	}
	return err
}

func (o *owner) prepare(ctx context.Context, conn *pgx.Conn) error {
	if err := o.set(ctx, conn); err != nil {
		return err
	}
	// Before the lock as well: the next owner may hold it for long.
	if err := o.compare(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock("+lockKey+")"); err != nil {
		return fmt.Errorf("own the store: %w", err)
	}
	return o.compare(ctx, conn)
}

// set makes the settings on which the promises of the store stand.
func (o *owner) set(ctx context.Context, conn *pgx.Conn) error {
	for _, s := range [][2]string{
		{"search_path", o.within + ", pg_temp"},
		{"synchronous_commit", "on"},
		{"default_transaction_isolation", "read committed"}, // the lock keeps others away
		{"default_transaction_read_only", "off"},
		{"row_security", "off"}, // a row that is hidden is an error, not a row less
		{"statement_timeout", milliseconds(callTimeout)},
		{"idle_in_transaction_session_timeout", milliseconds(txTimeout)},
		{"tcp_keepalives_idle", "15"}, // a process that vanished lets go within 30 s
		{"tcp_keepalives_interval", "5"},
		{"tcp_keepalives_count", "3"},
		{"lock_timeout", milliseconds(o.wait)},
	} {
		if _, err := conn.Exec(ctx, "SELECT set_config($1, $2, false)", s[0], s[1]); err != nil {
			return fmt.Errorf("set %s: %w", s[0], err)
		}
	}
	return nil
}

// compare returns ErrLost when somebody opened the store after us.
func (o *owner) compare(ctx context.Context, conn *pgx.Conn) error {
	ours := o.epoch.Load()
	if ours == 0 {
		return nil
	}
	var now int64
	if err := conn.QueryRow(ctx, "SELECT epoch FROM owner").Scan(&now); err != nil {
		return fmt.Errorf("read the owner: %w", err)
	}
	if now != ours {
		return ErrLost
	}
	return nil
}

// take counts the epoch up: from now on the store is ours.
func (o *owner) take(db *sql.DB) error {
	epoch, err := row(db, scanOne[int64], "UPDATE owner SET epoch = epoch + 1 RETURNING epoch")
	if err != nil {
		return fmt.Errorf("own the store: %w", err)
	}
	o.epoch.Store(epoch)
	return nil
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
