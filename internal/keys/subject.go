package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
)

// ErrErased says that the subject's key was destroyed.
var ErrErased = errors.New("the subject was erased")

const (
	subjectFile  = "subjects"
	subjectLimit = 64 << 20
)

// Subject is a person or an agent: a random pseudonym, a key of its own and a
// sealed name. It is safe for concurrent use.
type Subject struct {
	Pseudonym string // "s-" and 26 characters
	entry     *subjectEntry
}

// subjectEntry is a subject as it is held.
type subjectEntry struct {
	pseudonym string
	name      string
	key       *dek
}

// Name returns the clear name.
func (s Subject) Name() string { return s.entry.name }

// Seal encrypts plain under the subject's own key.
func (s Subject) Seal(id Identity, plain []byte) ([]byte, error) { return s.entry.key.seal(id, plain) }

// Open decrypts what Seal made. Any failure is ErrSeal.
func (s Subject) Open(id Identity, sealed []byte) ([]byte, error) {
	return s.entry.key.open(id, sealed)
}

// subjects holds every subject of a ring.
type subjects struct {
	mu    sync.RWMutex
	path  string
	above *dek
	names map[string]*subjectEntry // by clear name
	ids   map[string]*subjectEntry // by pseudonym
}

type subjectRow struct {
	Pseudonym string `json:"pseudonym"`
	KeyID     string `json:"key_id"`
	Sealed    []byte `json:"sealed"`
	Name      []byte `json:"name"`
}

// Subject returns the subject of a name and makes it when there is none. A
// new one is on stable storage when it returns.
func (r *Ring) Subject(name string) (Subject, error) {
	if s, ok := r.FindSubject(name); ok {
		return s, nil
	}
	return r.subjects.create(name)
}

// FindSubject returns the subject of a name, if there is one.
func (r *Ring) FindSubject(name string) (Subject, bool) {
	r.subjects.mu.RLock()
	defer r.subjects.mu.RUnlock()
	e, ok := r.subjects.names[name]
	if !ok {
		return Subject{}, false
	}
	return Subject{Pseudonym: e.pseudonym, entry: e}, true
}

// SubjectOf returns the subject of a pseudonym, if it has not been erased.
func (r *Ring) SubjectOf(pseudonym string) (Subject, bool) {
	r.subjects.mu.RLock()
	defer r.subjects.mu.RUnlock()
	e, ok := r.subjects.ids[pseudonym]
	if !ok {
		return Subject{}, false
	}
	return Subject{Pseudonym: e.pseudonym, entry: e}, true
}

func openSubjects(folder string, above *dek) (*subjects, error) {
	s := &subjects{path: filepath.Join(folder, subjectFile), above: above,
		names: map[string]*subjectEntry{}, ids: map[string]*subjectEntry{}}
	data, err := readFile(s.path, subjectLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		var row subjectRow
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, fmt.Errorf("%s %w: %v", s.path, ErrDamaged, err)
		}
		if err := s.read(row); err != nil {
			return nil, fmt.Errorf("%s %w", s.path, err)
		}
	}
	return s, nil
}

func (s *subjects) read(row subjectRow) error {
	key, err := unwrap(s.above, keystoreEntry{Tenant: DefaultTenant, Purpose: row.Pseudonym, KeyID: row.KeyID, Sealed: row.Sealed})
	if err != nil {
		return err
	}
	name, err := key.open(subjectIdentity(row.Pseudonym), row.Name)
	if err != nil {
		return fmt.Errorf("%w: a subject's name does not open", ErrDamaged)
	}
	s.hold(&subjectEntry{pseudonym: row.Pseudonym, name: string(name), key: key})
	return nil
}

func (s *subjects) hold(e *subjectEntry) {
	s.names[e.name], s.ids[e.pseudonym] = e, e
}

func (s *subjects) create(name string) (Subject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.names[name]; ok {
		return Subject{Pseudonym: e.pseudonym, entry: e}, nil
	}
	e := &subjectEntry{pseudonym: newPseudonym(), name: name, key: newDEK()}
	s.hold(e)
	if err := s.write(); err != nil {
		delete(s.names, e.name)
		delete(s.ids, e.pseudonym)
		return Subject{}, err
	}
	return Subject{Pseudonym: e.pseudonym, entry: e}, nil
}

func (s *subjects) write() error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, e := range s.ids {
		wrapped, err := wrap(s.above, e.pseudonym, e.key)
		if err != nil {
			return err
		}
		name, err := e.key.seal(subjectIdentity(e.pseudonym), []byte(e.name))
		if err != nil {
			return err
		}
		if err := enc.Encode(subjectRow{Pseudonym: e.pseudonym, KeyID: hex.EncodeToString(e.key.id[:]), Sealed: wrapped.Sealed, Name: name}); err != nil {
			return fmt.Errorf("write subjects: %w", err)
		}
	}
	return writeFile(s.path, out.Bytes(), 0o600)
}

func subjectIdentity(pseudonym string) Identity {
	return Identity{Tenant: DefaultTenant, Kind: "subject", Record: pseudonym, Column: "name", Version: "1"}
}

// newPseudonym returns "s-" and 130 random bits in 26 characters of base32.
func newPseudonym() string {
	b := make([]byte, sha256.Size)
	fillRandom(b)
	return "s-" + base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding).EncodeToString(b)[:26]
}
