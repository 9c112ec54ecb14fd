package admin

import "context"

// VaultLookup implements API, as do the methods below.
func (c *Client) VaultLookup(ctx context.Context, r VaultToken) (TokenInfo, error) {
	return ask[TokenInfo](ctx, c, "vault.lookup", r)
}

// VaultReveal implements API.
func (c *Client) VaultReveal(ctx context.Context, r RevealToken) (Done[Revealed], error) {
	return ask[Done[Revealed]](ctx, c, "vault.reveal", r)
}

// VaultStats implements API.
func (c *Client) VaultStats(ctx context.Context, r None) (VaultStats, error) {
	return ask[VaultStats](ctx, c, "vault.stats", r)
}

// RevealRequests implements API.
func (c *Client) RevealRequests(ctx context.Context, r None) ([]RevealView, error) {
	return ask[[]RevealView](ctx, c, "vault.requests", r)
}

// DecideReveal implements API.
func (c *Client) DecideReveal(ctx context.Context, r DecideReveal) (Done[RevealView], error) {
	return ask[Done[RevealView]](ctx, c, "vault.decide", r)
}

// ExportData implements API.
func (c *Client) ExportData(ctx context.Context, r DataSubject) (DataExport, error) {
	return ask[DataExport](ctx, c, "data.export", r)
}

// EraseData implements API.
func (c *Client) EraseData(ctx context.Context, r EraseData) (Done[DataErasure], error) {
	return ask[Done[DataErasure]](ctx, c, "data.erase", r)
}
