// Package store is the one interface that every database driver implements:
// the union of what the nouns need, a few named values, and transactions.
//
// It holds no SQL and no behaviour; the drivers in its folders do, and the
// suite in storetest holds them to the promises written here and on
// registry.Store. It deliberately has no queries for the data path, which
// reads snapshots.
package store

import "ostiary.dev/ostiary/internal/registry"

// Store keeps the gateway's rows. Methods are safe for concurrent use, each is
// atomic, and a write is on stable storage when it returns. Lists are sorted
// by key. Errors are those of registry or wrap the driver's own.
type Store interface {
	registry.Store

	// Meta returns the named value, or registry.ErrNotFound.
	Meta(key string) (string, error)
	// SetMeta sets the named value.
	SetMeta(key, value string) error

	// InTx runs fn with a Store whose changes become durable together when fn
	// returns nil, and vanish together when it returns an error or panics.
	// Transactions run one after another. fn must use only the Store that it
	// is given, and not after it returned; an InTx inside joins the outer one.
	InTx(fn func(Store) error) error

	// Close ends the use of the database after running work is done.
	Close() error
}
