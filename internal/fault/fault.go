// Package fault is the closed set of reasons for which Ostiary refuses, and
// the one table that turns a reason into an HTTP status and a JSON-RPC code; and
// what is wrong with files that operators write, for messages of one form.
//
// It touches nothing and imports nothing of ours. It deliberately does not
// build wire messages: wire does, from the Error made here. Codes follow MCP
// 2026-07-28 (basic/index, schema.ts); our own codes lie in 31000-31099,
// outside the block that JSON-RPC 2.0 reserves.
package fault

import (
	"errors"
	"fmt"
)

// Kind is a stable reason code. Its text appears in records, metrics, logs and
// in the error's data member; a Kind is never renamed or reused.
type Kind string

// The kinds, grouped by the room that usually raises them.
const (
	// wire and admit: the message or its frame is malformed.
	NotJSON          Kind = "not_json"
	BadMessage       Kind = "bad_message"
	BadParams        Kind = "bad_params"
	BadHeader        Kind = "bad_header"
	HeaderMismatch   Kind = "header_mismatch"
	VersionUnknown   Kind = "version_unsupported"
	EraMismatch      Kind = "era_unsupported"
	TooLarge         Kind = "too_large"
	MediaType        Kind = "media_type"
	NotAcceptable    Kind = "not_acceptable"
	HostUnknown      Kind = "host_unknown"
	OriginForbidden  Kind = "origin_forbidden"
	MethodNotAllowed Kind = "method_not_allowed"
	PathUnknown      Kind = "path_unknown"
	SessionMissing   Kind = "session_missing"
	SessionUnknown   Kind = "session_unknown"
	StreamTaken      Kind = "stream_taken"
	SlowClient       Kind = "slow_client"
	ClientGone       Kind = "client_gone"

	// identify.
	Unauthenticated Kind = "unauthenticated"

	// authorize. A caller that was granted something learns when only its
	// token's scope is too narrow, and can ask the person for more.
	ScopeMissing Kind = "scope_missing"
	// Policy asks for a person: to approve this very call, or to prove themselves
	// again (RFC 9470).
	ApprovalRequired Kind = "approval_required"
	StepUpRequired   Kind = "step_up_required"
	// Towards the caller the next four look the same as unknown.
	MethodUnknown      Kind = "method_unknown"
	Denied             Kind = "denied"
	ServerUnknown      Kind = "server_unknown"
	ToolUnknown        Kind = "tool_unknown"
	ResourceUnknown    Kind = "resource_unknown"
	CapabilityMissing  Kind = "capability_missing"
	ElicitationBlocked Kind = "elicitation_blocked"
	StateInvalid       Kind = "state_invalid"
	CursorInvalid      Kind = "cursor_invalid"

	// protect: content that may not pass, and content that cannot be judged.
	ContentBlocked Kind = "content_blocked"
	Unscannable    Kind = "unscannable"

	// limits.
	RateLimited Kind = "rate_limited"
	Busy        Kind = "busy"
	Overloaded  Kind = "overloaded"

	// record.
	LogUnavailable Kind = "log_unavailable"

	// app: what may have been revoked cannot be read.
	Stale Kind = "stale"

	// forward.
	UpstreamUnreachable Kind = "upstream_unreachable"
	UpstreamBad         Kind = "upstream_bad_answer"
	UpstreamTooLarge    Kind = "result_too_large"
	UpstreamLate        Kind = "upstream_timeout"
	UpstreamGone        Kind = "upstream_gone"
	EgressForbidden     Kind = "egress_forbidden"

	// everything of our own that broke.
	Draining Kind = "draining"
	Internal Kind = "internal"
)

// entry is what a Kind means on the wire.
type entry struct {
	status int // HTTP status
	code   int // JSON-RPC error code
	public string
}

