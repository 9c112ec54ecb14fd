package hostile

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
	"ostiary.dev/ostiary/test/pgtest"
)

// drivers returns what sets a gateway up on each driver of the store that can
// be had here.
func drivers(t *testing.T) map[string]doortest.Options {
	t.Helper()
	all := map[string]doortest.Options{"sqlite": {}}
	c, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrMissing) && os.Getenv("CI") != "true" {
		t.Logf("SKIPPED on PostgreSQL: %v", err)
		return all
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	dsn := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", c.Port, c.Database(t, ""))
	all["postgres"] = doortest.Options{Init: []string{"--store", "postgres", "--dsn", "env:OSTIARY_DSN"}, Env: []string{"OSTIARY_DSN=" + dsn}}
	return all
}
