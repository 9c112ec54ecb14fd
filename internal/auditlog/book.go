package auditlog

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

// Sealer seals what only the gateway may read. keys.Ring is one.
type Sealer interface {
	SealAudit(id keys.Identity, plain []byte) ([]byte, error)
	OpenAudit(id keys.Identity, sealed []byte) ([]byte, error)
}

// Config is what Open needs. Zero values of limits are the defaults.
type Config struct {
	Rows   Rows
	Origin string // "<gw>/<tenant>": what the origins of the logs begin with
	Tenant string // of the sealed parts; "" is keys.DefaultTenant
	Sealer Sealer
	Clock  clock.Clock

	// Signer returns the key that signs checkpoints of an origin, VKeys the
	// public keys (C2SP vkey lines) that its checkpoints may carry, the present
	// one first.
	Signer func(origin string) note.Signer
	VKeys  func(origin string) []string

	QueueEntries int // most entries that wait; default 65,536
	QueueBytes   int // most bytes of parts that wait; default 64 MiB

	// Stepped is told when the clock went back: order in the log is by index.
	Stepped func(from, to time.Time)
	// Changed is told when a log can no longer be written (err), and when it
	// can again (nil). It must not block.
	Changed func(log Name, err error)
}

// Book is the logs of one tenant. Safe for concurrent use.
type Book struct{ c Config }

var errSkeleton = errors.New("auditlog: not built yet")

// Open opens the logs and checks them: size, right edge, tail and newest
// checkpoint must agree, else *Broken.
func Open(c Config) (*Book, error) { return nil, errSkeleton }

// Close writes what waits, signs last checkpoints and ends the writers. Entries
// that still wait when ctx ends are refused.
func (b *Book) Close(ctx context.Context) error { return errSkeleton }

// Calls returns the calls log of the present year.
func (b *Book) Calls() *Log { return nil }

// Control returns the control log.
func (b *Book) Control() *Log { return nil }

// Logs lists the logs, sorted by name.
func (b *Book) Logs() []Info { return nil }

// Log returns a log that exists, or ErrNotFound.
func (b *Book) Log(n Name) (*Log, error) { return nil, errSkeleton }

// AppendIn adds e to the control log through rows, which belong to a
// transaction of the caller: the entry stands when that commits.
func (b *Book) AppendIn(rows Rows, e Entry) (Place, error) { return Place{}, errSkeleton }

// Log is one log.
type Log struct{ name Name }

// Ticket is an entry that waits for its commit.
type Ticket struct{ done chan struct{} }

// Broken is a log that does not verify: the first index that is bad, and why.
type Broken struct {
	Log   Name
	Index uint64
	Why   string
}

func (e *Broken) Error() string { return string(e.Log) + ": " + e.Why }

// Submit hands e to the writer and does not wait. Wait on the ticket tells what
// became of it.
func (l *Log) Submit(e Entry) *Ticket { return &Ticket{} }

// Wait returns when the entry is on stable storage. An error but ctx's says
// that the entry is not in the log and never will be.
func (t *Ticket) Wait(ctx context.Context) (Place, error) { return Place{}, errSkeleton }

// Name returns the log's name, Origin what its checkpoints call it.
func (l *Log) Name() Name     { return l.name }
func (l *Log) Origin() string { return "" }

// Size returns the number of entries.
func (l *Log) Size() uint64 { return 0 }

// Checkpoint returns the newest signed checkpoint, with the cosignatures that
// are stored, or ErrNotFound.
func (l *Log) Checkpoint() (signed []byte, size uint64, err error) { return nil, 0, errSkeleton }

// Sign returns a checkpoint of what is durable now.
func (l *Log) Sign(ctx context.Context) (signed []byte, size uint64, err error) {
	return nil, 0, errSkeleton
}

// Cosign stores a newest checkpoint with cosignatures added to it.
func (l *Log) Cosign(size uint64, signed []byte) error { return errSkeleton }

// Read calls fn for the entries in [from, to), in order, until fn fails.
func (l *Log) Read(from, to uint64, fn func(Record) error) error { return errSkeleton }

// Proof returns the inclusion proof of index in the tree of size.
func (l *Log) Proof(index, size uint64) ([]tlog.Hash, error) { return nil, errSkeleton }

// Consistency returns the proof that the tree of size extends that of old.
func (l *Log) Consistency(old, size uint64) ([]tlog.Hash, error) { return nil, errSkeleton }

// Hashes returns the log's stored hashes, for tiles.
func (l *Log) Hashes() tlog.HashReader { return nil }

// Verify recomputes the whole log. *Broken names the first index that is bad.
func (l *Log) Verify(ctx context.Context, progress func(done, total uint64)) error {
	return errSkeleton
}
