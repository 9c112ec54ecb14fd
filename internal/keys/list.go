package keys

import (
	"cmp"
	"slices"
	"time"
)

// Info describes a key without its bytes.
type Info struct {
	ID        string     `json:"id"` // of a key: 32 hex digits; of a root key: its provider and name
	Purpose   string     `json:"purpose"`
	Version   uint32     `json:"version,omitempty"`
	State     string     `json:"state"`
	Algorithm string     `json:"algorithm,omitempty"`
	Created   *time.Time `json:"created,omitempty"`
	Destroyed *time.Time `json:"destroyed,omitempty"`
	Pseudonym string     `json:"pseudonym,omitempty"` // of the subject whose key it was
	Provider  string     `json:"provider,omitempty"`  // of a root key
}

// subjectPurpose is the purpose of a subject's own key in lists.
const subjectPurpose = "subject"

// algorithmOf names what a key is used with.
func algorithmOf(p Purpose) string {
	switch p {
	case LogSigning, ReceiptSigning, PolicySigning:
		return "Ed25519"
	case TokenHash, RowIndex:
		return "HMAC-SHA256"
	case TokenSigning:
		return "ECDSA P-256"
	}
	return "AES-256-GCM, HKDF-SHA256"
}

// Keys describes every key but those of subjects: the root key, the tenant's,
// the versions of each purpose, and what was destroyed.
func (r *Ring) Keys() []Info {
	s := r.state.Load()
	var out []Info
	for _, w := range s.wraps {
		out = append(out, Info{ID: w.id(), Purpose: RootKey, State: Current, Created: instant(w.Created), Provider: w.Provider})
	}
	out = append(out, infoOf(TenantKey, s.tenant))
	for _, p := range purposes() {
		for _, v := range s.keys[p] {
			out = append(out, infoOf(string(p), v))
		}
	}
	for _, t := range s.destroyed {
		if t.State == Destroyed {
			out = append(out, infoOfTombstone(t))
		}
	}
	return out
}

// Key describes one key, also a subject's.
func (r *Ring) Key(id string) (Info, bool) {
	for _, i := range r.Keys() {
		if i.ID == id {
			return i, true
		}
	}
	return r.subjects.info(id)
}

// newest describes the current key of a name.
func (r *Ring) newest(name string) Info {
	all := r.Keys()
	slices.SortStableFunc(all, func(a, b Info) int { return cmp.Compare(a.Version, b.Version) })
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Purpose == name && all[i].State == Current {
			return all[i]
		}
	}
	return Info{}
}

func infoOf(purpose string, v *version) Info {
	return Info{ID: v.key.hexID(), Purpose: purpose, Version: v.number, State: v.state, Created: instant(v.created),
		Algorithm: algorithmOf(Purpose(purpose))}
}

func infoOfTombstone(t Tombstone) Info {
	return Info{ID: t.KeyID, Purpose: t.Purpose, Version: t.Version, State: t.State, Destroyed: instant(t.At), Pseudonym: t.Pseudonym}
}

func instant(t time.Time) *time.Time { return &t }
