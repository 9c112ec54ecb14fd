package app

import (
	"context"
	"strings"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
)

// explainToken verifies a token as a call would, with keys fetched for it, and
// says what came of it. The path says the same to nobody (A07).
func (a *App) explainToken(ctx context.Context, r admin.ExplainToken) (admin.TokenVerdict, error) {
	v := a.verifier()
	v.Own = a.own()
	var err error
	if v.Foreign, err = a.foreign(); err != nil {
		return admin.TokenVerdict{}, err
	}
	out := admin.TokenVerdict{Decision: "deny", Kind: identity.ByToken}
	if strings.Count(r.Token, ".") == 2 {
		out.Kind = identity.ByJWT
		if s, err := identity.Show(r.Token); err == nil || s.Algorithm != "" {
			out.Issuer, out.Subject, out.Audience, out.Scopes = s.Issuer, s.Subject, s.Audience, s.Scopes
			out.Algorithm, out.Type, out.KeyID = s.Algorithm, s.Type, s.KeyID
			if !s.Until.IsZero() {
				out.ExpiresAt = &s.Until
			}
		}
	}
	p, err := v.Verify(ctx, identity.Credential{Token: r.Token, Endpoint: r.Server}, a.live.Load(), a.clock.Now())
	if err != nil {
		cause := err
		if f := fault.As(err); f.Cause != nil {
			cause = f.Cause
		}
		out.Reason, out.Fix = cause.Error(), identity.Advice(err)
		return out, nil
	}
	out.Decision, out.Agent, out.Kind = "allow", p.ID, p.Method
	return out, nil
}
