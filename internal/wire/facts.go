package wire

// Action says how authorize judges a message; security.md's groups follow from
// it. For requests of servers the client is the resource.
type Action uint8

// The actions. ActNone is that of no method: it is denied.
const (
	ActNone         Action = iota
	ActSession             // a valid session is enough
	ActRead                // read on the server
	ActTool                // the tool's own group, with its arguments
	ActReadResource        // read on params.uri
	ActReadPrompt          // read on the prompt params.name
	ActComplete            // read on params.ref
	ActListen              // read on each item of the filter
	ActWriteClient         // write on the client: spends its model
	ActReadClient          // read on the client: asks a person, lists its roots
	ActTask                // the decision on the task's origin, taken again
	ActOwn                 // the sender's own request, token, task or elicitation only
	ActReadUpdate          // read on the resource of params.uri, now
)

// Fact is what the protocol says about one method in some versions.
type Fact struct {
	Method       string
	From         Side // who may send it
	Notification bool
	Versions     VersionSet
	Action       Action
	Routed       string // params member that routes it: "name", "uri", "taskId" or ""
	Stream       bool   // the answer may be a stream
	ListKey      string // result member that a list method fills
	MRTR         bool   // may end with input_required and be retried with inputResponses
	Capability   string // client capability that a server's request needs
	Extension    string // extension that must be enabled
}

const tasksExtension = "io.modelcontextprotocol/tasks"

// facts is the one table of every method of every version (schema.ts of each;
// tasks of 2026-07-28: SEP-2663). A method that is not here is denied.
var facts = []Fact{
	{Method: "initialize", From: FromClient, Versions: allLegacy, Action: ActRead, Stream: true},
	{Method: "server/discover", From: FromClient, Versions: bit20260728, Action: ActRead},
	{Method: "ping", From: FromEither, Versions: allLegacy, Action: ActSession},

	{Method: "tools/list", From: FromClient, Versions: allVersion, Action: ActRead, ListKey: "tools"},
	{Method: "tools/call", From: FromClient, Versions: allVersion, Action: ActTool, Routed: "name", Stream: true, MRTR: true},
	{Method: "resources/list", From: FromClient, Versions: allVersion, Action: ActRead, ListKey: "resources"},
	{Method: "resources/templates/list", From: FromClient, Versions: allVersion, Action: ActRead, ListKey: "resourceTemplates"},
	{Method: "resources/read", From: FromClient, Versions: allVersion, Action: ActReadResource, Routed: "uri", Stream: true, MRTR: true},
	{Method: "resources/subscribe", From: FromClient, Versions: allLegacy, Action: ActReadResource, Routed: "uri"},
	{Method: "resources/unsubscribe", From: FromClient, Versions: allLegacy, Action: ActReadResource, Routed: "uri"},
	{Method: "subscriptions/listen", From: FromClient, Versions: bit20260728, Action: ActListen, Stream: true},
	{Method: "prompts/list", From: FromClient, Versions: allVersion, Action: ActRead, ListKey: "prompts"},
	{Method: "prompts/get", From: FromClient, Versions: allVersion, Action: ActReadPrompt, Routed: "name", Stream: true, MRTR: true},
	{Method: "completion/complete", From: FromClient, Versions: allVersion, Action: ActComplete},
	{Method: "logging/setLevel", From: FromClient, Versions: allLegacy, Action: ActRead},

	{Method: "tasks/get", From: FromEither, Versions: bit20251125, Action: ActTask, Routed: "taskId", Capability: "tasks"},
	{Method: "tasks/result", From: FromEither, Versions: bit20251125, Action: ActTask, Routed: "taskId", Stream: true, Capability: "tasks"},
	{Method: "tasks/cancel", From: FromEither, Versions: bit20251125, Action: ActTask, Routed: "taskId", Capability: "tasks"},
	{Method: "tasks/list", From: FromEither, Versions: bit20251125, Action: ActOwn, ListKey: "tasks", Capability: "tasks"},
	{Method: "tasks/get", From: FromClient, Versions: bit20260728, Action: ActTask, Routed: "taskId", Extension: tasksExtension},
	{Method: "tasks/update", From: FromClient, Versions: bit20260728, Action: ActTask, Routed: "taskId", Extension: tasksExtension},
	{Method: "tasks/cancel", From: FromClient, Versions: bit20260728, Action: ActTask, Routed: "taskId", Extension: tasksExtension},

	{Method: "sampling/createMessage", From: FromServer, Versions: allLegacy, Action: ActWriteClient, Capability: "sampling"},
	{Method: "elicitation/create", From: FromServer, Versions: since2506, Action: ActReadClient, Capability: "elicitation"},
	{Method: "roots/list", From: FromServer, Versions: allLegacy, Action: ActReadClient, ListKey: "roots", Capability: "roots"},

	{Method: "notifications/initialized", From: FromClient, Notification: true, Versions: allLegacy, Action: ActSession},
	{Method: "notifications/roots/list_changed", From: FromClient, Notification: true, Versions: allLegacy, Action: ActSession},
	{Method: "notifications/cancelled", From: FromEither, Notification: true, Versions: allVersion, Action: ActOwn},
	{Method: "notifications/progress", From: FromEither, Notification: true, Versions: allLegacy, Action: ActOwn},
	{Method: "notifications/progress", From: FromServer, Notification: true, Versions: bit20260728, Action: ActOwn},
	{Method: "notifications/message", From: FromServer, Notification: true, Versions: allVersion, Action: ActRead},
	{Method: "notifications/tools/list_changed", From: FromServer, Notification: true, Versions: allVersion, Action: ActRead},
	{Method: "notifications/prompts/list_changed", From: FromServer, Notification: true, Versions: allVersion, Action: ActRead},
	{Method: "notifications/resources/list_changed", From: FromServer, Notification: true, Versions: allVersion, Action: ActRead},
	{Method: "notifications/resources/updated", From: FromServer, Notification: true, Versions: allVersion, Action: ActReadUpdate, Routed: "uri"},
	{Method: "notifications/subscriptions/acknowledged", From: FromServer, Notification: true, Versions: bit20260728, Action: ActOwn},
	{Method: "notifications/elicitation/complete", From: FromServer, Notification: true, Versions: bit20251125, Action: ActOwn},
	{Method: "notifications/tasks/status", From: FromEither, Notification: true, Versions: bit20251125, Action: ActOwn, Routed: "taskId"},
	{Method: "notifications/tasks", From: FromServer, Notification: true, Versions: bit20260728, Action: ActOwn, Routed: "taskId", Extension: tasksExtension},
}

