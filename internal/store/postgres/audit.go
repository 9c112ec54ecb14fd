package postgres

import (
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// The statements of the logs. The driver prepares each once per connection.
const (
	// Both tables are walked by their primary key, one step per log.
	auditLogs = `WITH RECURSIVE
 b (log) AS ((SELECT log FROM audit_batch ORDER BY log LIMIT 1) UNION ALL SELECT (SELECT x.log FROM audit_batch x WHERE x.log > b.log ORDER BY x.log LIMIT 1) FROM b WHERE b.log IS NOT NULL),
 c (log) AS ((SELECT log FROM audit_checkpoint ORDER BY log LIMIT 1) UNION ALL SELECT (SELECT x.log FROM audit_checkpoint x WHERE x.log > c.log ORDER BY x.log LIMIT 1) FROM c WHERE c.log IS NOT NULL)
SELECT l.log, coalesce((SELECT first + n FROM audit_batch x WHERE x.log = l.log ORDER BY first DESC LIMIT 1), 0)
 FROM (SELECT log FROM b UNION SELECT log FROM c) l WHERE l.log IS NOT NULL ORDER BY l.log`
	auditSize = `SELECT coalesce((SELECT first + n FROM audit_batch WHERE log = $1 ORDER BY first DESC LIMIT 1), 0)`
	// One statement, so one round trip and one transaction.
	auditAppend = `WITH b AS (
 INSERT INTO audit_batch (log, first, n, hstart, hashes, leaves) SELECT $1, $2::bigint, $3, $4, $5, $6
  WHERE coalesce((SELECT first + n FROM audit_batch WHERE log = $1 ORDER BY first DESC LIMIT 1), 0) = $2::bigint RETURNING 1),
 p AS (INSERT INTO audit_part (log, first, parts) SELECT $1, $2::bigint, $7::bytea FROM b WHERE $7::bytea IS NOT NULL),
 c AS (INSERT INTO audit_checkpoint (log, size, mark, note) SELECT $1, $8::bigint, $9::bigint, $10::bytea FROM b WHERE $8::bigint IS NOT NULL
  ON CONFLICT (log, size) DO UPDATE SET note = excluded.note, mark = greatest(audit_checkpoint.mark, excluded.mark))
SELECT 1 FROM b`
	auditFrom = `SELECT b.first, b.n, b.hstart, b.hashes, b.leaves, p.parts FROM audit_batch b
 LEFT JOIN audit_part p ON p.log = b.log AND p.first = b.first
 WHERE b.log = $1 AND b.first >= coalesce((SELECT first FROM audit_batch WHERE log = $1 AND first <= $2 ORDER BY first DESC LIMIT 1), 0)
 AND b.first + b.n > $2 ORDER BY b.first LIMIT $3`
	auditHash = `SELECT substr(b.hashes, ((q.h - b.hstart) * 32 + 1)::int, 32)
 FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS q (leaf, h, i)
 CROSS JOIN LATERAL (SELECT hstart, hashes FROM audit_batch WHERE log = $1 AND first <= q.leaf ORDER BY first DESC LIMIT 1) b
 WHERE q.h >= b.hstart AND q.h - b.hstart < length(b.hashes) / 32 ORDER BY q.i`
	auditSave = `INSERT INTO audit_checkpoint (log, size, mark, note) VALUES ($1, $2, $3, $4)
 ON CONFLICT (log, size) DO UPDATE SET note = excluded.note, mark = greatest(audit_checkpoint.mark, excluded.mark)`
	auditLast  = `SELECT size, mark, note FROM audit_checkpoint WHERE log = $1 ORDER BY size DESC LIMIT 1`
	auditNotes = `SELECT size, mark, note FROM audit_checkpoint WHERE log = $1 AND size >= $2 ORDER BY size LIMIT $3`
)

// AuditHeads implements auditlog.Rows.
func (r rows) AuditHeads() ([]auditlog.Head, error) {
	heads, err := list(r.h, func(row scanner) (h auditlog.Head, err error) {
		err = row.Scan(&h.Log, &h.Size)
		return h, err
	}, auditLogs)
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	return heads, nil
}

// AuditSize implements auditlog.Rows.
func (r rows) AuditSize(log auditlog.Name) (uint64, error) {
	size, err := row(r.h, scanOne[uint64], auditSize, string(log))
	if err != nil {
		return 0, fmt.Errorf("size of log: %w", err)
	}
	return size, nil
}

// AppendAudit implements auditlog.Rows.
func (r rows) AppendAudit(b auditlog.Batch) error {
	var size, mark sql.NullInt64
	var note []byte
	if c := b.Checkpoint; c != nil {
		size, mark, note = sql.NullInt64{Int64: int64(c.Size), Valid: true}, sql.NullInt64{Int64: int64(c.Mark), Valid: true}, c.Note
	}
	n, err := r.exec(auditAppend, string(b.Log), b.First, b.Count, b.HashStart, b.Hashes, b.Leaves, b.Parts, size, mark, note)
	switch {
	case errors.Is(err, registry.ErrExists), err == nil && n == 0:
		return auditlog.ErrConflict
	case err != nil:
		return fmt.Errorf("append batch: %w", err)
	}
	return nil
}

// AuditBatch implements auditlog.Rows.
func (r rows) AuditBatch(log auditlog.Name, index uint64) (auditlog.Batch, error) {
	all, err := r.AuditBatches(log, index, 1)
	if err != nil {
		return auditlog.Batch{}, err
	}
	if len(all) == 0 || all[0].First > index {
		return auditlog.Batch{}, auditlog.ErrNotFound
	}
	return all[0], nil
}

// AuditBatches implements auditlog.Rows.
func (r rows) AuditBatches(log auditlog.Name, from uint64, limit int) ([]auditlog.Batch, error) {
	all, err := list(r.h, func(row scanner) (b auditlog.Batch, err error) {
		b.Log = log
		err = row.Scan(&b.First, &b.Count, &b.HashStart, &b.Hashes, &b.Leaves, &b.Parts)
		return b, err
	}, auditFrom, string(log), from, limit)
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	return all, nil
}

// AuditHashes implements auditlog.Rows in one round trip. The batch of a hash
// is that of the leaf which completes its subtree.
func (r rows) AuditHashes(log auditlog.Name, indexes []int64) ([]tlog.Hash, error) {
	leaves := make([]int64, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		leaves[i] = (n+1)<<level - 1
	}
	out, err := list(r.h, func(row scanner) (h tlog.Hash, err error) {
		var raw []byte
		if err = row.Scan(&raw); err == nil && len(raw) != tlog.HashSize {
			err = auditlog.ErrNotFound
		}
		copy(h[:], raw)
		return h, err
	}, auditHash, string(log), leaves, indexes)
	if err == nil && len(out) != len(indexes) {
		err = auditlog.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read hashes: %w", err)
	}
	return out, nil
}

// SaveCheckpoint implements auditlog.Rows.
func (r rows) SaveCheckpoint(log auditlog.Name, c auditlog.Checkpoint) error {
	if _, err := r.exec(auditSave, string(log), c.Size, c.Mark, c.Note); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

func scanCheckpoint(row scanner) (c auditlog.Checkpoint, err error) {
	err = row.Scan(&c.Size, &c.Mark, &c.Note)
	return c, err
}

// LatestCheckpoint implements auditlog.Rows.
func (r rows) LatestCheckpoint(log auditlog.Name) (auditlog.Checkpoint, error) {
	c, err := row(r.h, scanCheckpoint, auditLast, string(log))
	if errors.Is(err, registry.ErrNotFound) {
		return c, auditlog.ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("read checkpoint: %w", err)
	}
	return c, nil
}

// Checkpoints implements auditlog.Rows.
func (r rows) Checkpoints(log auditlog.Name, from uint64, limit int) ([]auditlog.Checkpoint, error) {
	all, err := list(r.h, scanCheckpoint, auditNotes, string(log), from, limit)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	return all, nil
}
