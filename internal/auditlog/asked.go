package auditlog

import (
	"context"
	"time"
)

// What record asks of the logs besides book.go, stated here until the writer
// has it.

// Done reports, without waiting, whether the entry's fate is known, and then
// what Wait would return.
func (t *Ticket) Done() (place Place, ready bool, err error) { return Place{}, true, errSkeleton }

// Flush returns when everything that was submitted before has its fate.
func (b *Book) Flush(ctx context.Context) error { return errSkeleton }

// Stats is what health and metrics show of the calls logs and the control log.
type Stats struct {
	Queued     int           // entries that wait
	Entries    uint64        // appended since the book was opened
	Batches    uint64        // commits of them
	Took       time.Duration // of the newest commit
	Failed     error         // why the log cannot be written; nil: it can
	Size       uint64        // of the calls log of this year
	Signed     uint64        // size of its newest checkpoint
	SignedAt   time.Time     // of that checkpoint
	Cosigned   uint64        // size of the newest checkpoint with a cosignature
	CosignedAt time.Time
}

// Stats returns the present state.
func (b *Book) Stats() Stats { return Stats{} }

// OpenCalls calls fn for each exchange that has a call.decided without an end
// (a decision "deny" is an end, as are call.finished and call.outcome_unknown),
// in the calls logs of every year that may hold one. It begins at a stored
// low-water mark and moves it; it must be called before anything is submitted.
func (b *Book) OpenCalls(fn func(Name, Record) error) error { return errSkeleton }
