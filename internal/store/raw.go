package store

import (
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// Row is one sealed row. Nothing in it but Kind and Revision has a meaning for
// whoever holds the database.
type Row struct {
	Kind     string // closed set, in store/sealed
	ID       string // blind index of the row's name
	Revision int64  // from 1, counts changes
	Body     []byte // seal record, bound to Kind, ID and Revision
}

// Raw keeps rows that it cannot read. Every method is atomic and durable on
// return, safe for concurrent use, and lists by the bytes of kind and id.
type Raw interface {
	auditlog.Rows

	Row(kind, id string) (Row, error) // registry.ErrNotFound
	Rows(kind string) ([]Row, error)  // of one kind, by id
	EachRow(fn func(Row) error) error // all rows; fn must not use the Raw
	// EachRowBut is EachRow without the rows of a kind, which it does not read.
	EachRowBut(kind string, fn func(Row) error) error
	// RowsAfter returns at most n rows of a kind, by id, whose ids come after the
	// given one.
	RowsAfter(kind, id string, n int) ([]Row, error)
	InsertRow(Row) error              // registry.ErrExists
	InsertRows([]Row) error           // many, all or none; registry.ErrExists
	UpdateRow(old int64, r Row) error // replaces revision old; registry.ErrNotFound, registry.ErrConflict
	DeleteRow(kind, id string) error  // registry.ErrNotFound

	// Clear returns what schema 1 kept in clear, or nil when nothing of it is
	// left. DropClear removes its tables; both belong into one transaction
	// with the inserts of the sealed rows.
	Clear() (*Clear, error)
	DropClear() error
	// Scrub overwrites what DropClear freed in the database's own files. It is
	// called after each opening, outside a transaction, does nothing when
	// nothing is due, and may be cut short and repeated.
	Scrub() error

	// InTx runs fn in one transaction; the promises are those of Store.InTx.
	InTx(fn func(Raw) error) error
	Close() error
}

// Clear is everything that schema 1 kept in clear.
type Clear struct {
	Meta         map[string]string
	Servers      []registry.Server
	Agents       []registry.Agent
	Tokens       []registry.Token
	Certificates []registry.Certificate
	Grants       []registry.Grant
}

// Schema is the state of a database's schema.
type Schema struct {
	Have  int64 // what the database has
	Want  int64 // what this program knows
	Clear bool  // rows of schema 1 still wait to be sealed
}

// Errors of the machine below either driver. What was not acknowledged is not
// stored, and the store goes on by itself when the cause is gone.
var (
	ErrFull     = errors.New("the store's disk is full; make room")
	ErrReadOnly = errors.New("the store cannot be written; its disk or database is read-only")
	ErrIO       = errors.New("the store's disk fails; look at the system's log and replace it")
)

// ErrDamage is what every *Damage is.
var ErrDamage = errors.New("a stored row is not what the gateway wrote")

// Damage is a row that was edited, moved, put back to an older state, deleted
// or added behind the gateway's back. Whatever needs the row fails.
type Damage struct {
	Kind string // of the row; "" when only the sum of all rows tells
	ID   string // blind index; may stand in logs
	Why  string
}

// Error names the row by what outsiders may know.
func (d *Damage) Error() string {
	if d.Kind == "" {
		return fmt.Sprintf("%v: %s", ErrDamage, d.Why)
	}
	return fmt.Sprintf("%v: %s row %s %s", ErrDamage, d.Kind, d.ID, d.Why)
}

// Unwrap returns ErrDamage.
func (d *Damage) Unwrap() error { return ErrDamage }
