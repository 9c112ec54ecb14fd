package authorize

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Approvals keeps which calls people confirmed. Its methods are called only for
// calls that policy asks a person for, and return when what they did is on
// stable storage.
type Approvals interface {
	// Consume uses up the approval of a call, and returns its id. Of all that
	// come at once, at most one gets it; ok is false when there is none.
	Consume(ctx context.Context, hash string) (id string, ok bool, err error)
	// Ask makes a pending approval, or finds the one that is there. An error
	// refuses the call.
	Ask(ctx context.Context, q Question) (Pending, error)
	// URL returns where a person finds an approval, "" when nowhere.
	URL(id string) string
}

// Question is a call that a person shall decide about.
type Question struct {
	Hash      string
	Key       registry.ApprovalKey
	AgentName string
	Arguments []byte
	Need      registry.Access
	Exchange  string
	Policies  []string
	Policy    string
	Needed    int
	Passkey   bool // demanded of each who approves
	Time      time.Time
}

// Pending is how an approval stands that was asked for.
type Pending struct {
	ID     string
	Denied bool
	Retry  time.Time // when it is worth asking again
}

// maxShown bounds the arguments that a person can be shown; a call with larger
// ones cannot be approved, because nobody could say what was approved.
const maxShown = 64 << 10

// answerKey begins the keys of our own input requests. What a client answers to
// them is taken out: the store decides, never the client (M17,
// TestM17ApprovalStateIsNotInTheClient).
const answerKey = "ostiary-approval-"

// confirmed goes on with a call that policy refuses for want of a person: it
// uses up the person's approval, or asks for one. q is decided again on the
// policy of this very moment (P04, TestP04PolicyChangesWhileApprovalWaits).
func (s *Step) confirmed(ctx context.Context, x *exchange.Exchange, q policy.Query) error {
	if x.Decision.Needs == policy.NeedsStepUp && x.Principal.Person != "" {
		return fault.New(fault.StepUpRequired)
	}
	if !confirmable(x) {
		return refusal(x)
	}
	if id := registry.BypassFor(x.View, x.Principal.Pseudonym, x.Endpoint, x.Start); id != "" {
		return s.again(x, q, "under break-glass "+id, func() { x.Bypass = id })
	}
	if s.Approvals == nil {
		return fault.New(fault.ApprovalRequired)
	}
	key, arguments, err := keyOf(x, q)
	if err != nil {
		return err
	}
	hash := key.Hash()
	if _, a := registry.ApprovalFor(x.View, hash, x.Start); a != nil && a.State == registry.ApprovalGranted {
		q.Call.Approved = true
		if d := decide(x.View, q); !d.Allow {
			x.Decision = d
			return refusal(x)
		}
		id, ok, err := s.Approvals.Consume(ctx, hash)
		if err != nil {
			return unkept(err)
		}
		if ok {
			return s.again(x, q, "approved by a person, "+id, func() { x.Approval = id })
		}
	}
	return s.asked(ctx, x, questionOf(x, key, hash, arguments))
}

// again decides on the newest view, now that a person's part is done.
func (s *Step) again(x *exchange.Exchange, q policy.Query, how string, mark func()) error {
	mark()
	q.Call.Approved = true
	x.View = s.Live.Load()
	x.Server = x.View.Server(x.Endpoint)
	if x.Decision = decide(x.View, q); !x.Decision.Allow {
		return refusal(x)
	}
	x.Decision.Reason += ", " + how
	return nil
}

// confirmable reports whether x is something that a person can decide about: a
// call of a tool with a pinned definition, the read of a resource, a prompt.
func confirmable(x *exchange.Exchange) bool {
	switch {
	case x.Request == nil || x.Verb != exchange.Post || x.Server == nil || x.Principal.Pseudonym == "":
		return false
	case x.Fact.Action == wire.ActTool:
		t := x.Server.Tool(x.Request.Name())
		return t != nil && t.Digest != ""
	}
	return x.Request.Method() == "resources/read" || x.Request.Method() == "prompts/get"
}

