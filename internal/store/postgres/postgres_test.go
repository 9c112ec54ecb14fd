package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/storetest"
	"ostiary.dev/ostiary/test/pgtest"
)

// shared is the server of all tests of the package; nil when there is no
// PostgreSQL here.
var shared *pgtest.Cluster

func TestMain(m *testing.M) { os.Exit(within(m)) }

func within(m *testing.M) (code int) {
	var err error
	shared, err = pgtest.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "SKIPPED:", err)
		if !errors.Is(err, pgtest.ErrMissing) || os.Getenv("CI") == "true" {
			return 1
		}
		return m.Run()
	}
	defer func() {
		if err := shared.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			code = 1
		}
	}()
	return m.Run()
}

// need skips a test that cannot do without a server.
func need(t *testing.T) {
	t.Helper()
	if shared == nil {
		t.Skip(pgtest.ErrMissing)
	}
}

// idle are databases that a test has left.
var idle []Config

// database returns an empty database. Making one is slow, so those that
// earlier tests left are emptied and used again.
func database(t *testing.T) (c Config) {
	t.Helper()
	need(t)
	if n := len(idle); n > 0 {
		c, idle = idle[n-1], idle[:n-1]
		shared.SQL(t, name(c), "DROP SCHEMA IF EXISTS ostiary CASCADE; DROP SCHEMA IF EXISTS ostiary_new CASCADE")
	} else {
		c = encoded(t, "UTF8")
	}
	t.Cleanup(func() { idle = append(idle, c) })
	return c
}

// encoded makes a database of an encoding.
func encoded(t *testing.T, encoding string) Config {
	t.Helper()
	return config(shared.Database(t, "ENCODING '"+encoding+"' LOCALE 'C'"))
}

// config connects to a database over TCP, as its superuser.
func config(database string) Config {
	return Config{DSN: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", shared.Port, database), Dial: dial(nil)}
}

// dial goes through the guard, as the gateway does.
func dial(r egress.Resolver) func(context.Context, string, string) (net.Conn, error) {
	guard := egress.New(egress.Config{Resolver: r})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return guard.Dial(ctx, network, address, true)
	}
}

// name is the database of a Config of these tests.
func name(c Config) string { return c.DSN[strings.LastIndexByte(c.DSN, '/')+1:] }

