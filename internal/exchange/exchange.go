// Package exchange defines what flows through the gateway: one Exchange per
// request, and the shape of a step. It has no behaviour but counting,
// touches nothing, and deliberately carries no maps of any and no context values. Each field names
// its writer, and says so when it must not be logged.
package exchange

import (
	"cmp"
	"context"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
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

// Face is the caller's end of an exchange: an HTTP request that waits, or the
// parent of a part. admit and aggregate make them.
type Face interface {
	// Read reads and parses what the caller sent, and fills Era, Version,
	// Request and Session. It is called once, for an identified caller.
	Read(context.Context, *Exchange) error
	// Reply sends x.Message (or x.Event alone) to the caller. An error means
	// that the caller is gone.
	Reply(context.Context, *Exchange) error
	// Finish sends the last word: x.Final, or x.Fault, or the bare status.
	Finish(context.Context, *Exchange)
}

// Session is one legacy session. It is immutable once its handle was made.
type Session struct {
	ID           string // random; not what the client holds; loggable
	Version      wire.Version
	Capabilities string // what the client declared, a JSON object
	ClientInfo   string // JSON object or ""
	Remote       string // the upstream's session id, "" if none; never logged
	Bound        bool   // state lives in this process: a restart ends the session
	New          bool   // initialize is under way
	Created      time.Time
}

// Resume is an opened Last-Event-ID: which stream to go on with, from where.
type Resume struct {
	Server   string  // server whose stream it was
	Event    string  // the upstream's own event id
	Request  wire.ID // the request whose answer is awaited; zero for the session's stream
	Progress wire.ID // its progress token
}

// Pending is a server's request that waits for the client's answer.
type Pending struct {
	Exchange string  // exchange in which the request came
	Server   string  // server that asked
	ID       wire.ID // the server's own id
	Method   string
}

// Origin is the call that began a task.
type Origin struct{ Method, Name string }

// Mirrors are the headers that repeat parts of the body (2026-07-28), still
// encoded, and the trace context as it arrived.
type Mirrors struct {
	Version   string
	Method    string
	Name      string
	HasMethod bool
	HasName   bool
	Params    []wire.Field // Mcp-Param-*
	Trace     []wire.Field // traceparent, tracestate, baggage
}

// Answer is one frame from the server. Message is nil for a priming event.
type Answer struct {
	Message *wire.Message
	Event   wire.Event
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
)

// Exchange is one request with its answer and everything between. One
// goroutine owns it at a time; what it points to is immutable.
type Exchange struct {
	ID       string         // admit
	Parent   string         // aggregate: id of the exchange this is a part of
	Start    time.Time      // admit
	Verb     Verb           // admit
	Endpoint string         // admit: server id of /s/<server>/mcp, "" for /mcp
	Peer     netip.AddrPort // admit
	Face     Face           // admit; aggregate for parts
	Era      wire.Era       // admit
	Version  wire.Version   // admit

	Credential identity.Credential // admit; erased by identify; never logged
	Principal  identity.Principal  // identify
	Carried    identity.Carried    // identify: for a server that takes exchanged tokens; never logged

	Request *wire.Message // admit; aggregate and protect rewrite it; nil for Stream and End
	Fact    wire.Fact     // admit: the table's row for Request
	Mirrors Mirrors       // admit
	Session *Session      // admit; nil in the modern era
	Resume  *Resume       // admit
	Pending *Pending      // admit: Request answers this
	Origin  *Origin       // admit: what began the task that Request is about
	Capable string        // admit: the client's capabilities, a JSON object

	View     *registry.Snapshot // authorize: the registry as of the decision
	Server   *registry.Server   // authorize; nil on /mcp
	Tool     *registry.Tool     // authorize: the tool called, if it is a known one
	Decision policy.Decision    // authorize
	Labels   []string           // authorize: of what the session read before
	Approval string             // authorize: id of the approval that this call used up
	Bypass   string             // authorize: id of the break-glass opening that it is made under

	Join     Join          // aggregate, admit: how the answers of parts become one; nil at /s/
	Deadline time.Duration // aggregate: how long forward may wait for this part; 0 = the call's limit

	Answers iter.Seq2[Answer, error] // forward
	Event   wire.Event               // run: the frame being walked
	Source  string                   // aggregate: server that Message comes from; "" = Endpoint
	Message *wire.Message            // run: its message; answer steps may rewrite it
	Drop    fault.Kind               // answer steps, Face.Reply: withhold this message and go on
	Back    *wire.Message            // answer steps: what the server is told instead

	Final    *wire.Message // run: the last answer, released after record.Close
	Status   int           // forward: HTTP status that the server's error came with; 0 = 200
	Accepted bool          // run: nothing to answer (202)
	Sent     bool          // forward: at least one byte went to a server
	Opened   bool          // record: its opening entry is in the log, or on the way
	Outcome  Outcome       // run
	Fault    *fault.Error  // run: why it was refused or failed
	Ended    bool          // run: what let it pass was revoked while it was under way
	Held     int64         // admit, forward: bytes taken from the budget, given back at the end
	Release  []func()      // forward: gives buffers back when nothing reads the messages any more
	BytesIn  int           // admit
	BytesOut int           // admit
	Passed   int           // run: answers that reached the caller
	Dropped  int           // run: answers that did not
	DropKind fault.Kind    // run: why the first one did not

	RequestSum [32]byte         // record, attest, protect: SHA-256 of the request as it came in; zero when none was read
	AnswerSum  [32]byte         // who changes the last answer for its receipt; zero: that of Final
	StreamSum  [32]byte         // run: running digest of the messages that passed before it
	Decided    *auditlog.Ticket // record: the opening entry
	Finished   *auditlog.Ticket // record: the closing entry; nil for a refusal

	PartNeed registry.Access    // aggregate: the access that the one part needed; "" when there was none
	PartEnds []*auditlog.Ticket // aggregate: the closing entries of parts
	Place    auditlog.Place     // record: where the newest entry stands that is known to be durable

	Privacy Privacy // protect: what it withheld, hid and restored, in counts

	AsksProof bool                              // attest: the caller wants its receipt with a proof
	Attest    func(*wire.Message) *wire.Message // attest: puts the receipt into the last message; nil: none is due
}

// Privacy is what protect did with the content of an exchange: counts, never a
// value.
type Privacy struct {
	Profile  string    // its name; "" = nothing was looked at
	Counts   []Finding // sorted by leg, type and action
	Fields   int       // that filters withheld
	Rows     int       // of lists that filters withheld
	Blocks   int       // of content that filters withheld
	Bytes    int       // that filters withheld
	Restored int       // pseudonyms turned back for a server
	Unknown  int       // what looks like a pseudonym and is none here
	Shadow   bool      // counted only: nothing was changed
	Degraded bool      // the detector failed, and the operator's rule let it pass

	Tails []Tail // protect: the ends of what has passed; never logged
}

// Tail is the end of the text that passed in one place of an exchange's
// messages, so that what is split over them is found.
type Tail struct {
	Place string // path of the text in its message
	Text  []byte // decoded
}

// Finding counts what was found of one type and what became of it.
type Finding struct {
	Toward string // "server" or "client"
	Type   string // of the detector's closed set
	Action string // of the profile's closed set
	Count  int
}

// Add counts n findings.
func (p *Privacy) Add(toward, kind, action string, n int) {
	at, found := slices.BinarySearchFunc(p.Counts, Finding{toward, kind, action, 0}, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Toward, b.Toward), strings.Compare(a.Type, b.Type), strings.Compare(a.Action, b.Action))
	})
	if !found {
		p.Counts = slices.Insert(p.Counts, at, Finding{toward, kind, action, 0})
	}
	p.Counts[at].Count += n
}

// Join merges the answers of parts.
type Join interface {
	// Answers runs the parts with run and yields what the caller shall see.
	Answers(ctx context.Context, run func(context.Context, *Exchange)) iter.Seq2[Answer, error]
}

// Method returns the method that the caller asked for, or the transport's verb.
func (x *Exchange) Method() string {
	switch {
	case x.Request != nil && x.Request.Method() != "":
		return x.Request.Method()
	case x.Verb == Stream:
		return "GET"
	case x.Verb == End:
		return "DELETE"
	case x.Pending != nil:
		return x.Pending.Method
	}
	return ""
}

// Step is one place on the path. An error stops the leg.
type Step struct {
	Name string
	Run  func(context.Context, *Exchange) error
}
