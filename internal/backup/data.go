package backup

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

// File is a small file of the configuration, or a key file.
type File struct {
	Name string
	Data []byte
}

// Source is a gateway whose data is written.
type Source struct {
	Raw    store.Raw
	Config []File
	Signer note.Signer // in the name Signs(head.Gateway)
}

// Snapshot is a gateway's data as it was at one moment. Its rows and the sizes
// of its logs are of one transaction. The entries are read later, in pages:
// logs only grow, so what is below a size that was read never changes, and
// nobody waits for a backup longer than the one transaction takes.
type Snapshot struct {
	source Source
	rows   []byte // records
	ends   []int  // of the chunks in rows
	count  int64
	heads  []auditlog.Head
}

// Take reads rows and sizes in one transaction. It writes to no file and no
// peer meanwhile: a slow reader would hold up every call.
func Take(s Source) (*Snapshot, error) {
	snap := &Snapshot{source: s}
	err := s.Raw.InTx(func(raw store.Raw) error {
		snap.rows, snap.ends, snap.count = nil, nil, 0
		start := 0
		err := raw.EachRow(func(r store.Row) error {
			snap.rows = appendRow(snap.rows, r)
			snap.count++
			if len(snap.rows) > maxRows {
				return ErrTooLarge
			}
			if len(snap.rows)-start >= fullChunk {
				start = len(snap.rows)
				snap.ends = append(snap.ends, start)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if start < len(snap.rows) {
			snap.ends = append(snap.ends, len(snap.rows))
		}
		snap.heads, err = raw.AuditHeads()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	return snap, nil
}

// Entries returns the number of entries of all logs.
func (s *Snapshot) Entries() (n uint64) {
	for _, h := range s.heads {
		n += h.Size
	}
	return n
}

// Estimate returns how many bytes the archive will be, about: entries are as
// large as the newest ones.
func (s *Snapshot) Estimate() (int64, error) {
	n := int64(len(s.rows))
	for _, h := range s.heads {
		last, err := s.source.Raw.AuditBatches(h.Log, h.Size-1, 1)
		if err != nil {
			return 0, fmt.Errorf("read the log %s: %w", h.Log, err)
		}
		for _, b := range last {
			n += int64(len(b.Leaves)+len(b.Hashes)+len(b.Parts)) * int64(h.Size) / int64(max(1, b.Count))
		}
	}
	return n, nil
}

// batchPage is how many batches one query reads: at most 64 commits of the
// writer, a few megabytes.
const batchPage = 16

// Write writes the archive of data to w. What it wrote is nothing when it
// returns an error.
func (s *Snapshot) Write(ctx context.Context, w io.Writer, locks Locks, head Head, progress Progress) error {
	head.Kind = Data
	out, err := newWriter(w, locks, head)
	if err != nil {
		return err
	}
	for _, f := range s.source.Config {
		if err := out.add(configPrefix+f.Name, f.Data); err != nil {
			return err
		}
	}
	start := 0
	for i, end := range s.ends {
		if err := out.add(chunkName(rowsPrefix, i), s.rows[start:end]); err != nil {
			return err
		}
		start = end
	}
	out.manifest.Rows, out.manifest.Entries = s.count, s.Entries()
	if err := s.writeLogs(ctx, out, progress); err != nil {
		return err
	}
	return out.finish(s.source.Signer)
}

func (s *Snapshot) writeLogs(ctx context.Context, out *writer, progress Progress) error {
	entries, notes := &chunks{w: out, prefix: logPrefix}, &chunks{w: out, prefix: notesPrefix}
	total, before := int64(s.Entries()), int64(0)
	for _, h := range s.heads {
		tell := func(done uint64) {
			if progress != nil {
				progress(before+int64(done), total)
			}
		}
		if err := s.eachBatch(ctx, h, func(b auditlog.Batch) error {
			tell(b.First + b.Count)
			return entries.add(func(buf []byte) []byte { return appendBatch(buf, b) })
		}); err != nil {
			return fmt.Errorf("read the log %s: %w", h.Log, err)
		}
		before += int64(h.Size)
	}
	if err := entries.flush(); err != nil {
		return err
	}
	for _, h := range s.heads {
		state, err := s.writeNotes(ctx, h, notes)
		if err != nil {
			return fmt.Errorf("read the checkpoints of %s: %w", h.Log, err)
		}
		out.manifest.Logs = append(out.manifest.Logs, state)
	}
	return notes.flush()
}

// eachBatch hands on the batches below the size of the snapshot.
func (s *Snapshot) eachBatch(ctx context.Context, h auditlog.Head, fn func(auditlog.Batch) error) error {
	for next := uint64(0); next < h.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := s.source.Raw.AuditBatches(h.Log, next, batchPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return fmt.Errorf("%w: entry %d is missing", auditlog.ErrNotFound, next)
		}
		for _, b := range page {
			if next == h.Size {
				return nil // written after the snapshot
			}
			if b.First != next || b.Count == 0 || b.First+b.Count > h.Size {
				return fmt.Errorf("the batch at %d begins at %d and has %d entries", next, b.First, b.Count)
			}
			if err := fn(b); err != nil {
				return err
			}
			next += b.Count
		}
	}
	return nil
}

// writeNotes writes the checkpoints that the snapshot covers and returns the
// log's state.
func (s *Snapshot) writeNotes(ctx context.Context, h auditlog.Head, out *chunks) (LogState, error) {
	state := LogState{Name: h.Log, Size: h.Size}
	root, err := tlog.TreeHash(int64(h.Size), tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		return s.source.Raw.AuditHashes(h.Log, at)
	}))
	if err != nil {
		return state, fmt.Errorf("compute the root: %w", err)
	}
	state.Root = base64.StdEncoding.EncodeToString(root[:])
	for from := uint64(0); from <= h.Size; {
		if err := ctx.Err(); err != nil {
			return state, err
		}
		page, err := s.source.Raw.Checkpoints(h.Log, from, 512)
		if err != nil && !errors.Is(err, auditlog.ErrNotFound) {
			return state, err
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			if c.Size > h.Size {
				return state, nil
			}
			state.Note = string(c.Note)
			if err := out.add(func(b []byte) []byte { return appendNote(b, h.Log, c) }); err != nil {
				return state, err
			}
			from = c.Size + 1
		}
	}
	return state, nil
}
