package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/backup"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/test/pgtest"
)

// saved is a gateway's backup with what opens it.
type saved struct {
	from     string // the file of the data
	identity string // file
	locks    []string
}

func newIdentity(t *testing.T) (file, recipient string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(file, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, id.Recipient().String()
}

// save backs the gateway in dir up.
func save(t *testing.T, dir string, o Options) saved {
	t.Helper()
	identity, recipient := newIdentity(t)
	s := saved{from: filepath.Join(t.TempDir(), "b.age"), identity: identity, locks: []string{recipient}}
	_, _, err := MakeBackup(t.Context(), dir, o, BackupOptions{To: s.from, Recipients: s.locks})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s saved) options() RestoreOptions { return RestoreOptions{From: s.from, Identity: s.identity} }

// register makes agents.
func register(t *testing.T, dir string, o Options, names ...string) {
	t.Helper()
	api, done, err := Connect(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		_, e := api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: name, Change: admin.Change{Reason: "r"}})
		err = errors.Join(err, e)
	}
	if err := errors.Join(err, done()); err != nil {
		t.Fatal(err)
	}
}

// agentsIn opens a gateway, twice, and returns its agents.
func agentsIn(t *testing.T, dir string, o Options) string {
	t.Helper()
	var names []string
	for range 2 {
		names = nil
		api, done, err := Connect(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		all, err := api.Agents(t.Context(), admin.None{})
		if err := errors.Join(err, done()); err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			names = append(names, a.ID)
		}
	}
	return strings.Join(names, " ")
}

