package keys

import (
	"encoding/base32"
	"errors"
	"fmt"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// Errors of subjects.
var (
	ErrSubject = errors.New("not a name of a subject")
	ErrErasing = errors.New("the subject of that name is being erased")
)

// maxSubject bounds a clear name, in bytes.
const maxSubject = 1024

// Subject is a person or an agent: a random pseudonym, a key of its own and a
// name that is sealed under it. It is safe for concurrent use.
type Subject struct {
	Pseudonym string // "s-" and 26 characters
	entry     *subjectEntry
	key       *dek
}

// Name returns the clear name, which only the subject's key opens.
func (s Subject) Name() string { return s.entry.clear }

// KeyID returns the id of the subject's key.
func (s Subject) KeyID() string { return s.key.hexID() }

// Seal encrypts plain under the subject's own key.
func (s Subject) Seal(id Identity, plain []byte) ([]byte, error) { return s.key.seal(id, plain) }

// Open decrypts what Seal made. Any failure is ErrSeal.
func (s Subject) Open(id Identity, sealed []byte) ([]byte, error) { return s.key.open(id, sealed) }

// String keeps name and key out of anything that prints a subject.
func (s Subject) String() string { return s.Pseudonym }

// GoString keeps them out of %#v.
func (s Subject) GoString() string { return s.Pseudonym }

// Subject returns the subject of a name and makes it when there is none. A
// new one is on stable storage when it returns: call it where agents are
// registered, not on the way of a call.
func (r *Ring) Subject(name string) (Subject, error) {
	if s, ok := r.FindSubject(name); ok {
		return s, nil
	}
	all, err := r.Subjects([]string{name})
	if err != nil {
		return Subject{}, err
	}
	return all[0], nil
}

// Subjects returns the subjects of names and makes those that are not there, in
// one write to stable storage.
func (r *Ring) Subjects(names []string) ([]Subject, error) {
	for _, name := range names {
		if name == "" || len(name) > maxSubject {
			return nil, fmt.Errorf("%w: it has 1 to %d bytes", ErrSubject, maxSubject)
		}
	}
	if r.readOnly {
		return nil, ErrReadOnly
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all, err := r.subjects.create(names, r.state.Load().current(Subjects), clock.Clock{}.Now().UTC().Truncate(time.Second))
	if err != nil {
		return nil, fmt.Errorf("make a subject: %w", err)
	}
	return all, nil
}

// FindSubject returns the subject of a name, if there is one.
func (r *Ring) FindSubject(name string) (Subject, bool) { return r.subjects.named(name) }

// SubjectOf returns the subject of a pseudonym, if it was not erased.
func (r *Ring) SubjectOf(pseudonym string) (Subject, bool) { return r.subjects.called(pseudonym) }

// SubjectCount is how many subjects there are.
func (r *Ring) SubjectCount() int { return r.subjects.count() }

// subjectEntry is a subject as the file holds it. Its key and name are opened
// when they are first asked for.
type subjectEntry struct {
	Pseudonym string    `json:"pseudonym"`
	Index     string    `json:"index"` // blind index of the name
	KeyID     string    `json:"key_id"`
	Created   time.Time `json:"created"`
	Sealed    []byte    `json:"sealed"` // the key, under the key of all subjects
	Name      []byte    `json:"name"`   // the name, under the key

	once  sync.Once
	key   *dek
	clear string
	err   error
}

// newEntry makes a subject.
func newEntry(name string, above *dek, now time.Time) (*subjectEntry, error) {
	e := &subjectEntry{Pseudonym: newPseudonym(), Created: now, key: newDEK(), clear: name}
	e.once.Do(func() {})
	return e, e.wrap(above)
}

// wrap seals the opened entry under the key of all subjects.
func (e *subjectEntry) wrap(above *dek) error {
	e.KeyID, e.Index = e.key.hexID(), blind(above, subjectPurpose, e.clear)
	var err error
	if e.Sealed, err = above.seal(e.keyIdentity(), e.key.key[:]); err != nil {
		return err
	}
	e.Name, err = e.key.seal(e.nameIdentity(), []byte(e.clear))
	return err
}

// keyIdentity binds the wrapped key to its pseudonym and index: an entry whose
// index was exchanged would stand in for somebody else.
func (e *subjectEntry) keyIdentity() Identity {
	return Identity{Tenant: DefaultTenant, Kind: "subject-key", Record: e.Pseudonym, Column: e.Index, Version: e.KeyID}
}

func (e *subjectEntry) nameIdentity() Identity {
	return Identity{Tenant: DefaultTenant, Kind: "subject", Record: e.Pseudonym, Column: "name", Version: "1"}
}

// open opens the key and the name, once.
func (e *subjectEntry) open(above []*version) (Subject, error) {
	e.once.Do(func() { e.err = e.unseal(above) })
	if e.err != nil {
		return Subject{}, e.err
	}
	return Subject{Pseudonym: e.Pseudonym, entry: e, key: e.key}, nil
}

func (e *subjectEntry) unseal(above []*version) error {
	d, err := withID(e.KeyID)
	if err != nil {
		return err
	}
	for _, v := range above {
		if !v.key.sealed(e.Sealed) {
			continue
		}
		key, err := v.key.open(e.keyIdentity(), e.Sealed)
		if err != nil || len(key) != keySize {
			return fmt.Errorf("%w: the key of %s does not open", ErrDamaged, e.Pseudonym)
		}
		copy(d.key[:], key)
		name, err := d.open(e.nameIdentity(), e.Name)
		if err != nil {
			return fmt.Errorf("%w: the name of %s does not open", ErrDamaged, e.Pseudonym)
		}
		e.key, e.clear = d, string(name)
		return nil
	}
	return fmt.Errorf("%w: the key of %s is under an unknown key", ErrDamaged, e.Pseudonym)
}

// newPseudonym returns "s-" and 130 random bits in 26 characters of base32.
func newPseudonym() string {
	b := make([]byte, keySize)
	fillRandom(b)
	return "s-" + base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding).EncodeToString(b)[:26]
}
