// Package privacy decides what becomes of a finding, and makes what takes its
// place. A profile is a table from kinds of findings to actions, which the trust
// zone of the receiver makes narrower; a transform turns one value into another.
//
// The package is pure: no clock, no files, no network, no goroutines, and no
// state that changes after Compile but a bounded cache of servers' expressions. It
// may import pii and fault only. It
// deliberately does not find anything (pii does), holds no keys (a Secrets does,
// which keys implements), makes no tokens (vault does), and touches no message
// (protect does). Clear values pass through Transform and are never kept, logged
// or put into an error.
//
// What the built-in profiles follow: 45 CFR 164.514(b)(2)(i) for
// hipaa-safe-harbor, GDPR Art. 4(5), 9, 10, 25 and 87 for gdpr-minimal. That
// removal was attempted is all that they can evidence: docs/privacy.md.
package privacy

import (
	"slices"

	"ostiary.dev/ostiary/internal/pii"
)

// Zone is how far a receiver is trusted. The zero value and every unknown word
// act as ZoneMinimal.
type Zone string

// The zones.
const (
	ZoneClear   Zone = "clear"   // the system of record: sees clear values
	ZoneToken   Zone = "token"   // sees pseudonyms and generalized values
	ZoneMinimal Zone = "minimal" // sees nothing that links two messages
	ZoneSealed  Zone = "sealed"  // sees nothing personal: a finding blocks
)

// Known reports whether z is one of the zones.
func (z Zone) Known() bool {
	return z == ZoneClear || z == ZoneToken || z == ZoneMinimal || z == ZoneSealed
}

// Action is what becomes of one finding. The zero value is no action; whoever
// meets it or an unknown one must block.
type Action string

// The actions.
const (
	Keep       Action = "keep"       // pass, uncounted
	Flag       Action = "flag"       // pass and count
	Block      Action = "block"      // refuse the message
	Drop       Action = "drop"       // take out the member or the row
	Redact     Action = "redact"     // [EMAIL]
	Mask       Action = "mask"       // all but the last four characters
	Replace    Action = "replace"    // a fixed value
	Generalize Action = "generalize" // year, age band, ZIP3, /24
	Hash       Action = "hash"       // keyed, one way
	Token      Action = "token"      // a pseudonym with a row in the vault
	SIV        Action = "siv"        // AES-SIV: reversible without a row
	FF1        Action = "ff1"        // digits stay digits: reversible without a row
	Shift      Action = "shift"      // a date moved by the subject's days
	Surrogate  Action = "surrogate"  // an invented value that looks real
)

var actions = []Action{Keep, Flag, Block, Drop, Redact, Mask, Replace, Generalize, Hash, Token, SIV, FF1, Shift, Surrogate}

// Actions returns every action in a fixed order.
func Actions() []Action { return slices.Clone(actions) }

// Known reports whether a is one of the actions.
func (a Action) Known() bool { return slices.Contains(actions, a) }

// Toward is who receives the message.
type Toward uint8

// The receivers. The zero value is neither and blocks.
const (
	Server Toward = iota + 1
	Client
)

// Where is the place of a finding.
type Where struct {
	Toward  Toward
	Zone    Zone   // of the receiver
	Server  string // whose call it is, in both directions
	Tool    string
	Purpose string
	Path    string // below the arguments or the result, as wire.Spot writes it: to[*].email
}

// Finding is one value to be transformed.
type Finding struct {
	Type    pii.Type
	Sub     string
	Value   string // decoded, UTF-8
	Scope   string // within which equal values may look alike
	Subject string // whose value it is, for Shift; "" is the whole scope
	Schema  Schema // what the receiver's schema demands here
	Seed    uint64 // a random number from the vault's row in place of a derived one; 0 is none

	shape *shape // of Schema, while Transform works
}

// Schema is what a JSON schema demands of one value. The zero value is free text.
type Schema struct {
	Format  string // "email", "date", "date-time", "uri", "ipv4", "ipv6", "uuid"
	Pattern string // ECMA 262 expression; one that RE2 refuses fits nothing
	Numeric bool   // the value is a JSON number
	Max     int    // most characters; 0 is no limit
}

// Free reports whether any text would do.
func (s Schema) Free() bool { return s == Schema{} }

// Secrets are the keyed functions that Transform needs. Every field is part of
// the key's derivation, so that two scopes or two types never meet.
type Secrets interface {
	Hash(scope, typ, value string) string
	Shift(scope, subject string) int
	SIV(scope, typ, value string) (string, error)
	FF1(scope, typ, digits string) (string, error)
	Surrogate(scope, typ, value string) uint64
}

// Labels returns the label that a finding of typ sets: "secret", "health" or
// "personal".
func Labels(typ pii.Type) string {
	switch typ {
	case pii.Secret:
		return "secret"
	case pii.HealthID:
		return "health"
	}
	return "personal"
}
