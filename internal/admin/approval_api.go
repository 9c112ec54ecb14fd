package admin

import (
	"context"
	"encoding/json"
	"time"

	"ostiary.dev/ostiary/internal/identity"
)

// ApprovalAPI is what people do with calls that wait for them, and how the
// waiting is switched off in an emergency.
type ApprovalAPI interface {
	Approvals(context.Context, ApprovalQuery) ([]ApprovalView, error)
	Approval(context.Context, ID) (ApprovalView, error)
	DecideApproval(context.Context, DecideApproval) (Done[ApprovalView], error)
	OpenBypass(context.Context, OpenBypass) (Done[BypassView], error)
	CloseBypass(context.Context, BypassChoice) (Done[BypassView], error)
	ReviewBypass(context.Context, BypassChoice) (Done[BypassView], error)
	Bypasses(context.Context, None) ([]BypassView, error)
}

// ApprovalQuery selects approvals; the zero value of a field selects all.
type ApprovalQuery struct {
	State string `json:"state,omitempty"`
	Agent string `json:"agent,omitempty"`
}

// ApprovalView is an approval as an approver sees it.
type ApprovalView struct {
	ID         string          `json:"id"`
	State      string          `json:"state"` // pending, approved, denied, used or expired
	Agent      string          `json:"agent"`
	Person     string          `json:"person,omitempty"` // whom the agent acts for
	Server     string          `json:"server"`
	Method     string          `json:"method"`
	Name       string          `json:"name"` // tool, prompt or URI
	Access     string          `json:"access,omitempty"`
	Definition string          `json:"definition,omitempty"` // digest of the tool's pinned definition
	Arguments  json.RawMessage `json:"arguments"`
	Policies   []string        `json:"policies"` // that ask for a person
	Created    time.Time       `json:"createdAt"`
	Expires    time.Time       `json:"expiresAt"`
	Needed     int             `json:"needed"`
	Passkey    bool            `json:"passkey"` // each approver must use one
	Approvers  []ApproverView  `json:"approvers"`
	Reason     string          `json:"reason,omitempty"`
	Exchange   string          `json:"exchange"`
}

// ApproverView is somebody who said yes.
type ApproverView struct {
	Who string    `json:"who"`
	How string    `json:"how"` // "passkey", "password and code", or "operator without second factor"
	At  time.Time `json:"at"`
}

// DecideApproval says yes or no to a call.
type DecideApproval struct {
	Change
	ID      string `json:"id"`
	Approve bool   `json:"approve"`
}

// OpenBypass lets the calls of an agent pass without approvals for a while.
type OpenBypass struct {
	Change
	Agent  string   `json:"agent"`
	Server string   `json:"server,omitempty"` // "" = every server
	For    Duration `json:"for"`              // at most 8 h
}

// BypassChoice ends a bypass, or closes its review; the reason is the finding.
type BypassChoice struct {
	Change
	ID string `json:"id"`
}

// BypassView is a break-glass opening.
type BypassView struct {
	ID       string     `json:"id"`
	State    string     `json:"state"` // open, review or reviewed
	Agent    string     `json:"agent"`
	Server   string     `json:"server"`
	Opened   time.Time  `json:"openedAt"`
	Until    time.Time  `json:"until"`
	By       string     `json:"by"`
	Reason   string     `json:"reason"`
	Closed   *time.Time `json:"closedAt,omitempty"`
	Reviewer string     `json:"reviewer,omitempty"`
	Finding  string     `json:"finding,omitempty"`
}

// Proof is how a person showed who they are before they decide. The operator at
// the socket has none.
type Proof struct {
	Strength identity.Strength
	At       time.Time
}

// AsPerson returns the functions as a person who signed in. Whoever calls it has
// checked the session and the person's role.
func (a *Admin) AsPerson(name string, p Proof) API { return &operator{Admin: a, by: name, proof: &p} }
