package admin

import "context"

// AuditQuery implements API.
func (c *Client) AuditQuery(ctx context.Context, r AuditQuery) (AuditPage, error) {
	return ask[AuditPage](ctx, c, "audit.query", r)
}

// AuditLogs implements API.
func (c *Client) AuditLogs(ctx context.Context, r None) ([]AuditLog, error) {
	return ask[[]AuditLog](ctx, c, "audit.logs", r)
}

// AuditShow implements API.
func (c *Client) AuditShow(ctx context.Context, r AuditRef) ([]AuditEntry, error) {
	return ask[[]AuditEntry](ctx, c, "audit.show", r)
}

// AuditVerify implements API.
func (c *Client) AuditVerify(ctx context.Context, r AuditVerify) (AuditVerified, error) {
	return ask[AuditVerified](ctx, c, "audit.verify", r)
}

// AuditCheckpoint implements API.
func (c *Client) AuditCheckpoint(ctx context.Context, r AuditSign) (AuditCheckpoint, error) {
	return ask[AuditCheckpoint](ctx, c, "audit.checkpoint", r)
}

// AuditProve implements API.
func (c *Client) AuditProve(ctx context.Context, r AuditRef) (AuditProof, error) {
	return ask[AuditProof](ctx, c, "audit.prove", r)
}

// AuditExport implements API.
func (c *Client) AuditExport(ctx context.Context, r AuditExport) (AuditExported, error) {
	return ask[AuditExported](ctx, c, "audit.export", r)
}

// AuditEntries implements API.
func (c *Client) AuditEntries(ctx context.Context, r AuditEntries) ([]AuditRaw, error) {
	return ask[[]AuditRaw](ctx, c, "audit.entries", r)
}

// AuditHashes implements API.
func (c *Client) AuditHashes(ctx context.Context, r AuditHashes) ([][]byte, error) {
	return ask[[][]byte](ctx, c, "audit.hashes", r)
}

// AuditFollow implements API.
func (c *Client) AuditFollow(ctx context.Context, r AuditQuery) (AuditPage, error) {
	return ask[AuditPage](ctx, c, "audit.follow", r)
}

// WitnessList implements API.
func (c *Client) WitnessList(ctx context.Context, r None) ([]WitnessView, error) {
	return ask[[]WitnessView](ctx, c, "witness.list", r)
}

// ChangeWitness implements API.
func (c *Client) ChangeWitness(ctx context.Context, r WitnessChange) (Done[[]WitnessView], error) {
	return ask[Done[[]WitnessView]](ctx, c, "witness.change", r)
}

// SetAgent implements API.
func (c *Client) SetAgent(ctx context.Context, r SetAgent) (Done[AgentView], error) {
	return ask[Done[AgentView]](ctx, c, "agent.set", r)
}
