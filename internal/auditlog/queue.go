package auditlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// group is the entries of one batch. It fills until the writer takes it, then
// is committed whole; closing done wakes all who wait at once.
type group struct {
	entries []Entry
	bytes   int  // of parts
	eager   bool // somebody waits for one of them

	done chan struct{}
	// Written before done is closed.
	err    error
	log    Name
	first  uint64
	leaves []byte
	ends   []int // of each leaf in leaves
	queued *queued
}

// queued is where a group stands in the queue of cluster mode.
type queued struct {
	node string
	seq  uint64 // of the first entry
}

// maxGroupBytes bounds the parts of one batch, so that a seal record holds
// them.
const maxGroupBytes = 4 << 20

func newGroup(log Name) *group { return &group{log: log, done: make(chan struct{})} }

// takes reports whether the group has room for e.
func (g *group) takes(e *Entry) bool {
	return len(g.entries) < maxBatch && g.bytes+len(e.Part) <= maxGroupBytes
}

func (g *group) add(e Entry) *Ticket {
	g.entries = append(g.entries, e)
	g.bytes += len(e.Part)
	return &Ticket{group: g, at: len(g.entries) - 1}
}

// finish says what became of the group. It must be called once.
func (g *group) finish(err error) {
	g.err = err
	close(g.done)
}

// Ticket is an entry that waits for its commit.
type Ticket struct {
	group *group
	at    int
	err   error // of an entry that was refused at once
}

// Wait returns when the entry is on stable storage. Any error but ErrUncertain
// and that of ctx says that the entry is not in the log and never will be.
// Waiting inside a transaction of the same store waits for ever.
func (t *Ticket) Wait(ctx context.Context) (Place, error) {
	if t.err != nil {
		return Place{}, t.err
	}
	select {
	case <-t.group.done:
		return t.place()
	default:
	}
	select {
	case <-t.group.done:
		return t.place()
	case <-ctx.Done():
		return Place{}, fmt.Errorf("wait for the log: %w", context.Cause(ctx))
	}
}

// Done reports, without waiting, whether the entry's fate is known, and then
// what Wait would return.
func (t *Ticket) Done() (p Place, ready bool, err error) {
	if t.err != nil {
		return Place{}, true, t.err
	}
	select {
	case <-t.group.done:
		p, err = t.place()
		return p, true, err
	default:
		return Place{}, false, nil
	}
}

func (t *Ticket) place() (Place, error) {
	g := t.group
	if g.err != nil {
		return Place{}, g.err
	}
	p := Place{Log: g.log}
	if g.queued != nil {
		p.Node, p.Seq = g.queued.node, g.queued.seq+uint64(t.at)
		return p, nil
	}
	start := 0
	if t.at > 0 {
		start = g.ends[t.at-1]
	}
	leaf := g.leaves[start:g.ends[t.at]:g.ends[t.at]]
	_, prefix := binary.Uvarint(leaf) // a batch keeps the length before each leaf
	p.Index, p.Leaf = g.first+uint64(t.at), leaf[prefix:]
	return p, nil
}

// Submit hands e to the writer and does not wait; Wait on the ticket tells what
// became of it. e.Part must not change afterwards. A full queue refuses: the
// caller then refuses the call, because nothing passes unlogged.
func (l *Log) Submit(e Entry) *Ticket { return l.submit(e, true) }

// submit hands e to the writer, who begins at once when e is eager.
func (l *Log) submit(e Entry, eager bool) *Ticket {
	if err := l.admit(&e); err != nil {
		return &Ticket{err: err}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closing:
		return &Ticket{err: ErrClosed}
	case l.stopped != nil:
		return &Ticket{err: l.stopped}
	case l.entries >= l.book.c.QueueEntries || l.bytes+len(e.Part) > l.book.c.QueueBytes:
		return &Ticket{err: ErrFull}
	}
	last := len(l.groups) - 1
	if last < 0 || !l.groups[last].takes(&e) {
		l.groups = append(l.groups, newGroup(l.name))
		last++
	}
	l.entries++
	l.bytes += len(e.Part)
	l.tell(l.groups[last], eager)
	return l.groups[last].add(e)
}

// admit refuses an entry that the log does not take.
func (l *Log) admit(e *Entry) error {
	if !l.kinds[e.Kind] {
		return fmt.Errorf("%w: %q in %s", ErrKind, e.Kind, l.name)
	}
	if len(e.Part) > MaxPart {
		return ErrOversize
	}
	if len(e.Part) < 2 || e.Part[0] != '{' || e.Part[len(e.Part)-1] != '}' {
		return fmt.Errorf("%w: the part is not an object", ErrEntry)
	}
	leaf := l.leaf(e)
	return leaf.check()
}

// leaf is what the log will say of e, but for the commitment.
func (l *Log) leaf(e *Entry) Leaf {
	return Leaf{Decision: e.Decision, Kind: e.Kind, Log: l.name, Policy: e.Policy, Server: e.Server, Time: e.Time, Exchange: e.Exchange}
}

// nudge wakes the writer.
func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// next takes the oldest group, or nil; last says that no other will come.
func (l *Log) next() (g *group, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.groups) == 0 {
		return nil, l.closing
	}
	if l.idle() {
		return nil, false
	}
	l.hurry = false
	g = l.groups[0]
	l.current, l.groups[0] = g, nil
	if l.groups = l.groups[1:]; len(l.groups) == 0 {
		l.groups = nil
	} else if !l.groups[0].eager {
		l.later.Reset(trailing)
	}
	l.entries -= len(g.entries)
	l.bytes -= g.bytes
	return g, false
}

// refuse ends every group that waits: none of them was written.
func (l *Log) refuse(err error) {
	l.mu.Lock()
	all := l.groups
	l.groups, l.entries, l.bytes = nil, 0, 0
	l.mu.Unlock()
	for _, g := range all {
		g.finish(err)
	}
}

// ErrUncertain says that a commit's fate could not be learned in time: the
// entry may be in the log. The log finds out by itself before it goes on.
var ErrUncertain = errors.New("the log cannot tell yet whether the entry is stored")
