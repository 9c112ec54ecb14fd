package auditlog

import (
	"time"

	"golang.org/x/mod/sumdb/note"

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
	// Both are asked for each checkpoint, since a key may be rotated meanwhile.
	// Signers, when set, returns all who sign the next one: after a rotation
	// also the key before it, so that whoever trusts that one can follow.
	Signer  func(origin string) note.Signer
	Signers func(origin string) []note.Signer
	VKeys   func(origin string) []string

	// Restored is the Unix second at which the gateway was restored from a
	// backup; 0: never. Only the logs of that time are written and signed.
	Restored int64
	// Purged returns the index before which entries of a log may lack their
	// parts because retention removed them. Nil: none may.
	Purged func(Name) uint64

	// Cluster, if set, lets other processes write the calls logs too.
	Cluster *Cluster

	QueueEntries int // most entries that wait; default 65,536
	QueueBytes   int // most bytes of parts that wait; default 64 MiB

	// The functions below are called by the writers; they must not block, and
	// may be nil.

	// Stepped is told when the clock stepped, or the machine slept: order in
	// the log is by index, whatever the times say.
	Stepped func(from, to time.Time)
	// Changed is told when a log can no longer be written (err), and when it
	// can again (nil). An err that is a *Broken says that what is stored was
	// changed from outside.
	Changed func(log Name, err error)
	// Signed is told of each new checkpoint.
	Signed func(log Name, size uint64, note []byte)
}

// withDefaults fills what is zero.
func (c Config) withDefaults() Config {
	if c.Tenant == "" {
		c.Tenant = keys.DefaultTenant
	}
	if c.QueueEntries == 0 {
		c.QueueEntries = 1 << 16
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 64 << 20
	}
	if c.Cluster != nil {
		own := *c.Cluster
		if own.Poll <= 0 {
			own.Poll = 5 * time.Millisecond
		}
		if own.Retry <= 0 {
			own.Retry = 100 * time.Millisecond
		}
		c.Cluster = &own
	}
	return c
}
