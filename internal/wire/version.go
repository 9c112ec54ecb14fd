package wire

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

// Version is a protocol version, a date as the specification writes it.
// Versions order as strings.
type Version string

// The versions that Ostiary speaks.
const (
	V20241105 Version = "2024-11-05"
	V20250326 Version = "2025-03-26"
	V20250618 Version = "2025-06-18"
	V20251125 Version = "2025-11-25"
	V20260728 Version = "2026-07-28"

	LatestLegacy = V20251125
)

// Versions lists the known versions, oldest first. It is not to be changed.
var Versions = []Version{V20241105, V20250326, V20250618, V20251125, V20260728}

// Known reports whether v is a version that Ostiary speaks.
func (v Version) Known() bool { return v.bit() != 0 }

// Era returns the era of v, EraUnknown for a version that is not known.
func (v Version) Era() Era {
	switch {
	case !v.Known():
		return EraUnknown
	case v == V20260728:
		return Modern
	}
	return Legacy
}

// VersionSet is a set of known versions.
type VersionSet uint8

// Sets that the facts table uses.
const (
	bit20241105 VersionSet = 1 << iota
	bit20250326
	bit20250618
	bit20251125
	bit20260728

	allLegacy  = bit20241105 | bit20250326 | bit20250618 | bit20251125
	since2506  = bit20250618 | bit20251125
	allVersion = allLegacy | bit20260728
)

// Has reports whether the set holds v.
func (s VersionSet) Has(v Version) bool { return s&v.bit() != 0 }

// bit returns the set of v alone, 0 if v is not known.
func (v Version) bit() VersionSet {
	switch v {
	case V20241105:
		return bit20241105
	case V20250326:
		return bit20250326
	case V20250618:
		return bit20250618
	case V20251125:
		return bit20251125
	case V20260728:
		return bit20260728
	}
	return 0
}
