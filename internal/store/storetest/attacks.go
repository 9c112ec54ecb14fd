package storetest

import (
	"errors"
	"fmt"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Sealed is a Store over sealed rows.
type Sealed interface {
	store.Store
	CheckDigest(recorded string) error
	OnDamage(func(error))
	Sweep() error
}

// attack is what somebody who holds the database does to one of its rows. other
// is another row of the same kind, older the row as it was before its last
// change.
type attack struct {
	name string
	do   func(db store.Raw, row, other, older store.Row) error
}

// attacks go past the keys: nothing in them opens or seals.
func attacks() []attack {
	replace := func(db store.Raw, r store.Row) error {
		return errors.Join(db.DeleteRow(r.Kind, r.ID), db.InsertRow(r))
	}
	body := func(r store.Row, b []byte) store.Row {
		r.Body = b
		return r
	}
	flipped := func(r store.Row, at int) store.Row {
		b := append([]byte{}, r.Body...)
		b[at] ^= 1
		return body(r, b)
	}
	return []attack{
		{"edit the head", func(db store.Raw, r, _, _ store.Row) error { return replace(db, flipped(r, 4)) }},
		{"edit the salt", func(db store.Raw, r, _, _ store.Row) error { return replace(db, flipped(r, 21)) }},
		{"edit the text", func(db store.Raw, r, _, _ store.Row) error { return replace(db, flipped(r, 75)) }},
		{"edit the tag", func(db store.Raw, r, _, _ store.Row) error { return replace(db, flipped(r, len(r.Body)-1)) }},
		{"truncate", func(db store.Raw, r, _, _ store.Row) error { return replace(db, body(r, r.Body[:len(r.Body)-1])) }},
		{"truncate to a byte", func(db store.Raw, r, _, _ store.Row) error { return replace(db, body(r, r.Body[:1])) }},
		{"lengthen", func(db store.Raw, r, _, _ store.Row) error { return replace(db, body(r, append(r.Body, 0))) }},
		{"swap the bodies of two", func(db store.Raw, r, o, _ store.Row) error {
			return errors.Join(replace(db, body(r, o.Body)), replace(db, body(o, r.Body)))
		}},
		{"swap two", func(db store.Raw, r, o, _ store.Row) error {
			id := r.ID
			r.ID, o.ID = o.ID, id
			return errors.Join(replace(db, r), replace(db, o))
		}},
		{"put an older body back", func(db store.Raw, r, _, old store.Row) error { return replace(db, body(r, old.Body)) }},
		{"put the older row back", func(db store.Raw, _, _, old store.Row) error { return replace(db, old) }},
		{"count the revision up", func(db store.Raw, r, _, _ store.Row) error {
			r.Revision++
			return replace(db, r)
		}},
		{"delete", func(db store.Raw, r, _, _ store.Row) error { return db.DeleteRow(r.Kind, r.ID) }},
		{"delete both", func(db store.Raw, r, o, _ store.Row) error {
			return errors.Join(db.DeleteRow(r.Kind, r.ID), db.DeleteRow(o.Kind, o.ID))
		}},
		{"copy under another name", func(db store.Raw, r, _, _ store.Row) error {
			r.ID += "x"
			return db.InsertRow(r)
		}},
		{"copy into another kind", func(db store.Raw, r, _, _ store.Row) error {
			r.Kind = map[string]string{"token": "certificate"}[r.Kind]
			if r.Kind == "" {
				r.Kind = "token"
			}
			return db.InsertRow(r)
		}},
	}
}

// Attacks does each of the attacks to a row of each kind, while the store is
// closed and while it is open. fresh returns a RawOpener of a new, empty
// database; seal opens the nouns over it.
func Attacks(t *testing.T, fresh func(t *testing.T) RawOpener, seal func(t *testing.T, raw store.Raw) Sealed) {
	open := fresh(t)
	digest, older := world(t, seal(t, open(t)))
	db := open(t)
	good := every(t, db)
	must(t, db.Close())
	for _, kind := range []string{"agent", "certificate", "grant", "meta", "server", "token"} {
		for _, a := range attacks() {
			t.Run(kind+"/"+a.name, func(t *testing.T) {
				db := open(t)
				restore(t, db, good)
				row, other := pick(good, kind)
				old := older[row.Kind+" "+row.ID]
				s := seal(t, db)
				must(t, s.CheckDigest(digest))
				must(t, a.do(db, row, other, old))
				running(t, s, kind)
				after := every(t, db)
				must(t, s.Close())
				db = open(t)
				same(t, every(t, db), after) // nothing was repaired
				s = seal(t, db)
				want(t, s.CheckDigest(digest), store.ErrDamage)
				must(t, s.Close())
			})
		}
	}
}

// restore puts the rows back as they were.
func restore(t *testing.T, db store.Raw, good []store.Row) {
	t.Helper()
	for _, r := range every(t, db) {
		must(t, db.DeleteRow(r.Kind, r.ID))
	}
	for _, r := range good {
		must(t, db.InsertRow(r))
	}
}

// pick returns the row of a kind with the greatest revision, which has an older
// state, and another one.
func pick(all []store.Row, kind string) (row, other store.Row) {
	for _, r := range all {
		if r.Kind != kind {
			continue
		}
		if r.Revision > row.Revision {
			row, other = r, row
		} else {
			other = r
		}
	}
	return row, other
}

// running asserts that an open store gives nothing of a kind that was attacked,
// and tells.
func running(t *testing.T, s Sealed, kind string) {
	t.Helper()
	var told []error
	s.OnDamage(func(err error) { told = append(told, err) })
	var met []error
	for range 2 { // whoever met the damage once meets it again
		for _, err := range readAll(s) {
			if err != nil && !errors.Is(err, store.ErrDamage) {
				t.Errorf("%s: %v, want %v", kind, err, store.ErrDamage)
			}
			if err != nil {
				met = append(met, err)
			}
		}
	}
	err := s.Sweep()
	want(t, err, store.ErrDamage)
	if met = append(met, err); kind != "meta" && len(met) < 3 || len(told) == 0 {
		t.Errorf("%s: damage was met %d times and told %d times", kind, len(met), len(told))
	}
	for i, err := range told {
		for _, other := range told[:i] {
			if err.Error() == other.Error() {
				t.Errorf("told twice: %v", err)
			}
		}
	}
}

func readAll(s store.Store) (all []error) {
	add := func(err error) { all = append(all, err) }
	_, err := s.Servers()
	add(err)
	_, err = s.Agents()
	add(err)
	_, err = s.Tokens()
	add(err)
	_, err = s.Certificates()
	add(err)
	_, err = s.Grants()
	add(err)
	for _, key := range []string{"one", "two"} {
		_, err = s.Meta(key)
		add(err)
	}
	return all
}

// world fills the store with two rows of each kind, changes one of them, closes
// the store, and returns the recorded digest and the rows before the change.
func world(t *testing.T, s Sealed) (digest string, older map[string]store.Row) {
	t.Helper()
	older = map[string]store.Row{}
	grant := func(id string) registry.Grant {
		return registry.Grant{Agent: id, Server: id, Access: registry.Read, CreatedAt: at}
	}
	for i, id := range []string{"one", "two"} {
		must(t, s.InsertServer(fullServer(id)))
		must(t, s.InsertAgent(agent(id)))
		must(t, s.InsertToken(registry.Token{ID: id, Agent: id, Hash: []byte{1}}))
		must(t, s.InsertCertificate(registry.Certificate{Serial: fmt.Sprint(i), Agent: id, NotAfter: at}))
		must(t, s.PutGrant(grant(id)))
		must(t, s.SetMeta(id, "1"))
	}
	if raw, ok := s.(interface{ Raw() store.Raw }); ok {
		for _, r := range every(t, raw.Raw()) {
			older[r.Kind+" "+r.ID] = r
		}
	}
	must(t, s.InTx(func(in store.Store) (err error) {
		server, kept := fullServer("one"), agent("one")
		server.State, kept.State = registry.Suspended, registry.Suspended
		narrow := grant("one")
		narrow.Tools = []string{"t"}
		err = errors.Join(in.UpdateServer(server), in.UpdateAgent(kept), in.RevokeToken("one"),
			in.RevokeCertificate("0"), in.PutGrant(narrow), in.SetMeta("one", "2"))
		if err == nil {
			digest, err = in.RowsDigest()
		}
		return err
	}))
	must(t, s.Close())
	return digest, older
}
