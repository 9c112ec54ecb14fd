package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/store/postgres"
	"ostiary.dev/ostiary/test/pgtest"
)

// environment is a function that knows one variable.
func environment(name, value string) func(string) (string, bool) {
	return func(n string) (string, bool) { return value, n == name }
}

// onPostgres returns the choices of a gateway whose store is a new database.
func onPostgres(t *testing.T, c *pgtest.Cluster) (o InitOptions, database string) {
	t.Helper()
	database = c.Database(t, "")
	dsn := fmt.Sprintf("postgres://postgres:canary-7@127.0.0.1:%d/%s", c.Port, database)
	return InitOptions{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Store: driverPostgres, DSN: "env:DSN",
		Environ: environment("DSN", dsn)}, database
}

func code(err error) admin.Code {
	var e *admin.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestPostgresGateway(t *testing.T) {
	c := pgtest.Need(t)
	t.Run("lives in the database", func(t *testing.T) { livesInTheDatabase(t, c) })
	t.Run("a failing init takes the store back", func(t *testing.T) { initTakesTheStoreBack(t, c) })
	t.Run("a taken database is refused", func(t *testing.T) { takenDatabase(t, c) })
	t.Run("the reference may be a file", func(t *testing.T) { referenceToFile(t, c) })
	t.Run("readiness", func(t *testing.T) { storeReadiness(t, c) })
}

func livesInTheDatabase(t *testing.T, c *pgtest.Cluster) {
	o, database := onPostgres(t, c)
	dir := filepath.Join(t.TempDir(), "D")
	if err := Init(dir, o); err != nil {
		t.Fatal(err)
	}
	for _, path := range listing(t, dir) {
		if filepath.Base(path) == storeName {
			t.Errorf("there is a file %s", path)
		}
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "canary") {
			t.Errorf("%s holds the connection string", path)
		}
	}
	ctx, options := t.Context(), Options{Environ: o.Environ}
	for range 2 { // a change, and what is left of it after a restart
		api, done, err := Connect(ctx, dir, options)
		if err != nil {
			t.Fatal(err)
		}
		agents, err := api.Agents(ctx, admin.None{})
		if err == nil && len(agents) == 0 {
			_, err = api.RegisterAgent(ctx, admin.RegisterAgent{ID: "robot", Change: admin.Change{Reason: "r"}})
		}
		if err := errors.Join(err, done()); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.SQL(t, database, "SELECT count(*) FROM ostiary.sealed_row WHERE kind = 'agent'"); got != "1" {
		t.Errorf("there are %s agents", got)
	}
	c.SQL(t, database, "DROP SCHEMA ostiary CASCADE")
	_, err := Open(ctx, dir, options)
	if code(err) != admin.NotFound || strings.Contains(err.Error(), "canary") {
		t.Errorf("a lost store: %v", err)
	}
	if _, err = Open(ctx, dir, Options{}); code(err) != admin.Invalid || !strings.Contains(err.Error(), "DSN is not set") {
		t.Errorf("without the variable: %v", err)
	}
	if got := c.SQL(t, database, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ostiary%'"); got != "0" {
		t.Error("the lost store was made anew")
	}
}

// initTakesTheStoreBack makes the last move fail, as
// TestInitFailingHalfwayLeavesNothing does.
func initTakesTheStoreBack(t *testing.T, c *pgtest.Cluster) {
	o, database := onPostgres(t, c)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ConfigName, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := build(dir, o); err == nil {
		t.Fatal("a directory was replaced by a file")
	}
	if got := c.SQL(t, database, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ostiary%'"); got != "0" {
		t.Error("the store is still there")
	}
}

func takenDatabase(t *testing.T, c *pgtest.Cluster) {
	o, database := onPostgres(t, c)
	if err := Init(filepath.Join(t.TempDir(), "one"), o); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "two")
	if err := Init(other, o); code(err) != admin.Exists {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory was left behind: %v", err)
	}
	if got := c.SQL(t, database, "SELECT count(*) FROM ostiary.owner"); got != "1" {
		t.Errorf("the first gateway's store is gone: %s", got)
	}
}

