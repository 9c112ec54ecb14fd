package registry

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// The kinds of policy bundles. What is in force lives in every Snapshot; the
// versions that were, stay in the store until somebody asks for one.
const (
	KindPolicy        NounKind = "policy"         // id: PolicyActive or PolicyShadow
	KindPolicyVersion NounKind = "policy-version" // id: "v/" and the version in 12 digits
)

// The ids of KindPolicy.
const (
	PolicyActive = "active" // decides
	PolicyShadow = "shadow" // is asked too, and decides nothing
)

// Policy is one version of the operators' policies.
type Policy struct {
	Version   uint64         `json:"version"`             // rises by one with each that is applied
	Sources   []PolicySource `json:"sources"`             // by name
	Hash      string         `json:"hash"`                // PolicyHash of Sources
	Previous  string         `json:"previous,omitempty"`  // hash of the version before
	Schema    string         `json:"schema,omitempty"`    // hash of the schema it was checked against, lower-case hex
	Signature string         `json:"signature,omitempty"` // of the gateway, over version, hash, schema, reason, by and at
	Reason    string         `json:"reason,omitempty"`    // why it was applied
	By        string         `json:"by,omitempty"`        // pseudonym of who applied it
	At        time.Time      `json:"at"`
	// Broken says why the stored bundle must not be used; who verifies bundles
	// sets it when one is loaded. Every call is then refused (P01).
	Broken string `json:"broken,omitempty"`
}

// PolicySource is one file of a bundle.
type PolicySource struct {
	Name string `json:"name"` // of the file, for messages; unique in a bundle
	Text string `json:"text"` // Cedar
}

// PolicyHash returns the hash of a bundle's sources, lower-case hex: SHA-256
// over name and text of each, each behind its length in eight bytes.
func PolicyHash(sources []PolicySource) string {
	h := sha256.New()
	var n [8]byte
	for _, s := range sources {
		for _, part := range []string{s.Name, s.Text} {
			binary.BigEndian.PutUint64(n[:], uint64(len(part)))
			h.Write(n[:])
			h.Write([]byte(part))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
