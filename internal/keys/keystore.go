package keys

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The keystore is a JSON file of wrapped keys: the tenant's key sealed under
// the root key, and one key per purpose sealed under the tenant's. Each entry
// binds its tenant, purpose and key id as identity, so that entries cannot be
// swapped.
const (
	keystoreFile   = "keystore"
	keystoreFormat = "ostiary-keystore/1"
	keystoreLimit  = 1 << 20
	tenantPurpose  = "tenant" // marks the tenant's own key
)

type keystoreFileV1 struct {
	Format  string          `json:"format"`
	Entries []keystoreEntry `json:"entries"`
}

type keystoreEntry struct {
	Tenant  string `json:"tenant"`
	Purpose string `json:"purpose"`
	KeyID   string `json:"key_id"` // hex of 16 bytes
	Sealed  []byte `json:"sealed"` // seal record of 32 bytes
}

// identity binds a wrapped key to its place.
func (e keystoreEntry) identity() Identity {
	return Identity{Tenant: e.Tenant, Kind: "key", Record: e.KeyID, Column: e.Purpose, Version: "1"}
}

// wrap seals d under the key above it.
func wrap(above *dek, purpose string, d *dek) (keystoreEntry, error) {
	e := keystoreEntry{Tenant: DefaultTenant, Purpose: purpose, KeyID: hex.EncodeToString(d.id[:])}
	var err error
	e.Sealed, err = above.seal(e.identity(), d.key[:])
	return e, err
}

// unwrap opens an entry under the key above it.
func unwrap(above *dek, e keystoreEntry) (*dek, error) {
	id, err := hex.DecodeString(e.KeyID)
	if err != nil || len(id) != keyIDSize {
		return nil, fmt.Errorf("%w: bad key id", ErrDamaged)
	}
	key, err := above.open(e.identity(), e.Sealed)
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%w: the key for %q does not open under the root key", ErrDamaged, e.Purpose)
	}
	d := &dek{}
	copy(d.id[:], id)
	copy(d.key[:], key)
	return d, nil
}

func encodeKeystore(root *dek, held map[Purpose]*dek) ([]byte, error) {
	tenant := newDEK()
	first, err := wrap(root, tenantPurpose, tenant)
	if err != nil {
		return nil, err
	}
	file := keystoreFileV1{Format: keystoreFormat, Entries: []keystoreEntry{first}}
	for _, p := range purposes() {
		e, err := wrap(tenant, string(p), held[p])
		if err != nil {
			return nil, err
		}
		file.Entries = append(file.Entries, e)
	}
	out, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write keystore: %w", err)
	}
	return append(out, '\n'), nil
}

func readKeystore(path string, root *dek) (map[Purpose]*dek, error) {
	data, err := readFile(path, keystoreLimit)
	if err != nil {
		return nil, err
	}
	held, err := decodeKeystore(data, root)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return held, nil
}

// decodeKeystore wants exactly one key for each purpose: a missing one would
// otherwise show up later as values that do not open.
func decodeKeystore(data []byte, root *dek) (map[Purpose]*dek, error) {
	file, err := parseKeystore(data)
	if err != nil {
		return nil, err
	}
	if len(file.Entries) != len(purposes())+1 || file.Entries[0].Purpose != tenantPurpose {
		return nil, fmt.Errorf("%w: it does not hold exactly one key per purpose", ErrDamaged)
	}
	tenant, err := unwrap(root, file.Entries[0])
	if err != nil {
		return nil, err
	}
	held := make(map[Purpose]*dek)
	for _, e := range file.Entries[1:] {
		d, err := unwrap(tenant, e)
		if err != nil {
			return nil, err
		}
		held[Purpose(e.Purpose)] = d
	}
	for _, p := range purposes() {
		if held[p] == nil {
			return nil, fmt.Errorf("%w: no key for %q", ErrDamaged, p)
		}
	}
	return held, nil
}

func parseKeystore(data []byte) (*keystoreFileV1, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var file keystoreFileV1
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the keystore", ErrDamaged)
	}
	if file.Format != keystoreFormat {
		return nil, fmt.Errorf("%w: %q", ErrVersion, file.Format)
	}
	return &file, nil
}
