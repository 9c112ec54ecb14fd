package admin

import "context"

// Authority implements API, as do the methods below.
func (c *Client) Authority(ctx context.Context, r None) (AuthorityView, error) {
	return ask[AuthorityView](ctx, c, "ca.show", r)
}

// ExportRoot implements API.
func (c *Client) ExportRoot(ctx context.Context, r ExportRoot) (Done[ExportedRoot], error) {
	return ask[Done[ExportedRoot]](ctx, c, "ca.export-root", r)
}

// DropRoot implements API.
func (c *Client) DropRoot(ctx context.Context, r DropRoot) (Done[AuthorityView], error) {
	return ask[Done[AuthorityView]](ctx, c, "ca.drop-root", r)
}

// RequestIssuers implements API.
func (c *Client) RequestIssuers(ctx context.Context, r RequestIssuers) (Done[IssuerRequests], error) {
	return ask[Done[IssuerRequests]](ctx, c, "ca.request", r)
}

// ImportIssuers implements API.
func (c *Client) ImportIssuers(ctx context.Context, r ImportIssuers) (Done[AuthorityView], error) {
	return ask[Done[AuthorityView]](ctx, c, "ca.import-issuer", r)
}
