package registry

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"time"
)

// The kinds of what people confirm. Both live in snapshots: the path looks
// there whether a call was approved, and asks the store only to use it up.
const (
	KindApproval NounKind = "approval"
	KindBypass   NounKind = "bypass"
)

// ApprovalState is where an approval stands.
type ApprovalState string

// The states. An approval that nobody decided, or that was not used in time, is
// deleted; the control log keeps what happened.
const (
	ApprovalPending ApprovalState = "pending"
	ApprovalGranted ApprovalState = "approved"
	ApprovalDenied  ApprovalState = "denied" // asked again before Expires, the call is refused without a new question
	ApprovalUsed    ApprovalState = "used"
)

// Approval is one call that waits for a person, or may be made once.
type Approval struct {
	Hash       string          `json:"hash"` // ApprovalKey.Hash: definition, arguments and principal
	Server     string          `json:"server"`
	Method     string          `json:"method"`
	Name       string          `json:"name,omitempty"` // tool, prompt or URI
	Digest     string          `json:"digest,omitempty"`
	Arguments  json.RawMessage `json:"arguments,omitempty"` // as the client sent them: what the approver sees
	Agent      string          `json:"agent"`               // pseudonym
	Person     string          `json:"person,omitempty"`    // pseudonym of whom the agent acts for
	Need       Access          `json:"need,omitempty"`
	Exchange   string          `json:"exchange"`           // that asked first
	Policies   []string        `json:"policies,omitempty"` // that ask for a person
	PolicyHash string          `json:"policy_hash,omitempty"`
	State      ApprovalState   `json:"state"`
	Created    time.Time       `json:"created"`
	Expires    time.Time       `json:"expires"`           // to be decided; once approved, to be used
	Needed     int             `json:"needed"`            // people
	Passkey    bool            `json:"passkey,omitempty"` // each of them with a passkey
	Approvers  []Approver      `json:"approvers,omitempty"`
	Reason     string          `json:"reason,omitempty"` // of whoever decided last
}

// Approver is somebody who said yes.
type Approver struct {
	Who      string    `json:"who"`      // pseudonym
	Strength int       `json:"strength"` // identity.Strength; 0 = operator at the socket, without second factor
	At       time.Time `json:"at"`
}

// Stands reports whether the approval still counts at now.
func (a *Approval) Stands(now time.Time) bool { return a != nil && now.Before(a.Expires) }

// ApprovalKey is the very call that an approval is for.
type ApprovalKey struct {
	Tenant, Agent, Person string
	Server, Method, Name  string
	Definition, Arguments string // digests: of the pinned definition, of the canonical arguments
}

// Hash returns SHA-256 over the parts, each behind its length in eight bytes,
// lower-case hex: no two calls share one, however their parts are cut
// (TestApprovalHashBindsEverything).
func (k ApprovalKey) Hash() string {
	h := sha256.New()
	var n [8]byte
	for _, part := range []string{"ostiary approval 1", k.Tenant, k.Agent, k.Person, k.Server, k.Method, k.Name, k.Definition, k.Arguments} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ApprovalFor returns the approval of a call that counts at now, whatever its
// state, or nil; a used one does not count.
func ApprovalFor(s *Snapshot, hash string, now time.Time) (id string, found *Approval) {
	All(s, KindApproval, func(n *Noun, a *Approval) {
		if a.Hash == hash && a.State != ApprovalUsed && a.Stands(now) {
			id, found = n.ID, a
		}
	})
	return id, found
}

// Bypass is a break-glass opening: for a while, nobody is asked about the calls
// of one agent. It lifts no prohibition.
type Bypass struct {
	Agent    string    `json:"agent"`            // pseudonym
	Server   string    `json:"server,omitempty"` // "" = every server
	Opened   time.Time `json:"opened"`
	Until    time.Time `json:"until"`
	By       string    `json:"by"` // pseudonym of the operator
	Reason   string    `json:"reason"`
	Closed   time.Time `json:"closed"`             // zero = not before Until
	Reviewed time.Time `json:"reviewed"`           // zero = the review is due
	Reviewer string    `json:"reviewer,omitempty"` // pseudonym
	Finding  string    `json:"finding,omitempty"`
}

// Open reports whether the bypass is in force at now.
func (b *Bypass) Open(now time.Time) bool {
	return b != nil && b.Closed.IsZero() && !now.Before(b.Opened) && now.Before(b.Until)
}

// BypassStands reports whether nobody closed the bypass with this id.
func BypassStands(s *Snapshot, id string) bool {
	b := Get[Bypass](s, KindBypass, id)
	return b != nil && b.Closed.IsZero()
}

// BypassFor returns the id of an open bypass for the calls of the agent with
// this pseudonym on a server, or "".
func BypassFor(s *Snapshot, agent, server string, now time.Time) (id string) {
	All(s, KindBypass, func(n *Noun, b *Bypass) {
		if agent != "" && b.Agent == agent && (b.Server == "" || b.Server == server) && b.Open(now) && (id == "" || n.ID < id) {
			id = n.ID
		}
	})
	return id
}
