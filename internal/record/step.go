// Package record writes the book of calls: Open puts the decision on a call
// into the log before anything happens, Close puts its outcome there when it is
// known, and an operator's act is written in the transaction of its change.
// Refused exchanges have one entry that is both; floods of callers that nobody
// identified are counted and summarised, so that they cannot fill the disk.
//
// It appends to the logs of auditlog, keeps a reserve of disk space beside
// them, and touches nothing else. It deliberately records no argument, no
// result, no URI, no credential and no name of a person or agent: those appear
// as digests and pseudonyms. Docs: docs/path.md, docs/decisions/0016-record.md.
package record

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
)

// Config is what a Step is made of.
type Config struct {
	Book    *auditlog.Book
	Clock   clock.Clock
	Reserve *Reserve // nil: the log lies on another machine's disk
	// InTx runs fn with the log's rows in one transaction of the store.
	InTx func(fn func(auditlog.Rows) error) error
	// Pseudonym returns the pseudonym of a name, and makes one when there is
	// none.
	Pseudonym func(name string) (string, error)
	// Keys returns how far the keys folder has grown (keys.Ring.Grown). Nil:
	// entries do not tell.
	Keys func() (generation, subjects uint64)
	All  bool // audit.sync: all
}

// Step is the recorder. It is safe for concurrent use.
type Step struct {
	c     Config
	flood flood
	trail trail

	mu   sync.Mutex // guards owed
	owed []debt
}

// New returns a recorder.
func New(c Config) *Step { return &Step{c: c} }

// Open puts the decision on x into the log. It returns nil only when that is on
// stable storage, and refuses with fault.LogUnavailable otherwise: no call is
// forwarded that the log does not hold (TestNoCallWithoutEntry).
//
// An exchange that is only the sum of its parts forwards nothing itself, and
// the log keeps the order of what it is given: whatever its parts wait for
// comes after its own entry.
func (s *Step) Open(_ context.Context, x *exchange.Exchange) error {
	if err := s.c.Reserve.Admit(); err != nil {
		return fault.Wrap(fault.LogUnavailable, err)
	}
	e := entryOf(x, auditlog.CallDecided, x.Start)
	e.Request = requestSum(x)
	x.RequestSum = e.Request
	wait := awaits && x.Join == nil
	x.Decided = s.submit(&e, x.Start, wait)
	if wait {
		// The wait ends with the commit, not with the caller: an entry that
		// is under way cannot be taken back.
		place, err := x.Decided.Wait(context.Background())
		if err != nil {
			// It may be in the log for all that anybody knows: then the
			// call gets its end, which says that it was refused.
			if x.Opened = errors.Is(err, auditlog.ErrUncertain); !x.Opened {
				s.c.Reserve.Release()
			}
			return fault.Wrap(fault.LogUnavailable, err)
		}
		x.Place = place
	}
	x.Opened = true
	return nil
}

// Close puts the outcome of x into the log. It refuses with
// fault.LogUnavailable when the entry could not be written and somebody has to
// be sure of it; the answer must then not leave.
func (s *Step) Close(_ context.Context, x *exchange.Exchange) error {
	now := s.c.Clock.Now()
	if !x.Opened {
		return s.refused(x, now)
	}
	defer s.c.Reserve.Release()
	if x.Join != nil && awaits {
		if err := s.opened(x); err != nil {
			return err
		}
	}
	e := entryOf(x, auditlog.CallFinished, x.Start)
	e.Request = x.RequestSum
	e.end(x, now)
	entry, err := e.entry(now)
	if err != nil {
		return fault.Wrap(fault.Internal, err)
	}
	if err := s.sessions(x, now); err != nil {
		return err
	}
	if !awaits || !s.waits(x) {
		x.Finished = s.c.Book.SubmitTrailing(entry)
		s.trail.add(x.Finished, entry, s.owe)
		return nil
	}
	x.Finished = s.c.Book.Submit(entry)
	place, err := x.Finished.Wait(context.Background())
	if err != nil {
		s.owe(entry, err)
		return fault.Wrap(fault.LogUnavailable, err)
	}
	x.Place = place
	return parts(x)
}

// parts makes sure that the entries of x's parts are there: they were handed in
// before the parent's, and a part does not wait for its own
// (TestAParentAnswersForItsParts).
func parts(x *exchange.Exchange) error {
	for _, end := range x.PartEnds {
		if _, err := end.Wait(context.Background()); err != nil {
			return fault.Wrap(fault.LogUnavailable, err)
		}
	}
	return nil
}

// opened makes sure that the entry which Open did not wait for is there.
func (s *Step) opened(x *exchange.Exchange) error {
	if place, known, err := x.Decided.Done(); known && err == nil {
		x.Place = place
		return nil
	} else if !known && x.Fault == nil && !s.waits(x) {
		return nil // it is ahead of the closing entry, which trails
	}
	if _, err := x.Decided.Wait(context.Background()); err == nil {
		return nil
	}
	e := entryOf(x, auditlog.CallDecided, x.Start)
	e.Request = x.RequestSum
	if _, err := s.submit(&e, x.Start, true).Wait(context.Background()); err != nil {
		return fault.Wrap(fault.LogUnavailable, err)
	}
	return nil
}

// refused writes the one entry of an exchange that never began. It is on stable
// storage before the answer leaves.
func (s *Step) refused(x *exchange.Exchange, now time.Time) error {
	if x.Fault != nil && x.Fault.Kind == fault.LogUnavailable {
		// What the log cannot take is counted until it can. The call had
		// no effect: nothing was forwarded.
		s.flood.count(fault.LogUnavailable, now)
		return nil
	}
	if early(x) && !s.flood.admit(x.Fault.Kind, now) {
		return nil
	}
	e := entryOf(x, auditlog.CallDecided, x.Start)
	e.Request = requestSum(x)
	e.end(x, now)
	e.Decision = deny
	place, err := s.await(&e, now)
	x.Place = place
	return err
}

// Bad records a connection that never became a request: reason is one of a
// closed set of sentences of ours. Floods are counted.
func (s *Step) Bad(peer netip.AddrPort, reason string) error {
	now := s.c.Clock.Now()
	if !s.flood.admit(fault.BadHeader, now) {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fault.Wrap(fault.Internal, err)
	}
	e := Entry{Time: now, Kind: auditlog.CallDecided, Exchange: id.String(), Decision: deny, Closed: true,
		Outcome: string(exchange.Refused), Reason: string(fault.BadHeader), Detail: reason, Peer: network(peer)}
	_, err = s.await(&e, now)
	return err
}

// submit hands e to the log of the calls; wait says that somebody waits for it.
func (s *Step) submit(e *Entry, at time.Time, wait bool) *auditlog.Ticket {
	entry, err := e.entry(at)
	if err != nil {
		panic("record: " + err.Error()) // an entry of a call holds no foreign JSON
	}
	if !wait {
		return s.c.Book.SubmitTrailing(entry)
	}
	return s.c.Book.Submit(entry)
}

// await hands e to the log of the calls and waits until it is there.
func (s *Step) await(e *Entry, at time.Time) (auditlog.Place, error) {
	t := s.submit(e, at, awaits)
	if !awaits {
		return auditlog.Place{}, nil
	}
	place, err := t.Wait(context.Background())
	if err != nil {
		return place, fault.Wrap(fault.LogUnavailable, fmt.Errorf("append: %w", err))
	}
	return place, nil
}

// early reports whether x was turned away before anybody was identified.
func early(x *exchange.Exchange) bool {
	return x.Fault != nil && x.Principal.ID == ""
}
