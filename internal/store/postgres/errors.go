package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// SQLSTATE codes that have a meaning of their own here (PostgreSQL 15,
// appendix A).
const (
	uniqueViolation      = "23505"
	foreignKeyViolation  = "23503"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	undefinedTable       = "42P01"
	undefinedColumn      = "42703"
	dataCorrupted        = "XX001"
	indexCorrupted       = "XX002"
	diskFull             = "53100"
	ioError              = "58030"
	readOnlyTransaction  = "25006"
)

// translate gives a native error the meaning that callers know; others pass.
func translate(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return registry.ErrNotFound
	}
	for _, own := range []error{ErrDSN, ErrUnreachable, ErrServer, ErrExists, ErrMissing, ErrForeign, ErrDamaged, ErrNewer, ErrLocked, ErrLost} {
		if errors.Is(err, own) {
			return err // translated where it arose
		}
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return unreachable(connect.Unwrap())
	}
	var native *pgconn.PgError
	if !errors.As(err, &native) {
		return lost(err)
	}
	switch native.Code {
	case uniqueViolation:
		return registry.ErrExists
	case foreignKeyViolation:
		return registry.ErrNotFound // the agent or server that a row names
	case lockNotAvailable:
		return fmt.Errorf("%w (%w)", ErrLocked, native)
	case undefinedTable, undefinedColumn, dataCorrupted, indexCorrupted:
		return fmt.Errorf("%w (%w)", ErrDamaged, native)
	case diskFull:
		return fmt.Errorf("%w (%w)", store.ErrFull, native)
	case ioError:
		return fmt.Errorf("%w (%w)", store.ErrIO, native)
	case readOnlyTransaction:
		return fmt.Errorf("%w (%w)", store.ErrReadOnly, native)
	}
	if strings.HasPrefix(native.Code, "08") || strings.HasPrefix(native.Code, "57P") {
		return unreachable(native)
	}
	return native
}

// lost tells a broken connection or a timeout from an error of our own.
func lost(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) {
		return unreachable(err)
	}
	return err
}

// unreachable keeps the text of the cause alone: its chain holds the
// connection's settings, with the password, and kinds of refusal that are
// meant for callers of tools.
func unreachable(cause error) error {
	return fmt.Errorf("%w: %s", ErrUnreachable, strings.ReplaceAll(cause.Error(), "\n", "; "))
}

// again reports whether the database asks to repeat a statement.
func again(err error) bool {
	var native *pgconn.PgError
	return errors.As(err, &native) && (native.Code == serializationFailure || native.Code == deadlockDetected)
}
