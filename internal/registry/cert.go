package registry

import "time"

// Kinds of what enrolment keeps. Revocations live in snapshots, so that a
// component's certificate is refused like a client's.
const (
	KindJoin          NounKind = "join-token"
	KindComponentCert NounKind = "component-certificate"
	KindRevocation    NounKind = "revocation"
)

// Join is a join token: it lets whoever shows it enrol one key, once. Its owner
// is the agent that the key becomes.
type Join struct {
	Hash    []byte    `json:"hash"`             // keyed, of the whole token
	Server  string    `json:"server,omitempty"` // or the server
	Hosts   []string  `json:"hosts,omitempty"`  // of the server
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// ComponentCert is a certificate of what is no agent. Its id is the serial.
type ComponentCert struct {
	Kind     string    `json:"kind"` // server or gateway
	Name     string    `json:"name"`
	Hosts    []string  `json:"hosts,omitempty"`
	Created  time.Time `json:"created"`
	NotAfter time.Time `json:"not_after"`
}

// Revocation is when a certificate was revoked. Its id is the serial; its owner
// is the agent, if it is one's.
type Revocation struct {
	At       time.Time `json:"at"`
	NotAfter time.Time `json:"not_after"` // then it may be forgotten
}
