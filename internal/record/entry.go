package record

import (
	"net/netip"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/exchange"
)

// The decisions.
const (
	allow = "allow"
	deny  = "deny"
)

// revokedLive is the reason of a call or stream that was under way when its
// agent, token, certificate or grant was revoked (A10).
const revokedLive = "revoked_live"

// Entry is the sealed header part of an entry of the log, as one JSON object.
// Members are additive only. A closing entry repeats what its opening one says,
// so that it can be read alone. Names of people and agents are pseudonyms.
type Entry struct {
	Time     time.Time // UTC, microseconds: when the exchange began
	Kind     auditlog.Kind
	Exchange string
	Parent   string
	Actor    string // pseudonym
	ActorBy  string // how it proved who it is
	Token    string // id of the token, never the token
	Serial   string // of the certificate
	Peer     string // network of the caller; see network
	Server   string
	Method   string
	Name     string // tool or prompt; for an act, the object's id
	Era      string
	Version  string
	Session  string
	Decision string // allow, deny; empty: nothing was decided about it
	Need     string // access that the call needs
	Registry uint64 // version of the grants that decided
	Detail   string // which rule, in words of ours
	Policy   string // hash of the policy set that decided; "": there was none
	Rules    string // ids of the policies and grants that decided, sorted, by single spaces
	Person   string // pseudonym of the person that the agent acted for
	JTI      string // id of the token of an issuer
	Request  Sum    // SHA-256 of the request; zero: none was read
	Leaf     string // server that may stand in the leaf: a registered one

	Privacy any // what protect did, in counts; nil: nothing

	Closed   bool   // the members from here on are there
	Outcome  string // ok, tool_error, rpc_error, refused, failed, cancelled
	Reason   string // stable code; for an act, the operator's words
	Status   int
	BytesIn  int
	BytesOut int
	Passed   int
	Dropped  int
	DropWhy  string
	Sent     bool // whether a byte went to a server
	Elapsed  int64
	Answer   Sum // SHA-256 of the last answer
	Stream   Sum // running digest of the messages before it; see Passed

	Count    int    // flood.summarised: how many
	Agent    string // act: pseudonym of the agent that it concerns
	Before   string // act: digest of the object
	After    string
	Rows     string // act: digest of every stored row after it
	Keys     uint64 // act: generation of the keystore; 0: not told
	Subjects uint64 // act: how many subjects were ever made
	Change   any    // act
}

// entryOf returns the opening members of x.
func entryOf(x *exchange.Exchange, kind auditlog.Kind, began time.Time) Entry {
	p := &x.Principal
	e := Entry{
		Time: began, Kind: kind, Exchange: x.ID, Parent: x.Parent,
		Actor: p.Pseudonym, ActorBy: p.Method, Token: p.TokenID, Serial: p.Serial,
		Server: clip(x.Endpoint), Method: clip(x.Method()), Name: nameOf(x), Peer: network(x.Peer),
		Registry: x.Decision.Version, Need: string(x.Decision.Need),
	}
	if x.Server != nil {
		e.Leaf = x.Server.ID
	}
	if x.Era != 0 {
		e.Era, e.Version = x.Era.String(), string(x.Version)
	}
	if x.Session != nil {
		e.Session = x.Session.ID
	}
	e.Person, e.JTI = p.Person, clip(p.JTI)
	e.Privacy = privacyOf(&x.Privacy)
	if x.View != nil {
		e.Decision, e.Detail = deny, x.Decision.Reason
		e.Policy, e.Rules = x.Decision.Policy, clip(strings.Join(x.Decision.Reasons, " "))
		if x.Decision.Allow {
			e.Decision = allow
		}
	}
	return e
}

// end adds the closing members.
func (e *Entry) end(x *exchange.Exchange, now time.Time) {
	e.Closed = true
	e.Outcome, e.BytesIn, e.BytesOut = string(x.Outcome), x.BytesIn, x.BytesOut
	e.Passed, e.Dropped, e.DropWhy, e.Sent = x.Passed, x.Dropped, string(x.DropKind), x.Sent
	e.Elapsed = now.Sub(x.Start).Microseconds()
	e.Answer, e.Stream = answerSum(x), x.StreamSum
	if x.Fault != nil {
		e.Reason, e.Status = string(x.Fault.Kind), x.Fault.Status()
	}
	if x.Ended {
		e.Reason = revokedLive // the caller is told what a new call would be
	}
	if e.Decision == deny && x.Decision.Kind != "" { // the caller was told less
		e.Reason = string(x.Decision.Kind)
	}
}

// entry returns what the log takes: the leaf's fields in clear, which name
// nobody, and the part. at is when it happened, which chooses the year.
func (e *Entry) entry(at time.Time) (auditlog.Entry, error) {
	part, err := e.part()
	return auditlog.Entry{Kind: e.Kind, Time: at, Exchange: e.Exchange, Decision: e.Decision, Server: e.Leaf,
		Policy: e.Registry, Part: part}, err
}

// nameOf returns the tool or prompt that was named; a resource's URI may hold
// personal data and stays out.
func nameOf(x *exchange.Exchange) string {
	if x.Request == nil || x.Fact.Routed != "name" {
		return ""
	}
	return clip(x.Request.Name())
}

// clip bounds what a caller may put into an entry.
func clip(s string) string {
	const most = 256
	if len(s) > most {
		return s[:most]
	}
	return s
}

// network returns where a caller came from: a loopback address as it is, of
// any other the network (/24, /48), because a whole address may be a person's.
func network(peer netip.AddrPort) string {
	a := peer.Addr().Unmap()
	switch {
	case !a.IsValid():
		return ""
	case a.IsLoopback():
		return a.String()
	}
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
