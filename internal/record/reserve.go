package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"ostiary.dev/ostiary/internal/auditlog"
)

// Space that must be free before a call may begin: what every call under way
// may still write, and headroom for the pages of the database.
const (
	perEntry = 4 << 10
	headroom = 1 << 20
	plenty   = 1 << 30 // beyond this, not every call looks
	looks    = 64      // calls that one look at plenty of space admits
)

// ErrNoRoom says that the disk has no room for the entries of a further call.
var ErrNoRoom = errors.New("no room on the disk for the log")

// Reserve keeps room for the outcomes of calls under way. It holds blocks of
// the disk in a file of its own; when the log cannot be written, it gives them
// up, admits no further call and takes them again when there is room. A nil
// Reserve admits everything.
type Reserve struct {
	path string
	size int64
	free func(path string) (int64, bool) // free bytes of the file system; false = cannot tell

	mu       sync.Mutex
	inflight int64
	trusted  int  // calls that are admitted without another look
	given    bool // the blocks were given up
}

// OpenReserve lays size bytes aside at path. On a full disk it opens all the
// same and admits no call until there is room.
func OpenReserve(path string, size int64) (*Reserve, error) {
	r := &Reserve{path: path, size: size, free: freeBytes}
	if err := r.lay(); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("lay the reserve: %w", err)
		}
		r.given = true
	}
	return r, nil
}

// Admit admits one more call, or returns ErrNoRoom. Each success must be
// followed by one Release.
func (r *Reserve) Admit() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given {
		if err := r.lay(); err != nil {
			return fmt.Errorf("%w: %v", ErrNoRoom, err)
		}
		r.given = false
	}
	if !r.room() {
		return ErrNoRoom
	}
	r.inflight++
	return nil
}

// room reports whether the entries of one more call fit. The caller holds mu.
func (r *Reserve) room() bool {
	if r.trusted > 0 {
		r.trusted--
		return true
	}
	free, ok := r.free(r.path)
	if !ok {
		return true
	}
	if free > plenty {
		r.trusted = looks
	}
	return free >= headroom+(r.inflight+1)*perEntry
}

// Release gives back what Admit took.
func (r *Reserve) Release() {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.inflight--
	r.mu.Unlock()
}

// Healthy reports whether a call would be admitted now.
func (r *Reserve) Healthy() error {
	if err := r.Admit(); err != nil {
		return err
	}
	r.Release()
	return nil
}

// lay fills the reserve with real blocks. The caller holds mu, or is alone.
func (r *Reserve) lay() error {
	if st, err := os.Stat(r.path); err == nil && st.Size() == r.size {
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for at := int64(0); at < r.size && err == nil; at += int64(len(block)) {
		_, err = f.WriteAt(block[:min(int64(len(block)), r.size-at)], at)
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		err = errors.Join(err, os.Truncate(r.path, 0))
	}
	return err
}

// give gives the blocks up.
func (r *Reserve) give() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given, r.trusted = true, 0
	// When even this fails there is nothing left to give; the append that
	// follows says so.
	_ = os.Truncate(r.path, 0)
}

// Guard returns rows whose appends of calls may use the reserve: one that fails
// is tried once more when the blocks are given up. An append that failed after
// all, but whose rows are there, is refused by the log's size and not doubled.
func (r *Reserve) Guard(rows auditlog.Rows) auditlog.Rows {
	if r == nil {
		return rows
	}
	return &guarded{Rows: rows, reserve: r}
}

type guarded struct {
	auditlog.Rows
	reserve *Reserve
}

// AppendAudit implements auditlog.Rows.
func (g *guarded) AppendAudit(b auditlog.Batch) error {
	err := g.Rows.AppendAudit(b)
	if err == nil || errors.Is(err, auditlog.ErrConflict) {
		return err
	}
	g.reserve.give()
	again := g.Rows.AppendAudit(b)
	if again == nil || errors.Is(again, auditlog.ErrConflict) {
		return again
	}
	return errors.Join(err, again)
}
