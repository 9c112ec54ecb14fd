package registry

import (
	"log/slog"
	"slices"
	"time"
)

// KindPerson is somebody who may sign in. Its id is their name, which also owns
// it: the row holds the pseudonym, and erasing the person erases it.
const KindPerson NounKind = "person"

// A Role is what a person may do as an operator; admin has the table.
type Role string

// The roles. A person without one may only let agents act for them.
const (
	RoleAdmin     Role = "admin"     // everything, people and keys included
	RoleOperator  Role = "operator"  // servers, tools, agents, access
	RoleApprover  Role = "approver"  // decides what waits for a person
	RoleAuditor   Role = "auditor"   // reads everything, the log included
	RoleDeveloper Role = "developer" // reads, tries and proposes policies
)

// Roles lists every role, sorted.
func Roles() []Role {
	return []Role{RoleAdmin, RoleApprover, RoleAuditor, RoleDeveloper, RoleOperator}
}

// States of a person.
const (
	PersonInvited  = "invited"  // has not enrolled yet
	PersonActive   = "active"   // may sign in
	PersonDisabled = "disabled" // may not; sessions and logins have ended
)

// Person is somebody who may sign in. It holds no secret in clear: passwords
// and one-use codes are hashed, the seed of the second factor is sealed under
// the person's own key.
type Person struct {
	State    string    `json:"state"`
	Roles    []Role    `json:"roles,omitempty"`  // sorted
	Agents   []string  `json:"agents,omitempty"` // pseudonyms of agents that may act for them, sorted
	Password string    `json:"password,omitempty"`
	TOTP     []byte    `json:"totp,omitempty"` // identity: tenant, KindPerson, pseudonym, "totp"
	Step     int64     `json:"step,omitempty"` // of the last code that was taken; no code counts twice
	Recovery [][]byte  `json:"recovery,omitempty"`
	Passkeys []Passkey `json:"passkeys,omitempty"`
	Enrol    *Enrol    `json:"enrol,omitempty"`
	// Generation grows with every change that ends what was signed in before.
	Generation int64     `json:"generation,omitempty"`
	Created    time.Time `json:"created"`
	Changed    time.Time `json:"changed"`
}

// Enrol is an open invitation.
type Enrol struct {
	Hash    []byte    `json:"hash"` // keyed, of the token
	Expires time.Time `json:"expires"`
}

// Passkey is one WebAuthn credential. Credential is what the ceremony needs to
// check it again; its key is public.
type Passkey struct {
	Name       string    `json:"name"`
	Credential []byte    `json:"credential"` // JSON of the login room
	Created    time.Time `json:"created"`
}

// Has reports whether the person has one of the roles. An admin has all.
func (p *Person) Has(any ...Role) bool {
	return slices.Contains(p.Roles, RoleAdmin) || slices.ContainsFunc(any, func(r Role) bool { return slices.Contains(p.Roles, r) })
}

// String hides what is in it.
func (p Person) String() string { return "a person who is " + p.State }

// GoString hides what is in it.
func (p Person) GoString() string { return p.String() }

// LogValue hides what is in it.
func (p Person) LogValue() slog.Value { return slog.StringValue(p.String()) }
