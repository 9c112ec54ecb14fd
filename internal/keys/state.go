package keys

import (
	"encoding/hex"
	"maps"
	"slices"
	"time"
)

// The states of a key.
const (
	Current    = "current"    // new values are sealed under it
	Old        = "old"        // it only opens
	Destroying = "destroying" // its destruction was ordered and is being recorded
	Destroyed  = "destroyed"  // its bytes are gone
)

// state is everything that a keystore holds, opened. It is never changed: a
// change makes another one, which replaces it when it is on stable storage.
type state struct {
	generation uint64
	tenant     *version
	wraps      []wrapDoc
	keys       map[Purpose][]*version // oldest first; the last one is current
	destroyed  []Tombstone
	rotations  []Rotation
	orders     []order
	recovery   string // age recipient of keys/root.recovery
	unsaved    bool   // opening it made keys that it did not hold yet
}

// version is one key of a purpose.
type version struct {
	number  uint32
	created time.Time
	state   string
	key     *dek
	leaked  bool // it was replaced because somebody else may have it
}

// Tombstone tells of a key that was destroyed or is being destroyed. It holds
// nothing that the key opened.
type Tombstone struct {
	KeyID     string    `json:"key_id"`
	Purpose   string    `json:"purpose"`             // "subject" for a subject's key
	Pseudonym string    `json:"pseudonym,omitempty"` // of the subject
	Version   uint32    `json:"version,omitempty"`
	State     string    `json:"state"` // Destroying or Destroyed
	At        time.Time `json:"at"`    // when it was ordered
}

// newState makes the keys of a new gateway, without a wrap yet.
func newState(now time.Time) *state {
	s := &state{generation: 0, tenant: &version{number: 1, created: now, state: Current, key: newDEK()}, keys: make(map[Purpose][]*version)}
	for _, p := range purposes() {
		s.keys[p] = []*version{{number: 1, created: now, state: Current, key: newDEK()}}
	}
	return s
}

// clone returns a copy that can be changed: the lists are new, the versions in
// them are shared and must be replaced, never changed.
func (s *state) clone() *state {
	c := *s
	c.wraps = slices.Clone(s.wraps)
	c.destroyed = slices.Clone(s.destroyed)
	c.rotations = slices.Clone(s.rotations)
	c.orders = slices.Clone(s.orders)
	c.keys = maps.Clone(s.keys)
	for p, list := range c.keys {
		c.keys[p] = slices.Clone(list)
	}
	return &c
}

// current returns the key that p seals with, or nil.
func (s *state) current(p Purpose) *dek {
	list := s.keys[p]
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1].key
}

// find returns the key of p that sealed record, or nil.
func (s *state) find(p Purpose, record []byte) *dek {
	for _, v := range s.keys[p] {
		if v.key.sealed(record) && v.state != Destroying {
			return v.key
		}
	}
	return nil
}

// bump replaces the current key of p by made.
func (s *state) bump(p Purpose, made *dek, now time.Time) *version {
	list := s.keys[p]
	old := *list[len(list)-1]
	old.state = Old
	next := &version{number: old.number + 1, created: now, state: Current, key: made}
	list[len(list)-1] = &old
	s.keys[p] = append(list, next)
	return next
}

// tombstone returns the place of the tombstone of a key, or -1.
func (s *state) tombstone(keyID string) int {
	return slices.IndexFunc(s.destroyed, func(t Tombstone) bool { return t.KeyID == keyID })
}

func (d *dek) hexID() string { return hex.EncodeToString(d.id[:]) }

// sealer seals and opens for one purpose, over all versions of its key.
type sealer interface {
	seal(Identity, []byte) ([]byte, error)
	open(Identity, []byte) ([]byte, error)
}

// purposeKey is the sealer of one purpose of a ring.
type purposeKey struct {
	ring    *Ring
	purpose Purpose
}

func (k purposeKey) seal(id Identity, plain []byte) ([]byte, error) {
	return k.ring.Seal(k.purpose, id, plain)
}

func (k purposeKey) open(id Identity, record []byte) ([]byte, error) {
	return k.ring.Open(k.purpose, id, record)
}

// of returns the key that sealed record.
func (k purposeKey) of(record []byte) *dek { return k.ring.state.Load().find(k.purpose, record) }
