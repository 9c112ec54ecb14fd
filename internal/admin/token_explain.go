package admin

import (
	"context"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// maxExplained is the longest text that is looked at as a token.
const maxExplained = 32 << 10

// ExplainToken asks why a token would be accepted or refused. The token is
// looked at and kept nowhere.
type ExplainToken struct {
	Token  string `json:"token"`
	Server string `json:"server,omitempty"` // at whose endpoint; "" = /mcp
}

// String hides the token.
func (ExplainToken) String() string { return "[token to explain]" }

// GoString hides the token.
func (ExplainToken) GoString() string { return "[token to explain]" }

// TokenVerdict is the answer. What the token says of itself is not verified
// when it is refused.
type TokenVerdict struct {
	Decision  string     `json:"decision"` // allow or deny
	Kind      string     `json:"kind"`     // token, issuer or jwt: how it was verified, or would be
	Agent     string     `json:"agent,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Fix       string     `json:"fix,omitempty"`
	Issuer    string     `json:"issuer,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	Audience  []string   `json:"audience,omitempty"`
	Algorithm string     `json:"algorithm,omitempty"`
	Type      string     `json:"type,omitempty"`
	KeyID     string     `json:"keyId,omitempty"`
	Scopes    string     `json:"scopes,omitempty"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
}

// ExplainToken tells an operator what a caller is never told.
func (o *operator) ExplainToken(ctx context.Context, r ExplainToken) (TokenVerdict, error) {
	if r.Token == "" || len(r.Token) > maxExplained {
		return TokenVerdict{}, invalid("write the token to stdin", "there is no token, or it is longer than %d bytes", maxExplained)
	}
	if o.cfg.Explain == nil {
		return TokenVerdict{}, &Error{Code: Failed, Message: "tokens cannot be explained here"}
	}
	return o.cfg.Explain(ctx, r)
}

// limitsOf returns the scopes of a token that is asked for.
func limitsOf(r CreateToken) (string, error) {
	if r.Server != "" {
		if err := registry.ValidID(r.Server); err != nil {
			return "", invalid("ostiary server list", "%q cannot be a server: %v", r.Server, err)
		}
	}
	switch r.Scope {
	case "":
		return "", nil
	case string(registry.Read), string(registry.Write), string(registry.Modify):
		return identity.ScopesFor(r.Scope), nil
	}
	return "", invalid("use read, write or modify, or leave it out", "%q is no scope", r.Scope)
}
