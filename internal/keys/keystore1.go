package keys

import (
	"fmt"
	"time"
)

// keystoreDoc1 is the file of format 1, which had one key per purpose, no
// versions and no MAC. It is read and never written.
type keystoreDoc1 struct {
	Format  string      `json:"format"`
	Entries []entryDoc1 `json:"entries"`
}

type entryDoc1 struct {
	Tenant  string `json:"tenant"`
	Purpose string `json:"purpose"`
	KeyID   string `json:"key_id"`
	Sealed  []byte `json:"sealed"`
}

// purposes1 are the purposes that format 1 knew.
func purposes1() []Purpose {
	return []Purpose{UpstreamCredentials, Config, HandleSeal, TokenHash, Audit, Authority}
}

// decodeKeystore1 opens a file of format 1 under the root key and gives it
// keys for the purposes that it lacks.
func decodeKeystore1(data []byte, root *dek, now time.Time) (*state, error) {
	var doc keystoreDoc1
	if err := strictJSON(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Entries) != len(purposes1())+1 || doc.Entries[0].Purpose != tenantPurpose {
		return nil, fmt.Errorf("%w: it does not hold exactly one key per purpose", ErrDamaged)
	}
	for _, e := range doc.Entries {
		if e.Tenant != DefaultTenant {
			return nil, fmt.Errorf("%w: it holds a key of another tenant", ErrDamaged)
		}
	}
	tenant, err := unwrap(root, tenantPurpose, doc.Entries[0].KeyID, doc.Entries[0].Sealed)
	if err != nil {
		return nil, err
	}
	s := &state{tenant: &version{number: 1, created: now, state: Current, key: tenant}, keys: make(map[Purpose][]*version)}
	for _, e := range doc.Entries[1:] {
		d, err := unwrap(tenant, e.Purpose, e.KeyID, e.Sealed)
		if err != nil {
			return nil, err
		}
		s.keys[Purpose(e.Purpose)] = []*version{{number: 1, created: now, state: Current, key: d}}
	}
	for _, p := range purposes1() {
		if s.keys[p] == nil {
			return nil, fmt.Errorf("%w: no key for %q", ErrDamaged, p)
		}
	}
	for _, p := range purposes() {
		if s.keys[p] == nil {
			s.keys[p] = []*version{{number: 1, created: now, state: Current, key: newDEK()}}
		}
	}
	return s, s.check()
}
