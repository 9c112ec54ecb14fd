// Package policy decides who may do what: Decide is the one function that
// calls, lists and explanations ask, so that they cannot disagree. The
// registry's grants and the operators' Cedar policies are read by one engine: a
// grant is a permit, and a forbid overrides it (docs/policy.md).
//
// It is pure: it touches no file, socket, clock or key. It deliberately does
// not authenticate (identity does), does not verify who signed a set of policies
// (who loads it does) and does not hide anything in answers (authorize does, by
// the decisions made here). Everything is denied that nothing allows, and an
// error is a refusal.
package policy

import (
	"net/netip"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Query asks whether a principal may do one thing on one server.
type Query struct {
	Principal identity.Principal
	Server    string          // id of the server
	Method    string          // the MCP method; for explanations
	Need      registry.Access // for what is not a tool call; "" = Read
	Tool      string          // the server's own name of the tool
	IsTool    bool            // Tool counts, and Need is the tool's class

	Name string     // URI of the resource or name of the prompt; "" = none
	Of   string     // what Name names: OfResource, OfPrompt; "" = as the method says
	Args wire.Value // arguments of a tool call; a Value that does not exist = none
	Some bool       // Args are not known yet: would some be allowed? Lists and who-can ask so
	Call Call
}

// Call is the circumstances of a call, as policies see them.
type Call struct {
	Time      time.Time
	IP        netip.Addr
	Purpose   string   // what for; "" = as the grant says
	Signature string   // state of the message's signature: "verified", "unsigned"
	Facts     []string // beside those that named rules find in the arguments
	Labels    []string // of what the agent read before in its session
	Approved  bool     // a person approved this very call
}

// Decision is the answer to a Query. Its zero value denies.
type Decision struct {
	Allow     bool
	Kind      fault.Kind      // how to refuse; "" when allowed
	Reason    string          // one of the Reason constants, for records and explanations
	Grant     string          // "AGENT/SERVER" of the grant that was found, "" if none
	Version   uint64          // of the snapshot that decided
	Approvers int             // people that must approve; 0 = one, when Needs says so
	Passkey   bool            // each of them with a passkey, when Needs says so
	Needs     Needs           // what would turn the refusal into a permission; "" = nothing
	Policy    string          // hash of the policy set that decided, lower-case hex; "" = built-in rules
	Reasons   []string        // ids of the policies and rules that decided, sorted
	Need      registry.Access // what the action needs, "" when it was not reached
}

// What a Query's Name may be of.
const (
	OfResource = "resource"
	OfPrompt   = "prompt"
)

// Needs is what a refused call still needs from a person. Kind is then
// fault.Denied unless whoever can provide it does.
type Needs string

// The needs.
const (
	NeedsApproval Needs = "approval" // a person approves this very call
	NeedsStepUp   Needs = "step-up"  // the caller's person proves themselves again, more strongly
)

// Reasons. Their texts are stable: they stand in records.
const (
	ReasonGranted       = "granted"
	ReasonKilled        = "stopped by a kill switch"
	ReasonNotClient     = "principal is not an agent"
	ReasonAgentUnknown  = "agent is unknown"
	ReasonAgentInactive = "agent is not active"
	ReasonServerUnknown = "server is unknown"
	ReasonServerState   = "server is not active"
	ReasonNoGrant       = "no grant for this server"
	ReasonToolUnknown   = "tool is not among the examined ones"
	ReasonToolNew       = "tool appeared after approval"
	ReasonToolChanged   = "tool changed after approval"
	ReasonToolNotListed = "grant does not name this tool"
	ReasonAccess        = "grant does not include the access needed"
	ReasonPermit        = "permitted by policy"
	ReasonForbid        = "forbidden by policy"
	ReasonNoPermit      = "no policy permits it"
	ReasonNeeds         = "policy asks for a person"
	ReasonPolicyError   = "policy_error"
	ReasonArgument      = "an argument that policies read cannot be compared exactly"
)

// Decide answers q by the rows and the policies in s. The default is a refusal,
// also for a nil snapshot, an unknown access or an unknown state (hostile case
// P01, TestP01EmptyRegistryDeniesAll). Names are compared byte for byte.
func Decide(s *registry.Snapshot, q Query) Decision {
	return DecideWith(SetOf(s), s, q)
}

// DecideWith answers q as Decide does, with set as the operators' policies. What
// goes wrong inside is a refusal (P02, TestP02PanicDenies).
func DecideWith(set *Set, s *registry.Snapshot, q Query) Decision {
	return (&trial{q: q}).run(set, s)
}

// run decides the trial's query.
func (c *trial) run(set *Set, s *registry.Snapshot) (d Decision) {
	d = Decision{Version: s.Version(), Policy: set.Hash()}
	defer func() {
		if recover() != nil {
			d = d.deny(fault.Denied, ReasonPolicyError)
			d.Needs, d.Reasons = "", nil
		}
	}()
	kind, reason := c.enter(set, s)
	if d.Need = c.need; c.grant != nil {
		d.Grant = c.grant.Agent + "/" + c.grant.Server
	}
	if reason != "" {
		return d.deny(kind, reason)
	}
	return c.decide(d)
}

// enter finds who and what the query is about, or why it is refused before any
// policy is asked. No policy can lift that.
func (c *trial) enter(set *Set, s *registry.Snapshot) (kind fault.Kind, reason string) {
	q := &c.q
	// A kill switch stands above every grant and policy (L10, TestL10KillSwitches).
	if s.Killed(q.Principal.ID, q.Server, q.Tool) != "" {
		return fault.Denied, ReasonKilled
	}
	if kind, reason = c.parties(s); reason != "" {
		return kind, reason
	}
	if set.Broken() != "" {
		return fault.Denied, ReasonPolicyError
	}
	c.set, c.view, c.grant = set, viewOf(s), s.Grant(q.Principal.ID, q.Server)
	if c.grant == nil && !c.concerns() {
		return fault.ServerUnknown, ReasonNoGrant
	}
	if c.need = q.Need; c.need == "" {
		c.need = registry.Read
	}
	if q.IsTool {
		c.tool = c.server.Tool(q.Tool)
		if reason := callable(c.server, c.tool); reason != "" {
			return fault.ToolUnknown, reason
		}
		c.need = class(c.tool)
	}
	return "", ""
}

// parties checks that agent and server exist and take part.
func (c *trial) parties(s *registry.Snapshot) (kind fault.Kind, reason string) {
	if c.q.Principal.Kind != identity.Client {
		return fault.Denied, ReasonNotClient
	}
	c.agent = s.Agent(c.q.Principal.ID)
	if c.agent == nil {
		return fault.Denied, ReasonAgentUnknown
	}
	if c.agent.State != registry.Active {
		return fault.Denied, ReasonAgentInactive
	}
	c.server = s.Server(c.q.Server)
	if c.server == nil {
		return fault.ServerUnknown, ReasonServerUnknown
	}
	if c.server.State != registry.Active {
		return fault.ServerUnknown, ReasonServerState
	}
	return "", ""
}

// callable returns why a tool may not be called, or "". An unknown tool of a
// server that was never examined may be: it counts as Modify.
func callable(server *registry.Server, tool *registry.Tool) string {
	switch {
	case tool == nil && server.Examined:
		return ReasonToolUnknown
	case tool == nil, tool.State == registry.ToolApproved:
		return ""
	case tool.State == registry.ToolNew:
		return ReasonToolNew
	}
	return ReasonToolChanged
}

// class returns what a call of the tool needs.
func class(tool *registry.Tool) registry.Access {
	if tool == nil || tool.Access == "" {
		return registry.Modify
	}
	return tool.Access
}

func (d Decision) deny(kind fault.Kind, reason string) Decision {
	d.Allow, d.Kind, d.Reason = false, kind, reason
	return d
}

// Includes reports whether the access have allows what need asks: Modify
// includes Write includes Read. Anything unknown on either side allows nothing.
func Includes(have, need registry.Access) bool {
	h, n := rank(have), rank(need)
	return h > 0 && n > 0 && h >= n
}

func rank(a registry.Access) int {
	switch a {
	case registry.Read:
		return 1
	case registry.Write:
		return 2
	case registry.Modify:
		return 3
	}
	return 0
}
