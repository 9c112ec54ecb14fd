package sqlite

import (
	"encoding/json"
	"fmt"
	"time"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// This file reads the tables of schema 1, which kept rows in clear, and removes
// them. Nothing writes them any more.

// clearTables are those of schema 1, children first.
var clearTables = [...]string{"grants", "certificates", "tokens", "agents", "servers", "meta"}

// Clear returns what schema 1 kept, or nil when its tables are gone.
func (r rows) Clear() (*store.Clear, error) {
	there, err := r.hasClear()
	if err != nil || !there {
		return nil, err
	}
	c := &store.Clear{Meta: map[string]string{}}
	values, err := list(r.h, scanMeta, "SELECT key, value FROM meta")
	for _, v := range values {
		c.Meta[v[0]] = v[1]
	}
	if err == nil {
		c.Servers, err = list(r.h, scanServer, "SELECT "+serverColumns+" FROM servers ORDER BY id")
	}
	if err == nil {
		c.Agents, err = list(r.h, scanAgent, "SELECT "+agentColumns+" FROM agents ORDER BY id")
	}
	if err == nil {
		c.Tokens, err = list(r.h, scanToken, "SELECT "+tokenColumns+" FROM tokens ORDER BY id")
	}
	if err == nil {
		c.Certificates, err = list(r.h, scanCertificate, "SELECT "+certificateColumns+" FROM certificates ORDER BY serial")
	}
	if err == nil {
		c.Grants, err = list(r.h, scanGrant, "SELECT "+grantColumns+" FROM grants ORDER BY agent, server")
	}
	if err != nil {
		return nil, fmt.Errorf("read the clear rows of schema 1: %w", err)
	}
	return c, nil
}

// hasClear reports whether the tables of schema 1 are there.
func (r rows) hasClear() (bool, error) {
	var n int64
	err := r.h.QueryRow("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'servers'").Scan(&n)
	return n > 0, translate(err)
}

// DropClear removes the tables of schema 1. secure_delete overwrites their pages
// in the same transaction; the mark makes Scrub clear what the log still holds.
func (r rows) DropClear() error {
	for _, table := range clearTables {
		if _, err := r.exec("DROP TABLE IF EXISTS " + table); err != nil {
			return fmt.Errorf("drop %s: %w", table, err)
		}
	}
	if _, err := r.exec(fmt.Sprintf("PRAGMA user_version = %d", scrubDue)); err != nil {
		return fmt.Errorf("mark the database: %w", err)
	}
	return nil
}

// scrubDue is the user_version of a database whose file may still hold bytes of
// the tables that DropClear removed. It is set in the same transaction, so a
// process that is killed in between finds it (TestMigrationSurvivesKill).
const scrubDue = 1

// scrubbing are the steps of Scrub: the mark goes last, so that it is repeated
// whole when the process is killed within.
func scrubbing() []string {
	return []string{"PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA user_version = 0"}
}

// Scrub rewrites the file and empties its log, so that no byte of what was
// dropped is left in either.
func (d *DB) Scrub() error {
	var version int64
	if err := d.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("scrub: %w", translate(err))
	}
	if version != scrubDue {
		return nil
	}
	for _, statement := range scrubbing() {
		if _, err := d.db.Exec(statement); err != nil {
			return fmt.Errorf("scrub: %w", translate(err))
		}
	}
	return nil
}

func scanMeta(row scanner) (v [2]string, err error) {
	err = row.Scan(&v[0], &v[1])
	return v, err
}

const serverColumns = `id, state, transport, url, private, command, dir, secrets, pass_env,
	ca_file, pins, client_cert, client_key, tls12, eras, examined, tools,
	message_bytes, call_timeout, in_flight, basis, reason, changed_by, created_at, updated_at, revision`

// secretRow and toolRow fix the stored names, whatever the types become.
type secretRow struct {
	Name   string `json:"name"`
	Sealed []byte `json:"sealed"`
}

type toolRow struct {
	Name       string             `json:"name"`
	Access     registry.Access    `json:"access,omitempty"`
	Definition string             `json:"definition,omitempty"`
	Digest     string             `json:"digest,omitempty"`
	State      registry.ToolState `json:"state,omitempty"`
}

func scanServer(row scanner) (s registry.Server, err error) {
	var secrets []secretRow
	var tools []toolRow
	var timeout int64
	err = row.Scan(&s.ID, &s.State, &s.Transport, &s.URL, &s.Private, listed[string]{&s.Command}, &s.Dir,
		listed[secretRow]{&secrets}, listed[string]{&s.PassEnv},
		&s.CAFile, listed[string]{&s.Pins}, &s.ClientCert, &s.ClientKey, &s.TLS12,
		listed[string]{&s.Eras}, &s.Examined, listed[toolRow]{&tools},
		&s.MessageBytes, &timeout, &s.InFlight, &s.Basis, &s.Reason, &s.By,
		stamp{&s.CreatedAt}, stamp{&s.UpdatedAt}, &s.Revision)
	s.CallTimeout = time.Duration(timeout)
	for _, v := range secrets {
		s.Secrets = append(s.Secrets, registry.Secret(v))
	}
	for _, v := range tools {
		s.Tools = append(s.Tools, registry.Tool{Name: v.Name, Access: v.Access, Definition: v.Definition, Digest: v.Digest, State: v.State})
	}
	return s, err
}

const agentColumns = "id, state, era, basis, reason, changed_by, created_at, updated_at, revision"

func scanAgent(row scanner) (a registry.Agent, err error) {
	err = row.Scan(&a.ID, &a.State, &a.Era, &a.Basis, &a.Reason, &a.By, stamp{&a.CreatedAt}, stamp{&a.UpdatedAt}, &a.Revision)
	return a, err
}

const tokenColumns = "id, agent, hash, created_at, expires_at, revoked"

func scanToken(row scanner) (t registry.Token, err error) {
	err = row.Scan(&t.ID, &t.Agent, &t.Hash, stamp{&t.CreatedAt}, stamp{&t.ExpiresAt}, &t.Revoked)
	return t, err
}

const certificateColumns = "serial, agent, not_after, created_at, revoked"

func scanCertificate(row scanner) (c registry.Certificate, err error) {
	err = row.Scan(&c.Serial, &c.Agent, stamp{&c.NotAfter}, stamp{&c.CreatedAt}, &c.Revoked)
	return c, err
}

const grantColumns = "agent, server, access, tools, granted_by, reason, created_at"

func scanGrant(row scanner) (g registry.Grant, err error) {
	err = row.Scan(&g.Agent, &g.Server, &g.Access, listed[string]{&g.Tools}, &g.By, &g.Reason, stamp{&g.CreatedAt})
	return g, err
}

// stamp reads a stored time into *t, in UTC.
type stamp struct{ t *time.Time }

// Scan implements sql.Scanner.
func (s stamp) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time is stored as %T", v)
	}
	*s.t = time.Time{}
	if n != 0 {
		*s.t = time.Unix(0, n).UTC()
	}
	return nil
}

// listed reads a stored JSON array into *list; an empty one as nil.
type listed[T any] struct{ list *[]T }

// Scan implements sql.Scanner.
func (l listed[T]) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("list is stored as %T", v)
	}
	var out []T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return fmt.Errorf("stored list: %w", err)
	}
	if len(out) == 0 {
		out = nil
	}
	*l.list = out
	return nil
}
