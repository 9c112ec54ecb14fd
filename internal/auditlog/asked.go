package auditlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Stats is what health and metrics show of the calls logs and the control log.
type Stats struct {
	Queued     int           // entries that wait
	Entries    uint64        // appended since the book was opened
	Batches    uint64        // commits of them
	Took       time.Duration // of the newest commit
	Failed     error         // why the log cannot be written; nil: it can
	Size       uint64        // of the calls log of this year
	Signed     uint64        // size of its newest checkpoint
	SignedAt   time.Time     // of that checkpoint; zero: by an earlier run
	Cosigned   uint64        // size of the newest checkpoint with a cosignature
	CosignedAt time.Time
}

// Stats returns the present state.
func (b *Book) Stats() Stats {
	calls, control := b.Calls(), b.Control()
	s := Stats{Queued: calls.Waiting() + control.Waiting(), Failed: errors.Join(calls.Err(), control.Err()), Size: calls.Size()}
	s.Entries, s.Batches, s.Took = b.count.entries.Load(), b.count.batches.Load(), time.Duration(b.count.took.Load())
	if now := calls.signed.Load(); now != nil {
		s.Signed, s.SignedAt = now.Size, now.at
	}
	if now := calls.cosigned.Load(); now != nil {
		s.Cosigned, s.CosignedAt = now.Size, now.at
	}
	return s
}

// noteSigned remembers a checkpoint that is stored, and that it has
// cosignatures.
func (l *Log) noteSigned(s *signedTree) {
	if now := l.signed.Load(); now == nil || now.Size <= s.Size {
		l.signed.Store(s)
	}
	if now := l.cosigned.Load(); l.hasCosignature(s.Note) && (now == nil || now.Size <= s.Size) {
		l.cosigned.Store(s)
	}
}

// hasCosignature reports whether a note carries signatures of others than the
// log: its own are in its own name, and after a rotation there are two.
func (l *Log) hasCosignature(signed []byte) bool {
	_, err := note.Open(signed, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	return errors.As(err, &unverified) && slices.ContainsFunc(unverified.Note.UnverifiedSigs, func(s note.Signature) bool { return s.Name != l.origin })
}

// Flush returns when everything that was submitted before has its fate.
func (b *Book) Flush(ctx context.Context) error {
	for _, l := range b.all() {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// flush waits for the newest group; groups are written in order.
func (l *Log) flush(ctx context.Context) error {
	l.mu.Lock()
	g := l.current
	if n := len(l.groups); n > 0 {
		g = l.groups[n-1]
	}
	l.mu.Unlock()
	if g == nil {
		return nil
	}
	l.hasten()
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush %s: %w", l.name, context.Cause(ctx))
	}
}

// OpenCalls calls fn for each exchange that has a call.decided without an end
// (a decision "deny" is an end, as are call.finished and call.outcome_unknown),
// in the calls logs of every year that may hold one, oldest first. The start
// found them from a stored low-water mark on, which moves as they end.
func (b *Book) OpenCalls(fn func(Name, Record) error) error {
	for _, c := range b.Orphans() {
		l, err := b.Log(c.Log)
		if err != nil {
			return err
		}
		err = l.Read(c.Index, c.Index+1, func(r Record) error { return fn(c.Log, r) })
		if err != nil {
			return err
		}
	}
	return nil
}
