package postgres

import (
	"fmt"

	"ostiary.dev/ostiary/internal/registry"
)

const agentColumns = "id, state, era, basis, reason, changed_by, created_at, updated_at, revision"

func scanAgent(row scanner) (a registry.Agent, err error) {
	err = row.Scan(&a.ID, &a.State, &a.Era, &a.Basis, &a.Reason, &a.By, stamp{&a.CreatedAt}, stamp{&a.UpdatedAt}, &a.Revision)
	return a, err
}

// Agents returns all agents by id.
func (r rows) Agents() ([]registry.Agent, error) {
	out, err := list(r.h, scanAgent, "SELECT "+agentColumns+" FROM agents ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	return out, nil
}

// Agent returns one agent.
func (r rows) Agent(id string) (registry.Agent, error) {
	a, err := row(r.h, scanAgent, "SELECT "+agentColumns+" FROM agents WHERE id = $1", id)
	if err != nil {
		return registry.Agent{}, fmt.Errorf("agent %s: %w", id, err)
	}
	return a, nil
}

// InsertAgent adds an agent.
func (r rows) InsertAgent(a registry.Agent) error {
	_, err := r.exec("INSERT INTO agents ("+agentColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		a.ID, string(a.State), a.Era, a.Basis, a.Reason, a.By, nanos(a.CreatedAt), nanos(a.UpdatedAt), a.Revision)
	if err != nil {
		return fmt.Errorf("insert agent %s: %w", a.ID, err)
	}
	return nil
}

// UpdateAgent replaces an agent whose revision is still a.Revision.
func (r rows) UpdateAgent(a registry.Agent) error {
	err := r.swap("agents", a.ID, "UPDATE agents SET ("+agentColumns+") = ($1, $2, $3, $4, $5, $6, $7, $8, $9) WHERE id = $10 AND revision = $11",
		a.ID, string(a.State), a.Era, a.Basis, a.Reason, a.By, nanos(a.CreatedAt), nanos(a.UpdatedAt), a.Revision+1, a.ID, a.Revision)
	if err != nil {
		return fmt.Errorf("update agent %s: %w", a.ID, err)
	}
	return nil
}

const tokenColumns = "id, agent, hash, created_at, expires_at, revoked"

func scanToken(row scanner) (t registry.Token, err error) {
	err = row.Scan(&t.ID, &t.Agent, &t.Hash, stamp{&t.CreatedAt}, stamp{&t.ExpiresAt}, &t.Revoked)
	return t, err
}

// Tokens returns all tokens by id.
func (r rows) Tokens() ([]registry.Token, error) {
	out, err := list(r.h, scanToken, "SELECT "+tokenColumns+" FROM tokens ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return out, nil
}

// InsertToken adds a token.
func (r rows) InsertToken(t registry.Token) error {
	_, err := r.exec("INSERT INTO tokens ("+tokenColumns+") VALUES ($1, $2, $3, $4, $5, $6)",
		t.ID, t.Agent, t.Hash, nanos(t.CreatedAt), nanos(t.ExpiresAt), t.Revoked)
	if err != nil {
		return fmt.Errorf("insert token %s: %w", t.ID, err)
	}
	return nil
}

// RevokeToken marks a token as revoked; doing it twice is no error.
func (r rows) RevokeToken(id string) error {
	if err := r.one("UPDATE tokens SET revoked = true WHERE id = $1", id); err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	return nil
}

const certificateColumns = "serial, agent, not_after, created_at, revoked"

func scanCertificate(row scanner) (c registry.Certificate, err error) {
	err = row.Scan(&c.Serial, &c.Agent, stamp{&c.NotAfter}, stamp{&c.CreatedAt}, &c.Revoked)
	return c, err
}

// Certificates returns all certificates by serial.
func (r rows) Certificates() ([]registry.Certificate, error) {
	out, err := list(r.h, scanCertificate, "SELECT "+certificateColumns+" FROM certificates ORDER BY serial")
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	return out, nil
}

// InsertCertificate adds a certificate.
func (r rows) InsertCertificate(c registry.Certificate) error {
	_, err := r.exec("INSERT INTO certificates ("+certificateColumns+") VALUES ($1, $2, $3, $4, $5)",
		c.Serial, c.Agent, nanos(c.NotAfter), nanos(c.CreatedAt), c.Revoked)
	if err != nil {
		return fmt.Errorf("insert certificate %s: %w", c.Serial, err)
	}
	return nil
}

// RevokeCertificate marks a certificate as revoked; doing it twice is no error.
func (r rows) RevokeCertificate(serial string) error {
	if err := r.one("UPDATE certificates SET revoked = true WHERE serial = $1", serial); err != nil {
		return fmt.Errorf("revoke certificate %s: %w", serial, err)
	}
	return nil
}
