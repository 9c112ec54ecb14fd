// Package authorize is the step that asks policy whether a call may go on, and
// whether an answer may reach its caller. Lists are filtered by the very
// decision that a call would get, so that the two cannot disagree.
//
// It may read the registry's snapshot and the pinned tool definitions. It
// deliberately decides nothing by itself: policy.Decide does. Towards the
// caller, unknown and forbidden look the same.
package authorize

import (
	"context"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Step authorizes exchanges against the registry as it is now.
type Step struct {
	Live *registry.Live
	// Drift is told that a server showed tools that differ from the approved
	// ones; it must return at once.
	Drift func(server string)
	// URLHosts are the hosts that a server may send a person to; empty
	// allows any https host.
	URLHosts []string
	// Approvals keeps what people confirmed; nil refuses every call that
	// policy asks a person for.
	Approvals Approvals
	// Limits counts what calls use; nil bounds nothing.
	Limits *Limits

	Shadow *Shadow // counts how policies on trial compare; nil: they are not asked
	Clock  clock.Clock

	schemas schemas
	flows   flows
}

// Call decides on the request, before anything is recorded or sent.
func (s *Step) Call(ctx context.Context, x *exchange.Exchange) error {
	x.View = s.Live.Load()
	if agent := x.View.Agent(x.Principal.ID); agent != nil && agent.Era != "" && agent.Era != x.Era.String() {
		x.Decision = policy.Decision{Kind: fault.EraMismatch, Reason: "agent is pinned to the other era", Version: x.View.Version()}
		return fault.New(fault.EraMismatch)
	}
	if x.Join != nil {
		x.Decision = policy.Decision{Allow: true, Reason: "decided per server", Version: x.View.Version(), Need: registry.Read}
		return nil
	}
	x.Server = x.View.Server(x.Endpoint)
	if x.Fact.Action == wire.ActComplete {
		if _, _, ok := completes(x); !ok {
			return fault.Newf(fault.BadParams, "The member params.ref must name a prompt or a resource.")
		}
	}
	x.Labels = s.flows.seen(x, s.Clock.Now())
	q := queryOf(x.View, x)
	x.Decision = s.listens(x.View, x, decide(x.View, q))
	s.Shadow.compare(x.View, q, x.Decision)
	if !x.Decision.Allow && x.Decision.Needs == "" {
		return refusal(x)
	}
	if err := speaks(x); err != nil {
		return err
	}
	if x.Fact.Action == wire.ActTool {
		x.Tool = x.Server.Tool(q.Tool)
		if err := s.arguments(x); err != nil {
			return err
		}
	}
	if err := unasked(x); err != nil {
		return err
	}
	if err := s.Limits.take(x); err != nil {
		return err
	}
	if !x.Decision.Allow { // nobody is asked about what could not be called anyway
		return s.confirmed(ctx, x, q)
	}
	return nil
}

// queryOf says what x asks of policy. What the table of facts does not know
// never gets here.
func queryOf(view *registry.Snapshot, x *exchange.Exchange) policy.Query {
	q := policy.Query{Principal: x.Principal, Server: x.Endpoint, Method: x.Method(), Need: registry.Read}
	q.Call.Time, q.Call.IP, q.Call.Labels = x.Start, x.Peer.Addr(), x.Labels
	switch {
	case x.Fact.Action == wire.ActComplete:
		q.Of, q.Name, _ = completes(x)
	case x.Fact.Action == wire.ActReadResource || x.Fact.Action == wire.ActReadPrompt:
		q.Name = x.Request.Name()
	case x.Fact.Action == wire.ActTool:
		q.IsTool, q.Tool, q.Args = true, x.Request.Name(), x.Request.Params().Get("arguments")
	case x.Origin != nil && x.Origin.Method == "tools/call": // a task is decided as the call that began it
		q.IsTool, q.Tool = true, x.Origin.Name
		q.Call.Approved = true // that call was approved, if it had to be
	}
	if x.Approval != "" || x.Bypass != "" && registry.BypassStands(view, x.Bypass) {
		q.Call.Approved = true
	}
	return q
}

// refusal turns a denial into what the caller sees. A server that is unknown,
// not approved or not granted is a path that does not exist (H21); everything
// else on a server is "unknown or not available", whatever the reason.
func refusal(x *exchange.Exchange) error {
	if x.Decision.Kind == fault.ServerUnknown {
		return fault.New(fault.ServerUnknown)
	}
	if x.Decision.Kind == fault.ScopeMissing {
		return fault.New(fault.ScopeMissing)
	}
	return fault.New(fault.Denied)
}

// speaks refuses an era that the server is known not to speak, in the words
// of a server of the other era, so that a client that knows both falls back
// (protocol.md 1).
func speaks(x *exchange.Exchange) error {
	for _, era := range x.Server.Eras {
		if era == x.Era.String() {
			return nil
		}
	}
	if len(x.Server.Eras) == 0 {
		return nil
	}
	if x.Era == wire.Modern {
		return fault.Newf(fault.EraMismatch, "Bad Request: unsupported protocol version; supported versions: 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05.")
	}
	return fault.Newf(fault.EraMismatch, "Unsupported protocol version; supported versions: 2026-07-28.")
}

// Still reports whether a call under way would still be allowed, by the time of
// day and the policies of now. What was true of the call when it was made stays:
// what its session had read, and how fresh its person's proof was.
func (s *Step) Still(x *exchange.Exchange) error {
	if x.Join != nil || x.Server == nil {
		return nil
	}
	view := s.Live.Load()
	q := queryOf(view, x)
	now := s.Clock.Now()
	if age := now.Sub(x.Start); age > 0 && !q.Principal.AuthTime.IsZero() {
		q.Principal.AuthTime = q.Principal.AuthTime.Add(age)
	}
	q.Call.Time = now
	if d := s.listens(view, x, decide(view, q)); !d.Allow {
		return fault.New(fault.ServerUnknown)
	}
	return nil
}
