package sealed_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/sqlite"
)

// raw makes a database.
func raw(t testing.TB) *sqlite.DB {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Create(filepath.Join(dir, "db"))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func newRing(t testing.TB) *keys.Ring {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func opened(t testing.TB, db store.Raw, ring *keys.Ring) *sealed.Store {
	t.Helper()
	s, err := sealed.Open(db, ring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill adds a server, and agents with a token, a certificate and a grant each.
func fill(t testing.TB, s store.Store, names ...string) {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	must(t, s.InTx(func(in store.Store) error {
		if _, err := in.Server("wiki"); err != nil {
			must(t, in.InsertServer(registry.Server{ID: "wiki", State: registry.Active, Transport: registry.HTTP, Reason: "needed"}))
		}
		for _, name := range names {
			must(t, in.InsertAgent(registry.Agent{ID: name, State: registry.Active, By: "operator-" + name, CreatedAt: now}))
			must(t, in.InsertToken(registry.Token{ID: "token-" + name, Agent: name, Hash: []byte("hash")}))
			must(t, in.InsertCertificate(registry.Certificate{Serial: "serial-" + name, Agent: name, NotAfter: now}))
			must(t, in.PutGrant(registry.Grant{Agent: name, Server: "wiki", Access: registry.Read}))
		}
		return nil
	}))
}

// TestDatabaseHoldsNoMeaning: kinds and revisions are all that a row shows, and
// nothing in an opened body names an agent or an operator.
func TestDatabaseHoldsNoMeaning(t *testing.T) {
	db, ring := raw(t), newRing(t)
	s := opened(t, db, ring)
	fill(t, s, "anna-app")
	must(t, s.SetMeta("a-key", "a-value"))
	kinds := map[string]int{}
	must(t, db.EachRow(func(r store.Row) error {
		kinds[r.Kind]++
		plain, err := ring.Open(keys.Rows, keys.Identity{Tenant: keys.DefaultTenant, Kind: r.Kind, Record: r.ID, Column: "body",
			Version: fmt.Sprint(r.Revision)}, r.Body)
		must(t, err)
		for _, canary := range []string{"anna-app", "operator-"} {
			if bytes.Contains(plain, []byte(`"`+canary)) {
				t.Errorf("a %s row names %s: %s", r.Kind, canary, plain)
			}
		}
		for _, canary := range []string{"anna", "wiki", "token-", "serial-", "a-key", "a-value", "needed"} {
			if bytes.Contains(r.Body, []byte(canary)) || strings.Contains(r.ID, canary) {
				t.Errorf("a %s row holds %s in clear", r.Kind, canary)
			}
		}
		return nil
	}))
	if fmt.Sprint(kinds) != "map[agent:1 certificate:1 grant:1 meta:1 server:1 token:1]" {
		t.Errorf("the kinds are %v", kinds)
	}
}

// TestForeignKeys: rows open under the keys that sealed them alone, and a
// foreign key ring changes nothing.
func TestForeignKeys(t *testing.T) {
	db := raw(t)
	s, err := sealed.Open(db, newRing(t))
	must(t, err)
	fill(t, s, "app")
	other := opened(t, db, newRing(t))
	if _, err := other.Servers(); !errors.Is(err, store.ErrDamage) {
		t.Errorf("error is %v, want %v", err, store.ErrDamage)
	}
	if _, err := s.Server("wiki"); err != nil {
		t.Errorf("the rows do not open any more: %v", err)
	}
}

func TestEraseSubject(t *testing.T) {
	db, ring := raw(t), newRing(t)
	s := opened(t, db, ring)
	fill(t, s, "anna", "bert")
	anna, err := s.Pseudonym("anna")
	must(t, err)
	if name, err := s.Name(anna); err != nil || name != "anna" {
		t.Errorf("the name is %q (%v)", name, err)
	}
	before, err := s.RowsDigest()
	must(t, err)
	erased, err := s.EraseSubject(anna)
	must(t, err)
	if want := (store.Erased{Agents: 1, Tokens: 1, Certificates: 1, Grants: 1}); erased != want {
		t.Errorf("erased %+v, want %+v", erased, want)
	}
	after, err := s.RowsDigest()
	must(t, err)
	if before == after {
		t.Error("the digest does not show the erasure")
	}
	if _, err := s.Agent("anna"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the agent is still there: %v", err)
	}
	if _, err := s.Agent("bert"); err != nil {
		t.Errorf("another agent is gone: %v", err)
	}
	tokens, err := s.Tokens()
	if err != nil || len(tokens) != 1 || tokens[0].Agent != "bert" {
		t.Errorf("tokens are %v (%v)", tokens, err)
	}
	grants, err := s.Grants()
	if err != nil || len(grants) != 1 || grants[0].Agent != "bert" {
		t.Errorf("grants are %v (%v)", grants, err)
	}
	again, err := s.EraseSubject(anna)
	if err != nil || again != (store.Erased{}) {
		t.Errorf("again: %+v (%v)", again, err)
	}
	if _, err := s.EraseSubject("s-nobody"); err != nil {
		t.Errorf("nobody: %v", err)
	}
}

// TestUnrecordedChange: a transaction whose rows nobody recorded gets its entry
// from the hook, in the same transaction, or does not happen.
func TestUnrecordedChange(t *testing.T) {
	s := opened(t, raw(t), newRing(t))
	var digests []string
	wanted := error(nil)
	s.OnChange(func(rows auditlog.Rows, digest string) error {
		if rows == nil {
			t.Error("no rows of the transaction")
		}
		digests = append(digests, digest)
		return wanted
	})
	must(t, s.SetMeta("a", "1"))
	now, err := s.RowsDigest()
	must(t, err)
	if len(digests) != 1 || digests[0] != now {
		t.Errorf("recorded %v, want %s", digests, now)
	}
	must(t, s.InTx(func(in store.Store) error { // it records by itself
		must(t, in.SetMeta("a", "2"))
		_, err := in.RowsDigest()
		return err
	}))
	must(t, s.InTx(func(in store.Store) error { _, err := in.Meta("a"); return err })) // it changes nothing
	if len(digests) != 1 {
		t.Errorf("recorded %d times, want 1", len(digests))
	}
	must(t, s.InTx(func(in store.Store) error { // it changes something after it recorded
		_, err := in.RowsDigest()
		must(t, err)
		return in.SetMeta("a", "3")
	}))
	if len(digests) != 2 {
		t.Errorf("recorded %d times, want 2", len(digests))
	}
	wanted = errors.New("the log is closed")
	if err := s.SetMeta("a", "4"); !errors.Is(err, wanted) {
		t.Errorf("error is %v, want %v", err, wanted)
	}
	if value, err := s.Meta("a"); err != nil || value != "3" {
		t.Errorf("the value is %q (%v), want 3", value, err)
	}
}

// log is a control log in memory.
type log struct {
	parts []string
	err   error
}

func (l *log) Size() uint64 { return uint64(len(l.parts)) }

func (l *log) Read(from, to uint64, fn func(auditlog.Record) error) error {
	for i := from; i < to; i++ {
		var part []byte
		if l.parts[i] != "" {
			part = []byte(l.parts[i])
		}
		if err := fn(auditlog.Record{Index: i, Part: part}); err != nil {
			return err
		}
	}
	return l.err
}

func TestCheckRows(t *testing.T) {
	db, ring := raw(t), newRing(t)
	again := func() *sealed.Store { // as the next start does
		s, err := sealed.Open(db, ring)
		must(t, err)
		return s
	}
	s := opened(t, db, ring)
	l := &log{}
	must(t, s.CheckRows(l)) // a new gateway
	record := func() {
		must(t, s.InTx(func(in store.Store) error {
			digest, err := in.RowsDigest()
			l.parts = append(l.parts, `{"kind":"admin.changed","rows":"`+digest+`"}`)
			return err
		}))
	}
	must(t, s.SetMeta("a", "1"))
	must(t, s.CheckRows(l)) // nothing was recorded yet
	record()
	for range 200 {
		l.parts = append(l.parts, `{"kind":"audit.read"}`, "")
	}
	must(t, s.CheckRows(l))
	must(t, s.SetMeta("a", "2"))
	bad := again()
	for range 2 {
		if err := bad.CheckRows(l); !errors.Is(err, store.ErrDamage) {
			t.Errorf("a change that was not recorded: %v", err)
		}
	}
	// No digest of such rows is handed out: recorded, it would make them good.
	if _, err := bad.RowsDigest(); !errors.Is(err, store.ErrDamage) {
		t.Errorf("the digest of rows that are refused: %v", err)
	}
	if err := bad.InTx(func(store.Store) error { return nil }); !errors.Is(err, store.ErrDamage) {
		t.Errorf("a transaction over rows that are refused: %v", err)
	}
	record()
	must(t, again().CheckRows(l))
	must(t, again().CheckRows(&log{}, l)) // a restored gateway that has recorded nothing yet
	must(t, again().CheckRows(l, &log{parts: l.parts[:1]}))
	for name, cut := range map[string]*log{"emptied": {}, "cut": {parts: l.parts[:1]}} {
		if err := again().CheckRows(cut); !errors.Is(err, store.ErrDamage) {
			t.Errorf("a log that was %s: %v", name, err)
		}
	}
	l.err = errors.New("broken")
	if err := s.CheckRows(l); !errors.Is(err, l.err) {
		t.Errorf("a log that cannot be read: %v", err)
	}
	if err := s.CheckRows(&log{parts: []string{"no JSON"}}); err == nil {
		t.Error("an entry that is no JSON passes")
	}
	must(t, s.CheckRows(&log{parts: l.parts})) // neither of which says anything about the rows
}

// TestInvalidText: text that is not UTF-8 would come back as another text.
func TestInvalidText(t *testing.T) {
	s := opened(t, raw(t), newRing(t))
	for _, command := range []string{"a\xffb", "\xff", `\` + "\xff", "\ufffd \xff"} {
		err := s.InsertServer(registry.Server{ID: "x", State: registry.Active, Transport: registry.Stdio, Command: []string{command}})
		if err == nil {
			t.Errorf("%q is stored", command)
		}
	}
	for i, command := range []string{"\ufffd", `\ufffd`, `\\ufffd`, "日本\x00"} {
		id := fmt.Sprint("s", i)
		must(t, s.InsertServer(registry.Server{ID: id, State: registry.Active, Transport: registry.Stdio, Command: []string{command}}))
		if got, err := s.Server(id); err != nil || got.Command[0] != command {
			t.Errorf("%q came back as %q (%v)", command, got.Command, err)
		}
	}
	must(t, s.SetMeta("bytes", "\xff\x00"))
	if got, err := s.Meta("bytes"); err != nil || got != "\xff\x00" {
		t.Errorf("got %q (%v)", got, err)
	}
}

// BenchmarkLoad reads the whole registry, as each change does: 1,000 agents with
// three rows more each.
func BenchmarkLoad(b *testing.B) {
	s := opened(b, raw(b), newRing(b))
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprint("agent-", i))
	}
	fill(b, s, names...)
	for b.Loop() {
		_, e1 := s.Servers()
		_, e2 := s.Agents()
		_, e3 := s.Tokens()
		_, e4 := s.Certificates()
		_, e5 := s.Grants()
		must(b, errors.Join(e1, e2, e3, e4, e5))
	}
}
