// Package store is what the gateway keeps: the interface that operators'
// functions use (Store), the interface that every database driver implements
// (Raw), and what both promise.
//
// It holds no SQL, no key and no behaviour. A driver keeps rows that it cannot
// read; store/sealed turns nouns into such rows and back; the suite in storetest
// holds both to the promises written here and on registry.Store. It deliberately
// has no queries for the data path, which reads snapshots.
package store

import (
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// Store keeps the gateway's nouns. Methods are safe for concurrent use, each is
// atomic, and a write is on stable storage when it returns. Lists are sorted by
// key. Errors are those of registry, ErrDamage, or wrap the driver's own.
type Store interface {
	registry.Store
	Subjects
	auditlog.Rows

	// Meta returns the named value, or registry.ErrNotFound.
	Meta(key string) (string, error)
	// SetMeta sets the named value.
	SetMeta(key, value string) error

	// RowsDigest returns the digest over all rows, in lower-case hex, as they
	// are now: inside a transaction with its changes. The control entry that
	// describes a change carries it, and each start compares the stored rows
	// with the newest one.
	RowsDigest() (string, error)

	// Touched names what the transaction changed so far; outside one it is
	// Whole.
	Touched() registry.Touched

	// InTx runs fn with a Store whose changes become durable together when fn
	// returns nil, and vanish together when it returns an error or panics.
	// Transactions run one after another. fn must use only the Store that it
	// is given, and not after it returned; an InTx inside joins the outer one.
	InTx(fn func(Store) error) error

	// Close ends the use of the database after running work is done.
	Close() error
}

// Subjects are people and agents by pseudonym. Rows name them by nothing else;
// the keystore holds their names, each under a key of its own.
type Subjects interface {
	// Pseudonym returns the pseudonym of name, and makes one for a new name.
	Pseudonym(name string) (string, error)
	// Name returns the name behind a pseudonym. registry.ErrNotFound: it was
	// erased, or there was never such a one.
	Name(pseudonym string) (string, error)
	// EraseSubject deletes the subject's agent, tokens, certificates and
	// grants in one transaction and returns how many rows of each kind are
	// gone. It needs no key of the subject: it does the same before and after
	// the key's destruction, and none found is no error.
	EraseSubject(pseudonym string) (Erased, error)
	// ErasePseudonyms removes the tokens of those names for good, and returns how
	// many there were: a copy of a row that somebody puts back stands for nothing.
	ErasePseudonyms(names []string) (int, error)
}

// Erased counts the rows that an erasure deleted.
type Erased struct {
	Agents       int `json:"agents"`
	Tokens       int `json:"tokens"`
	Certificates int `json:"certificates"`
	Grants       int `json:"grants"`
	Others       int `json:"others,omitempty"` // nouns of which the subject is the owner
}
