package admin

import "context"

// SetCredential implements API, as do the methods below.
func (c *Client) SetCredential(ctx context.Context, r SetCredential) (Done[CredentialView], error) {
	return ask[Done[CredentialView]](ctx, c, "credential.set", r)
}

// Credentials implements API.
func (c *Client) Credentials(ctx context.Context, r CredentialRef) ([]CredentialView, error) {
	return ask[[]CredentialView](ctx, c, "credential.list", r)
}

// RemoveCredential implements API.
func (c *Client) RemoveCredential(ctx context.Context, r RemoveCredential) (Done[CredentialView], error) {
	return ask[Done[CredentialView]](ctx, c, "credential.remove", r)
}

// BeginLogin implements API.
func (c *Client) BeginLogin(ctx context.Context, r BeginLogin) (LoginBegun, error) {
	return ask[LoginBegun](ctx, c, "credential.begin", r)
}

// FinishLogin implements API.
func (c *Client) FinishLogin(ctx context.Context, r FinishLogin) (Done[CredentialView], error) {
	return ask[Done[CredentialView]](ctx, c, "credential.finish", r)
}
