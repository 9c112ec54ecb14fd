package postgres

import (
	"fmt"

	"ostiary.dev/ostiary/internal/registry"
)

const grantColumns = "agent, server, access, tools, granted_by, reason, created_at"

func scanGrant(row scanner) (g registry.Grant, err error) {
	err = row.Scan(&g.Agent, &g.Server, &g.Access, listed[string]{&g.Tools}, &g.By, &g.Reason, stamp{&g.CreatedAt})
	return g, err
}

// Grants returns all grants by agent and server.
func (r rows) Grants() ([]registry.Grant, error) {
	out, err := list(r.h, scanGrant, "SELECT "+grantColumns+" FROM grants ORDER BY agent, server")
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	return out, nil
}

// PutGrant adds a grant or replaces the one of the same agent and server.
func (r rows) PutGrant(g registry.Grant) error {
	tools, err := array(g.Tools)
	if err == nil {
		_, err = r.exec("INSERT INTO grants ("+grantColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (agent, server) DO UPDATE SET access = excluded.access, tools = excluded.tools,
			granted_by = excluded.granted_by, reason = excluded.reason, created_at = excluded.created_at`,
			g.Agent, g.Server, string(g.Access), tools, g.By, g.Reason, nanos(g.CreatedAt))
	}
	if err != nil {
		return fmt.Errorf("put grant %s/%s: %w", g.Agent, g.Server, err)
	}
	return nil
}

// DeleteGrant removes a grant.
func (r rows) DeleteGrant(agent, server string) error {
	if err := r.one("DELETE FROM grants WHERE agent = $1 AND server = $2", agent, server); err != nil {
		return fmt.Errorf("delete grant %s/%s: %w", agent, server, err)
	}
	return nil
}
