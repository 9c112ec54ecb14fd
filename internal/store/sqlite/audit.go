package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// The statements of the logs. They are prepared once: preparing one costs as
// much as running it.
const (
	// Both tables are walked by their primary key, one step per log.
	auditLogs = `WITH RECURSIVE
 b (log) AS (SELECT min(log) FROM audit_batch UNION ALL SELECT (SELECT min(log) FROM audit_batch x WHERE x.log > b.log) FROM b WHERE b.log IS NOT NULL),
 c (log) AS (SELECT min(log) FROM audit_checkpoint UNION ALL SELECT (SELECT min(log) FROM audit_checkpoint x WHERE x.log > c.log) FROM c WHERE c.log IS NOT NULL)
SELECT l.log, coalesce((SELECT first + n FROM audit_batch x WHERE x.log = l.log ORDER BY first DESC LIMIT 1), 0)
 FROM (SELECT log FROM b UNION SELECT log FROM c) l WHERE l.log IS NOT NULL ORDER BY 1`
	auditSize  = `SELECT coalesce((SELECT first + n FROM audit_batch WHERE log = ? ORDER BY first DESC LIMIT 1), 0)`
	auditBatch = `INSERT INTO audit_batch (log, first, n, hstart, hashes, leaves) SELECT ?1, ?2, ?3, ?4, ?5, ?6
 WHERE coalesce((SELECT first + n FROM audit_batch WHERE log = ?1 ORDER BY first DESC LIMIT 1), 0) = ?2`
	auditPart = `INSERT INTO audit_part (log, first, parts) VALUES (?, ?, ?)`
	auditFrom = `SELECT b.first, b.n, b.hstart, b.hashes, b.leaves, p.parts FROM audit_batch b
 LEFT JOIN audit_part p ON p.log = b.log AND p.first = b.first
 WHERE b.log = ?1 AND b.first >= coalesce((SELECT first FROM audit_batch WHERE log = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1), 0)
 AND b.first + b.n > ?2 ORDER BY b.first LIMIT ?3`
	auditHash = `SELECT substr(hashes, (?3 - hstart) * 32 + 1, 32) FROM audit_batch WHERE log = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1`
	auditSave = `INSERT INTO audit_checkpoint (log, size, mark, note) VALUES (?, ?, ?, ?)
 ON CONFLICT (log, size) DO UPDATE SET note = excluded.note, mark = max(mark, excluded.mark)`
	auditLast  = `SELECT size, mark, note FROM audit_checkpoint WHERE log = ? ORDER BY size DESC LIMIT 1`
	auditNotes = `SELECT size, mark, note FROM audit_checkpoint WHERE log = ? AND size >= ? ORDER BY size LIMIT ?`
)

// prepared holds the statements of the logs.
type prepared struct{ logs, size, batch, part, from, hash, save, last, notes *sql.Stmt }

func prepare(db *sql.DB) (*prepared, error) {
	p := &prepared{}
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&p.logs, auditLogs}, {&p.size, auditSize}, {&p.batch, auditBatch}, {&p.part, auditPart}, {&p.from, auditFrom},
		{&p.hash, auditHash}, {&p.save, auditSave}, {&p.last, auditLast}, {&p.notes, auditNotes},
	} {
		stmt, err := db.Prepare(s.text)
		if err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
		*s.to = stmt
	}
	return p, nil
}

// stmt returns a prepared statement for the handle.
func (r rows) stmt(s *sql.Stmt) *sql.Stmt {
	if tx, ok := r.h.(*sql.Tx); ok {
		return tx.Stmt(s)
	}
	return s
}

// AuditHeads implements auditlog.Rows.
func (r rows) AuditHeads() ([]auditlog.Head, error) {
	return collect(r.stmt(r.audit.logs), "list logs", func(row scanner) (h auditlog.Head, err error) {
		err = row.Scan(&h.Log, &h.Size)
		return h, err
	})
}

// AuditSize implements auditlog.Rows.
func (r rows) AuditSize(log auditlog.Name) (size uint64, err error) {
	if err := r.stmt(r.audit.size).QueryRow(string(log)).Scan(&size); err != nil {
		return 0, fmt.Errorf("size of log: %w", translate(err))
	}
	return size, nil
}

// AppendAudit adds a batch in a transaction of its own.
func (d *DB) AppendAudit(b auditlog.Batch) error {
	tx, err := d.db.BeginTx(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", translate(err))
	}
	if err := (rows{tx, d.audit}).AppendAudit(b); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", translate(err))
	}
	return nil
}

