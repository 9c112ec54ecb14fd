package record

import (
	"fmt"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/exchange"
)

// digester is rows that can say what all of them are. The digest in an entry of
// the control log is compared at the next start: a row that was put back,
// changed or deleted behind the gateway's back does not go unseen.
type digester interface{ RowsDigest() (string, error) }

// Admin adds acts to the control log through rows, inside the transaction of
// the change that they describe: when that is rolled back, so are they
// (TestActsFollowTheirTransaction).
func (s *Step) Admin(rows auditlog.Rows, acts ...auditlog.Act) error {
	now := s.c.Clock.Now()
	for i := range acts {
		e, err := s.actEntry(&acts[i], now)
		if err != nil {
			return err
		}
		// An entry about rows or keys that are not ours must not vouch for them.
		if i == len(acts)-1 && acts[i].Kind != auditlog.IntegrityFailed {
			if d, ok := rows.(digester); ok {
				if e.Rows, err = d.RowsDigest(); err != nil {
					return fmt.Errorf("digest of the rows: %w", err)
				}
			}
			s.grown(&e)
		}
		entry, err := e.entry(now)
		if err != nil {
			return err
		}
		if _, err := s.c.Book.AppendIn(rows, entry); err != nil {
			return fmt.Errorf("append to the control log: %w", err)
		}
	}
	return nil
}

// Act adds acts that belong to no change, in a transaction of their own. They
// are on stable storage when it returns nil.
func (s *Step) Act(acts ...auditlog.Act) error {
	return s.c.InTx(func(rows auditlog.Rows) error { return s.Admin(rows, acts...) })
}

// grown says in e how far the keys have grown, which is compared at the next
// start: an older keys folder that was put back would bring back who was erased
// (TestOldKeysPutBack in internal/app).
func (s *Step) grown(e *Entry) {
	if s.c.Keys != nil {
		e.Keys, e.Subjects = s.c.Keys()
	}
}

func (s *Step) actEntry(a *auditlog.Act, now time.Time) (Entry, error) {
	e := Entry{Time: now, Kind: a.Kind, Method: a.Action, Name: clip(a.Subject), Outcome: string(exchange.OK), Closed: true,
		Reason: a.Reason, Before: a.Before, After: a.After, Change: a.Change}
	var err error
	if e.Actor, err = s.pseudonym(a.By); err != nil {
		return e, err
	}
	e.Agent, err = s.pseudonym(a.Agent)
	return e, err
}

func (s *Step) pseudonym(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	p, err := s.c.Pseudonym(name)
	if err != nil {
		return "", fmt.Errorf("the pseudonym of a name: %w", err)
	}
	return p, nil
}

// Changed adds the entry of a change of rows that no operator made, such as a
// value that the gateway keeps for itself, in the transaction of that change.
func (s *Step) Changed(rows auditlog.Rows, digest string) error {
	now := s.c.Clock.Now()
	e := Entry{Time: now, Kind: auditlog.AdminChanged, Method: "store.write", Outcome: string(exchange.OK), Closed: true, Rows: digest}
	s.grown(&e)
	entry, err := e.entry(now)
	if err != nil {
		return err
	}
	if _, err := s.c.Book.AppendIn(rows, entry); err != nil {
		return fmt.Errorf("append to the control log: %w", err)
	}
	return nil
}
