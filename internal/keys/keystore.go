package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// The keystore is a JSON file, docs/formats/keystore.md, format 2: the
// tenant's key wrapped by one root key (by two while the root key changes),
// the versions of each purpose's key sealed under the tenant's, tombstones of
// what was destroyed, and the hand-overs of signing keys. A MAC under the
// tenant's key covers all of it, so that nobody takes a tombstone out.
const (
	keystoreFile    = "keystore"
	keystoreFormat  = "ostiary-keystore/2"
	keystoreFormat1 = "ostiary-keystore/1"
	keystoreLimit   = 64 << 20
	tenantPurpose   = "tenant" // marks the tenant's own key
)

type keystoreDoc struct {
	Format     string      `json:"format"`
	Generation uint64      `json:"generation"` // grows with every change
	Tenant     tenantDoc   `json:"tenant"`
	Keys       []keyDoc    `json:"keys"`
	Destroyed  []Tombstone `json:"destroyed"`
	Rotations  []Rotation  `json:"rotations"`
	Orders     []orderDoc  `json:"orders,omitempty"`   // new keys on their way
	Recovery   string      `json:"recovery,omitempty"` // age recipient of root.recovery
	MAC        []byte      `json:"mac,omitempty"`
}

type tenantDoc struct {
	Tenant  string    `json:"tenant"`
	KeyID   string    `json:"key_id"`
	Version uint32    `json:"version"`
	Created time.Time `json:"created"`
	Wraps   []wrapDoc `json:"wraps"` // one; two while the root key changes
}

// wrapDoc is the tenant's key under one root key.
type wrapDoc struct {
	Provider string    `json:"provider"` // file, passphrase or external
	ID       string    `json:"id"`       // of the root key
	Created  time.Time `json:"created"`
	Wrapped  []byte    `json:"wrapped"`
}

// id is the root key's as lists show it.
func (w wrapDoc) id() string { return w.Provider + ":" + w.ID }

type keyDoc struct {
	Purpose string    `json:"purpose"`
	Version uint32    `json:"version"`
	KeyID   string    `json:"key_id"` // hex of 16 bytes
	Created time.Time `json:"created"`
	State   string    `json:"state"`
	Sealed  []byte    `json:"sealed"` // seal record of 32 bytes
	Leaked  bool      `json:"leaked,omitempty"`
}

// keyIdentity binds a wrapped key to its place.
func keyIdentity(purpose, keyID string) Identity {
	return Identity{Tenant: DefaultTenant, Kind: "key", Record: keyID, Column: purpose, Version: "1"}
}

// wrap seals d under the key above it.
func wrap(above *dek, purpose string, d *dek) ([]byte, error) {
	return above.seal(keyIdentity(purpose, d.hexID()), d.key[:])
}

// unwrap opens a wrapped key under the key above it.
func unwrap(above *dek, purpose, keyID string, sealed []byte) (*dek, error) {
	d, err := withID(keyID)
	if err != nil {
		return nil, err
	}
	key, err := above.open(keyIdentity(purpose, keyID), sealed)
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%w: the key for %q does not open under the key above it", ErrDamaged, purpose)
	}
	copy(d.key[:], key)
	return d, nil
}

// withID returns a key that has its id but no bytes yet.
func withID(keyID string) (*dek, error) {
	id, err := hex.DecodeString(keyID)
	if err != nil || len(id) != keyIDSize || hex.EncodeToString(id) != keyID {
		return nil, fmt.Errorf("%w: bad key id", ErrDamaged)
	}
	d := &dek{}
	copy(d.id[:], id)
	return d, nil
}

// encode returns the file's bytes for s.
func (s *state) encode() ([]byte, error) {
	doc := keystoreDoc{Format: keystoreFormat, Generation: s.generation, Tenant: tenantDoc{
		Tenant: DefaultTenant, KeyID: s.tenant.key.hexID(), Version: s.tenant.number, Created: s.tenant.created, Wraps: s.wraps,
	}, Keys: []keyDoc{}, Destroyed: orEmpty(s.destroyed), Rotations: orEmpty(s.rotations), Recovery: s.recovery}
	for _, p := range purposes() {
		for _, v := range s.keys[p] {
			sealed, err := wrap(s.tenant.key, string(p), v.key)
			if err != nil {
				return nil, err
			}
			doc.Keys = append(doc.Keys, keyDoc{string(p), v.number, v.key.hexID(), v.created, v.state, sealed, v.leaked})
		}
	}
	var err error
	if doc.Orders, err = s.orderDocs(); err != nil {
		return nil, err
	}
	if doc.MAC, err = doc.mac(s.tenant.key); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write keystore: %w", err)
	}
	if len(out) >= keystoreLimit {
		return nil, fmt.Errorf("write keystore: it would be longer than %d bytes", keystoreLimit)
	}
	return append(out, '\n'), nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// mac is HMAC-SHA256 over the compact JSON of the document without its mac,
