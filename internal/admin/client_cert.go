package admin

import "context"

// Certificates implements API, as do the methods below.
func (c *Client) Certificates(ctx context.Context, r CertQuery) ([]CertView, error) {
	return ask[[]CertView](ctx, c, "cert.list", r)
}

// RevokeCertificate implements API.
func (c *Client) RevokeCertificate(ctx context.Context, r RevokeCert) (Done[CertView], error) {
	return ask[Done[CertView]](ctx, c, "cert.revoke", r)
}

// IssueComponent implements API.
func (c *Client) IssueComponent(ctx context.Context, r IssueComponent) (Done[Credentials], error) {
	return ask[Done[Credentials]](ctx, c, "cert.issue", r)
}

// CreateJoinToken implements API.
func (c *Client) CreateJoinToken(ctx context.Context, r JoinToken) (Done[NewJoin], error) {
	return ask[Done[NewJoin]](ctx, c, "cert.join-token", r)
}

// RevocationList implements API.
func (c *Client) RevocationList(ctx context.Context, r None) (CRL, error) {
	return ask[CRL](ctx, c, "cert.crl", r)
}

// Kill implements API.
func (c *Client) Kill(ctx context.Context, r Switch) (Done[KillView], error) {
	return ask[Done[KillView]](ctx, c, "kill.switch", r)
}

// Kills implements API.
func (c *Client) Kills(ctx context.Context, r None) ([]KillView, error) {
	return ask[[]KillView](ctx, c, "kill.list", r)
}