// keyOf names the very call: definition, arguments and principal.
func keyOf(x *exchange.Exchange, q policy.Query) (registry.ApprovalKey, []byte, error) {
	k := registry.ApprovalKey{Tenant: x.Principal.Tenant, Agent: x.Principal.Pseudonym, Person: x.Principal.Person,
		Server: x.Endpoint, Method: x.Request.Method(), Name: x.Request.Name()}
	if q.IsTool {
		k.Definition = x.Server.Tool(q.Tool).Digest
	}
	raw := []byte("{}")
	if v := x.Request.Params().Get("arguments"); v.Exists() {
		raw = v.Raw()
	}
	if len(raw) > maxShown {
		return k, nil, fault.Newf(fault.Denied, "The arguments are too large for a person to approve.")
	}
	digest, err := registry.CanonicalDigest(raw)
	if err != nil {
		return k, nil, fault.Wrap(fault.BadParams, err)
	}
	k.Arguments = digest
	return k, raw, nil
}

func questionOf(x *exchange.Exchange, key registry.ApprovalKey, hash string, arguments []byte) Question {
	return Question{Hash: hash, Key: key, AgentName: x.Principal.ID, Arguments: arguments, Need: x.Decision.Need, Exchange: x.ID,
		Policies: x.Decision.Reasons, Policy: x.Decision.Policy, Needed: max(1, x.Decision.Approvers),
		Passkey: x.Decision.Passkey, Time: x.Start}
}

// asked tells the caller that a person must approve first, in the form that its
// era and its capabilities allow.
func (s *Step) asked(ctx context.Context, x *exchange.Exchange, q Question) error {
	p, err := s.Approvals.Ask(ctx, q)
	if err != nil {
		return unkept(err)
	}
	if p.Denied {
		return fault.Newf(fault.Denied, "A person refused this call; it is not asked for again before %s.", p.Retry.UTC().Format(time.RFC3339))
	}
	f := fault.Newf(fault.ApprovalRequired, "A person must approve this call: approval %s. Make the same call again once it is approved.", p.ID)
	f.Data = `{"approval":` + strconv.Quote(p.ID) + `,"expires":` + strconv.Quote(p.Retry.UTC().Format(time.RFC3339)) + `}`
	address := s.Approvals.URL(p.ID)
	if address == "" || !declaresURL(x.Capable) || s.address(address) != nil {
		return f
	}
	ask := `"mode":"url","message":` + string(wire.Quote(f.Public)) + `,"url":` + string(wire.Quote(address))
	switch {
	case x.Era == wire.Modern && x.Fact.MRTR:
		f.Result = `{"resultType":"input_required","inputRequests":{` + string(wire.Quote(answerKey+p.ID)) +
			`:{"method":"elicitation/create","params":{` + ask + `}}}}`
	case x.Version == wire.V20251125:
		f.RPC = urlElicitation
		f.Data = fmt.Sprintf(`{"approval":%q,"elicitations":[{%s,"elicitationId":%q}]}`, p.ID, ask, p.ID)
	}
	return f
}

// urlElicitation is URLElicitationRequiredError of MCP 2025-11-25.
const urlElicitation = -32042

// unkept turns an error of Approvals into a refusal.
func unkept(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	return fault.Wrap(fault.ApprovalRequired, err)
}

// unasked takes what a client answered to our own questions out of a request:
// the server never asked. The digest for the record is of what the caller sent.
func unasked(x *exchange.Exchange) error {
	if x.Era != wire.Modern || x.Request == nil || !x.Fact.MRTR {
		return nil
	}
	v := x.Request.Params().Get("inputResponses")
	if !v.Exists() {
		return nil
	}
	ours, others := 0, 0
	edits := wire.RemoveMembers(v, func(m wire.Member, _ wire.Value) bool {
		if strings.HasPrefix(m.Key, answerKey) {
			ours++
			return true
		}
		others++
		return false
	})
	if ours == 0 {
		return nil
	}
	if others == 0 {
		one, ok := wire.RemoveMember(x.Request.Params(), "inputResponses")
		if !ok {
			return fault.New(fault.BadParams)
		}
		edits = []wire.Edit{one}
	}
	m, err := x.Request.Rewrite(edits...)
	if err != nil {
		return fault.Wrap(fault.BadParams, err)
	}
	if x.Parent == "" && x.RequestSum == ([32]byte{}) {
		x.RequestSum = export.MessageDigest(x.Request.Raw())
	}
	x.Request = m
	return nil
}
