package registry

import "time"

// KindReveal is a request to reveal the value behind a token, which another
// person must agree to.
const KindReveal NounKind = "reveal"

// Reveal is such a request. Who asked and who agreed stand as pseudonyms.
type Reveal struct {
	Token    string    `json:"token"`
	Type     string    `json:"type"`
	By       string    `json:"by"`
	Purpose  string    `json:"purpose"`
	Reason   string    `json:"reason"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	Approver string    `json:"approver,omitempty"` // "": nobody yet
}
