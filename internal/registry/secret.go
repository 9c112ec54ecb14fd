package registry

import "log/slog"

// A Secret prints as its name alone, wherever it is printed.

// String returns a marker.
func (s Secret) String() string { return s.Name + "=[sealed]" }

// GoString returns a marker.
func (s Secret) GoString() string { return s.String() }

// LogValue returns a marker.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// A Server's command line and address may hold what an operator should not
// have put there, so logs get its id and state alone.

// LogValue returns the loggable part.
func (s Server) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", s.ID), slog.String("state", string(s.State)))
}

// LogValue returns the loggable part.
func (a Agent) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", a.ID), slog.String("state", string(a.State)))
}

// String returns the visible part of a token.
func (t Token) String() string { return "token " + t.ID }

// GoString returns the visible part of a token.
func (t Token) GoString() string { return t.String() }

// LogValue returns the visible part of a token.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
