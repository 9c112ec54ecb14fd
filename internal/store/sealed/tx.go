package sealed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/vault"
)

// The kinds of rows, a closed set.
const (
	kindServer      = "server"
	kindAgent       = "agent"
	kindToken       = "token"
	kindCertificate = "certificate"
	kindGrant       = "grant"
	kindMeta        = "meta"
	kindNoun        = "noun"
	kindPseudonym   = vault.Kind
	kindErased      = "erased" // pseudonyms that must not come back
)

// tx is the Store inside a transaction, and what reads outside one go through.
type tx struct {
	auditlog.Rows
	s        *Store
	raw      store.Raw
	changes  changes
	counts   map[string]int // rows of a kind, more or less than committed
	recorded bool           // the digest was asked for after the last change
	touched  registry.Touched
	erased   map[string]int64 // pseudonyms that it erased, and when they were made
}

func (s *Store) over(raw store.Raw) *tx {
	return &tx{Rows: raw, s: s, raw: raw, changes: changes{}, counts: map[string]int{}, erased: map[string]int64{}}
}

// InTx joins the transaction.
func (t *tx) InTx(fn func(store.Store) error) error { return fn(t) }

// Touched names what changed so far. Once damage was met, everything has to be
// read before a change: it is refused as long as any row is damaged
// (admin.TestDamageRefusesChanges).
func (t *tx) Touched() registry.Touched {
	if len(t.s.told)+len(t.s.found) > 0 {
		return registry.Touched{Whole: true}
	}
	return t.touched
}

// Close refuses.
func (t *tx) Close() error { return errors.New("close: inside a transaction") }

// mark returns what the row must be.
func (t *tx) mark(k key) (mark, bool) {
	if m, changed := t.changes[k]; changed {
		if m == nil {
			return mark{}, false
		}
		return *m, true
	}
	return t.s.ledger.mark(k)
}

// set notes that the row is another one, or with nil that it is gone.
func (t *tx) set(k key, m *mark) {
	_, had := t.mark(k)
	if had {
		t.counts[k.kind]--
	}
	if m != nil {
		t.counts[k.kind]++
	}
	t.changes[k] = m
	t.recorded = false
	delete(t.s.held, k)
}

func (t *tx) damage(k key, why string) error {
	return t.s.damaged(&store.Damage{Kind: k.kind, ID: k.id, Why: why})
}

// identity binds a body to where its row stands.
func identity(k key, revision int64) keys.Identity {
	return keys.Identity{Tenant: keys.DefaultTenant, Kind: k.kind, Record: k.id, Column: "body",
		Version: strconv.FormatInt(revision, 10)}
}

// key returns the row of a kind that name names.
func (t *tx) key(kind, name string) key { return key{kind, t.s.ring.Index(kind, name)} }

// row reads a row and holds it against what was written. The attacks: an
// edited, moved or older body, a row that was deleted or added
// (storetest.Attacks).
func (t *tx) row(k key) (store.Row, error) {
	r, err := t.raw.Row(k.kind, k.id)
	_, known := t.mark(k)
	switch {
	case errors.Is(err, registry.ErrNotFound) && known:
		return r, t.damage(k, "is missing")
	case err != nil:
		return r, err
	}
	return r, t.check(r)
}

func (t *tx) check(r store.Row) error {
	k := key{r.Kind, r.ID}
	m, known := t.mark(k)
	switch {
	case !known:
		return t.damage(k, "was added by somebody else")
	case m != markOf(r):
		return t.damage(k, "was edited or put back to an older state")
	}
	return nil
}

// held is what a row's body holds, so that a row is opened once: a change of one
// row reads all of them, inside its transaction.
type held struct {
	mark  mark
	value any
}

// open decodes the body of a checked row. What it returns is shared: nobody
// changes what it points to.
func open[T any](t *tx, r store.Row) (v T, err error) {
	k := key{r.Kind, r.ID}
	m, _ := t.mark(k)
	if h, ok := t.s.held[k]; ok && h.mark == m {
		if v, ok := h.value.(T); ok {
			return v, nil
		}
	}
	plain, err := t.s.ring.Open(keys.Rows, identity(k, r.Revision), r.Body)
	if err != nil {
		return v, t.damage(k, "does not open")
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("%s row: %w", r.Kind, err)
	}
	t.s.held[k] = held{m, v}
	return v, nil
}

// get reads a row and returns what it holds, and its revision.
func get[T any](t *tx, k key) (v T, revision int64, err error) {
	r, err := t.row(k)
	if err == nil {
		v, err = open[T](t, r)
	}
	return v, r.Revision, err
}

