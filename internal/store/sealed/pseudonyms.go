package sealed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/vault"
)

// This file is vault.Rows. The rows of pseudonyms are not in the ledger, take no
// lock of the store and leave no entry in the control log: at 200,000 rows each
// batch would hash thousands of names anew and append an entry, each minute's
// sweep and each follower's look would read them all
// (docs/decisions/0029-pseudonyms.md). What keeps them: a row opens in its own
// place only; what it holds never changes but for its expiry; one that was
// deleted takes its token with it, which then stands for nothing; one that was
// erased and put back is refused, because its erasure is a row of the ledger
// (TestErasedStayErased).

var _ vault.Rows = (*Store)(nil)

// pseudonymRow is the stored form of a vault.Row.
type pseudonymRow struct {
	Scope   string `json:"scope"`
	Type    string `json:"type"`
	Token   string `json:"token"`
	Subject string `json:"subject,omitempty"`
	Keyed   bool   `json:"keyed,omitempty"`
	Index   string `json:"index,omitempty"`
	Made    int64  `json:"made"`
	Expires int64  `json:"expires"`
	Sealed  []byte `json:"sealed,omitempty"`
}

// erasedRow says that a pseudonym was erased. Made is when it was made: the same
// value may be met again, and its keyed token is the same row then, made later.
type erasedRow struct {
	Name string `json:"name"`
	Made int64  `json:"made"`
}

// erased are when the rows of those names were made that must not come back.
type erased struct {
	mu    sync.RWMutex
	names map[string]int64
}

// has reports whether a row of that name, made then, was erased.
func (e *erased) has(name string, made int64) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	last, ok := e.names[name]
	return ok && made <= last
}

func (e *erased) add(all map[string]int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, made := range all {
		e.names[name] = max(e.names[name], made)
	}
}

// readErased reads what was erased. The rows are in the ledger.
func (s *Store) readErased() error {
	all := map[string]int64{}
	err := each(s.over(s.raw), kindErased, func(v erasedRow, _ int64) error {
		all[v.Name] = v.Made
		return nil
	})
	if err != nil {
		return fmt.Errorf("read what was erased: %w", err)
	}
	s.erased.mu.Lock()
	defer s.erased.mu.Unlock()
	s.erased.names = all
	return nil
}

// PseudonymRow returns a row of the map by its name.
func (s *Store) PseudonymRow(name string) (vault.Row, bool, error) {
	r, err := s.raw.Row(kindPseudonym, name)
	if errors.Is(err, registry.ErrNotFound) {
		return vault.Row{}, false, nil
	}
	if err != nil {
		return vault.Row{}, false, err
	}
	row, err := s.openPseudonym(r)
	if err != nil || s.erased.has(name, nanos(row.Made)) {
		return vault.Row{}, false, err
	}
	return row, true, nil
}

// PseudonymRows returns some rows of the map, by name.
func (s *Store) PseudonymRows(prefix, after string, limit int) ([]vault.Row, error) {
	all, err := s.raw.RowsAfter(kindPseudonym, max(prefix, after), limit)
	if err != nil {
		return nil, err
	}
	var out []vault.Row
	for _, r := range all {
		if !strings.HasPrefix(r.ID, prefix) {
			break
		}
		row, err := s.openPseudonym(r)
		if err != nil {
			return nil, err
		}
		if s.erased.has(r.ID, nanos(row.Made)) {
			row = vault.Row{Name: r.ID} // put back behind our back: a name to go on from, and nothing else
		}
		out = append(out, row)
	}
	return out, nil
}

// openPseudonym decodes a row of the map.
func (s *Store) openPseudonym(r store.Row) (vault.Row, error) {
	k := key{r.Kind, r.ID}
	plain, err := s.ring.Open(keys.Rows, identity(k, r.Revision), r.Body)
	if err != nil {
		return vault.Row{}, &store.Damage{Kind: r.Kind, ID: r.ID, Why: "does not open"}
	}
	v, err := decodePseudonym(plain)
	if err != nil {
		return vault.Row{}, err
	}
	return vault.Row{Name: r.ID, Revision: r.Revision, Scope: v.Scope, Type: v.Type, Token: v.Token, Subject: v.Subject, Keyed: v.Keyed,
		Index: v.Index, Made: stamp(v.Made), Expires: stamp(v.Expires), Sealed: v.Sealed}, nil
}

func decodePseudonym(plain []byte) (v pseudonymRow, err error) {
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("%s row: %w", kindPseudonym, err)
	}
	return v, valid(v.Scope != "" && v.Token != "" && v.Type != "", "a pseudonym without scope, type or token")
}

