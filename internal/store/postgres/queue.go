package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

var (
	_ auditlog.Rows  = (*Queue)(nil)
	_ auditlog.Queue = (*Queue)(nil)
)

// Queue is the logs of a store that several processes write: the rows, and the
// queue before them. It does not own the store and reaches nothing but the
// tables of logs. Safe for concurrent use.
type Queue struct {
	rows
	db *sql.DB
}

// queueConnections bounds a process's connections: the sequencers of a year's
// turn, the writers, and a few readers.
const (
	queueConnections = 8
	queueIdle        = 3 // each may have broken unseen
)

// OpenQueue opens the logs of an existing store whose schema is up to date.
func OpenQueue(c Config) (*Queue, error) {
	settings, err := c.settings()
	if err != nil {
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	o := &owner{within: schema, wait: ownerWait}
	db := stdlib.OpenDB(*settings, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		err := o.set(ctx, conn)
		if err != nil {
			err = errors.Join(translate(err), conn.Close(ctx))
		}
		return err
	}))
	db.SetMaxOpenConns(queueConnections)
	db.SetMaxIdleConns(queueIdle)
	q := &Queue{rows: rows{h: db}, db: db}
	if err = usable(db); err == nil {
		err = verify(db)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the queue: %w", translate(err)), db.Close())
	}
	return q, nil
}

// Close ends the use of the logs.
func (q *Queue) Close() error {
	if err := q.db.Close(); err != nil {
		return fmt.Errorf("close the queue: %w", err)
	}
	return nil
}

// enqueue is one statement: the node's counter moves if it is where it should
// be, and only then is there a row.
const enqueue = `WITH c AS (
 INSERT INTO audit_node AS x (log, node, last) SELECT $1, $2, $3::bigint + $4::bigint - 1
  WHERE $3::bigint = 1 OR EXISTS (SELECT 1 FROM audit_node WHERE log = $1 AND node = $2)
  ON CONFLICT (log, node) DO UPDATE SET last = excluded.last WHERE x.last = $3::bigint - 1 RETURNING 1)
INSERT INTO audit_queue (log, node, seq, n, entries) SELECT $1, $2, $3::bigint, $4::bigint, $5 FROM c`

// Enqueue implements auditlog.Queue.
func (q *Queue) Enqueue(v auditlog.Queued) error {
	n, err := q.exec(enqueue, string(v.Log), v.Node, v.Seq, v.Count, v.Entries)
	switch {
	case errors.Is(err, registry.ErrExists), err == nil && n == 0:
		return auditlog.ErrConflict
	case err != nil:
		return fmt.Errorf("enqueue: %w", err)
	}
	return nil
}

// QueueLast implements auditlog.Queue.
func (q *Queue) QueueLast(log auditlog.Name, node string) (uint64, error) {
	last, err := row(q.h, scanOne[uint64], `SELECT coalesce((SELECT last FROM audit_node WHERE log = $1 AND node = $2), 0)`, string(log), node)
	if err != nil {
		return 0, fmt.Errorf("read the queue: %w", err)
	}
	return last, nil
}

// Sequence implements auditlog.Queue: a lock that ends with its connection, and
// an epoch that every transaction of a sequencer compares. The lock alone does
// not do: a server may still commit for a client whose session it has given up
// (TestDeposedSequencer).
func (q *Queue) Sequence(log auditlog.Name) (auditlog.Sequencer, error) {
	ctx, cancel := limit()
	defer cancel()
	conn, err := q.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", log, translate(err))
	}
	s := &sequencer{conn: conn, log: string(log)}
	var got bool
	err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock(1330861145, hashtext('audit ' || $1))`, s.log).Scan(&got)
	if err == nil && !got {
		err = auditlog.ErrBusy
	}
	if err == nil {
		// Waits for a transaction of the sequencer before to end.
		err = conn.QueryRowContext(ctx, `INSERT INTO audit_epoch AS e (log, epoch) VALUES ($1, 1)
 ON CONFLICT (log) DO UPDATE SET epoch = e.epoch + 1 RETURNING epoch`, s.log).Scan(&s.epoch)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("build %s: %w", log, translate(err)), s.Close())
	}
	return s, nil
}

// sequencer is the right to build one log.
type sequencer struct {
	conn  *sql.Conn
	log   string
	epoch int64
}

// Queued implements auditlog.Sequencer. Rows come in the order in which they
// were enqueued, so no node waits for another, and each node's are in order.
func (s *sequencer) Queued(limitRows int) ([]auditlog.Queued, error) {
	all, err := list(s.conn, func(row scanner) (q auditlog.Queued, err error) {
		q.Log = auditlog.Name(s.log)
		err = row.Scan(&q.ID, &q.Node, &q.Seq, &q.Count, &q.Entries)
		return q, err
	}, `SELECT id, node, seq, n, entries FROM audit_queue WHERE log = $1 ORDER BY id LIMIT $2`, s.log, limitRows)
	if err != nil {
		return nil, fmt.Errorf("read the queue: %w", err)
	}
	return all, nil
}

// Append implements auditlog.Sequencer.
func (s *sequencer) Append(b auditlog.Batch, from []auditlog.Queued) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), txTimeout)
	defer cancel()
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", translate(err))
	}
	if err := s.append(ctx, tx, b, from); err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", translate(err))
	}
	return nil
}

func (s *sequencer) append(ctx context.Context, tx *sql.Tx, b auditlog.Batch, from []auditlog.Queued) error {
	ids := make([]int64, len(from))
	for i := range from {
		ids[i] = from[i].ID
	}
	// The epoch's row stays locked until the commit, so nobody becomes the
	// sequencer in between.
	res, err := tx.ExecContext(ctx, `WITH e AS MATERIALIZED (SELECT 1 FROM audit_epoch WHERE log = $1 AND epoch = $2 FOR UPDATE)
DELETE FROM audit_queue WHERE id = ANY($3::bigint[]) AND log = $1 AND EXISTS (SELECT 1 FROM e)`, s.log, s.epoch, ids)
	n, err := changed(res, err)
	if err != nil {
		return fmt.Errorf("take from the queue: %w", translate(err))
	}
	if n != int64(len(ids)) {
		return auditlog.ErrFenced
	}
	return rows{h: tx, tx: true}.AppendAudit(b)
}

// Close implements auditlog.Sequencer. The connection ends, and the lock with
// it, whatever state either is in.
func (s *sequencer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	_, _ = s.conn.ExecContext(ctx, "SELECT pg_advisory_unlock_all()") // when this fails there is no session
	err := s.conn.Raw(func(c any) error {
		if native, ok := c.(*stdlib.Conn); ok {
			return native.Conn().Close(ctx)
		}
		return nil
	})
	err = errors.Join(err, s.conn.Close())
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}