// under a key derived from the tenant's.
func (doc keystoreDoc) mac(tenant *dek) ([]byte, error) {
	doc.MAC = nil
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write keystore: %w", err)
	}
	return tenant.mac("keystore/v2", text), nil
}

// mac is HMAC-SHA256 of text under a key of d's for one use.
func (d *dek) mac(use string, text []byte) []byte {
	key := hmac.New(sha256.New, d.key[:])
	key.Write([]byte("mac/v1 " + use))
	mac := hmac.New(sha256.New, key.Sum(nil))
	mac.Write(text)
	return mac.Sum(nil)
}

// parseKeystore reads the form of a file of format 2.
func parseKeystore(data []byte) (*keystoreDoc, error) {
	var doc keystoreDoc
	if err := strictJSON(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Tenant.Wraps) < 1 || len(doc.Tenant.Wraps) > 2 || doc.Tenant.Tenant != DefaultTenant {
		return nil, fmt.Errorf("%w: it does not hold exactly one key of the tenant", ErrDamaged)
	}
	return &doc, nil
}

// formatOf returns the format that a keystore says it has.
func formatOf(data []byte) (string, error) {
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return "", fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	switch head.Format {
	case keystoreFormat, keystoreFormat1:
		return head.Format, nil
	}
	return "", fmt.Errorf("%w: %.40q; use the program that wrote it, or a newer one", ErrVersion, head.Format)
}

func strictJSON(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the keystore", ErrDamaged)
	}
	return nil
}

// open checks the document under the tenant's key and returns its state. It
// wants exactly one current key for each purpose: a missing one would
// otherwise show up later as values that do not open.
func (doc *keystoreDoc) open(tenant *dek) (*state, error) {
	mac, err := doc.mac(tenant)
	if err != nil || !hmac.Equal(mac, doc.MAC) {
		return nil, fmt.Errorf("%w: its MAC does not fit", ErrDamaged)
	}
	s := &state{generation: doc.Generation, wraps: doc.Tenant.Wraps, destroyed: doc.Destroyed, rotations: doc.Rotations, recovery: doc.Recovery,
		tenant: &version{number: doc.Tenant.Version, created: doc.Tenant.Created, state: Current, key: tenant},
		keys:   make(map[Purpose][]*version)}
	for _, k := range doc.Keys {
		d, err := unwrap(tenant, k.Purpose, k.KeyID, k.Sealed)
		if err != nil {
			return nil, err
		}
		p := Purpose(k.Purpose)
		s.keys[p] = append(s.keys[p], &version{number: k.Version, created: k.Created, state: k.State, key: d, leaked: k.Leaked})
	}
	if err := s.openOrders(doc.Orders); err != nil {
		return nil, err
	}
	for _, p := range latePurposes() {
		if s.keys[p] == nil {
			s.keys[p] = []*version{{number: 1, created: doc.Tenant.Created, state: Current, key: newDEK()}}
			s.unsaved = true
		}
	}
	return s, s.check()
}

// check wants the versions of each purpose in ascending order, the last one
// current and no other.
func (s *state) check() error {
	if len(s.keys) != len(purposes()) {
		return fmt.Errorf("%w: it does not hold the keys of exactly %d purposes", ErrDamaged, len(purposes()))
	}
	for _, p := range purposes() {
		list := s.keys[p]
		if len(list) == 0 {
			return fmt.Errorf("%w: no key for %q", ErrDamaged, p)
		}
		for i, v := range list {
			last := i == len(list)-1
			if v.state == Current != last || v.state != Current && v.state != Old && v.state != Destroying ||
				i > 0 && v.number <= list[i-1].number {
				return fmt.Errorf("%w: the versions for %q are not in order", ErrDamaged, p)
			}
		}
	}
	return nil
}
