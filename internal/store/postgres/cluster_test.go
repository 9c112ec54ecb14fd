package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"ostiary.dev/ostiary/internal/egress"
)

// cluster is a throwaway server of the installed PostgreSQL, on loopback and a
// unix socket, which ends with the tests.
type cluster struct {
	bin, dir string
	port     int
	as       string // the user who runs it, when we are root
	made     atomic.Int64
}

// shared is the cluster of all tests of the package; nil when there is no
// PostgreSQL here.
var shared *cluster

func TestMain(m *testing.M) {
	os.Exit(within(m))
}

func within(m *testing.M) (code int) {
	var err error
	if shared, err = startCluster(); err != nil {
		fmt.Fprintln(os.Stderr, "start PostgreSQL:", err)
		return 1
	}
	if shared == nil {
		fmt.Fprintln(os.Stderr, "SKIPPED: PostgreSQL is not installed here, so its driver is tested without a server")
		if os.Getenv("CI") == "true" {
			return 1
		}
		return m.Run()
	}
	defer func() {
		if err := shared.remove(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			code = 1
		}
	}()
	return m.Run()
}

// startCluster makes and starts a server; nil when none is installed.
func startCluster() (*cluster, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return nil, nil
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
		found = append(found, path)
	}
	slices.Sort(found)
	c := &cluster{bin: filepath.Dir(found[len(found)-1])}
	if os.Geteuid() == 0 {
		c.as = "postgres" // initdb refuses root
	}
	if c.dir, err = os.MkdirTemp("", "ostiary-pg-"); err != nil {
		return nil, err
	}
	if err := c.give(c.dir); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c.port = l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	if err := c.command("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D", c.data()); err != nil {
		return nil, err
	}
	if err := c.certify(); err != nil {
		return nil, err
	}
	return c, c.start()
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// give makes a file belong to the user who runs the server.
func (c *cluster) give(path string) error {
	if c.as == "" {
		return nil
	}
	u, err := user.Lookup(c.as)
	if err != nil {
		return err
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return errors.Join(uidErr, gidErr, os.Chown(path, uid, gid))
}

// command runs a program of PostgreSQL. Output goes to a file: the server keeps
// it open, and a pipe would never end.
func (c *cluster) command(name string, args ...string) error {
	args = append([]string{filepath.Join(c.bin, name)}, args...)
	if c.as != "" {
		args = append([]string{"runuser", "-u", c.as, "--"}, args...)
	}
	out, err := os.CreateTemp("", "ostiary-pg-out-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, out, out
	err = errors.Join(cmd.Run(), out.Close())
	if err != nil {
		text, readErr := os.ReadFile(out.Name())
		return errors.Join(fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(text)), readErr)
	}
	return nil
}

func (c *cluster) start() error {
	options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c ssl=on -c fsync=on", c.port, c.dir)
	return c.command("pg_ctl", "-w", "-D", c.data(), "-l", filepath.Join(c.dir, "log"), "-o", options, "start")
}

// stop ends the server as a crash does.
func (c *cluster) stop() error {
	return c.command("pg_ctl", "-w", "-m", "immediate", "-D", c.data(), "stop")
}

func (c *cluster) remove() error {
	return errors.Join(c.stop(), os.RemoveAll(c.dir))
}

// need skips a test that cannot do without a server.
func need(t *testing.T) *cluster {
	t.Helper()
	if shared == nil {
		t.Skip("PostgreSQL is not installed here")
	}
	return shared
}

// database makes a new, empty database and returns its settings.
func (c *cluster) database(t *testing.T, options string) Config {
	t.Helper()
	name := fmt.Sprintf("test_%d", c.made.Add(1))
	c.sql(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE template0 "+options)
	return c.config(name)
}

// config connects to a database over TCP, as its superuser.
func (c *cluster) config(database string) Config {
	return Config{DSN: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", c.port, database), Dial: dial(nil)}
}

// dial goes through the guard, as the gateway does.
func dial(r egress.Resolver) func(context.Context, string, string) (net.Conn, error) {
	guard := egress.New(egress.Config{Resolver: r})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return guard.Dial(ctx, network, address, true)
	}
}

// sql runs a statement as somebody else: with psql, outside of the driver.
func (c *cluster) sql(t *testing.T, database, statement string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, "psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
		"-h", c.dir, "-p", strconv.Itoa(c.port), "-U", "postgres", "-d", database, "-c", statement)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// name is the database of a Config of these tests.
func name(c Config) string { return c.DSN[strings.LastIndexByte(c.DSN, '/')+1:] }