func TestRestore(t *testing.T) {
	dir := gatewayIn(t)
	register(t, dir, Options{}, "alice", "bob")
	s := save(t, dir, Options{})
	there := filepath.Join(t.TempDir(), "R")
	r, err := Restore(t.Context(), there, Options{}, s.options())
	if err != nil {
		t.Fatal(err)
	}
	if r.Entries == 0 || r.Rows == 0 || !strings.HasPrefix(string(r.Log), "control/r") || len(r.Heads) == 0 || len(r.Notices) == 0 {
		t.Errorf("%+v", r)
	}
	if got := agentsIn(t, there, Options{}); got != "alice bob" {
		t.Errorf("agents: %s", got)
	}
	before, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	after, err2 := os.ReadFile(filepath.Join(there, "ca.pem"))
	if err := errors.Join(err, err2); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the authority differs: %v", err)
	}
	for _, path := range listing(t, there) {
		if name := filepath.Base(path); strings.HasPrefix(name, ".restor") {
			t.Errorf("left behind: %s", path)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 && filepath.Base(path) != "ca.pem" {
			t.Errorf("%s is open to others (%v)", path, err)
		}
	}
	// The old logs are closed for good: what is new stands in new ones.
	a, err := Open(t.Context(), there, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, l := range r.Heads {
		if size, err := a.store.AuditSize(l.Name); err != nil || size != l.Size {
			t.Errorf("%s has %d entries, had %d (%v)", l.Name, size, l.Size, err)
		}
	}
	if a.book.Control().Name() != r.Log || a.book.Calls().Name().Restored() == 0 {
		t.Errorf("it goes on in %s and %s", a.book.Control().Name(), a.book.Calls().Name())
	}
	all, err := admin.Backups(a.store)
	if err != nil || len(all) != 1 {
		t.Errorf("the backup of keys that was used is not remembered: %v, %v", all, err)
	}
}

// TestRestorePostgres restores from each kind of database into each.
func TestRestorePostgres(t *testing.T) {
	c := pgtest.Need(t)
	from, database := onPostgres(t, c)
	dir := filepath.Join(t.TempDir(), "D")
	if err := Init(dir, from); err != nil {
		t.Fatal(err)
	}
	register(t, dir, Options{Environ: from.Environ}, "alice")
	s := save(t, dir, Options{Environ: from.Environ})
	// Into the same database: it has a store.
	_, err := Restore(t.Context(), filepath.Join(t.TempDir(), "R"), Options{Environ: from.Environ}, s.options())
	if code(err) != admin.Exists {
		t.Errorf("over a store: %v", err)
	}
	if got := c.SQL(t, database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'ostiary_new'"); got != "0" {
		t.Error("a draft is left")
	}
	into, second := onPostgres(t, c)
	there := filepath.Join(t.TempDir(), "R")
	if _, err := Restore(t.Context(), there, Options{Environ: into.Environ}, s.options()); err != nil {
		t.Fatal(err)
	}
	if got := agentsIn(t, there, Options{Environ: into.Environ}); got != "alice" {
		t.Errorf("agents: %s", got)
	}
	if got := c.SQL(t, second, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ostiary%'"); got != "1" {
		t.Errorf("%s schemas", got)
	}
	// From PostgreSQL into SQLite and back, by another configuration.
	plain := filepath.Join(t.TempDir(), "plain.yaml")
	if err := os.WriteFile(plain, InitOptions{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0"}.text(), 0o600); err != nil {
		t.Fatal(err)
	}
	o := s.options()
	o.Config = plain
	embedded := filepath.Join(t.TempDir(), "E")
	if _, err := Restore(t.Context(), embedded, Options{}, o); err != nil {
		t.Fatal(err)
	}
	if got := agentsIn(t, embedded, Options{}); got != "alice" {
		t.Errorf("agents: %s", got)
	}
	// A failure after the data was loaded leaves neither draft nor store.
	third, free := onPostgres(t, c)
	o = s.options()
	o.Control = []string{t.TempDir()}
	if _, err := Restore(t.Context(), filepath.Join(t.TempDir(), "F"), Options{Environ: third.Environ}, o); err == nil {
		t.Error("an export without a log was taken")
	}
	if got := c.SQL(t, free, "SELECT count(*) FROM pg_namespace WHERE nspname = 'ostiary'"); got != "0" {
		t.Error("a store is left")
	}
}

// TestRestoreExpiredKeys: an old copy of the keys could bring back what was
// erased, so its end holds, unless somebody says why not, which is recorded.
func TestRestoreExpiredKeys(t *testing.T) {
	dir := gatewayIn(t)
	s := save(t, dir, Options{})
	late := Options{Clock: clock.Fixed(func() time.Time { return time.Now().Add(8 * 24 * time.Hour) })}
	there := filepath.Join(t.TempDir(), "R")
	if _, err := Restore(t.Context(), there, late, s.options()); code(err) != admin.Forbidden {
		t.Errorf("expired keys: %v", err)
	}
	if _, err := os.Lstat(there); err == nil {
		t.Error("a directory is left")
	}
	o := s.options()
	o.Expired = "the drill of the year"
	r, err := Restore(t.Context(), there, late, o)
	if err != nil || !strings.Contains(strings.Join(r.Notices, "\n"), "expired") {
		t.Fatalf("%v, %v", r.Notices, err)
	}
	a, err := Open(t.Context(), there, late)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	err = a.book.Control().Read(0, 1, func(e auditlog.Record) error {
		found = bytes.Contains(e.Part, []byte("the drill of the year"))
		return nil
	})
	if err := errors.Join(err, a.Close()); err != nil || !found {
		t.Errorf("the override is not recorded (%v)", err)
	}
}

// forged is a store that shows a backup something else than it holds.
type forged struct {
	store.Raw
	row   func(store.Row) (store.Row, bool)
	batch func(*auditlog.Batch)
}

func (f forged) InTx(fn func(store.Raw) error) error {
	return f.Raw.InTx(func(raw store.Raw) error { return fn(forged{raw, f.row, f.batch}) })
}

func (f forged) EachRow(fn func(store.Row) error) error {
	return f.Raw.EachRow(func(r store.Row) error {
		if f.row != nil {
			var keep bool
			if r, keep = f.row(r); !keep {
				return nil
			}
		}
		return fn(r)
	})
}

func (f forged) AuditBatches(log auditlog.Name, from uint64, limit int) ([]auditlog.Batch, error) {
	all, err := f.Raw.AuditBatches(log, from, limit)
	for i := range all {
		if f.batch != nil {
			f.batch(&all[i])
		}
	}
	return all, err
}

// TestRestoreRefusesEditedData makes backups with the gateway's own keys of a
// database that somebody edited: the archive is whole and signed, its content
// is not what the gateway wrote.
func TestRestoreRefusesEditedData(t *testing.T) {
	dir := gatewayIn(t)
	register(t, dir, Options{}, "alice", "bob")
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, f := range map[string]forged{
		"nothing":    {},
		"a row less": {row: func(r store.Row) (store.Row, bool) { return r, r.Kind != "agent" }},
		"a row edited": {row: func(r store.Row) (store.Row, bool) {
			r.Body = bytes.Clone(r.Body)
			r.Body[len(r.Body)-1] ^= 1
			return r, true
		}},
		"an older revision": {row: func(r store.Row) (store.Row, bool) {
			if r.Kind == "meta" {
				r.Revision++
			}
			return r, true
		}},
		"a leaf edited": {batch: func(b *auditlog.Batch) {
			b.Leaves = bytes.Replace(b.Leaves, []byte(`"kind":"admin`), []byte(`"kind":"Admin`), 1)
		}},
		"a hash edited": {batch: func(b *auditlog.Batch) { b.Hashes = bytes.Clone(b.Hashes); b.Hashes[0] ^= 1 }},
		"parts swapped": {batch: func(b *auditlog.Batch) { b.Parts = bytes.Clone(b.Parts); b.Parts[len(b.Parts)/2] ^= 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			s := forge(t, a, f)
			there := filepath.Join(t.TempDir(), "R")
			_, err := Restore(t.Context(), there, Options{}, s.options())
			if name == "nothing" {
				if err != nil {
					t.Fatalf("what was not edited: %v", err)
				}
				return
			}
			if code(err) != admin.Integrity {
				t.Errorf("got %v", err)
			}
			if _, err := os.Lstat(there); err == nil {
				t.Error("a directory is left")
			}
		})
	}
}

// forge writes both archives of a backup of what f shows.
func forge(t *testing.T, a *App, f forged) saved {
	t.Helper()
	identity, recipient := newIdentity(t)
	s := saved{from: filepath.Join(t.TempDir(), "b.age"), identity: identity, locks: []string{recipient}}
	w := archiver{a}
	begin := admin.BackupBegin{Recipients: s.locks}
	stamp := admin.BackupStamp{ID: "forged", Time: time.Now().UTC(), Expires: time.Now().UTC().Add(time.Hour)}
	head, err := w.head(stamp)
	if err != nil {
		t.Fatal(err)
	}
	source, err := w.source(head.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	f.Raw = source.Raw
	source.Raw = f
	snap, err := backup.Take(source)
	if err != nil {
		t.Fatal(err)
	}
	file := func(path string, fill func(io.Writer) error) {
		out, err := os.Create(path)
		if err == nil {
			err = errors.Join(fill(out), out.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	file(s.from, func(out io.Writer) error { return snap.Write(context.Background(), out, locksOf(begin), head, nil) })
	file(s.from+".keys", func(out io.Writer) error { return w.Keys(out, begin, stamp) })
	return s
}

// TestRestoreKilled puts a directory into the states that a kill leaves: before
// the configuration is there no gateway is, and the next restore clears it.
func TestRestoreKilled(t *testing.T) {
	dir := gatewayIn(t)
	register(t, dir, Options{}, "alice")
	s := save(t, dir, Options{})
	whole := filepath.Join(t.TempDir(), "W")
	if _, err := Restore(t.Context(), whole, Options{}, s.options()); err != nil {
		t.Fatal(err)
	}
	for n := range restoredNames {
		there := filepath.Join(t.TempDir(), "R")
		if err := os.CopyFS(there, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		for _, name := range restoredNames[n:] {
			if err := os.RemoveAll(filepath.Join(there, name)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{restoreMark, ".restore-123"} {
			if err := os.WriteFile(filepath.Join(there, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(t.Context(), there, Options{}); !errors.Is(err, ErrNoGateway) {
			t.Errorf("after %d names: %v", n, err)
		}
		if _, err := Restore(t.Context(), there, Options{}, s.options()); err != nil {
			t.Errorf("after %d names: %v", n, err)
		}
		if got := agentsIn(t, there, Options{}); got != "alice" {
			t.Errorf("after %d names: %s", n, got)
		}
	}
	// Whole but for the mark: it is a gateway, which nothing replaces.
	if err := os.WriteFile(filepath.Join(whole, restoreMark), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), whole, Options{}, s.options()); !errors.Is(err, ErrGateway) {
		t.Errorf("over a whole gateway: %v", err)
	}
	if got := agentsIn(t, whole, Options{}); got != "alice" {
		t.Errorf("the gateway is another one: %s", got)
	}
}

func TestRestoreLeavesForeignFiles(t *testing.T) {
	dir := gatewayIn(t)
	s := save(t, dir, Options{})
	there := t.TempDir()
	mine := filepath.Join(there, "mine")
	if err := os.WriteFile(mine, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), there, Options{}, s.options()); !errors.Is(err, ErrGateway) {
		t.Errorf("a directory with a file: %v", err)
	}
	if all := listing(t, there); len(all) != 2 {
		t.Errorf("now there are %v", all)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	empty := t.TempDir()
	if _, err := Restore(ctx, empty, Options{}, s.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if all := listing(t, empty); len(all) != 1 {
		t.Errorf("a cancelled restore left %v", all)
	}
}

// TestRestoreEndsOpenCalls backs up while a call is under way: the restored
// gateway says once, in its own log, that nobody knows how it ended.
func TestRestoreEndsOpenCalls(t *testing.T) {
	dir := gatewayIn(t)
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ticket := a.book.Calls().Submit(auditlog.Entry{Kind: auditlog.CallDecided, Time: time.Now(), Exchange: "under-way", Decision: "allow",
		Part: []byte(`{"kind":"call.decided","exchange":"under-way"}`)})
	if _, err := ticket.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := forge(t, a, forged{})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "R")
	if _, err := Restore(t.Context(), there, Options{}, s.options()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a, err := Open(t.Context(), there, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ends := 0
		calls := a.book.Calls()
		err = calls.Read(0, calls.Size(), func(r auditlog.Record) error {
			leaf, err := auditlog.ParseLeaf(r.Leaf)
			if leaf.Kind == auditlog.CallOutcomeUnknown && leaf.Exchange == "under-way" {
				ends++
			}
			return err
		})
		if err := errors.Join(err, a.Close()); err != nil || ends != 1 {
			t.Errorf("the call ended %d times (%v)", ends, err)
		}
	}
}
