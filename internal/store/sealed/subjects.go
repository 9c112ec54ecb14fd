package sealed

import (
	"fmt"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Pseudonym returns the pseudonym of a name, and makes one for a new name.
func (s *Store) Pseudonym(name string) (string, error) {
	subject, err := s.ring.Subject(name)
	if err != nil {
		return "", fmt.Errorf("pseudonym: %w", err)
	}
	return subject.Pseudonym, nil
}

// Name returns the name behind a pseudonym.
func (s *Store) Name(pseudonym string) (string, error) {
	subject, ok := s.ring.SubjectOf(pseudonym)
	if !ok {
		return "", fmt.Errorf("name of %s: %w", pseudonym, registry.ErrNotFound)
	}
	return subject.Name(), nil
}

// Pseudonym returns the pseudonym of a name, and makes one for a new name. It
// stays when the transaction is taken back: it names nothing then.
func (t *tx) Pseudonym(name string) (string, error) { return t.s.Pseudonym(name) }

// Name returns the name behind a pseudonym.
func (t *tx) Name(pseudonym string) (string, error) { return t.s.Name(pseudonym) }

// agentKey returns the row of an agent that is stored.
func (t *tx) agentKey(id string) (k key, pseudonym string, err error) {
	subject, ok := t.s.ring.FindSubject(id)
	if !ok {
		return key{}, "", registry.ErrNotFound
	}
	return t.key(kindAgent, subject.Pseudonym), subject.Pseudonym, nil
}

// holder returns the pseudonym of an agent that is stored: nothing is kept for
// one that is not.
func (t *tx) holder(id string) (string, error) {
	k, pseudonym, err := t.agentKey(id)
	if err == nil {
		_, err = t.row(k)
	}
	if err != nil {
		return "", fmt.Errorf("its agent %s: %w", id, err)
	}
	return pseudonym, nil
}

// who stores an operator, or nobody.
func (t *tx) who(by string) (string, error) {
	if by == "" {
		return "", nil
	}
	return t.Pseudonym(by)
}

// shown is the name behind a pseudonym, or the pseudonym of an erased subject.
func (t *tx) shown(pseudonym string) string {
	if name, err := t.Name(pseudonym); err == nil {
		return name
	}
	return pseudonym
}

// EraseSubject deletes the rows of a subject.
func (s *Store) EraseSubject(pseudonym string) (out store.Erased, err error) {
	err = s.inTx(func(t *tx) (err error) {
		out, err = t.EraseSubject(pseudonym)
		return err
	})
	return out, err
}

// EraseSubject deletes the rows of a subject.
func (t *tx) EraseSubject(pseudonym string) (out store.Erased, err error) {
	fail := func(err error) (store.Erased, error) {
		return store.Erased{}, fmt.Errorf("erase subject %s: %w", pseudonym, err)
	}
	var gone []key
	add := func(subject string, k key, n *int) {
		if subject == pseudonym {
			gone = append(gone, k)
			*n++
		}
	}
	err = each(t, kindToken, func(v tokenRow, _ int64) error {
		add(v.Subject, t.key(kindToken, v.ID), &out.Tokens)
		return nil
	})
	if err == nil {
		err = each(t, kindCertificate, func(v certificateRow, _ int64) error {
			add(v.Subject, t.key(kindCertificate, v.Serial), &out.Certificates)
			return nil
		})
	}
	if err == nil {
		err = each(t, kindGrant, func(v grantRow, _ int64) error {
			add(v.Subject, t.key(kindGrant, pair(v.Subject, v.Server)), &out.Grants)
			return nil
		})
	}
	if err == nil {
		err = each(t, kindNoun, func(v nounRow, _ int64) error {
			add(v.Owner, t.nounKey(registry.NounKind(v.Kind), v.ID), &out.Others)
			return nil
		})
	}
	if err != nil {
		return fail(err)
	}
	if k := t.key(kindAgent, pseudonym); t.has(k) {
		add(pseudonym, k, &out.Agents)
	}
	t.touched.Whole = true
	for _, k := range gone {
		if err := t.remove(k); err != nil {
			return fail(err)
		}
	}
	return out, nil
}

// has reports whether the row must be there.
func (t *tx) has(k key) bool {
	_, known := t.mark(k)
	return known
}
