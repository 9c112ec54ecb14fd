// Package wire reads, checks, edits and frames MCP messages: JSON-RPC 2.0 as
// MCP 2024-11-05 to 2026-07-28 use it, the server-sent events that carry it,
// and the headers that mirror it.
//
// What Parse accepts has exactly one reading under any JSON parser, so its
// bytes may travel on unchanged; everything else is a *fault.Error. Numbers and
// ids are text from the first to the last byte, and an edit changes no byte
// outside its ranges. One table of facts says for each method of each version
// who may send it and what it needs.
//
// The room works on bytes it is given. It does no input or output of its own
// (Events reads a reader it is handed), knows no session and no policy, and
// deliberately does not build Go structs from messages: encoding/json keeps
// the last of duplicate members and folds case, and both are ways around a
// policy.
//
// Specifications: RFC 8259; https://www.jsonrpc.org/specification;
// https://modelcontextprotocol.io/specification/2026-07-28 (and older, by
// date); the event stream of https://html.spec.whatwg.org (section 9.2).
package wire

// Kind is what a message is.
type Kind uint8

// The kinds. The zero value is that of a message which only carries an id.
const (
	Request       Kind = iota + 1 // method and id
	Notification                  // method, no id
	Response                      // result and id
	ErrorResponse                 // error; the id may be null or absent
)

// String returns the kind in lower case.
func (k Kind) String() string {
	return [...]string{"none", "request", "notification", "response", "error"}[k]
}

// Side is who sent a message; as a set it says who may.
type Side uint8

// The sides.
const (
	FromClient Side = 1 << iota
	FromServer
	FromEither = FromClient | FromServer
)

// Message is one checked message. It is immutable and may be shared.
type Message struct {
	doc    document
	lim    Limits
	side   Side
	kind   Kind
	id     ID
	method string
	name   string
	at     places
}

// places are the tokens of the envelope's members; 0, the root, means absent.
type places struct {
	id, params, result, error, meta uint32
	jsonrpc, method                 uint32
}

// Raw returns the message's bytes. The caller must not change them.
func (m *Message) Raw() []byte { return m.doc.raw }

// Kind returns what the message is.
func (m *Message) Kind() Kind { return m.kind }

// ID returns the id; zero if there is none, NullID for an error answer's null.
func (m *Message) ID() ID { return m.id }

// Method returns the decoded method, "" for an answer.
func (m *Message) Method() string { return m.method }

// Root returns the whole message as an object.
func (m *Message) Root() Value {
	if len(m.doc.toks) == 0 {
		return Value{}
	}
	return Value{doc: &m.doc}
}

// Params returns the params object, zero if absent.
func (m *Message) Params() Value { return m.value(m.at.params) }

// Result returns the result object, zero if absent.
func (m *Message) Result() Value { return m.value(m.at.result) }

// ErrorObject returns the error object, zero if absent.
func (m *Message) ErrorObject() Value { return m.value(m.at.error) }

// Meta returns params._meta or result._meta, zero if absent.
func (m *Message) Meta() Value { return m.value(m.at.meta) }

// value returns the value of token at; the root's index means none.
func (m *Message) value(at uint32) Value {
	if at == 0 {
		return Value{}
	}
	return Value{doc: &m.doc, at: at}
}

// Name returns what the message is routed by, decoded: params.name, params.uri
// or params.taskId as the facts of its method say; "" if it has none.
func (m *Message) Name() string { return m.name }

// metaVersion is the member of _meta that names the version of a request.
const metaVersion = "io.modelcontextprotocol/protocolVersion"

// ProtocolVersion returns the version that a request's _meta names.
func (m *Message) ProtocolVersion() (string, bool) {
	if m.at.params == 0 {
		return "", false
	}
	return m.Meta().Get(metaVersion).Text()
}

// ProgressToken returns the token under which progress is reported: that of a
// request's _meta, or the one that a progress notification names.
func (m *Message) ProgressToken() ID {
	switch {
	case m.kind == Request:
		return m.Meta().Get("progressToken").ID()
	case m.method == "notifications/progress":
		return m.Params().Get("progressToken").ID()
	}
	return ID{}
}
