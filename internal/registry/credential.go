package registry

import (
	"log/slog"
	"strings"
	"time"
)

// Nouns of what the gateway shows to servers.
const (
	KindCredential NounKind = "credential"     // how it obtains tokens; every node's view holds it
	KindUpstream   NounKind = "upstream-token" // the tokens themselves; stored only
)

// Credential is how the gateway obtains tokens for one server: for everybody,
// or for one agent or person.
type Credential struct {
	Server  string    `json:"server"`
	For     string    `json:"for,omitempty"` // pseudonym; "" = everybody
	Grant   string    `json:"grant"`
	Issuer  string    `json:"issuer,omitempty"` // as configured
	Sealed  []byte    `json:"sealed"`           // settings; identity: tenant, KindCredential, id, "settings"
	Round   int64     `json:"round"`            // grows with every change and login
	Changed time.Time `json:"changed"`
}

// Exchanges reports whether callers' own tokens are exchanged.
func (c *Credential) Exchanges() bool { return c.Grant == GrantExchange || c.Grant == GrantAssertion }

// Grants whose tokens are exchanged for callers' own; oauth's names.
const (
	GrantExchange  = "token-exchange"
	GrantAssertion = "id-jag"
)

// UpstreamToken is what was obtained with a Credential of the same id.
type UpstreamToken struct {
	Sealed []byte `json:"sealed"` // identity: tenant, KindUpstream, id, "state"
}

// CredentialID names the credential of server for a pseudonym, "" for the one
// of everybody.
func CredentialID(server, whom string) string {
	if whom == "" {
		return server
	}
	return server + "/" + whom
}

// CredentialServer returns the server of a credential's id.
func CredentialServer(id string) string {
	server, _, _ := strings.Cut(id, "/")
	return server
}

// String hides what is sealed.
func (c Credential) String() string { return "credential of " + c.Server }

// GoString hides what is sealed.
func (c Credential) GoString() string { return c.String() }

// LogValue hides what is sealed.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }
