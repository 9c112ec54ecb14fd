package privacy

import (
	"time"

	"ostiary.dev/ostiary/internal/pii"
)

// Config is what an operator says about personal data.
type Config struct {
	Profile  string // "secrets-only" if empty
	Profiles map[string]Custom
	Patterns []pii.Pattern
	Zones    map[string]Zone // a component's zone word -> how far it is trusted
	Shadow   bool            // count only
	OnError  string          // "block" if empty, "flag" or "redact"
	Scope    []string        // "tenant", "session", "agent", "server", "purpose"; the profile's if empty
	Expiry   time.Duration   // of pseudonyms; 0 is the vault's own
	Restore  []RestoreRule
	Subjects []SubjectRule
	Year     func() int // the current year; nil is the year of this code, which ages
}

// Custom is a profile of the operator's own.
type Custom struct {
	Extends string             // the profile that it changes
	Keyed   *bool              // pseudonyms made by a key, not drawn; nil is as extended
	Sure    map[string]float64 // type -> how sure the detector must be, 0 to 1
	Replace map[string]string  // type -> the fixed value of "replace"
	Rules   []Rule             // the last one that matches decides
}

// Rule says what becomes of the findings that it matches. An empty list matches
// everything; entries of servers, tools, purposes and paths may hold "*".
type Rule struct {
	Types    []string
	Subs     []string
	Zones    []string
	Toward   []string // "server", "client"
	Servers  []string
	Tools    []string
	Purposes []string
	Paths    []string // "patient.name", "rows[*].email", "**.note"
	Action   string
}

// RestoreRule names where pseudonyms in arguments become clear values again. It
// works toward receivers of the zone clear only.
type RestoreRule struct {
	Servers  []string
	Tools    []string
	Purposes []string
	Paths    []string // below arguments
	Types    []string
	FF1      bool // every number there is one that FF1 made, of the one type
}
