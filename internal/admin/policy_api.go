package admin

import (
	"context"
	"encoding/json"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

// PolicyAPI is what operators do with policies. Every decision in it is made by
// the function that decides calls.
type PolicyAPI interface {
	PolicyCheck(context.Context, PolicyCheck) (PolicyReport, error)
	PolicyTest(context.Context, PolicyTest) ([]PolicyResult, error)
	PolicyDiff(context.Context, PolicyCheck) (PolicyDiff, error)
	PolicyApply(context.Context, PolicyApply) (Done[PolicyView], error)
	PolicyHistory(context.Context, None) ([]PolicyView, error)
	PolicyShow(context.Context, PolicyVersion) (PolicyView, error)
	PolicyRollback(context.Context, PolicyRollback) (Done[PolicyView], error)
	PolicyPropose(context.Context, PolicyApply) (Done[PolicyView], error)
	PolicyProposals(context.Context, None) ([]PolicyView, error)
	PolicyDecide(context.Context, PolicyChoice) (Done[PolicyView], error)
	PolicyShadow(context.Context, None) (PolicyTrial, error)
	PolicyEndShadow(context.Context, Change) (Done[PolicyView], error)
	PolicyReplay(context.Context, PolicyReplay) (PolicyReplayed, error)
	PolicySchema(context.Context, None) (PolicySchema, error)

	WhoCan(context.Context, WhoCan) ([]AccessView, error)
	WhatCan(context.Context, ID) ([]AccessView, error)
	Unused(context.Context, Unused) ([]UnusedGrant, error)
	RequestAccess(context.Context, Grant) (Done[RequestView], error)
	AccessRequests(context.Context, None) ([]RequestView, error)
	DecideRequest(context.Context, Choice) (Done[RequestView], error)
}

// PolicyCheck asks whether policies are valid for the registered servers.
type PolicyCheck struct {
	Sources []policy.Source `json:"sources"`
}

// PolicyReport says what is wrong with policies, or what they are.
type PolicyReport struct {
	Valid    bool             `json:"valid"`
	Hash     string           `json:"hash,omitempty"`
	Policies int              `json:"policies"`
	Problems []policy.Problem `json:"problems"`
}

// PolicyCase is one question with the answer that its author expects.
type PolicyCase struct {
	Name     string            `json:"name,omitempty"`
	Agent    string            `json:"agent"`
	Server   string            `json:"server"`
	Tool     string            `json:"tool,omitempty"`
	Args     json.RawMessage   `json:"args,omitempty"`
	At       *time.Time        `json:"at,omitempty"`       // default: now
	IP       string            `json:"ip,omitempty"`       // of the caller
	Purpose  string            `json:"purpose,omitempty"`  // default: the grant's
	Strength identity.Strength `json:"strength,omitempty"` // of the caller's proof, 1 to 4
	Approved bool              `json:"approved,omitempty"` // a person approved the call
	Expect   string            `json:"expect,omitempty"`   // allow, deny or needs
}

// PolicyTest asks cases of policies.
type PolicyTest struct {
	Sources []policy.Source `json:"sources"`
	Cases   []PolicyCase    `json:"cases"`
}

// PolicyResult is the answer to one case.
type PolicyResult struct {
	Name    string   `json:"name"`
	Agent   string   `json:"agent"`
	Server  string   `json:"server"`
	Tool    string   `json:"tool,omitempty"`
	Expect  string   `json:"expect"`
	Got     string   `json:"got"`
	Pass    bool     `json:"pass"`
	Reasons []string `json:"reasons"`
}

// PolicyApply puts policies in force in place of all others, or beside them.
type PolicyApply struct {
	Change
	Sources []policy.Source `json:"sources"`
	Shadow  bool            `json:"shadow,omitempty"` // only ask them too
}

// PolicyVersion names a version; 0 is the one in force.
type PolicyVersion struct {
	Version uint64 `json:"version,omitempty"`
}

// PolicyRollback puts an earlier version in force again, as a new one. Version
// 0 holds no policies: the grants alone decide.
type PolicyRollback struct {
	Change
	Version uint64 `json:"version"`
}

// Choice is an operator's answer to what waits for one.
type Choice struct {
	Change
	ID     string `json:"id"`
	Accept bool   `json:"accept"` // false: it is turned down
}

// PolicyChoice is a Choice about a proposal.
type PolicyChoice = Choice

// PolicyView is a version, a shadow or a proposal as operators see it.
type PolicyView struct {
	Version  uint64          `json:"version"`
	ID       string          `json:"id,omitempty"` // of a proposal
	State    string          `json:"state"`        // active, replaced, shadow, proposed
	Files    []string        `json:"files"`
	Policies int             `json:"policies"`
	Hash     string          `json:"hash"`
	Previous string          `json:"previous,omitempty"`
	Signed   bool            `json:"signed"` // the gateway's signature holds
	By       string          `json:"by"`
	Reason   string          `json:"reason"`
	At       time.Time       `json:"at"`
	Sources  []policy.Source `json:"sources,omitempty"`
}

// PolicyEdit is one policy that differs between two sets.
type PolicyEdit struct {
	ID     string `json:"id"`
	Edit   string `json:"edit"` // added, removed, changed
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// PolicyEffect is one decision that differs between two sets, for some
// arguments of the tool.
type PolicyEffect struct {
	Agent  string `json:"agent"`
	Server string `json:"server"`
	Tool   string `json:"tool,omitempty"` // "" = connecting and reading
	Before string `json:"before"`
	After  string `json:"after"`
	Effect string `json:"effect"` // widened, narrowed
}

// PolicyDiff compares policies with those in force.
type PolicyDiff struct {
	Before   string         `json:"before"` // hashes
	After    string         `json:"after"`
	Edits    []PolicyEdit   `json:"edits"`
	Effects  []PolicyEffect `json:"effects"`
	Widened  int            `json:"widened"`
	Narrowed int            `json:"narrowed"`
	Compared int            `json:"compared"`
	Left     int            `json:"left"` // effects that are not listed
	Notices  []string       `json:"notices"`
}

// PolicyTrial is how a shadow compares with what is in force.
type PolicyTrial struct {
	Shadow      *PolicyView        `json:"shadow,omitempty"`
	Decided     uint64             `json:"decided"` // since it was applied, or since the start
	Different   uint64             `json:"different"`
	Differences []PolicyDifference `json:"differences"`
	Left        uint64             `json:"left"` // different decisions that are not listed
}

// PolicyDifference counts decisions that a shadow would have made otherwise.
type PolicyDifference struct {
	Agent  string `json:"agent"`
	Server string `json:"server"`
	Tool   string `json:"tool,omitempty"`
	Active string `json:"active"`
	Shadow string `json:"shadow"`
	Count  uint64 `json:"count"`
}

// PolicyReplay asks policies about the calls in the log.
type PolicyReplay struct {
	Sources []policy.Source `json:"sources"`
	Since   time.Time       `json:"since"`
	Until   *time.Time      `json:"until,omitempty"`
}

// PolicyReplayed is what would have been decided otherwise.
type PolicyReplayed struct {
	Calls       int            `json:"calls"`       // in the time asked about
	Decided     int            `json:"decided"`     // that could be asked about again
	OutOfReach  int            `json:"outOfReach"`  // erased, unreadable, or of what is no longer registered
	NoArguments int            `json:"noArguments"` // decided without the arguments, which the log holds only as a hash
	Moved       int            `json:"moved"`       // the policies in force would decide otherwise too
	Widened     int            `json:"widened"`
	Narrowed    int            `json:"narrowed"`
	Changes     []ReplayedCall `json:"changes"`
	Left        int            `json:"left"` // changes that are not listed
}

// ReplayedCall is one call that would have been decided otherwise.
type ReplayedCall struct {
	Time     string   `json:"time"`
	Exchange string   `json:"exchange"`
	Agent    string   `json:"agent"`
	Server   string   `json:"server"`
	Method   string   `json:"method"`
	Tool     string   `json:"tool,omitempty"`
	Recorded string   `json:"recorded"`
	Would    string   `json:"would"`
	Reasons  []string `json:"reasons"`
}

// PolicySchema is the schema that policies are checked against.
type PolicySchema struct {
	Schema string `json:"schema"` // in Cedar's notation
}

// WhoCan asks which agents may use a server or a tool.
type WhoCan struct {
	Server string `json:"server"`
	Tool   string `json:"tool,omitempty"`
}

// AccessView is one thing that an agent may do, with some arguments.
type AccessView struct {
	Agent    string          `json:"agent"`
	Server   string          `json:"server"`
	Tool     string          `json:"tool,omitempty"` // "" = connecting and reading
	Need     registry.Access `json:"need,omitempty"`
	Decision string          `json:"decision"` // allow or needs
	Needs    string          `json:"needs,omitempty"`
	Reasons  []string        `json:"reasons"`
}

// Unused asks for grants that no call used.
type Unused struct {
	Since time.Time `json:"since"`
}

// UnusedGrant is a grant that is older than the time asked about and allowed no
// call in it.
type UnusedGrant struct {
	GrantView
	Since time.Time `json:"since"`
}

// RequestView is a wish for access as operators see it.
type RequestView struct {
	ID     string          `json:"id"`
	Agent  string          `json:"agent"`
	Server string          `json:"server"`
	Access registry.Access `json:"access"`
	Tools  []string        `json:"tools,omitempty"`
	Reason string          `json:"reason,omitempty"`
	By     string          `json:"by"`
	At     time.Time       `json:"at"`
}
