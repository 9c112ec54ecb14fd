package admin

import "context"

// Approvals implements API, as do the methods below.
func (c *Client) Approvals(ctx context.Context, r ApprovalQuery) ([]ApprovalView, error) {
	return ask[[]ApprovalView](ctx, c, "approval.list", r)
}

// Approval implements API.
func (c *Client) Approval(ctx context.Context, r ID) (ApprovalView, error) {
	return ask[ApprovalView](ctx, c, "approval.get", r)
}

// DecideApproval implements API.
func (c *Client) DecideApproval(ctx context.Context, r DecideApproval) (Done[ApprovalView], error) {
	return ask[Done[ApprovalView]](ctx, c, "approval.decide", r)
}

// OpenBypass implements API.
func (c *Client) OpenBypass(ctx context.Context, r OpenBypass) (Done[BypassView], error) {
	return ask[Done[BypassView]](ctx, c, "bypass.open", r)
}

// CloseBypass implements API.
func (c *Client) CloseBypass(ctx context.Context, r BypassChoice) (Done[BypassView], error) {
	return ask[Done[BypassView]](ctx, c, "bypass.close", r)
}

// ReviewBypass implements API.
func (c *Client) ReviewBypass(ctx context.Context, r BypassChoice) (Done[BypassView], error) {
	return ask[Done[BypassView]](ctx, c, "bypass.review", r)
}

// Bypasses implements API.
func (c *Client) Bypasses(ctx context.Context, r None) ([]BypassView, error) {
	return ask[[]BypassView](ctx, c, "bypass.list", r)
}

// SetLimit implements API.
func (c *Client) SetLimit(ctx context.Context, r SetLimit) (Done[LimitView], error) {
	return ask[Done[LimitView]](ctx, c, "limit.set", r)
}

// RemoveLimit implements API.
func (c *Client) RemoveLimit(ctx context.Context, r RemoveLimit) (Done[LimitView], error) {
	return ask[Done[LimitView]](ctx, c, "limit.remove", r)
}

// Limits implements API.
func (c *Client) Limits(ctx context.Context, r None) ([]LimitView, error) {
	return ask[[]LimitView](ctx, c, "limit.list", r)
}