// each reads every row of a kind. Deleted ones show in the count.
func each[T any](t *tx, kind string, fn func(v T, revision int64) error) error {
	all, err := t.raw.Rows(kind)
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := t.check(r); err != nil {
			return err
		}
		v, err := open[T](t, r)
		if err != nil {
			return err
		}
		if err := fn(v, r.Revision); err != nil {
			return err
		}
	}
	if want := t.s.ledger.counts[kind] + t.counts[kind]; len(all) != want {
		return t.damage(key{kind: kind}, fmt.Sprintf("is missing: there are %d, not %d", len(all), want))
	}
	return nil
}

// sealRow makes the row that holds v.
func (t *tx) sealRow(k key, revision int64, v any) (store.Row, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return store.Row{}, fmt.Errorf("%s row: %w", k.kind, err)
	}
	if replaced(plain) {
		return store.Row{}, fmt.Errorf("%s row: %w: it holds text that is not UTF-8", k.kind, errInvalid)
	}
	body, err := t.s.ring.Seal(keys.Rows, identity(k, revision), plain)
	if err != nil {
		return store.Row{}, fmt.Errorf("%s row: %w", k.kind, err)
	}
	return store.Row{Kind: k.kind, ID: k.id, Revision: revision, Body: body}, nil
}

// replaced reports whether the encoder put U+FFFD where a string was not valid
// UTF-8: it alone writes the escape, a real U+FFFD stands as itself.
func replaced(text []byte) bool {
	for rest := text; ; {
		i := bytes.Index(rest, []byte(`\ufffd`))
		if i < 0 {
			return false
		}
		slashes := 0
		for i-slashes > 0 && rest[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return true
		}
		rest = rest[i+1:]
	}
}

// insert adds a row: registry.ErrExists when there is one.
func (t *tx) insert(k key, revision int64, v any) error {
	if _, err := t.row(k); err == nil {
		return registry.ErrExists
	} else if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	r, err := t.sealRow(k, revision, v)
	if err == nil {
		err = t.raw.InsertRow(r)
	}
	if err != nil {
		return err
	}
	m := markOf(r)
	t.set(k, &m)
	return nil
}

// update replaces the row of revision old by v, of the next revision.
func (t *tx) update(k key, old int64, v any) error {
	now, err := t.row(k)
	if err != nil {
		return err
	}
	if now.Revision != old {
		return registry.ErrConflict
	}
	r, err := t.sealRow(k, old+1, v)
	if err == nil {
		err = t.raw.UpdateRow(old, r)
	}
	if err != nil {
		return err
	}
	m := markOf(r)
	t.set(k, &m)
	return nil
}

// put adds a row or replaces it.
func (t *tx) put(k key, v any) error {
	now, err := t.row(k)
	if errors.Is(err, registry.ErrNotFound) {
		return t.insert(k, 1, v)
	}
	if err != nil {
		return err
	}
	return t.update(k, now.Revision, v)
}

// remove deletes a row.
func (t *tx) remove(k key) error {
	if _, err := t.row(k); err != nil {
		return err
	}
	return t.drop(k)
}

// drop deletes a row without looking at it.
func (t *tx) drop(k key) error {
	if err := t.raw.DeleteRow(k.kind, k.id); err != nil {
		return err
	}
	t.set(k, nil)
	return nil
}

// anchored is the meta row that says that the control log carries a digest.
const anchored = "rows.anchored"

// RowsDigest returns the digest with the changes so far. The first one that is
// recorded leaves a row that says so: a start that then finds no digest in the
// control log knows that the log was cut.
func (t *tx) RowsDigest() (string, error) {
	k := t.key(kindMeta, anchored)
	if _, known := t.mark(k); !known {
		if err := t.insert(k, 1, metaRow{Key: anchored, Value: []byte("1")}); err != nil {
			return "", fmt.Errorf("rows digest: %w", err)
		}
	}
	t.recorded = true
	return t.s.ledger.digest(t.changes), nil
}

// finish has changes recorded that nobody recorded.
func (t *tx) finish() error {
	if len(t.changes) == 0 || t.recorded || t.s.onChange == nil {
		return nil
	}
	digest, err := t.RowsDigest()
	if err != nil {
		return err
	}
	if err := t.s.onChange(t, digest); err != nil {
		return fmt.Errorf("record a change of rows: %w", err)
	}
	return nil
}

// RowsDigest returns the digest over all committed rows.
func (s *Store) RowsDigest() (string, error) {
	return read(s, func(t *tx) (string, error) { return s.ledger.digest(nil), nil })
}
