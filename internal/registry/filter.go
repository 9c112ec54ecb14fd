package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// KindFilter is the kind of filters. A filter's id is the server that its rules
// are about, or FilterAll.
const KindFilter NounKind = "filter"

// KindFilterVersion is the kind of the versions that filters had; the id is the
// filter's, a slash, and the version in 12 digits.
const KindFilterVersion NounKind = "filter-version"

// FilterAll is the id of the filter whose rules may be about every server.
const FilterAll = "*"

// Filter is one version of the rules that say which parts of answers callers
// receive. The room filter reads the text; what it cannot read, it refuses every
// answer for.
type Filter struct {
	Version  uint64    `json:"version"` // rises by one with each that is applied under the same id
	Name     string    `json:"name"`    // of the file, for messages
	Text     string    `json:"text"`    // YAML, as the operator wrote it
	Hash     string    `json:"hash"`    // SHA-256 of Text, lower-case hex
	Previous string    `json:"previous,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by,omitempty"` // pseudonym of who applied it
	At       time.Time `json:"at"`
}

// FilterHash returns the hash of a filter's text.
func FilterHash(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}
