// Package exchange defines what flows through the gateway: one Exchange per
// request, and the shape of a step. It has no behaviour beyond small questions
// about its own fields, touches nothing, and deliberately carries no maps of
// any and no context values. Each field names its one writer and says whether
// it may be logged.
package exchange

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Verb is what the caller asks of the endpoint's transport.
type Verb uint8

// The verbs. A legacy GET opens the session's stream; DELETE ends the session.
const (
	Post Verb = iota
	Stream
	End
)

// Endpoint names the address the caller used.
type Endpoint struct {
	Server string // server id of /s/<server>/mcp; "" = /mcp, all servers
}

// Session is an open legacy session, made by admit from a verified handle.
type Session struct {
	ID           string // our id of it, random; not the handle, may be logged
	Version      wire.Version
	Capabilities string            // the client's declared capabilities, JSON object
	ClientInfo   string            // JSON object or ""
	Upstream     map[string]string // server id -> upstream session id; never logged
	Created      time.Time
}

// Param is one Mcp-Param-* header as it arrived.
type Param struct{ Name, Value string }

// Mirrors are the headers that repeat parts of the body (2026-07-28).
type Mirrors struct {
	Version    string // MCP-Protocol-Version, "" when absent
	Method     string // Mcp-Method, still encoded
	Name       string // Mcp-Name, still encoded
	HasMethod  bool
	HasName    bool
	Params     []Param
	TraceState []Param // traceparent, tracestate, baggage as they arrived
}

// Outcome is how an exchange ended, for the record and the metrics.
type Outcome string

// The outcomes.
const (
	OK        Outcome = "ok"
	ToolError Outcome = "tool_error" // a result with isError, passed on
	RPCError  Outcome = "rpc_error"  // the server's own error, passed on
	Refused   Outcome = "refused"
	Failed    Outcome = "failed"
	Cancelled Outcome = "cancelled"
	Ended     Outcome = "ended" // a stream that ended in order
)

// Exchange is one request with its answer and everything between. One
// goroutine owns it; nothing in it is shared with another exchange but the
// immutable values it points to.
type Exchange struct {
	ID       string       // admit; loggable
	Parent   string       // aggregate: id of the exchange this is a part of; loggable
	Start    time.Time    // admit
	Verb     Verb         // admit
	Endpoint Endpoint     // admit; loggable
	Era      wire.Era     // admit
	Version  wire.Version // admit
	Peer     netip.AddrPort
	Binding  string // admit: stable text that handles of this endpoint are bound to

	Credential identity.Credential // admit; erased by identify; never logged
	Principal  identity.Principal  // identify; loggable

	Request     *wire.Message // admit; aggregate and later steps rewrite it; nil for Stream and End
	Mirrors     Mirrors       // admit
	Session     *Session      // admit; nil in the modern era and for initialize
	LastEventID string        // admit: upstream's own id, opened from our handle
	Capable     string        // admit: client capabilities (JSON object), either era

	View     *registry.Snapshot // authorize: the registry as of the decision
	Server   *registry.Server   // authorize: the server of this exchange; nil on /mcp parents
	Tool     *registry.Tool     // authorize: the tool called, if it is a known one
	Decision policy.Decision    // authorize; loggable

	Answers iter.Seq2[wire.Event, error] // forward; one element for a plain answer
	Message *wire.Message                // run: the answer being walked; steps may rewrite or drop it
	Drop    fault.Kind                   // answer steps: set to drop Message and go on
	Event   wire.Event                   // run: the frame around Message

	// NewSession is set by forward on a successful initialize: what the
	// session must remember of the upstream. Never logged.
	NewSession *Session

	Reply   func(context.Context, *Exchange) error // admit: sends x.Event/x.Message to the caller
	Revoked <-chan struct{}                        // identify: closed when the principal must leave

	Opened   bool          // record.Open
	Outcome  Outcome       // run
	Fault    *fault.Error  // run: why it was refused or failed
	BytesIn  int           // admit
	BytesOut int           // admit
	Messages int           // run: answers that reached the caller
	Dropped  int           // run: answers that did not
	Sends    int           // forward: 1 once a byte went to a server
	Elapsed  time.Duration // record
}

// Step is one place on the path. An error stops the leg.
type Step struct {
	Name string
	Run  func(context.Context, *Exchange) error
}
