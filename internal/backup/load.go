package backup

import (
	"encoding/base64"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

// Loader puts what an archive holds into an empty store, many records to a
// transaction. The store is nobody's yet: a failure leaves it to be thrown
// away.
type Loader struct {
	raw     store.Raw
	pending []func(store.Raw) error
	size    int
	heads   map[auditlog.Name]uint64
}

// loadBytes is how much goes into one transaction.
const loadBytes = 8 << 20

// NewLoader returns the loader of a store. It refuses one that holds anything.
func NewLoader(raw store.Raw) (*Loader, error) {
	used := false
	if err := raw.EachRow(func(store.Row) error { used = true; return nil }); err != nil {
		return nil, fmt.Errorf("look at the new store: %w", err)
	}
	heads, err := raw.AuditHeads()
	if err != nil {
		return nil, fmt.Errorf("look at the new store: %w", err)
	}
	if used || len(heads) > 0 {
		return nil, fmt.Errorf("the new store is not empty: %w", ErrExists)
	}
	return &Loader{raw: raw, heads: map[auditlog.Name]uint64{}}, nil
}

func (l *Loader) later(size int, do func(store.Raw) error) error {
	l.pending = append(l.pending, do)
	if l.size += size + 64; l.size < loadBytes {
		return nil
	}
	return l.Flush()
}

// Flush stores what waits.
func (l *Loader) Flush() error {
	if len(l.pending) == 0 {
		return nil
	}
	err := l.raw.InTx(func(raw store.Raw) error {
		for _, do := range l.pending {
			if err := do(raw); err != nil {
				return err
			}
		}
		return nil
	})
	l.pending, l.size = nil, 0
	if err != nil {
		return fmt.Errorf("load the backup: %w", err)
	}
	return nil
}

// Row adds a row.
func (l *Loader) Row(r store.Row) error {
	return l.later(len(r.Body), func(raw store.Raw) error { return raw.InsertRow(r) })
}

// Batch adds a batch at the end of its log.
func (l *Loader) Batch(b auditlog.Batch) error {
	if at := l.heads[b.Log]; b.First != at {
		return damaged("the log %s goes on at %d instead of %d", b.Log, b.First, at)
	}
	l.heads[b.Log] = b.First + b.Count
	return l.later(len(b.Leaves)+len(b.Hashes)+len(b.Parts), func(raw store.Raw) error { return raw.AppendAudit(b) })
}

// Checkpoint adds a checkpoint.
func (l *Loader) Checkpoint(log auditlog.Name, c auditlog.Checkpoint) error {
	return l.later(len(c.Note), func(raw store.Raw) error { return raw.SaveCheckpoint(log, c) })
}

// Check compares the loaded logs with the manifest: sizes, and roots computed
// from what was stored. It is not the verification of a log, which follows.
func (l *Loader) Check(m Manifest) error {
	if err := l.Flush(); err != nil {
		return err
	}
	heads, err := l.raw.AuditHeads()
	if err != nil {
		return fmt.Errorf("look at the loaded logs: %w", err)
	}
	if len(heads) != len(m.Logs) {
		return damaged("it has %d logs, its manifest %d", len(heads), len(m.Logs))
	}
	for i, h := range heads {
		want := m.Logs[i]
		if want.Name != h.Log || want.Size != h.Size {
			return damaged("the log %s has %d entries, the manifest says %s with %d", h.Log, h.Size, want.Name, want.Size)
		}
		root, err := tlog.TreeHash(int64(h.Size), tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
			return l.raw.AuditHashes(h.Log, at)
		}))
		if err != nil {
			return fmt.Errorf("compute the root of %s: %w", h.Log, err)
		}
		if base64.StdEncoding.EncodeToString(root[:]) != want.Root {
			return damaged("the log %s has another root than the manifest says", h.Log)
		}
	}
	return nil
}
