// Package pgtest starts a throwaway server of the installed PostgreSQL for
// tests, on loopback and a unix socket. It touches a temporary folder and the
// programs of PostgreSQL, and deliberately knows nothing of the gateway: its
// statements go through psql, past the driver that is tested.
package pgtest

import (
	"bytes"
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
)

// ErrMissing says that PostgreSQL is not installed. Tests are then left out
// and say so; with CI=true that is a failure.
var ErrMissing = errors.New("PostgreSQL is not installed (scripts/postgres.sh installs it)")

// Cluster is a running server. Its superuser is postgres, who needs no
// password. Close it at the end.
type Cluster struct {
	Dir  string // of the unix socket
	Port int

	bin  string
	as   string // the user who runs it, when we are root
	made atomic.Int64
}

// Start makes a cluster and starts its server.
func Start() (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin}
	if os.Geteuid() == 0 {
		c.as = "postgres" // initdb refuses root
	}
	if c.Dir, err = os.MkdirTemp("", "ostiary-pg-"); err != nil {
		return nil, err
	}
	if err = c.build(); err == nil {
		err = c.Boot()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.Dir))
	}
	return c, nil
}

// Need starts a cluster that ends with the test, or skips the test.
func Need(t testing.TB) *Cluster {
	t.Helper()
	c, err := Start()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// programs returns the folder of the newest PostgreSQL that is installed.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrMissing
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	return filepath.Dir(path), nil
}

// build makes the cluster's files and chooses its port.
func (c *Cluster) build() error {
	if err := c.give(c.Dir); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.Port = l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return err
	}
	err = c.command("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D", c.data())
	if err != nil {
		return err
	}
	return c.certify()
}

func (c *Cluster) data() string { return filepath.Join(c.Dir, "data") }

// give makes a file belong to the user who runs the server.
func (c *Cluster) give(path string) error {
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
func (c *Cluster) command(name string, args ...string) error {
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
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, out, out
	err = errors.Join(cmd.Run(), out.Close())
	if err != nil {
		text, readErr := os.ReadFile(out.Name())
		return errors.Join(fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(text)), readErr)
	}
	return nil
}

// Boot starts the server again.
func (c *Cluster) Boot() error {
	options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c ssl=on -c fsync=on", c.Port, c.Dir)
	return c.command("pg_ctl", "-w", "-D", c.data(), "-l", filepath.Join(c.Dir, "log"), "-o", options, "start")
}

// Crash ends the server as a power cut does.
func (c *Cluster) Crash() error {
	return c.command("pg_ctl", "-w", "-m", "immediate", "-D", c.data(), "stop")
}

// Close stops the server and removes its files.
func (c *Cluster) Close() error {
	return errors.Join(c.Crash(), os.RemoveAll(c.Dir))
}

// Database makes a new, empty database and returns its name. Options are those
// of CREATE DATABASE.
func (c *Cluster) Database(t testing.TB, options string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", c.made.Add(1))
	c.SQL(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE template0 "+options)
	return name
}

// SQL runs a statement as the superuser and returns what it prints.
func (c *Cluster) SQL(t testing.TB, database, statement string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, "psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
		"-h", c.Dir, "-p", strconv.Itoa(c.Port), "-U", "postgres", "-d", database, "-c", statement)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}
