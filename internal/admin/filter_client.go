package admin

import "context"

// ApplyFilter implements API.
func (c *Client) ApplyFilter(ctx context.Context, r ApplyFilter) (Done[FilterView], error) {
	return ask[Done[FilterView]](ctx, c, "filter.apply", r)
}

// RemoveFilter implements API.
func (c *Client) RemoveFilter(ctx context.Context, r RemoveFilter) (Done[FilterView], error) {
	return ask[Done[FilterView]](ctx, c, "filter.remove", r)
}

// Filters implements API.
func (c *Client) Filters(ctx context.Context, r None) ([]FilterView, error) {
	return ask[[]FilterView](ctx, c, "filter.list", r)
}

// Filter implements API.
func (c *Client) Filter(ctx context.Context, r FilterVersion) (FilterView, error) {
	return ask[FilterView](ctx, c, "filter.get", r)
}

// SuggestFilter implements API.
func (c *Client) SuggestFilter(ctx context.Context, r SuggestFilter) (FilterProposal, error) {
	return ask[FilterProposal](ctx, c, "filter.suggest", r)
}

// FilterHistory implements API.
func (c *Client) FilterHistory(ctx context.Context, r ID) ([]FilterView, error) {
	return ask[[]FilterView](ctx, c, "filter.history", r)
}

// RollbackFilter implements API.
func (c *Client) RollbackFilter(ctx context.Context, r RollbackFilter) (Done[FilterView], error) {
	return ask[Done[FilterView]](ctx, c, "filter.rollback", r)
}
