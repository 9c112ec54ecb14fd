package identity

import "log/slog"

// Carried is a caller's own token on its way to be exchanged for one that a
// server takes (RFC 8693). identify fills it only for a server that is
// configured so, and only with a token of an outside issuer. It has no
// exported field and prints as a marker; Reveal is for forward alone, which a
// test of the house watches (A13, TestA13TheExchangedTokenAlone).
type Carried struct{ token string }

// Carry returns the token of c for an exchange.
func Carry(c Credential) Carried { return Carried{c.Token} }

// Reveal returns the token, "" when there is none.
func Reveal(c Carried) string { return c.token }

// String returns a marker.
func (c Carried) String() string { return "[carried]" }

// GoString returns a marker.
func (c Carried) GoString() string { return c.String() }

// LogValue returns a marker.
func (c Carried) LogValue() slog.Value { return slog.StringValue(c.String()) }