// AppendAudit implements auditlog.Rows inside a transaction.
func (r rows) AppendAudit(b auditlog.Batch) error {
	res, err := r.stmt(r.audit.batch).Exec(string(b.Log), b.First, b.Count, b.HashStart, b.Hashes, b.Leaves)
	if err != nil {
		if err = translate(err); errors.Is(err, registry.ErrExists) {
			err = auditlog.ErrConflict
		}
		return fmt.Errorf("append batch: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(auditlog.ErrConflict, err)
	}
	if b.Parts != nil {
		if _, err := r.stmt(r.audit.part).Exec(string(b.Log), b.First, b.Parts); err != nil {
			return fmt.Errorf("append parts: %w", translate(err))
		}
	}
	if b.Checkpoint != nil {
		return r.SaveCheckpoint(b.Log, *b.Checkpoint)
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
	return collect(r.stmt(r.audit.from), "read batches", func(row scanner) (b auditlog.Batch, err error) {
		b.Log = log
		err = row.Scan(&b.First, &b.Count, &b.HashStart, &b.Hashes, &b.Leaves, &b.Parts)
		return b, err
	}, string(log), from, limit)
}

// AuditHashes implements auditlog.Rows. The batch of a hash is that of the leaf
// which completes its subtree.
func (r rows) AuditHashes(log auditlog.Name, indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	stmt := r.stmt(r.audit.hash)
	var raw sql.RawBytes
	for i, index := range indexes {
		err := oneRow(stmt, &raw, func() error {
			if len(raw) != tlog.HashSize {
				return auditlog.ErrNotFound
			}
			copy(out[i][:], raw)
			return nil
		}, string(log), leafOf(index), index)
		if err != nil {
			return nil, fmt.Errorf("read hash %d: %w", index, err)
		}
	}
	return out, nil
}

// leafOf returns the index of the leaf with which a stored hash was written.
func leafOf(index int64) int64 {
	level, n := tlog.SplitStoredHashIndex(index)
	return (n+1)<<level - 1
}

// oneRow reads a value of the first row without a copy; fn sees it in raw.
func oneRow(stmt *sql.Stmt, raw *sql.RawBytes, fn func() error, args ...any) (err error) {
	rs, err := stmt.Query(args...)
	if err != nil {
		return translate(err)
	}
	defer func() {
		if e := rs.Close(); err == nil && e != nil {
			err = translate(e)
		}
	}()
	if !rs.Next() {
		if err := rs.Err(); err != nil {
			return translate(err)
		}
		return auditlog.ErrNotFound
	}
	if err := rs.Scan(raw); err != nil {
		return translate(err)
	}
	return fn()
}

// SaveCheckpoint implements auditlog.Rows.
func (r rows) SaveCheckpoint(log auditlog.Name, c auditlog.Checkpoint) error {
	if _, err := r.stmt(r.audit.save).Exec(string(log), c.Size, c.Mark, c.Note); err != nil {
		return fmt.Errorf("save checkpoint: %w", translate(err))
	}
	return nil
}

func scanCheckpoint(row scanner) (c auditlog.Checkpoint, err error) {
	err = row.Scan(&c.Size, &c.Mark, &c.Note)
	return c, err
}

// LatestCheckpoint implements auditlog.Rows.
func (r rows) LatestCheckpoint(log auditlog.Name) (auditlog.Checkpoint, error) {
	c, err := scanCheckpoint(r.stmt(r.audit.last).QueryRow(string(log)))
	if errors.Is(err, sql.ErrNoRows) {
		return c, auditlog.ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("read checkpoint: %w", translate(err))
	}
	return c, nil
}

// Checkpoints implements auditlog.Rows.
func (r rows) Checkpoints(log auditlog.Name, from uint64, limit int) ([]auditlog.Checkpoint, error) {
	return collect(r.stmt(r.audit.notes), "read checkpoints", scanCheckpoint, string(log), from, limit)
}

// collect runs a prepared query and reads every row.
func collect[T any](stmt *sql.Stmt, what string, scan func(scanner) (T, error), args ...any) (out []T, err error) {
	rs, err := stmt.Query(args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, translate(err))
	}
	defer func() {
		if e := rs.Close(); err == nil && e != nil {
			out, err = nil, translate(e)
		}
	}()
	for rs.Next() {
		v, err := scan(rs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, translate(err))
		}
		out = append(out, v)
	}
	if err := rs.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, translate(err))
	}
	return out, nil
}
