package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// subjects is every subject of a ring, with its file (journal.go).
type subjects struct {
	path string

	mu     sync.RWMutex // guards all below
	file   *journal
	above  []*version               // versions of the key of all subjects
	index  map[string]*subjectEntry // by blind index
	ids    map[string]*subjectEntry // by pseudonym
	keys   map[string]*subjectEntry // by key id
	names  map[string]*subjectEntry // by clear name: those that were asked for
	doomed map[string]bool          // pseudonyms whose erasure was ordered
}

// cachedNames bounds the clear names that are kept to be found without a hash.
const cachedNames = 1 << 16

func newSubjects(folder string, s *state) *subjects {
	all := &subjects{path: filepath.Join(folder, subjectFile), doomed: map[string]bool{}}
	all.above = s.keys[Subjects]
	all.reset()
	for _, t := range s.destroyed {
		if t.Pseudonym != "" && t.State == Destroying {
			all.doomed[t.Pseudonym] = true
		}
	}
	return all
}

func (s *subjects) reset() {
	s.index, s.ids = map[string]*subjectEntry{}, map[string]*subjectEntry{}
	s.keys, s.names = map[string]*subjectEntry{}, map[string]*subjectEntry{}
}

func (s *subjects) add(e *subjectEntry) {
	s.index[e.Index], s.ids[e.Pseudonym], s.keys[e.KeyID] = e, e, e
}

// createSubjects writes the empty file of a new gateway.
func createSubjects(folder string, st *state) (*subjects, error) {
	s := newSubjects(folder, st)
	var err error
	s.file, err = writeJournal(s.path, st.current(Subjects), nil)
	return s, err
}

// openSubjects reads the file. A subject that has a final tombstone is dropped,
// and the file written anew without it: a kill, or somebody who put the old
// file back, does not undo an erasure (TestOldSubjectsFileDoesNotRevive).
func openSubjects(folder string, st *state, readOnly bool) (*subjects, error) {
	s := newSubjects(folder, st)
	file, entries, err := readJournal(s.path, st.keys[Subjects], readOnly)
	if errors.Is(err, fs.ErrNotExist) && readOnly && st.generation == 0 {
		return s, nil // format 1 had none
	}
	if err != nil {
		return nil, err
	}
	s.file = file
	gone := map[string]bool{}
	for _, t := range st.destroyed {
		if t.State == Destroyed && t.Pseudonym != "" {
			gone[t.Pseudonym] = true
		}
	}
	revived, stale := false, false
	for _, e := range entries {
		if gone[e.Pseudonym] {
			revived = true
			continue
		}
		if s.ids[e.Pseudonym] != nil || s.index[e.Index] != nil {
			return nil, fmt.Errorf("%s %w: a subject stands in it twice", s.path, ErrDamaged)
		}
		stale = stale || !st.current(Subjects).sealed(e.Sealed)
		s.add(e)
	}
	switch {
	case readOnly:
		return s, nil
	case stale:
		return s, s.rewrap(st)
	case revived:
		return s, s.rewrite(nil)
	}
	return s, nil
}

func (s *subjects) named(name string) (Subject, bool) {
	s.mu.RLock()
	e := s.names[name]
	found := e != nil
	for i := len(s.above) - 1; e == nil && i >= 0; i-- {
		e = s.index[blind(s.above[i].key, subjectPurpose, name)]
	}
	subject, ok := s.opened(e)
	s.mu.RUnlock()
	if ok && !found {
		s.mu.Lock()
		if len(s.names) >= cachedNames {
			clear(s.names)
		}
		if s.ids[e.Pseudonym] == e {
			s.names[name] = e
		}
		s.mu.Unlock()
	}
	return subject, ok
}

func (s *subjects) called(pseudonym string) (Subject, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.opened(s.ids[pseudonym])
}

// opened opens an entry that is not being erased.
func (s *subjects) opened(e *subjectEntry) (Subject, bool) {
	if e == nil || s.doomed[e.Pseudonym] {
		return Subject{}, false
	}
	subject, err := e.open(s.above)
	return subject, err == nil
}

func (s *subjects) count() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.ids)
}