// PutPseudonyms adds and replaces rows of the map in one transaction.
func (s *Store) PutPseudonyms(rows []vault.Row) error {
	t := s.over(s.raw)
	sealed := make([]store.Row, len(rows))
	for i, r := range rows {
		if s.erased.has(r.Name, nanos(r.Made)) { // the clock went back: the row would not be found
			return fmt.Errorf("%w: it was erased", vault.ErrConflict)
		}
		v := pseudonymRow{r.Scope, r.Type, r.Token, r.Subject, r.Keyed, r.Index, nanos(r.Made), nanos(r.Expires), r.Sealed}
		var err error
		if sealed[i], err = t.sealRow(key{kindPseudonym, r.Name}, r.Revision+1, v); err != nil {
			return err
		}
	}
	err := s.raw.InTx(func(raw store.Raw) error {
		var added []store.Row
		for _, r := range sealed {
			if r.Revision == 1 {
				added = append(added, r)
			} else if err := raw.UpdateRow(r.Revision-1, r); err != nil {
				return err
			}
		}
		return raw.InsertRows(added)
	})
	if errors.Is(err, registry.ErrExists) || errors.Is(err, registry.ErrConflict) || errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("%w: %w", vault.ErrConflict, err)
	}
	return err
}

// DropPseudonyms removes rows of the map.
func (s *Store) DropPseudonyms(names []string) (n int, err error) {
	err = s.raw.InTx(func(raw store.Raw) error {
		n, err = dropPseudonyms(raw, names)
		return err
	})
	return n, err
}

func dropPseudonyms(raw store.Raw, names []string) (n int, err error) {
	for _, name := range names {
		switch err := raw.DeleteRow(kindPseudonym, name); {
		case err == nil:
			n++
		case !errors.Is(err, registry.ErrNotFound):
			return n, err
		}
	}
	return n, nil
}

// ErasePseudonyms removes rows of the map for good.
func (s *Store) ErasePseudonyms(names []string) (n int, err error) {
	err = s.inTx(func(t *tx) error {
		n, err = t.ErasePseudonyms(names)
		return err
	})
	return n, err
}

// ErasePseudonyms removes rows of the map for good: the ledger keeps their names,
// so that whoever puts a copy of them back puts back nothing.
func (t *tx) ErasePseudonyms(names []string) (n int, err error) {
	for _, name := range names {
		gone, err := t.erasePseudonym(name)
		if err != nil {
			return 0, fmt.Errorf("erase pseudonyms: %w", err)
		}
		n += gone
	}
	return n, nil
}

func (t *tx) erasePseudonym(name string) (int, error) {
	r, err := t.raw.Row(kindPseudonym, name)
	if errors.Is(err, registry.ErrNotFound) {
		return 0, nil
	}
	if err == nil {
		err = t.raw.DeleteRow(kindPseudonym, name)
	}
	if err != nil {
		return 0, err
	}
	row, err := t.s.openPseudonym(r)
	if err != nil {
		return 1, nil //nolint:nilerr // a copy of it would not open either
	}
	t.erased[name] = max(t.erased[name], nanos(row.Made))
	return 1, t.put(key{kindErased, name}, erasedRow{name, t.erased[name]})
}

// resealPseudonyms seals the rows of the map anew, or with keys.Pseudonyms the
// values in them.
func (s *Store) resealPseudonyms(ctx context.Context, p keys.Purpose, progress func(done, total int)) error {
	done := 0
	for after := ""; ; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reseal pseudonyms: %w", err)
		}
		var last string
		err := s.raw.InTx(func(raw store.Raw) (err error) {
			all, err := raw.RowsAfter(kindPseudonym, after, resealAtOnce)
			for i := 0; err == nil && i < len(all); i++ {
				last = all[i].ID
				err = s.resealPseudonym(raw, all[i], p)
			}
			done += len(all)
			return err
		})
		if err != nil {
			return fmt.Errorf("reseal pseudonyms: %w", err)
		}
		if last == "" {
			if progress != nil {
				progress(done, done)
			}
			return nil
		}
		if after = last; progress != nil {
			progress(done, done+1)
		}
	}
}

func (s *Store) resealPseudonym(raw store.Raw, r store.Row, p keys.Purpose) error {
	row, err := s.openPseudonym(r)
	if err != nil {
		return err
	}
	if p == keys.Pseudonyms {
		if row.Subject != "" || row.Sealed == nil {
			return nil // under the subject's own key, or without a value
		}
		place := keys.PseudonymPlace{Scope: row.Scope, Type: row.Type, Token: row.Token}
		plain, err := s.ring.OpenPseudonym(place, row.Sealed)
		if err != nil {
			return nil //nolint:nilerr // its key was destroyed: there is nothing left to keep
		}
		if row.Sealed, err = s.ring.SealPseudonym(place, plain); err != nil {
			return err
		}
	}
	v := pseudonymRow{row.Scope, row.Type, row.Token, row.Subject, row.Keyed, row.Index, nanos(row.Made), nanos(row.Expires), row.Sealed}
	next, err := s.over(raw).sealRow(key{kindPseudonym, r.ID}, r.Revision+1, v)
	if err != nil {
		return err
	}
	return raw.UpdateRow(r.Revision, next)
}
