package admin

import (
	"context"
	"time"

	"ostiary.dev/ostiary/internal/vault"
)

// VaultAPI is what operators do with pseudonyms and with the people whom data is
// about.
type VaultAPI interface {
	VaultLookup(context.Context, VaultToken) (TokenInfo, error)
	VaultReveal(context.Context, RevealToken) (Done[Revealed], error)
	VaultStats(context.Context, None) (VaultStats, error)
	RevealRequests(context.Context, None) ([]RevealView, error)
	DecideReveal(context.Context, DecideReveal) (Done[RevealView], error)
	ExportData(context.Context, DataSubject) (DataExport, error)
	EraseData(context.Context, EraseData) (Done[DataErasure], error)
}

// VaultToken names a token.
type VaultToken struct {
	Token string `json:"token"`
}

// TokenInfo is what is known of a token, but for its value.
type TokenInfo struct {
	Token   string    `json:"token"`
	Type    string    `json:"type"`
	Scope   string    `json:"scope"`
	Form    string    `json:"form"`              // random or keyed
	Subject string    `json:"subject,omitempty"` // pseudonym of whom it is about
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
	Expired bool      `json:"expired"`
}

// RevealToken asks for the value behind a token.
type RevealToken struct {
	Change
	Token   string `json:"token"`
	Purpose string `json:"purpose"`
}

// Revealed is a token with its value, or the request that another person must
// agree to first.
type Revealed struct {
	Token   string `json:"token"`
	Type    string `json:"type"`
	Value   string `json:"value,omitempty"`   // "" for a dry run
	Request string `json:"request,omitempty"` // id of what waits for another person
}

// RevealView is a request to reveal a value.
type RevealView struct {
	ID       string    `json:"id"`
	State    string    `json:"state"` // pending or approved
	Token    string    `json:"token"`
	Type     string    `json:"type"`
	By       string    `json:"by"`
	Purpose  string    `json:"purpose"`
	Reason   string    `json:"reason"`
	Created  time.Time `json:"createdAt"`
	Expires  time.Time `json:"expiresAt"`
	Approver string    `json:"approver,omitempty"`
}

// DecideReveal agrees to a request, or ends it.
type DecideReveal struct {
	Change
	ID      string `json:"id"`
	Approve bool   `json:"approve"`
}

// VaultStats are counts of the map, and of what was done with it since the
// gateway started.
type VaultStats struct {
	vault.Stats
	vault.Counts
}

// DataSubject names somebody whom data is about, in one way: by a token that
// stands for something of theirs, by such a value, or by the name or pseudonym
// that a subject path gave.
type DataSubject struct {
	Token   string `json:"token,omitempty"`
	Value   string `json:"value,omitempty"`
	Type    string `json:"type,omitempty"` // of the value; "": any
	Subject string `json:"subject,omitempty"`
}

// DataExport is what the gateway holds about somebody: the pseudonyms of their
// values. Values are revealed one by one, with a reason.
type DataExport struct {
	Subject string      `json:"subject,omitempty"`
	Tokens  []TokenInfo `json:"tokens"`
	Places  []DataPlace `json:"places"`
}

// DataPlace is a scope in which something of theirs went: what the scope tells
// of agent, server, session and purpose, and when.
type DataPlace struct {
	Scope   string    `json:"scope"`
	Agent   string    `json:"agent,omitempty"`
	Server  string    `json:"server,omitempty"`
	Session string    `json:"session,omitempty"`
	Purpose string    `json:"purpose,omitempty"`
	Types   []string  `json:"types"`
	First   time.Time `json:"first"` // when the first token of it was made
	Last    time.Time `json:"last"`  // and the last one
}

// EraseData erases what the map holds about somebody.
type EraseData struct {
	Change
	DataSubject
}

// DataErasure tells what was erased. Receipt is a signed note.
type DataErasure struct {
	Subject  string     `json:"subject,omitempty"` // pseudonym, when there is one
	Key      string     `json:"key,omitempty"`     // id of the destroyed key
	Tokens   int        `json:"tokens"`
	Scopes   int        `json:"scopes"`
	Complete *time.Time `json:"complete,omitempty"` // when the last backup that holds it ends, as far as is known; nil: now
	Receipt  string     `json:"receipt,omitempty"`
}