func (s *subjects) info(keyID string) (Info, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.keys[keyID]
	if e == nil {
		return Info{}, false
	}
	state := Current
	if s.doomed[e.Pseudonym] {
		state = Destroying
	}
	return Info{ID: e.KeyID, Purpose: subjectPurpose, Version: 1, State: state, Algorithm: algorithmOf(Subjects),
		Created: instant(e.Created), Pseudonym: e.Pseudonym}, true
}

// create makes the subjects that are not there, in one write; the caller holds
// the ring's lock.
func (s *subjects) create(names []string, above *dek, now time.Time) ([]Subject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, fresh := make([]*subjectEntry, len(names)), []*subjectEntry(nil)
	made := map[string]*subjectEntry{}
	for i, name := range names {
		e, err := s.living(name)
		if err != nil {
			return nil, err
		}
		if e == nil {
			e = made[name]
		}
		if e == nil {
			if e, err = newEntry(name, above, now); err != nil {
				return nil, err
			}
			made[name], fresh = e, append(fresh, e)
		}
		all[i] = e
	}
	if len(fresh) > 0 {
		if err := s.file.append(fresh...); err != nil {
			return nil, err
		}
	}
	for _, e := range fresh {
		s.add(e)
	}
	out := make([]Subject, len(all))
	for i, e := range all {
		var err error
		if out[i], err = e.open(s.above); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// living returns the entry of a name, nil if there is none, and ErrErasing while
// it is being erased. The caller holds the lock.
func (s *subjects) living(name string) (*subjectEntry, error) {
	for _, v := range s.above {
		e := s.index[blind(v.key, subjectPurpose, name)]
		if e == nil {
			continue
		}
		if s.doomed[e.Pseudonym] {
			return nil, ErrErasing
		}
		return e, nil
	}
	return nil, nil
}

func (s *subjects) condemn(pseudonym string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.ids[pseudonym]; e != nil {
		s.doomed[pseudonym] = true
		s.forget(e)
	}
}

func (s *subjects) spare(pseudonym string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.doomed, pseudonym)
}

// forget drops the names under which an entry is cached.
func (s *subjects) forget(e *subjectEntry) {
	for name, cached := range s.names {
		if cached == e {
			delete(s.names, name)
		}
	}
}

// remove takes subjects out of the file and out of memory.
func (s *subjects) remove(gone map[string]bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rewrite(gone); err != nil {
		return err
	}
	for pseudonym := range gone {
		e := s.ids[pseudonym]
		if e == nil {
			continue
		}
		s.forget(e)
		delete(s.index, e.Index)
		delete(s.ids, pseudonym)
		delete(s.keys, e.KeyID)
		delete(s.doomed, pseudonym)
	}
	return nil
}

// rewrite writes the file anew without those that are gone.
func (s *subjects) rewrite(gone map[string]bool) error {
	var left []*subjectEntry
	for _, e := range s.ids {
		if !gone[e.Pseudonym] {
			left = append(left, e)
		}
	}
	return s.write(left)
}

func (s *subjects) write(all []*subjectEntry) error {
	slices.SortFunc(all, func(a, b *subjectEntry) int { return compareTimes(a, b) })
	file, err := writeJournal(s.path, s.above[len(s.above)-1].key, all)
	if err != nil {
		return err
	}
	s.file = file
	return nil
}

func compareTimes(a, b *subjectEntry) int {
	if c := a.Created.Compare(b.Created); c != 0 {
		return c
	}
	if a.Pseudonym < b.Pseudonym {
		return -1
	}
	return 1
}

// rewrap puts every subject under the current key of st.
func (s *subjects) rewrap(st *state) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.above = st.keys[Subjects]
	var all []*subjectEntry
	for _, old := range s.ids {
		if _, err := old.open(s.above); err != nil {
			return err
		}
		e := &subjectEntry{Pseudonym: old.Pseudonym, Created: old.Created, key: old.key, clear: old.clear}
		e.once.Do(func() {})
		if err := e.wrap(st.current(Subjects)); err != nil {
			return err
		}
		all = append(all, e)
	}
	if err := s.write(all); err != nil {
		return err
	}
	s.reset()
	for _, e := range all {
		s.add(e)
	}
	return nil
}
