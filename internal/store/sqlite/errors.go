package sqlite

import (
	"database/sql"
	"errors"

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
		return errors.Join(ErrLocked, err)
	case lib.SQLITE_CORRUPT:
		return errors.Join(ErrDamaged, err)
	case lib.SQLITE_NOTADB:
		return errors.Join(ErrForeign, err)
	case lib.SQLITE_FULL: // also when the disk has no room
		return errors.Join(store.ErrFull, err)
	case lib.SQLITE_READONLY:
		return errors.Join(store.ErrReadOnly, err)
	case lib.SQLITE_IOERR:
		return errors.Join(store.ErrIO, err)
	}
	return err
}
