package admin

import "context"

// InviteUser implements API, as do the methods below.
func (c *Client) InviteUser(ctx context.Context, r InviteUser) (Done[Invitation], error) {
	return ask[Done[Invitation]](ctx, c, "user.invite", r)
}

// SetUser implements API.
func (c *Client) SetUser(ctx context.Context, r SetUser) (Done[UserView], error) {
	return ask[Done[UserView]](ctx, c, "user.set", r)
}

// MoveUser implements API.
func (c *Client) MoveUser(ctx context.Context, r MoveUser) (Done[UserView], error) {
	return ask[Done[UserView]](ctx, c, "user.move", r)
}

// Users implements API.
func (c *Client) Users(ctx context.Context, r None) ([]UserView, error) {
	return ask[[]UserView](ctx, c, "user.list", r)
}

// User implements API.
func (c *Client) User(ctx context.Context, r ID) (UserView, error) {
	return ask[UserView](ctx, c, "user.get", r)
}
