// Package sealed is store.Store over a driver that cannot read what it keeps:
// each noun becomes JSON, sealed for its own kind, index and revision; each key
// becomes a blind index; each agent and person becomes a pseudonym. It also
// holds the database to what the gateway wrote: the digests of all rows are in
// memory, every row that is read is compared with them, and the digest over all
// of them stands in the control log.
//
// It touches rows through store.Raw and keys through the ring. It deliberately
// writes no SQL, repairs nothing, and gives no row that differs from what was
// written: docs/decisions/0015-sealed-rows.md.
package sealed

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

var (
	_ store.Store = (*Store)(nil)
	_ store.Store = (*tx)(nil)
)

// Store is an opened store. It is safe for concurrent use.
type Store struct {
	auditlog.Rows // of the driver, as it is
	raw           store.Raw
	ring          *keys.Ring

	mu     sync.Mutex // guards what follows, and lets one reader or transaction in at a time
	ledger *ledger    // of the rows as they are committed
	doubt  *doubt     // a commit whose outcome is not known yet
	held   map[key]held
	erased erased  // pseudonyms that must not come back; has a lock of its own
	refuse error   // the rows are not those that the control log describes
	follow bool    // another process changes the rows
	found  []error // damage that nobody was told of yet

	told     map[string]bool // damage that somebody was told of
	onDamage func(error)
	onChange func(auditlog.Rows, string) error
}

// doubt is a transaction that may or may not have been committed.
type doubt struct{ next *ledger }

// Open seals what an older version left in clear and takes the rows' digests.
// It takes raw over: Close closes it, and so does a failed Open.
func Open(raw store.Raw, ring *keys.Ring) (*Store, error) {
	s := &Store{Rows: raw, raw: raw, ring: ring, told: map[string]bool{}, held: map[key]held{}}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open rows: %w", err), raw.Close())
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if s.ledger, err = readLedger(s.raw); err != nil {
		return err
	}
	if err := s.sealClear(); err != nil {
		return err
	}
	if err := s.readErased(); err != nil {
		return err
	}
	return s.raw.Scrub()
}

// OnDamage sets who is told of damage: once for each row, outside of any
// transaction, by the call that met it.
func (s *Store) OnDamage(tell func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onDamage = tell
}

// OnChange sets who records a transaction that changed rows and did not ask for
// their digest, which is how a control entry gets it. record appends an entry
// with the digest in the same transaction: without one the next start would
// take the change for damage.
func (s *Store) OnChange(record func(rows auditlog.Rows, digest string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onChange = record
}

// Raw returns the driver below.
func (s *Store) Raw() store.Raw { return s.raw }

// InTx runs fn in one transaction; see store.Store.
func (s *Store) InTx(fn func(store.Store) error) error {
	return s.inTx(func(t *tx) error { return fn(t) })
}

func (s *Store) inTx(fn func(*tx) error) (err error) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.settle(); err != nil {
		return err
	}
	var t *tx
	ran := false
	err = s.raw.InTx(func(raw store.Raw) error {
		t = s.over(raw)
		if err := fn(t); err != nil {
			return err
		}
		if err := t.finish(); err != nil {
			return err
		}
		ran = true
		return nil
	})
	switch {
	case err == nil:
		s.ledger.merge(t.changes)
		s.erased.add(t.erased)
		return nil
	case !ran || len(t.changes) == 0:
		return err
	}
	// The commit failed, or its acknowledgement was lost. Only the rows tell.
	next := s.ledger.clone()
	next.merge(t.changes)
	s.doubt = &doubt{next}
	if e := s.settle(); e != nil {
		return errors.Join(err, e)
	}
	if s.ledger == next {
		return nil
	}
	return err
}

// settle finds out how a doubtful commit ended, by reading. Rows that the
// control log does not describe are used for nothing: an entry with their digest
// would make them good.
func (s *Store) settle() error {
	if s.refuse != nil {
		return s.refuse
	}
	if s.doubt == nil {
		return nil
	}
	now, err := readLedger(s.raw)
	if err != nil {
		return fmt.Errorf("a change may or may not have been stored: %w", err)
	}
	switch now.digest(nil) {
	case s.ledger.digest(nil):
	case s.doubt.next.digest(nil):
		s.ledger = s.doubt.next
		if err := s.readErased(); err != nil {
			return err
		}
	default:
		return s.damaged(&store.Damage{Why: "the rows are neither those before nor those after an interrupted change"})
	}
	s.doubt = nil
	return nil
}

// read runs fn outside a transaction: nothing can change under it, since mu
// keeps every writer out.
func read[T any](s *Store, fn func(*tx) (T, error)) (T, error) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.settle(); err != nil {
		var none T
		return none, err
	}
	v, err := fn(s.over(s.raw))
	if !s.follow || !errors.Is(err, store.ErrDamage) {
		return v, err
	}
	if err := s.reload(); err != nil { // somebody else changed what was read
		return v, err
	}
	return fn(s.over(s.raw))
}

// damaged notes damage for whoever is told of it.
func (s *Store) damaged(d *store.Damage) error {
	if s.follow { // the rows may have been changed meanwhile: CheckRows tells
		return d
	}
	s.found = append(s.found, d)
	return d
}

// tell hands on the damage that was met. It runs without the lock, so that the
// one who is told may use the store.
func (s *Store) tell() {
	s.mu.Lock()
	var news []error
	for _, err := range s.found {
		if !s.told[err.Error()] {
			s.told[err.Error()] = true
			news = append(news, err)
		}
	}
	s.found = nil
	tell := s.onDamage
	s.mu.Unlock()
	for _, err := range news {
		if tell != nil {
			tell(err)
		}
	}
}

// Ping asks a database that is reached over a network for a sign of life; an
// embedded one is always there.
func (s *Store) Ping(ctx context.Context) error {
	if far, ok := s.raw.(interface{ Ping(context.Context) error }); ok {
		return far.Ping(ctx)
	}
	return nil
}

// Close ends the use of the database.
func (s *Store) Close() error { return s.raw.Close() }