// table is the one place where a Kind gets its status, code and default
// sentence. The sentence says what the caller can do and nothing about us.
var table = map[Kind]entry{
	NotJSON:          {400, -32700, "The body is not one well-formed JSON value."},
	BadMessage:       {400, -32600, "The message is not a valid JSON-RPC 2.0 message of this protocol version."},
	BadParams:        {400, -32602, "The parameters do not fit the method."},
	BadHeader:        {400, -32600, "A request header is missing or malformed."},
	HeaderMismatch:   {400, -32020, "A request header does not agree with the body."},
	VersionUnknown:   {400, -32022, "The protocol version is not supported."},
	EraMismatch:      {400, -32600, "The server does not speak this protocol version."},
	TooLarge:         {413, 31001, "The message is larger than the gateway accepts."},
	MediaType:        {415, 31002, "Send the message as Content-Type: application/json."},
	NotAcceptable:    {406, 31003, "Accept must list application/json and text/event-stream."},
	HostUnknown:      {421, 31004, "The Host header does not name this gateway."},
	OriginForbidden:  {403, 31005, "The Origin is not on the gateway's list."},
	MethodNotAllowed: {405, 31006, "Use POST here."},
	PathUnknown:      {404, 31007, "There is nothing at this path."},
	SessionMissing:   {400, 31008, "Send the Mcp-Session-Id that initialize returned."},
	SessionUnknown:   {404, 31009, "The session is unknown or has ended; send initialize again."},
	StreamTaken:      {409, 31010, "This session already has an open stream."},
	SlowClient:       {408, 31011, "The request did not arrive in time."},
	ClientGone:       {499, 31012, "The client closed the connection."},

	Unauthenticated: {401, 31020, "Authenticate with a token or a client certificate."},
	ScopeMissing:    {403, 31021, "The token's scope does not reach this."},

	ApprovalRequired: {200, 31022, "A person must approve this call, and nobody can be asked now; try again later."},
	StepUpRequired:   {401, 31023, "Your person must sign in again, more strongly, for this call."},

	MethodUnknown:      {404, -32601, "Method not found."},
	Denied:             {200, -32602, "Unknown or not available."},
	ServerUnknown:      {404, 31007, "There is nothing at this path."},
	ToolUnknown:        {200, -32602, "Unknown or not available."},
	ResourceUnknown:    {200, -32602, "Unknown or not available."},
	CapabilityMissing:  {400, -32021, "The client did not declare a capability that this needs."},
	ElicitationBlocked: {200, 31025, "The server asked for input in a way that the gateway does not allow."},
	StateInvalid:       {200, -32602, "The request state is unknown or has expired; start the request again."},
	CursorInvalid:      {200, -32602, "The cursor is unknown or has expired; start the list again."},

	ContentBlocked: {200, 31026, "The message holds content that may not pass here; take it out and try again."},
	Unscannable:    {200, 31027, "The content could not be examined, so it is refused."},

	RateLimited: {429, 31030, "Too many requests; try again later."},
	Busy:        {429, 31031, "Too many requests or streams at once; try again when one has ended."},
	Overloaded:  {503, 31032, "The gateway is at its memory limit; try again later."},

	Stale:          {503, 31041, "The gateway cannot tell who may pass at the moment, so the call is refused; try again later."},
	LogUnavailable: {503, 31040, "The call cannot be recorded, so it is refused; try again later."},

	UpstreamUnreachable: {502, 31050, "The server cannot be reached; try again later."},
	UpstreamBad:         {502, 31051, "The server's answer is not a valid message and was not passed on."},
	UpstreamTooLarge:    {502, 31052, "The server's answer is larger than the gateway accepts."},
	UpstreamLate:        {504, 31053, "The server did not answer in time."},
	UpstreamGone:        {502, 31054, "The server ended before it answered."},
	EgressForbidden:     {502, 31055, "The server cannot be reached; ask the operator."},

	Draining: {503, 31060, "The gateway is shutting down; try again."},
	Internal: {500, 31099, "The gateway failed; quote the exchange id to its operator."},
}

// Kinds returns every kind of the table, in no particular order.
func Kinds() []Kind {
	all := make([]Kind, 0, len(table))
	for k := range table {
		all = append(all, k)
	}
	return all
}

// Error is a refusal. Error() is for logs and may hold the cause; only Public,
// the kind and the codes may reach a caller.
type Error struct {
	Kind   Kind
	Public string // sentence for the caller, without data of any user
	Cause  error  // for the log only; may be nil

	// Data, when set, is a JSON object that the specification demands beside
	// this code (-32021 requiredCapabilities, -32022 supported/requested).
	Data string

	// Retry, when set, is after how many seconds it is worth trying again.
	Retry int

	// RPC, when set, is the JSON-RPC code in place of the kind's, where a
	// protocol version has one of its own for the case.
	RPC int

	// Result, when set, is the JSON object of the result that answers the
	// request in place of an error: a question in a form that the caller's
	// protocol version gives to results. The record says refused either way.
	Result string
}

// New returns a refusal of kind k with the table's sentence.
func New(k Kind) *Error { return &Error{Kind: k, Public: table[k].public} }

// Newf returns a refusal whose sentence is made for this case. The sentence
// must hold no user data and no internal address.
func Newf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Public: fmt.Sprintf(format, args...)}
}

// Wrap returns a refusal of kind k caused by err, which goes to logs only.
func Wrap(k Kind, err error) *Error {
	e := New(k)
	e.Cause = err
	return e
}

// Error describes the refusal for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return string(e.Kind) + ": " + e.Cause.Error()
	}
	return string(e.Kind) + ": " + e.Public
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Status returns the HTTP status of the refusal.
func (e *Error) Status() int { return table[e.Kind].status }

// Code returns the JSON-RPC error code of the refusal.
func (e *Error) Code() int {
	if e.RPC != 0 {
		return e.RPC
	}
	return table[e.Kind].code
}

// As returns err as a refusal. An error that is not one is Internal, so that
// an unforeseen failure is a refusal without details.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return Wrap(Internal, err)
}

// Is reports whether err is a refusal of kind k.
func Is(err error, k Kind) bool {
	var f *Error
	return errors.As(err, &f) && f.Kind == k
}
