package wire

import "strconv"

// ID is a request id or progress token: a string or an integer. IDs compare
// with ==, by type and value: strings as decoded, integers by their bytes, so
// that 7, "7" and 07 in any disguise never meet (hostile case M12). The zero
// ID is an absent one.
type ID struct {
	kind idKind
	text string // decoded string, or the integer's digits as written
}

type idKind uint8

const (
	noID idKind = iota
	stringID
	integerID
	nullID
)

// NullID is the null that stands for an unknown id in an error answer.
var NullID = ID{kind: nullID}

// IntID returns the id n.
func IntID(n int64) ID { return ID{integerID, strconv.FormatInt(n, 10)} }

// StringID returns the id s.
func StringID(s string) ID { return ID{stringID, s} }

// IsZero reports whether there is no id.
func (id ID) IsZero() bool { return id.kind == noID }

// Raw returns the id as JSON: an integer with the bytes that came, a string in
// its shortest spelling (which is how it came unless it was written with
// needless escapes), null, or "" for the zero ID.
func (id ID) Raw() string {
	switch id.kind {
	case stringID:
		return string(Quote(id.text))
	case integerID:
		return id.text
	case nullID:
		return "null"
	}
	return ""
}

// String returns the id as Raw does, for logs.
func (id ID) String() string { return id.Raw() }

// ParseID is the inverse of Raw: it returns the zero ID for "" and for any
// text that is not a string, an integer or null.
func ParseID(raw string) ID {
	if raw == "null" {
		return NullID
	}
	v, err := ParseValue([]byte(raw), ownLimits())
	if err != nil {
		return ID{}
	}
	return v.ID()
}
