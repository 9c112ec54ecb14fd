package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// TestTranslate names the meaning of each error that a driver can hand out.
func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		native error
		want   error
	}{
		{driver.ErrBadConn, ErrUnreachable}, // the pool gave up on broken connections
		{&net.OpError{Op: "read", Err: errors.New("reset")}, ErrUnreachable},
		{context.DeadlineExceeded, ErrUnreachable},
		{&pgconn.PgError{Code: "57P01"}, ErrUnreachable},
		{&pgconn.PgError{Code: "08006"}, ErrUnreachable},
		{&pgconn.PgError{Code: uniqueViolation}, registry.ErrExists},
		{&pgconn.PgError{Code: foreignKeyViolation}, registry.ErrNotFound},
		{&pgconn.PgError{Code: lockNotAvailable}, ErrLocked},
		{&pgconn.PgError{Code: dataCorrupted}, ErrDamaged},
		{sql.ErrNoRows, registry.ErrNotFound},
		{&pgconn.PgError{Code: diskFull}, store.ErrFull},
		{&pgconn.PgError{Code: ioError}, store.ErrIO},
		{&pgconn.PgError{Code: readOnlyTransaction}, store.ErrReadOnly},
		{errors.Join(driver.ErrBadConn, ErrLost), ErrLost},
	} {
		if got := translate(fmt.Errorf("call: %w", c.native)); !errors.Is(got, c.want) {
			t.Errorf("%v is %v, want %v", c.native, got, c.want)
		}
	}
	ours := errors.New("ours")
	if got := translate(ours); got != ours { // the very same
		t.Errorf("an error of our own became %v", got)
	}
}