func referenceToFile(t *testing.T, c *pgtest.Cluster) {
	o, _ := onPostgres(t, c)
	text, _ := o.Environ("DSN")
	work := t.TempDir()
	t.Chdir(work)
	if err := os.WriteFile("dsn", []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.DSN, o.Environ = "file:dsn", nil
	dir := filepath.Join(work, "D")
	if err := Init(dir, o); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // the path is not the caller's any more
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// storeReadiness follows the check through a loss of the server and of the
// store.
func storeReadiness(t *testing.T, c *pgtest.Cluster) {
	o, database := onPostgres(t, c)
	dir := filepath.Join(t.TempDir(), "D")
	if err := Init(dir, o); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), dir, Options{Environ: o.Environ})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { // what the log could not say at last is said here
		if err := a.Close(); !errors.Is(err, postgres.ErrLost) && !errors.Is(err, postgres.ErrUnreachable) {
			t.Errorf("Close of a store that another process has: %v", err)
		}
	}()
	register := admin.RegisterAgent{ID: "robot", Change: admin.Change{Reason: "r"}}
	if _, err := a.API().RegisterAgent(t.Context(), register); err != nil {
		t.Fatal(err)
	}
	ping := a.store.Ping
	look := func() string {
		ours := a.lookAtStore(t.Context(), ping)
		for _, check := range a.health.Checks() {
			if check.Name == checkStore {
				if ours == (check.State == stateFail) {
					t.Errorf("ours is %v, the check %+v", ours, check)
				}
				return check.State
			}
		}
		return ""
	}
	state := func(want string, known bool) {
		t.Helper()
		if got := look(); got != want {
			t.Errorf("state is %s, want %s", got, want)
		}
		if got := a.live.Load().AgentActive("robot"); got != known {
			t.Errorf("the agent is known: %v, want %v", got, known)
		}
	}
	state(stateOK, true)
	if err := c.Crash(); err != nil {
		t.Fatal(err)
	}
	state(stateDegraded, true)
	if err := c.Boot(); err != nil {
		t.Fatal(err)
	}
	state(stateOK, true)
	c.SQL(t, database, "UPDATE ostiary.owner SET epoch = epoch + 1")
	c.SQL(t, "postgres", "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '"+database+"'")
	for got := stateDegraded; got == stateDegraded; { // the broken connection is noticed first
		got = look()
	}
	state(stateFail, false)
}

func TestInitStoreChoices(t *testing.T) {
	for what, o := range map[string]InitOptions{
		"another store":         {Store: "oracle"},
		"postgres without dsn":  {Store: driverPostgres},
		"a dsn without driver":  {DSN: "env:A"},
		"a dsn of sqlite":       {Store: driverSQLite, DSN: "env:A"},
		"a dsn in clear text":   {Store: driverPostgres, DSN: "postgres://u:canary@h/d"},
		"an empty reference":    {Store: driverPostgres, DSN: "env:"},
		"standard input as dsn": {Store: driverPostgres, DSN: "stdin:"},
	} {
		dir := filepath.Join(t.TempDir(), "D")
		err := InitError(Init(dir, o))
		if code(err) != admin.Invalid || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the directory was made: %v", what, err)
		}
	}
}

// TestUnusableConnectionString: each mistake is one sentence with a next step
// and without the password.
func TestUnusableConnectionString(t *testing.T) {
	for what, c := range map[string]struct {
		dsn  string
		want admin.Code
	}{
		"not one":           {"canary", admin.Invalid},
		"plain to a host":   {"postgres://u:canary@db.example.test/d?sslmode=disable", admin.Invalid},
		"nobody listens":    {"postgres://u:canary@127.0.0.1:1/d", admin.Unavailable},
		"a metadata server": {"postgres://u:canary@169.254.169.254/d", admin.Unavailable},
	} {
		dir := filepath.Join(t.TempDir(), "D")
		err := Init(dir, InitOptions{Store: driverPostgres, DSN: "env:DSN", Environ: environment("DSN", c.dsn)})
		var e *admin.Error
		if !errors.As(err, &e) || e.Code != c.want || e.Fix == "" || strings.Contains(fmt.Sprintf("%+v", *e), "canary") || strings.Contains(e.Message, "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestExplainKeepsOthers(t *testing.T) {
	if err := explain(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	if err := explain(context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
