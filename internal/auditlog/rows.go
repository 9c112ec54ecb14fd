package auditlog

import (
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// Errors of Rows.
var (
	ErrConflict = errors.New("the log has another size meanwhile")
	ErrNotFound = errors.New("the log has no such entry")
)

// Batch is what one commit adds to a log.
type Batch struct {
	Log       Name
	First     uint64 // index of the first entry
	Count     uint64
	Leaves    []byte // per entry: length as uvarint, bytes
	HashStart uint64 // stored-hash index of the first of Hashes
	Hashes    []byte // 32 bytes each, in tlog.StoredHashIndex order
	Parts     []byte // sealed; nil when they are gone

	// Checkpoint, when set, is stored with the batch: that of a tree which is
	// stable already. It costs no commit of its own. Only AppendAudit reads it.
	Checkpoint *Checkpoint
}

// Head is a log and how many entries it has.
type Head struct {
	Log  Name
	Size uint64
}

// Rows is what a driver keeps of the logs. A method is atomic; a write is on
// stable storage when it returns, or when the surrounding transaction commits.
// Any error of AppendAudit but ErrConflict may come after the rows are stored:
// the caller finds out by reading. Safe for concurrent use.
type Rows interface {
	// AuditHeads returns every log that has entries or checkpoints, with its
	// size, sorted by name.
	AuditHeads() ([]Head, error)
	// AuditSize returns the number of entries; 0 for a log that has none.
	AuditSize(Name) (uint64, error)
	// AppendAudit adds b, or returns ErrConflict unless the log's size is
	// b.First. Leaves, hashes and parts appear together or not at all.
	AppendAudit(b Batch) error
	// AuditBatch returns the batch that holds index, or ErrNotFound.
	AuditBatch(log Name, index uint64) (Batch, error)
	// AuditBatches returns at most limit batches in order: the one that holds
	// from, and those after it.
	AuditBatches(log Name, from uint64, limit int) ([]Batch, error)
	// AuditHashes returns stored hashes by their index, or ErrNotFound.
	AuditHashes(log Name, indexes []int64) ([]tlog.Hash, error)
	// SaveCheckpoint stores a signed note, over an older one of the same size.
	SaveCheckpoint(Name, Checkpoint) error
	// LatestCheckpoint returns the one of the greatest size, or ErrNotFound.
	LatestCheckpoint(Name) (Checkpoint, error)
	// Checkpoints returns at most limit of them in order of size, beginning
	// with the first of at least from.
	Checkpoints(log Name, from uint64, limit int) ([]Checkpoint, error)
}

// Checkpoint is a stored signed note.
type Checkpoint struct {
	Size uint64
	Note []byte
	// Mark is where a start looks for calls without an outcome: every call
	// decided before that index has its outcome.
	Mark uint64
}
