package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/pgtest"
)

// here resolves every name to this machine.
type here struct{}

func (here) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// TestVerifiedTLS connects by a name that stands for this machine.
func TestVerifiedTLS(t *testing.T) {
	c := created(t)
	c.Dial = dial(here{})
	at := func(host, query string) Config {
		out := c
		out.DSN = fmt.Sprintf("postgres://postgres@%s:%d/%s?%s", host, shared.Port, name(c), query)
		return out
	}
	ours := "sslrootcert=" + shared.Authority()
	db := opened(t, at(pgtest.HostName, ours))
	version, err := row(db.h, scanOne[string], "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
	if err != nil || version != "TLSv1.3" {
		t.Errorf("the connection has %q (%v)", version, err)
	}
	for what, other := range map[string]Config{
		"an unknown authority": at(pgtest.HostName, ""),
		"another name":         at("other.example.test", ours),
		"an address":           at("127.0.0.1", "sslmode=verify-full&"+ours),
	} {
		t.Run(what, func(t *testing.T) {
			refused(t, Open, other, ErrUnreachable)
			_, err := Open(other)
			if err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("the error does not name the certificate: %v", err)
			}
		})
	}
}

func TestCertificateFiles(t *testing.T) {
	dir := t.TempDir()
	junk, large := filepath.Join(dir, "junk"), filepath.Join(dir, "large")
	for path, text := range map[string]string{junk: "canary", large: strings.Repeat("x", maxPEM+1)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for what, query := range map[string]string{
		"no file":      "sslrootcert=" + filepath.Join(dir, "none"),
		"no bundle":    "sslrootcert=" + junk,
		"a long file":  "sslrootcert=" + large,
		"no chain":     "sslcert=" + filepath.Join(dir, "none") + "&sslkey=" + junk,
		"no key":       "sslcert=" + junk + "&sslkey=" + filepath.Join(dir, "none"),
		"no such pair": "sslcert=" + junk + "&sslkey=" + junk,
	} {
		t.Run(what, func(t *testing.T) {
			refused(t, Open, Config{DSN: "postgres://u@db.example/d?" + query, Dial: dial(here{})}, ErrDSN)
		})
	}
}

// TestEnvironmentIsNotRead: the client library's variables change nothing.
func TestEnvironmentIsNotRead(t *testing.T) {
	for variable, value := range map[string]string{
		"PGHOST": "canary.example", "PGPORT": "1", "PGDATABASE": "canary", "PGUSER": "canary", "PGPASSWORD": "canary",
		"PGSSLMODE": "require", "PGSSLROOTCERT": "/nowhere", "PGOPTIONS": "-c search_path=canary", "PGAPPNAME": "canary",
		"PGTARGETSESSIONATTRS": "standby", "PGCHANNELBINDING": "require", "PGREQUIREAUTH": "scram-sha-256", "PGTZ": "canary",
		"PGCONNECT_TIMEOUT": "7", "PGSSLNEGOTIATION": "direct", "PGPASSFILE": "/nowhere",
	} {
		t.Setenv(variable, value)
	}
	got, err := Config{DSN: "postgres://u@127.0.0.1/d"}.settings()
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(got.Host, got.Port, got.User, got.Password, got.Database, got.ConnectTimeout, got.RuntimeParams, got.SSLNegotiation,
		got.ChannelBinding, got.RequireAuth, got.TLSConfig, len(got.Fallbacks), got.ValidateConnect == nil); text !=
		"127.0.0.15432ud10s map[application_name:ostiary client_encoding:UTF8]postgresprefer<nil> 0 true" {
		t.Errorf("the settings are %s", text)
	}
}

// TestServiceFilesAreRefused: what they say could not be told from the file.
func TestServiceFilesAreRefused(t *testing.T) {
	t.Setenv("PGSERVICE", "canary")
	refused(t, Open, Config{DSN: "postgres://u@127.0.0.1/d"}, ErrDSN)
}
