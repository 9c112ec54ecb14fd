package registry

import "time"

// What waits for an operator: policies that somebody proposes, and access that
// somebody asks for.
const (
	KindPolicyProposal NounKind = "policy-proposal" // id: drawn
	KindAccessRequest  NounKind = "access-request"  // id: drawn; owned by its agent
)

// PolicyProposal is a set of policies that another operator may apply.
type PolicyProposal struct {
	Sources []PolicySource `json:"sources"`
	Hash    string         `json:"hash"`           // PolicyHash of Sources
	Base    string         `json:"base,omitempty"` // hash of what was in force; it must still be when applied
	Reason  string         `json:"reason,omitempty"`
	By      string         `json:"by"` // pseudonym of who proposed it
	At      time.Time      `json:"at"`
}

// AccessRequest is a wish for a grant.
type AccessRequest struct {
	Agent  string    `json:"agent"` // pseudonym
	Server string    `json:"server"`
	Access Access    `json:"access"`
	Tools  []string  `json:"tools,omitempty"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by"` // pseudonym of who asked
	At     time.Time `json:"at"`
}