func TestStore(t *testing.T) {
	c := database(t)
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		shared.SQL(t, name(c), "DROP SCHEMA IF EXISTS ostiary CASCADE")
		open, ring := opener(c), newRing(t)
		return func(t *testing.T) store.Store {
			t.Helper()
			s, err := sealed.Open(open(t), ring)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

func TestRaw(t *testing.T) {
	c := database(t)
	storetest.Raw(t, func(t *testing.T) storetest.RawOpener {
		shared.SQL(t, name(c), "DROP SCHEMA IF EXISTS ostiary CASCADE")
		return opener(c)
	})
}

func TestAudit(t *testing.T) {
	c := database(t)
	storetest.Audit(t, func(t *testing.T) storetest.RawOpener {
		shared.SQL(t, name(c), "DROP SCHEMA IF EXISTS ostiary CASCADE")
		return opener(c)
	})
}

// opener opens one store again and again.
func opener(c Config) storetest.RawOpener {
	made := false
	return func(t *testing.T) store.Raw {
		t.Helper()
		get := Open
		if !made {
			get, made = Create, true
		}
		db, err := get(c)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
}

// newRing makes the keys of a gateway.
func newRing(t *testing.T) *keys.Ring {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// one is a row, as body says.
func one(id, body string) store.Row {
	return store.Row{Kind: "agent", ID: id, Revision: 1, Body: []byte(body)}
}

// ids are those of the rows.
func ids(all []store.Row) string {
	var out []string
	for _, r := range all {
		out = append(out, r.ID)
	}
	return fmt.Sprint(out)
}

// quick is a Config whose opening waits for nobody.
func quick(c Config) Config {
	c.OwnerWait = time.Millisecond
	return c
}

// created makes a store with one agent and closes it.
func created(t *testing.T) Config {
	t.Helper()
	c := database(t)
	db, err := Create(c)
	if err != nil {
		t.Fatal(err)
	}
	err = db.InsertRow(one("robot", "r"))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return c
}

func opened(t *testing.T, c Config) *DB {
	t.Helper()
	db, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// refused asserts that get fails with target and does not print the password.
func refused(t *testing.T, get func(Config) (*DB, error), c Config, target error) {
	t.Helper()
	db, err := get(c)
	if err == nil {
		t.Fatalf("opened (closed: %v)", db.Close())
	}
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want %v", err, target)
	}
	if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is not one sentence without secrets: %v", err)
	}
}

func TestR06MissingIsNotMadeAnew(t *testing.T) {
	c := database(t)
	refused(t, Open, c, ErrMissing)
	if got := shared.SQL(t, name(c), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ostiary%'"); got != "0" {
		t.Errorf("%s schemas were made", got)
	}
}

func TestR06Foreign(t *testing.T) {
	c := database(t)
	shared.SQL(t, name(c), "CREATE SCHEMA ostiary; CREATE TABLE ostiary.meta (theirs text)")
	refused(t, Open, c, ErrForeign)
	refused(t, Create, c, ErrExists)
	if err := Remove(c); !errors.Is(err, ErrForeign) {
		t.Errorf("remove: %v, want %v", err, ErrForeign)
	}
	if got := shared.SQL(t, name(c), "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname LIKE 'ostiary%'"); got != "meta" {
		t.Errorf("the tables are now %s", got)
	}
}

func TestR06NewerSchema(t *testing.T) {
	c := created(t)
	shared.SQL(t, name(c), "INSERT INTO ostiary.goose_db_version (version_id, is_applied) VALUES (999, true)")
	refused(t, Open, c, ErrNewer)
	if s, err := Status(c); err != nil || s.Have != 999 || s.Want >= s.Have {
		t.Errorf("the schema is %+v (%v)", s, err)
	}
}

func TestR06Damaged(t *testing.T) {
	c := created(t)
	shared.SQL(t, name(c), "DROP TABLE ostiary.owner")
	refused(t, Open, c, ErrDamaged)
	c = created(t)
	db := opened(t, c)
	shared.SQL(t, name(c), "DROP TABLE ostiary.sealed_row")
	if _, err := db.Rows("agent"); !errors.Is(err, ErrDamaged) {
		t.Errorf("error is %v, want %v", err, ErrDamaged)
	}
}

func TestR06Locked(t *testing.T) {
	c := created(t)
	db := opened(t, c)
	refused(t, Open, quick(c), ErrLocked)
	refused(t, Create, quick(c), ErrLocked)
	if err := Remove(quick(c)); !errors.Is(err, ErrLocked) {
		t.Errorf("remove: %v, want %v", err, ErrLocked)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(t, quick(c)).Row("agent", "robot"); err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
}

func TestCreateRefusesTaken(t *testing.T) {
	c := created(t)
	refused(t, Create, c, ErrExists)
	if _, err := opened(t, c).Row("agent", "robot"); err != nil {
		t.Errorf("the store lost its rows: %v", err)
	}
}

func TestCreateReplacesCrashedDraft(t *testing.T) {
	c := database(t)
	shared.SQL(t, name(c), "CREATE SCHEMA ostiary_new; COMMENT ON SCHEMA ostiary_new IS '"+mark+"'; CREATE TABLE ostiary_new.meta (half text)")
	db, err := Create(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.InsertRow(one("k", "v")), db.Close()); err != nil {
		t.Error(err)
	}
	if got := shared.SQL(t, name(c), "SELECT string_agg(nspname, ',') FROM pg_namespace WHERE nspname LIKE 'ostiary%'"); got != "ostiary" {
		t.Errorf("the schemas are %s", got)
	}
}

func TestCreateKeepsSomebodysDraft(t *testing.T) {
	c := database(t)
	shared.SQL(t, name(c), "CREATE SCHEMA ostiary_new; CREATE TABLE ostiary_new.theirs (a text)")
	refused(t, Create, c, ErrForeign)
	if got := shared.SQL(t, name(c), "SELECT tablename FROM pg_tables WHERE schemaname = 'ostiary_new'"); got != "theirs" {
		t.Errorf("the tables are %q", got)
	}
}

func TestRemove(t *testing.T) {
	c := created(t)
	if err := Remove(c); err != nil {
		t.Fatal(err)
	}
	refused(t, Open, c, ErrMissing)
}

func TestServersThatBreakPromises(t *testing.T) {
	need(t)
	refused(t, Create, encoded(t, "LATIN1"), ErrServer)
}

// TestASCIIDatabase: a cluster that was made where no locale is set has the
// encoding SQL_ASCII, which keeps bytes as they are.
func TestASCIIDatabase(t *testing.T) {
	need(t)
	c := encoded(t, "SQL_ASCII")
	db, err := Create(c)
	if err != nil {
		t.Fatal(err)
	}
	want := one("日本 ü", "日本\x00ü\xff")
	if err := errors.Join(db.InsertRow(want), db.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := opened(t, c).Row("agent", want.ID)
	if err != nil || string(got.Body) != string(want.Body) {
		t.Errorf("got %+v (%v)", got, err)
	}
}

// TestSettings reads back the settings that the guarantees rest on, against
// defaults of the database that would undo them.
func TestSettings(t *testing.T) {
	c := created(t)
	t.Cleanup(func() { shared.SQL(t, "postgres", "ALTER DATABASE "+name(c)+" RESET ALL") })
	for _, s := range []string{"synchronous_commit = off", "search_path = public", "default_transaction_read_only = on",
		"default_transaction_isolation = serializable", "statement_timeout = 0"} {
		shared.SQL(t, "postgres", "ALTER DATABASE "+name(c)+" SET "+s)
	}
	db := opened(t, c)
	for setting, want := range map[string]string{
		"synchronous_commit": "on", "search_path": "ostiary, pg_temp", "default_transaction_read_only": "off",
		"transaction_isolation": "read committed", "statement_timeout": "30s", "lock_timeout": "5s",
		"idle_in_transaction_session_timeout": "1min", "row_security": "off", "client_encoding": "UTF8", "application_name": application,
	} {
		got, err := row(db.h, scanOne[string], "SELECT current_setting($1)", setting)
		if err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", setting, got, err, want)
		}
	}
	if n := db.db.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// end ends every session of the database, as a failover does.
func end(t *testing.T, c Config) {
	t.Helper()
	shared.SQL(t, "postgres", "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '"+name(c)+"'")
}

func TestReconnects(t *testing.T) {
	c := created(t)
	db := opened(t, c)
	end(t, c)
	// The call that meets the broken connection may fail; it does not lie.
	if err := db.InsertRow(one("k", "v")); err != nil && !errors.Is(err, ErrUnreachable) {
		t.Errorf("error is %v, want %v", err, ErrUnreachable)
	}
	if err := db.InsertRow(one("l", "w")); err != nil {
		t.Errorf("the store stays broken: %v", err)
	}
	refused(t, Open, quick(c), ErrLocked)
}

// TestLostStore: while the connection was broken another process opened the
// store. The first one must not go on: what it knows is old.
func TestLostStore(t *testing.T) {
	c := created(t)
	db := opened(t, c)
	end(t, c)
	other, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.InsertRow(one("k", "theirs")); err != nil {
		t.Fatal(err)
	}
	refuses := func(when string) {
		t.Helper()
		for name, call := range map[string]func() error{
			"write": func() error { return db.InsertRow(one("k", "ours")) },
			"read":  func() error { _, err := db.Rows("agent"); return err },
			"tx":    func() error { return db.InTx(func(store.Raw) error { return nil }) },
			"ping":  func() error { return db.Ping(t.Context()) },
		} {
			err := call()
			for errors.Is(err, ErrUnreachable) { // it notices the broken connection first
				err = call()
			}
			if !errors.Is(err, ErrLost) {
				t.Errorf("%s, %s: error is %v, want %v", when, name, err, ErrLost)
			}
		}
	}
	refuses("while the other works")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	refuses("when the other is gone")
	if got := shared.SQL(t, name(c), "SELECT convert_from(body, 'UTF8') FROM ostiary.sealed_row WHERE id = 'k'"); got != "theirs" {
		t.Errorf("the value is %q", got)
	}
}

// TestCrashKeepsWhatWasCommitted ends the server as a power cut does, and with
// it a transaction under way.
func TestCrashKeepsWhatWasCommitted(t *testing.T) {
	c := created(t)
	db := opened(t, c)
	if err := db.InsertRow(one("committed", "c")); err != nil {
		t.Fatal(err)
	}
	err := db.InTx(func(in store.Raw) error {
		if err := in.InsertRow(one("not-committed", "n")); err != nil {
			return err
		}
		return errors.Join(shared.Crash(), shared.Boot())
	})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("commit over a broken connection: %v, want %v", err, ErrUnreachable)
	}
	all, err := db.Rows("agent")
	if got := ids(all); err != nil || got != "[committed robot]" {
		t.Errorf("rows are %v (%v)", got, err)
	}
}

func TestUnreachable(t *testing.T) {
	for name, dsn := range map[string]string{
		"nobody listens":    "postgres://u:canary@127.0.0.1:1/db",
		"no socket":         "host=/nowhere user=u password=canary",
		"a refused address": "postgres://u:canary@169.254.169.254/db",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, Open, Config{DSN: dsn, Dial: dial(nil)}, ErrUnreachable)
		})
	}
}

func TestWrongDatabase(t *testing.T) {
	need(t)
	refused(t, Open, config("nowhere"), ErrUnreachable)
}

// TestRefusedStatementInTransaction: a statement that the database refuses leaves the
// rest of the transaction whole, also when it is the database's own error.
func TestRefusedStatementInTransaction(t *testing.T) {
	db := opened(t, created(t))
	err := db.InTx(func(in store.Raw) error {
		if err := in.InsertRow(one("zero\x00byte", "z")); err == nil {
			t.Error("text with a zero byte is stored")
		}
		return in.InsertRow(one("k", "v"))
	})
	if got, e := db.Row("agent", "k"); err != nil || e != nil || string(got.Body) != "v" {
		t.Errorf("got %q, %v, %v", got.Body, err, e)
	}
}

func TestSocket(t *testing.T) {
	c := created(t)
	c.DSN = fmt.Sprintf("host=%s port=%d user=postgres dbname=%s", shared.Dir, shared.Port, name(c))
	c.Dial = nil // no network
	if _, err := opened(t, c).Row("agent", "robot"); err != nil {
		t.Error(err)
	}
}

// TestPingIsBounded: a server that does not answer holds nobody up for longer
// than the caller says.
func TestPingIsBounded(t *testing.T) {
	db := opened(t, created(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Ping(ctx); err == nil {
		t.Error("an ended context pings")
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAuditAttacks(t *testing.T) {
	c := database(t)
	storetest.AuditAttacks(t, func(*testing.T) storetest.RawOpener { return opener(c) }, func(t *testing.T, raw store.Raw, statement string, args ...any) {
		t.Helper()
		for n := 1; strings.Contains(statement, "?"); n++ {
			statement = strings.Replace(statement, "?", fmt.Sprintf("$%d", n), 1)
		}
		if _, err := raw.(*DB).db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}, newRing(t))
}

func TestAttacks(t *testing.T) {
	c, ring := database(t), newRing(t)
	storetest.Attacks(t, func(*testing.T) storetest.RawOpener { return opener(c) }, func(t *testing.T, raw store.Raw) storetest.Sealed {
		t.Helper()
		s, err := sealed.Open(raw, ring)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestLogAttacks(t *testing.T) {
	c := database(t)
	storetest.LogAttacks(t, func(t *testing.T) (storetest.RawOpener, storetest.Vandal) {
		shared.SQL(t, name(c), "DROP SCHEMA IF EXISTS ostiary CASCADE")
		within := func(t *testing.T, statement string) { shared.SQL(t, name(c), "SET search_path = ostiary; "+statement) }
		return opener(c), storetest.Vandal{SQL: within, Flip: func(t *testing.T, table, column, where string) {
			within(t, fmt.Sprintf("UPDATE %[1]s SET %[2]s = set_byte(%[2]s, length(%[2]s) - 1, get_byte(%[2]s, length(%[2]s) - 1) # 1) WHERE %[3]s",
				table, column, where))
		}}
	})
}

// BenchmarkPseudonyms is what the map costs on a server beside this process.
func BenchmarkPseudonyms(b *testing.B) {
	if shared == nil {
		b.Skip(pgtest.ErrMissing)
	}
	ring, err := keys.Create(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	c := config(shared.Database(b, "ENCODING 'UTF8' LOCALE 'C'"))
	db, err := Create(c)
	if err != nil {
		b.Fatal(err)
	}
	s, err := sealed.Open(db, ring)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	storetest.BenchPseudonyms(b, s, ring)
}
