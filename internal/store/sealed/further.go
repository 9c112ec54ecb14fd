package sealed

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/registry"
)

// This file is registry.NounStore inside a transaction. All nouns are rows of
// one kind, so that the database does not tell how many of each there are.

// nounRow is the stored form of a noun. Owner is a pseudonym; so is ID when Own
// says that the noun is named by its owner.
type nounRow struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	Owner string `json:"owner,omitempty"`
	Own   bool   `json:"own,omitempty"`
	Body  []byte `json:"body"`
}

// nounKey returns the row of a noun by its stored id.
func (t *tx) nounKey(kind registry.NounKind, stored string) key {
	return t.key(kindNoun, string(kind)+"\x00"+stored)
}

// findNoun returns the row of a noun and what it holds. The id may be the name
// of its owner, under whose pseudonym it is stored then.
func (t *tx) findNoun(kind registry.NounKind, id string) (key, nounRow, int64, error) {
	k := t.nounKey(kind, id)
	v, revision, err := get[nounRow](t, k)
	if err == nil && v.Own {
		return key{}, nounRow{}, 0, registry.ErrNotFound // a pseudonym is no name
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return k, v, revision, err
	}
	subject, ok := t.s.ring.FindSubject(id)
	if !ok {
		return key{}, nounRow{}, 0, registry.ErrNotFound
	}
	k = t.nounKey(kind, subject.Pseudonym)
	v, revision, err = get[nounRow](t, k)
	return k, v, revision, err
}

func (t *tx) nounOf(v nounRow, revision int64) (registry.Noun, error) {
	n := registry.Noun{Kind: registry.NounKind(v.Kind), ID: v.ID, Body: slices.Clone(v.Body), Revision: revision - 1}
	if v.Owner == "" {
		return n, nil
	}
	name, err := t.Name(v.Owner)
	if err != nil {
		return registry.Noun{}, err
	}
	n.Owner = name
	if v.Own {
		n.ID = name
	}
	return n, nil
}

func (t *tx) nounRow(n registry.Noun) (nounRow, error) {
	if err := registry.CheckNoun(n); err != nil {
		return nounRow{}, &invalidRow{err.Error()}
	}
	v := nounRow{Kind: string(n.Kind), ID: n.ID, Body: n.Body}
	if n.Owner == "" {
		return v, nil
	}
	pseudonym, err := t.Pseudonym(n.Owner)
	if err != nil {
		return nounRow{}, err
	}
	v.Owner = pseudonym
	if n.Owner == n.ID {
		v.ID, v.Own = pseudonym, true
	}
	return v, nil
}

// Nouns returns the nouns of a kind by id, without those of erased subjects.
func (t *tx) Nouns(kind registry.NounKind) (out []registry.Noun, err error) {
	err = each(t, kindNoun, func(v nounRow, revision int64) error {
		if v.Kind != string(kind) {
			return nil
		}
		if n, err := t.nounOf(v, revision); err == nil {
			out = append(out, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	slices.SortFunc(out, func(a, b registry.Noun) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Noun returns one noun.
func (t *tx) Noun(kind registry.NounKind, id string) (registry.Noun, error) {
	_, v, revision, err := t.findNoun(kind, id)
	var n registry.Noun
	if err == nil {
		n, err = t.nounOf(v, revision)
	}
	if err != nil {
		return registry.Noun{}, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	return n, nil
}

// InsertNoun adds a noun.
func (t *tx) InsertNoun(n registry.Noun) error {
	v, err := t.nounRow(n)
	if err == nil {
		err = t.insert(t.nounKey(n.Kind, v.ID), n.Revision+1, v)
	}
	return t.changedNoun("insert", n, err)
}

// UpdateNoun replaces a noun whose revision is still n.Revision.
func (t *tx) UpdateNoun(n registry.Noun) error {
	v, err := t.nounRow(n)
	if err == nil {
		err = t.update(t.nounKey(n.Kind, v.ID), n.Revision+1, v)
	}
	return t.changedNoun("update", n, err)
}

// DeleteNoun removes a noun.
func (t *tx) DeleteNoun(kind registry.NounKind, id string) error {
	k, _, _, err := t.findNoun(kind, id)
	if err == nil {
		err = t.remove(k)
	}
	return t.changedNoun("delete", registry.Noun{Kind: kind, ID: id}, err)
}

func (t *tx) changedNoun(verb string, n registry.Noun, err error) error {
	if err != nil {
		return fmt.Errorf("%s %s %s: %w", verb, n.Kind, n.ID, err)
	}
	t.touched.Nouns = append(t.touched.Nouns, registry.NounRef{Kind: n.Kind, ID: n.ID})
	return nil
}
