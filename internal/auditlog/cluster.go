package auditlog

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

// Errors of a Queue.
var (
	ErrBusy   = errors.New("another process builds this log")
	ErrFenced = errors.New("another process builds this log meanwhile")
)

// Cluster lets several processes write one calls log: each puts its entries
// into a durable queue, which acknowledges them, and one of all processes, the
// sequencer, moves them into the tree (security.md 2.7). The control log needs
// none: its entries stand in the transactions of what they describe.
type Cluster struct {
	Queue Queue
	// Node names this run of this process: plain ASCII, never used again.
	Node string
	// Poll is the pause of an idle sequencer, default 5 ms; Retry that of a
	// process which would be one, default 100 ms.
	Poll, Retry time.Duration
}

// Queue is what a driver keeps of queues. A write is on stable storage when it
// returns. Safe for concurrent use.
type Queue interface {
	// Enqueue adds q behind what its node enqueued before, or returns
	// ErrConflict unless q.Seq follows that. After any other error only
	// QueueLast tells whether it did.
	Enqueue(q Queued) error
	// QueueLast returns the last number that a node used; 0: none.
	QueueLast(log Name, node string) (uint64, error)
	// Sequence makes the caller the log's sequencer, or returns ErrBusy.
	Sequence(log Name) (Sequencer, error)
}

// Sequencer is the right to build a log, until Close or until it is lost. Not
// safe for concurrent use.
type Sequencer interface {
	// Queued returns at most limit rows, each node's in the order of Seq.
	Queued(limit int) ([]Queued, error)
	// Append adds b and removes the rows that it was made of, both or neither.
	// ErrFenced: somebody else is the sequencer now. After any error the
	// caller closes this one and reads the log anew.
	Append(b Batch, from []Queued) error
	Close() error
}

// Queued is what a node enqueued with one commit.
type Queued struct {
	ID      int64 // of the row; set by the driver
	Log     Name
	Node    string
	Seq     uint64 // of the first entry
	Count   uint64
	Entries []byte // sealed: per entry its leaf without commitment, and its part
}

// queueIdentity is where the sealed entries of a row belong.
func (c *Config) queueIdentity(q *Queued) keys.Identity {
	return keys.Identity{Tenant: c.Tenant, Kind: "audit", Record: string(q.Log), Column: "queue", Version: q.Node + "/" + strconv.FormatUint(q.Seq, 10)}
}

// runQueue is the writer of a log in cluster mode: it enqueues.
func (l *Log) runQueue() {
	defer close(l.ended)
	for {
		g, last := l.next()
		if last {
			if _, err := l.book.c.Cluster.Queue.QueueLast(l.name, l.book.c.Cluster.Node); err == nil {
				l.mu.Lock()
				l.stopped = nil // the queue is there again; nobody waits any more
				l.mu.Unlock()
			}
			return
		}
		if g == nil {
			<-l.wake
			continue
		}
		l.watch()
		l.enqueue(g)
	}
}

// enqueue puts g into the queue; that commit is the acknowledgement.
func (l *Log) enqueue(g *group) {
	q, err := l.queueRow(g)
	if err == nil {
		err = l.book.c.Cluster.Queue.Enqueue(q)
	}
	if err == nil {
		l.enqueued(g, q)
		return
	}
	l.stop(err)
	if errors.Is(err, ErrConflict) {
		g.finish(l.failure(err)) // our name is somebody else's: never go on
		return
	}
	waiting := true
	for p := range l.pauses() {
		last, e := l.book.c.Cluster.Queue.QueueLast(l.name, q.Node)
		if e == nil {
			if last >= q.Seq {
				l.seq = q.Seq + q.Count - 1
			}
			switch {
			case !waiting:
			case last >= q.Seq:
				l.enqueued(g, q)
			default:
				g.finish(l.failure(err))
			}
			l.mu.Lock()
			l.stopped = nil
			l.mu.Unlock()
			l.changed(nil)
			return
		}
		if waiting && p.tries >= maxTries {
			waiting = false
			g.finish(fmt.Errorf("%w: %w", ErrUncertain, err))
		}
	}
	if waiting {
		g.finish(fmt.Errorf("%w: %w", ErrUncertain, err))
	}
}

func (l *Log) enqueued(g *group, q Queued) {
	l.seq = q.Seq + q.Count - 1
	g.queued = &queued{q.Node, q.Seq}
	g.finish(nil)
	select {
	case l.moved <- struct{}{}:
	default:
	}
}

// queueRow seals a group's entries.
func (l *Log) queueRow(g *group) (Queued, error) {
	q := Queued{Log: l.name, Node: l.book.c.Cluster.Node, Seq: l.seq + 1, Count: uint64(len(g.entries))}
	plain := make([]byte, 0, g.bytes+len(g.entries)*200)
	var scratch [MaxLeaf]byte
	for i := range g.entries {
		leaf := l.leaf(&g.entries[i])
		plain = appendBytes(appendBytes(plain, leaf.Append(scratch[:0])), g.entries[i].Part)
	}
	var err error
	if q.Entries, err = l.book.c.Sealer.SealAudit(l.book.c.queueIdentity(&q), plain); err != nil {
		return q, fmt.Errorf("seal entries: %w", err)
	}
	return q, nil
}

// openRow is the reverse of queueRow.
func (l *Log) openRow(q *Queued) ([]Entry, error) {
	plain, err := l.book.c.Sealer.OpenAudit(l.book.c.queueIdentity(q), q.Entries)
	if err != nil {
		return nil, fmt.Errorf("open what %s queued as %d: %w", q.Node, q.Seq, err)
	}
	all, err := split(plain, 2*q.Count, MaxPart)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, q.Count)
	for i := range entries {
		leaf, err := ParseLeaf(all[2*i])
		if err != nil || leaf.Log != l.name {
			return nil, errors.Join(errBlob, err)
		}
		entries[i] = Entry{leaf.Kind, leaf.Time, leaf.Exchange, leaf.Decision, leaf.Server, leaf.Policy, all[2*i+1]}
	}
	return entries, nil
}
