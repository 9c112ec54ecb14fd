package admin

import "context"

// PolicyCheck implements API.
func (c *Client) PolicyCheck(ctx context.Context, r PolicyCheck) (PolicyReport, error) {
	return ask[PolicyReport](ctx, c, "policy.check", r)
}

// PolicyTest implements API.
func (c *Client) PolicyTest(ctx context.Context, r PolicyTest) ([]PolicyResult, error) {
	return ask[[]PolicyResult](ctx, c, "policy.test", r)
}

// PolicyDiff implements API.
func (c *Client) PolicyDiff(ctx context.Context, r PolicyCheck) (PolicyDiff, error) {
	return ask[PolicyDiff](ctx, c, "policy.diff", r)
}

// PolicyApply implements API.
func (c *Client) PolicyApply(ctx context.Context, r PolicyApply) (Done[PolicyView], error) {
	return ask[Done[PolicyView]](ctx, c, "policy.apply", r)
}

// PolicyHistory implements API.
func (c *Client) PolicyHistory(ctx context.Context, r None) ([]PolicyView, error) {
	return ask[[]PolicyView](ctx, c, "policy.history", r)
}

// PolicyShow implements API.
func (c *Client) PolicyShow(ctx context.Context, r PolicyVersion) (PolicyView, error) {
	return ask[PolicyView](ctx, c, "policy.show", r)
}

// PolicyRollback implements API.
func (c *Client) PolicyRollback(ctx context.Context, r PolicyRollback) (Done[PolicyView], error) {
	return ask[Done[PolicyView]](ctx, c, "policy.rollback", r)
}

// PolicyPropose implements API.
func (c *Client) PolicyPropose(ctx context.Context, r PolicyApply) (Done[PolicyView], error) {
	return ask[Done[PolicyView]](ctx, c, "policy.propose", r)
}

// PolicyProposals implements API.
func (c *Client) PolicyProposals(ctx context.Context, r None) ([]PolicyView, error) {
	return ask[[]PolicyView](ctx, c, "policy.proposals", r)
}

// PolicyDecide implements API.
func (c *Client) PolicyDecide(ctx context.Context, r PolicyChoice) (Done[PolicyView], error) {
	return ask[Done[PolicyView]](ctx, c, "policy.decide", r)
}

// PolicyShadow implements API.
func (c *Client) PolicyShadow(ctx context.Context, r None) (PolicyTrial, error) {
	return ask[PolicyTrial](ctx, c, "policy.shadow", r)
}

// PolicyEndShadow implements API.
func (c *Client) PolicyEndShadow(ctx context.Context, r Change) (Done[PolicyView], error) {
	return ask[Done[PolicyView]](ctx, c, "policy.unshadow", r)
}

// PolicyReplay implements API.
func (c *Client) PolicyReplay(ctx context.Context, r PolicyReplay) (PolicyReplayed, error) {
	return ask[PolicyReplayed](ctx, c, "policy.replay", r)
}

// PolicySchema implements API.
func (c *Client) PolicySchema(ctx context.Context, r None) (PolicySchema, error) {
	return ask[PolicySchema](ctx, c, "policy.schema", r)
}

// WhoCan implements API.
func (c *Client) WhoCan(ctx context.Context, r WhoCan) ([]AccessView, error) {
	return ask[[]AccessView](ctx, c, "access.who", r)
}

// WhatCan implements API.
func (c *Client) WhatCan(ctx context.Context, r ID) ([]AccessView, error) {
	return ask[[]AccessView](ctx, c, "access.what", r)
}

// Unused implements API.
func (c *Client) Unused(ctx context.Context, r Unused) ([]UnusedGrant, error) {
	return ask[[]UnusedGrant](ctx, c, "access.unused", r)
}

// RequestAccess implements API.
func (c *Client) RequestAccess(ctx context.Context, r Grant) (Done[RequestView], error) {
	return ask[Done[RequestView]](ctx, c, "access.request", r)
}

// AccessRequests implements API.
func (c *Client) AccessRequests(ctx context.Context, r None) ([]RequestView, error) {
	return ask[[]RequestView](ctx, c, "access.requests", r)
}

// DecideRequest implements API.
func (c *Client) DecideRequest(ctx context.Context, r Choice) (Done[RequestView], error) {
	return ask[Done[RequestView]](ctx, c, "access.decide", r)
}
