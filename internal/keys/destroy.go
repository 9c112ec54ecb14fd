package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// Errors of destruction.
var (
	ErrNoKey   = errors.New("there is no such key")
	ErrInUse   = errors.New("the key is in use")
	ErrGone    = errors.New("the key was destroyed")
	ErrNoOrder = errors.New("the destruction of that key was not ordered")
)

// Destruction is an order, a record and an act, so that none is lost when the
// process dies in between: Condemn writes the order into the keystore, the
// caller writes the entry in the log, Bury removes the bytes. An order that
// Condemned still lists at start is finished by the caller.

// Condemn orders the destruction of a key by its id: an old version of a
// purpose, or a subject's. From then on it seals and opens nothing. The
// current version of a purpose is refused (ErrInUse): rotate it first.
func (r *Ring) Condemn(id string) (Tombstone, error) {
	return r.condemn(id, clock.Clock{}.Now().UTC().Truncate(time.Second))
}

func (r *Ring) condemn(id string, now time.Time) (Tombstone, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.state.Load().clone()
	if at := next.tombstone(id); at >= 0 {
		if next.destroyed[at].State == Destroying {
			return next.destroyed[at], nil
		}
		return Tombstone{}, fmt.Errorf("destroy key %s: %w", id, ErrGone)
	}
	t, err := r.order(next, id)
	if err != nil {
		return t, fmt.Errorf("destroy key %s: %w", id, err)
	}
	t.At, t.State = now, Destroying
	next.destroyed = append(next.destroyed, t)
	if err := r.save(next); err != nil {
		return t, fmt.Errorf("destroy key %s: %w", id, err)
	}
	r.subjects.condemn(t.Pseudonym)
	return t, nil
}

// order marks the key in s and returns its tombstone.
func (r *Ring) order(s *state, id string) (Tombstone, error) {
	if info, ok := r.subjects.info(id); ok {
		return Tombstone{KeyID: id, Purpose: subjectPurpose, Pseudonym: info.Pseudonym}, nil
	}
	if s.tenant.key.hexID() == id {
		return Tombstone{}, fmt.Errorf("%w: it wraps every other key", ErrInUse)
	}
	for _, p := range purposes() {
		for i, v := range s.keys[p] {
			if v.key.hexID() != id {
				continue
			}
			if v.state == Current {
				return Tombstone{}, fmt.Errorf("%w: rotate %s first", ErrInUse, p)
			}
			marked := *v
			marked.state = Destroying
			s.keys[p][i] = &marked
			return Tombstone{KeyID: id, Purpose: string(p), Version: v.number}, nil
		}
	}
	return Tombstone{}, ErrNoKey
}

// Spare takes back an order that Condemn gave and that was not recorded.
func (r *Ring) Spare(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.state.Load().clone()
	at := next.tombstone(id)
	if at < 0 || next.destroyed[at].State != Destroying {
		return fmt.Errorf("spare key %s: %w", id, ErrNoOrder)
	}
	t := next.destroyed[at]
	next.destroyed = slices.Delete(next.destroyed, at, at+1)
	for i, v := range next.keys[Purpose(t.Purpose)] {
		if v.key.hexID() == id {
			back := *v
			back.state = Old
			next.keys[Purpose(t.Purpose)][i] = &back
		}
	}
	if err := r.save(next); err != nil {
		return fmt.Errorf("spare key %s: %w", id, err)
	}
	r.subjects.spare(t.Pseudonym)
	return nil
}

// Bury removes the bytes of a condemned key from every file of ours and leaves
// its tombstone. It can be repeated.
func (r *Ring) Bury(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.state.Load().clone()
	at := next.tombstone(id)
	if at < 0 {
		return fmt.Errorf("destroy key %s: %w", id, ErrNoOrder)
	}
	if err := r.bury(next, []int{at}); err != nil {
		return fmt.Errorf("destroy key %s: %w", id, err)
	}
	return nil
}

// bury removes the keys of the tombstones at those places of next and saves
// it: subjects' first, so that a tombstone never claims what is not yet true.
func (r *Ring) bury(next *state, places []int) error {
	gone := map[string]bool{}
	for _, at := range places {
		t := &next.destroyed[at]
		if t.Pseudonym != "" {
			gone[t.Pseudonym] = true
		}
		t.State = Destroyed
		p := Purpose(t.Purpose)
		next.keys[p] = slices.DeleteFunc(next.keys[p], func(v *version) bool { return v.key.hexID() == t.KeyID && v.state != Current })
		if len(next.keys[p]) == 0 {
			delete(next.keys, p)
		}
	}
	if len(gone) > 0 {
		if err := r.subjects.remove(gone); err != nil {
			return err
		}
	}
	if err := r.save(next); err != nil {
		return err
	}
	r.handles.forget()
	return nil
}

// Condemned returns the orders that were not carried out yet.
func (r *Ring) Condemned() []Tombstone { return r.tombstones(Destroying) }

// Destroyed returns the tombstone of every key that is gone.
func (r *Ring) Destroyed() []Tombstone { return r.tombstones(Destroyed) }

func (r *Ring) tombstones(state string) []Tombstone {
	var out []Tombstone
	for _, t := range r.state.Load().destroyed {
		if t.State == state {
			out = append(out, t)
		}
	}
	return out
}

// Erased returns the tombstone of a subject by its pseudonym.
func (r *Ring) Erased(pseudonym string) (Tombstone, bool) {
	for _, t := range r.state.Load().destroyed {
		if t.Pseudonym == pseudonym && pseudonym != "" {
			return t, true
		}
	}
	return Tombstone{}, false
}

// Apply destroys every key that the tombstones name, after an older keystore
// was restored (security.md 1.3): what was destroyed stays destroyed. A purpose
// whose current key is among them gets a new one. It returns how many keys were
// still there.
func (r *Ring) Apply(all []Tombstone) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.state.Load().clone()
	var places []int
	found := 0
	for _, t := range all {
		at := next.tombstone(t.KeyID)
		if at >= 0 && next.destroyed[at].State == Destroyed {
			continue
		}
		was, err := r.replay(next, t.KeyID)
		if err != nil {
			return 0, fmt.Errorf("replay the destruction of key %s: %w", t.KeyID, err)
		}
		if was {
			found++
		}
		if at < 0 {
			at = len(next.destroyed)
			next.destroyed = append(next.destroyed, t)
		}
		places = append(places, at)
	}
	if len(places) == 0 {
		return 0, nil
	}
	if err := r.bury(next, places); err != nil {
		return 0, fmt.Errorf("replay destroyed keys: %w", err)
	}
	return found, nil
}

// replay marks the key in s, after a rotation when it is current, and reports
// whether it was there.
func (r *Ring) replay(s *state, id string) (bool, error) {
	_, err := r.order(s, id)
	if errors.Is(err, ErrInUse) {
		for _, p := range purposes() {
			if s.current(p).hexID() == id {
				bumpSigned(s, p, RotateOptions{now: clock.Clock{}.Now().UTC().Truncate(time.Second)})
			}
		}
		_, err = r.order(s, id)
	}
	if errors.Is(err, ErrNoKey) {
		return false, nil
	}
	return err == nil, err
}
