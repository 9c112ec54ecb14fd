package doortest

import (
	"path/filepath"
	"strings"
	"testing"
)

// Follower starts a gateway that follows the store of d, which must be on
// PostgreSQL and have replicas. It knows the agents that d knows, and clients
// know it by the public URL of d.
func (d *Door) Follower(tb testing.TB) *Door {
	tb.Helper()
	f := &Door{tb: tb, binary: d.binary, env: d.env, Dir: filepath.Join(tb.TempDir(), "follower"), Agents: d.Agents}
	f.Data, f.Admin = FreeAddr(tb), FreeAddr(tb)
	f.Must("init", "--listen", f.Data, "--admin-listen", f.Admin, "--store", "postgres", "--dsn", "env:OSTIARY_DSN", "--follow", d.Dir)
	f.EditConfig(func(yaml string) string {
		return strings.Replace(yaml, "  admin:\n", "    public_url: https://"+d.Data+"\n  admin:\n", 1)
	})
	f.Up()
	return f
}
