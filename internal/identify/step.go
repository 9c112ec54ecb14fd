// Package identify is the step that turns a credential into a Principal and
// then erases the credential from the exchange, so that no later room can
// leak or forward it.
//
// It may ask identity and the registry's current snapshot. It deliberately
// reads no header and no certificate file: admit collects the credential,
// identity verifies it.
package identify

import (
	"context"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// Step identifies callers against the registry as it is now.
type Step struct {
	Verifier *identity.Verifier
	Live     *registry.Live
	Clock    clock.Clock
}

// Caller sets x.Principal or refuses with fault.Unauthenticated. The credential
// is gone from x when it returns, whatever the result. A part of an exchange
// keeps the principal of its parent.
func (s *Step) Caller(ctx context.Context, x *exchange.Exchange) error {
	credential := x.Credential
	x.Credential = identity.Credential{}
	if x.Parent != "" {
		return nil
	}
	credential.Endpoint = x.Endpoint
	view := s.Live.Load()
	p, err := s.Verifier.Verify(ctx, credential, view, s.Clock.Now())
	if err != nil {
		return err
	}
	if view.Killed(p.ID, "", "") != "" {
		return revoked("kill switch is on")
	}
	if agent := view.Agent(p.ID); agent != nil {
		p.Pseudonym, p.Receipts = agent.Pseudonym, agent.Receipts
	}
	x.Principal = p
	if p.Issuer != "" && exchanges(view, x.Endpoint) {
		x.Carried = identity.Carry(credential)
	}
	return nil
}

// exchanges reports whether a server at endpoint, "" for /mcp, is shown tokens
// that are exchanged for the caller's own. For every other one, the caller's
// token ends in this room.
func exchanges(view *registry.Snapshot, endpoint string) bool {
	found := false
	registry.All(view, registry.KindCredential, func(_ *registry.Noun, c *registry.Credential) {
		found = found || c.Exchanges() && (endpoint == "" || endpoint == c.Server)
	})
	return found
}

// Still reports whether x's principal may go on: its agent is active and the
// token and certificate it came with are neither revoked nor expired. The
// error is a refusal.
func (s *Step) Still(x *exchange.Exchange) error {
	p, view, now := x.Principal, s.Live.Load(), s.Clock.Now()
	if p.Kind != "client" {
		return nil
	}
	if a := view.Agent(p.ID); a == nil || a.State != registry.Active {
		return revoked("agent is not active")
	}
	if view.Killed(p.ID, "", "") != "" {
		return revoked("kill switch is on")
	}
	if p.TokenID != "" {
		t := view.Token(p.TokenID)
		if t == nil || t.Revoked || (!t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)) {
			return revoked("token is revoked or expired")
		}
	}
	if f := s.Verifier.Foreign; p.Method == identity.ByJWT && (f == nil || !f.Still(p, view, now)) {
		return revoked("access token is revoked or has ended")
	}
	if own := s.Verifier.Own; p.Method == identity.ByIssuer && (own == nil || !own.Still(p, now) || view.JWTRevoked(p.Issuer, p.JTI)) {
		return revoked("login or access token has ended")
	}
	if p.SVID.Domain != "" && !s.Verifier.Trust.Still(p, view, now) {
		return revoked("certificate has ended, or nobody vouches for it")
	}
	if p.Serial != "" && p.SVID.Domain == "" {
		c := view.Certificate(p.Serial)
		if c == nil || c.Revoked || !now.Before(c.NotAfter) {
			return revoked("certificate is revoked or expired")
		}
	}
	return nil
}

func revoked(why string) error {
	e := fault.New(fault.Unauthenticated)
	e.Cause = errRevoked(why)
	return e
}

type errRevoked string

func (e errRevoked) Error() string { return "revoked while in use: " + string(e) }
