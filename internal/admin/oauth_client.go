package admin

import "context"

// Logins implements API, as do the methods below.
func (c *Client) Logins(ctx context.Context, r LoginQuery) ([]LoginView, error) {
	return ask[[]LoginView](ctx, c, "oauth.logins", r)
}

// EndLogin implements API.
func (c *Client) EndLogin(ctx context.Context, r EndLogin) (Done[LoginView], error) {
	return ask[Done[LoginView]](ctx, c, "oauth.end", r)
}

// OAuthClients implements API.
func (c *Client) OAuthClients(ctx context.Context, r None) ([]OAuthClientView, error) {
	return ask[[]OAuthClientView](ctx, c, "oauth.clients", r)
}

// RegisterOAuthClient implements API.
func (c *Client) RegisterOAuthClient(ctx context.Context, r RegisterOAuthClient) (Done[OAuthClientView], error) {
	return ask[Done[OAuthClientView]](ctx, c, "oauth.register", r)
}

// RemoveOAuthClient implements API.
func (c *Client) RemoveOAuthClient(ctx context.Context, r RemoveOAuthClient) (Done[OAuthClientView], error) {
	return ask[Done[OAuthClientView]](ctx, c, "oauth.unregister", r)
}
