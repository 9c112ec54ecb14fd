// Package auditlog is the book of who came and went: append-only Merkle logs
// (RFC 6962 hashes, C2SP signed checkpoints) in the rows of the store, with a
// writer that commits many entries at once, proofs, and verification.
//
// It may touch the Rows that it is given and the keys behind Signer and Sealer.
// It deliberately writes no tree algebra of its own (golang.org/x/mod/sumdb/tlog
// does that), holds no SQL, knows nothing of exchanges, and puts no personal
// data into a leaf: those carry commitments to sealed parts.
package auditlog

import (
	"errors"
	"time"
)

// Name names a log of a tenant: "control", or "calls/" and a year.
type Name string

// Control is the log of operators' acts and of the system; it is never dropped.
const Control Name = "control"

// Limits of one entry.
const (
	MaxPart = 64 << 10 // bytes of a part
	MaxLeaf = 400      // bytes of a leaf
)

// Errors of logs. Those of Rows are in rows.go.
var (
	ErrClosed   = errors.New("the log is closed")
	ErrFull     = errors.New("the log's queue is full")
	ErrStopped  = errors.New("the log cannot be written; it tries again by itself")
	ErrOversize = errors.New("the entry is larger than the log takes")
	ErrKind     = errors.New("the entry's kind does not belong into this log")
	ErrEntry    = errors.New("the entry's fields cannot stand in a leaf")
)

// Entry is what a caller hands in.
type Entry struct {
	Kind     Kind
	Time     time.Time
	Exchange string // id of the exchange; printable ASCII
	Decision string // "allow", "deny" or ""
	Server   string // id of the server, if any
	Policy   uint64 // version of the policy that decided
	Part     []byte // the header part: one JSON object, at most MaxPart bytes
}

// Place is where an entry stands. In cluster mode an acknowledged entry has its
// place in the queue first: Node and Seq are set and Index means nothing.
type Place struct {
	Log   Name
	Index uint64
	Leaf  []byte
	Node  string // cluster mode only
	Seq   uint64 // cluster mode only, from 1
}

// Record is one entry as it is read back.
type Record struct {
	Index uint64
	Leaf  []byte
	Part  []byte   // nil: the key of its part is gone
	Key   [32]byte // of the commitment; discloses this entry alone
}

// Info describes a log.
type Info struct {
	Name   Name
	Origin string
	Size   uint64
}
