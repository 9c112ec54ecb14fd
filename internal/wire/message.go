package wire

// This file is the room's contract: what other rooms may ask of a message.

// Era is one of the two ways of MCP: sessions or stateless requests.
type Era uint8

// The eras. EraUnknown is the zero value and never leaves admit.
const (
	EraUnknown Era = iota
	Legacy         // 2024-11-05 to 2025-11-25: initialize, sessions
	Modern         // 2026-07-28: metadata in every request
)

// String returns "legacy", "modern" or "unknown".
func (e Era) String() string { return [...]string{"unknown", "legacy", "modern"}[e] }
