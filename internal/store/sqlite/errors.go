package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// translate gives a native error the meaning that callers know; others pass.
func translate(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return registry.ErrNotFound
	}
	for _, own := range []error{ErrDamaged, ErrForeign, ErrLocked, store.ErrFull, store.ErrReadOnly, store.ErrIO} {
		if errors.Is(err, own) {
			return err // translated where it arose: its cause is said once
		}
	}
	var native *sqlite.Error
	if !errors.As(err, &native) {
		return err
	}
	switch native.Code() {
	case lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_UNIQUE:
		return registry.ErrExists
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return registry.ErrNotFound // the agent or server that a row names
	}
	switch native.Code() & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fmt.Errorf("%w (%w)", ErrLocked, err)
	case lib.SQLITE_CORRUPT:
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	case lib.SQLITE_NOTADB:
		return fmt.Errorf("%w (%w)", ErrForeign, err)
	case lib.SQLITE_FULL: // also when the disk has no room
		return fmt.Errorf("%w (%w)", store.ErrFull, err)
	case lib.SQLITE_READONLY:
		return fmt.Errorf("%w (%w)", store.ErrReadOnly, err)
	case lib.SQLITE_IOERR:
		return fmt.Errorf("%w (%w)", store.ErrIO, err)
	}
	return err
}