// inputs are the requests that travel inside inputRequests in the modern era
// (MRTR, SEP-2322) instead of as messages.
var inputs = []Fact{
	{Method: "sampling/createMessage", From: FromServer, Versions: bit20260728, Action: ActWriteClient, Capability: "sampling"},
	{Method: "elicitation/create", From: FromServer, Versions: bit20260728, Action: ActReadClient, Capability: "elicitation"},
	{Method: "roots/list", From: FromServer, Versions: bit20260728, Action: ActReadClient, ListKey: "roots", Capability: "roots"},
}

// method is what all rows of one method agree on, whatever the version.
type method struct {
	name         string
	notification bool
	routed       string
	rows         []Fact
}

// methods is facts by name. It is built once and never changed.
var methods = indexFacts()

func indexFacts() map[string]*method {
	index := make(map[string]*method)
	for _, f := range facts {
		m := index[f.Method]
		if m == nil {
			m = &method{name: f.Method, notification: f.Notification, routed: f.Routed}
			index[f.Method] = m
		}
		m.rows = append(m.rows, f)
	}
	return index
}

// method returns what is known of the method that string token at names.
func (d *document) method(at uint32) *method {
	if d.toks[at].flags&escaped != 0 {
		return methods[d.text(at)]
	}
	return methods[string(d.inside(at))]
}

// Lookup returns the facts of a method that this side may send in version v.
func Lookup(method string, v Version, from Side) (Fact, bool) {
	if m := methods[method]; m != nil {
		for _, f := range m.rows {
			if f.Versions.Has(v) && f.From&from == from && from != 0 {
				return f, true
			}
		}
	}
	return Fact{}, false
}

// LookupInput returns the facts of a request that a server may put into
// inputRequests in version v.
func LookupInput(method string, v Version) (Fact, bool) {
	for _, f := range inputs {
		if f.Method == method && f.Versions.Has(v) {
			return f, true
		}
	}
	return Fact{}, false
}

// Facts returns a copy of the whole table, for documents and tests.
func Facts() []Fact { return append([]Fact(nil), facts...) }
