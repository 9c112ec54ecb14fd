package hostile

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// The rules of the matrix (P03), written from the design and from no code of
// the gateway: the table of methods says who may send what in which version,
// everything else is here. A method, an action, a route or a page without a
// rule fails the tests of the matrix.

// verdict is what must come of one cell.
type verdict string

const (
	stranger  verdict = "who are you"          // whatever is asked
	sessional verdict = "which session"        // a legacy message outside of any
	noMethod  verdict = "no such method"       // of this version, from this side, here
	noVerb    verdict = "no such verb"         // GET and DELETE without a session
	nowhere   verdict = "nothing at this path" // the server is not the caller's
	denied    verdict = "not available"        // of a server that is
	noTool    verdict = "no such tool"         // as denied, and another reason in the log
	tooNarrow verdict = "scope is too narrow"  // the token's, not the agent's
	otherEra  verdict = "the other era"        // the server speaks only that one
	noItem    verdict = "no such item"         // likewise
	passes    verdict = "the server answers"
	answered  verdict = "the gateway answers" // for all servers, be there none
	noted     verdict = "noted"               // a notification
	opened    verdict = "a stream opens"
	ended     verdict = "the session has ended"
)

// look is how a verdict looks: to the caller by status and JSON-RPC code, in
// the log by its reason. With a reason it is a refusal: no byte reaches a server.
type look struct {
	status, code int
	reason       string
}

var looks = map[verdict]look{
	stranger: {401, 31020, "unauthenticated"}, sessional: {400, 31008, "session_missing"}, noMethod: {404, -32601, "method_unknown"},
	noVerb: {405, 31006, "method_not_allowed"}, nowhere: {404, 31007, "server_unknown"}, denied: {200, -32602, "denied"},
	noTool: {200, -32602, "tool_unknown"}, tooNarrow: {403, 31021, "scope_missing"}, otherEra: {400, -32600, "era_unsupported"}, noItem: {200, -32602, "resource_unknown"},
	passes: {200, 0, ""}, answered: {200, 0, ""}, noted: {202, 0, ""}, opened: {200, 0, ""}, ended: {204, 0, ""},
}

// refused reports whether nothing may come of it anywhere.
func (v verdict) refused() bool { return looks[v].reason != "" }

// statusIn is the HTTP status of a verdict: the legacy era tells of a method
// that there is not by the error alone.
func (v verdict) statusIn(version wire.Version) int {
	if v == noMethod && version.Era() == wire.Legacy {
		return 200
	}
	return looks[v].status
}

// needs is the access that each action of the method table needs, "" for what
// belongs to the caller's own session.
var needs = map[wire.Action]string{
	wire.ActSession: "", wire.ActOwn: "", wire.ActRead: "read", wire.ActReadResource: "read", wire.ActReadPrompt: "read",
	wire.ActComplete: "read", wire.ActListen: "read", wire.ActTask: "read",
}

// toolNeeds is the access that each tool was approved with.
var toolNeeds = map[string]string{"echo": "read", "add": "write", "routed": "modify"}

// reach tells whether an access includes another. No access includes one that
// there is not.
func reach(have, need string) bool {
	order := map[string]int{"": 0, "read": 1, "write": 2, "modify": 3}
	at, known := order[need]
	return known && order[have] >= at
}

// principal is who calls, and how they show it.
type principal struct {
	name    string
	unknown bool   // is to be refused as a stranger
	access  string // granted to the agent, "" = none
	only    string // the one server on which it is granted, "" = every one
	scope   string // of the token, "" = as wide as the grant
	show    func(*shown)
}

// on is what is granted on a server; on "" it is the most that is anywhere.
func (p principal) on(server string) string {
	if p.only != "" && server != "" && server != p.only {
		return ""
	}
	return p.access
}

// scoped reports whether the token's scope reaches an access.
func (p principal) scoped(need string) bool {
	return p.scope == "" || reach(strings.TrimPrefix(p.scope, "mcp:"), need)
}

// cell is one square of the matrix.
type cell struct {
	who     principal
	server  string // whose endpoint; "" = /mcp
	legacy  bool   // the server that it concerns speaks the legacy era only
	version wire.Version
	action
}

// action is a method, or GET or DELETE.
type action struct {
	method, tool string
	target       string // the server that the names on /mcp are of
	notification bool
}

// expected is the whole policy of the matrix.
func expected(t *testing.T, c cell) verdict {
	t.Helper()
	modern := c.version.Era() == wire.Modern
	inside := c.server == "" || c.who.on(c.server) != "" // has a session there, or needs none
	switch {
	case c.who.unknown:
		return stranger
	case (c.method == "GET" || c.method == "DELETE") && (modern || !inside):
		return noVerb
	case c.method == "GET":
		return opened
	case c.method == "DELETE":
		return ended
	case !modern && !inside && c.method != "initialize":
		return sessional
	}
	fact, known := wire.Lookup(c.method, c.version, wire.FromClient)
	if !known || fact.Extension != "" { // no extension can be enabled yet
		return noMethod
	}
	need, ruled := needs[fact.Action]
	if fact.Action == wire.ActTool {
		need, ruled = toolNeeds[c.tool], true
	}
	if !ruled {
		t.Fatalf("%s needs an access that no rule of the matrix knows", c.method)
	}
	if c.server == "" {
		return together(c, fact, need)
	}
	return alone(c, fact, need)
}

// alone is the part of one server's endpoint.
func alone(c cell, fact wire.Fact, need string) verdict {
	switch {
	case c.who.on(c.server) == "":
		return nowhere
	case fact.Action == wire.ActTask && fact.Routed != "" && !c.notification:
		return noItem
	case fact.Action == wire.ActTool && need == "":
		return noTool
	case !reach(c.who.on(c.server), need):
		return denied
	case !c.who.scoped(need):
		return tooNarrow
	case c.legacy && c.version.Era() == wire.Modern:
		return otherEra
	case c.notification:
		return noted
	}
	return passes
}

// together is the part of /mcp, where all servers of the caller answer as one:
// what concerns no server in particular is answered even to whom none is
// granted, with nothing in it.
func together(c cell, fact wire.Fact, need string) verdict {
	switch fact.Action {
	case wire.ActTool, wire.ActReadResource, wire.ActReadPrompt, wire.ActComplete:
		switch {
		case fact.Action == wire.ActReadResource && (c.who.on(c.target) == "" || c.legacy && c.version.Era() == wire.Modern):
			return noItem
		case c.who.on(c.target) == "", c.legacy && c.version.Era() == wire.Modern, fact.Action == wire.ActTool && need == "":
			return denied
		case !reach(c.who.on(c.target), need):
			return denied
		case !c.who.scoped(need):
			return tooNarrow
		}
		return passes
	case wire.ActTask:
		return noItem
	case wire.ActOwn:
		if c.method != "notifications/cancelled" {
			return noMethod
		}
	}
	if c.notification {
		return noted
	}
	return answered
}
