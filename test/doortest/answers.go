package doortest

import (
	"encoding/json"
	"fmt"
)

// ModernVersion and LegacyVersion are the newest protocol versions per era.
const (
	ModernVersion = "2026-07-28"
	LegacyVersion = "2025-11-25"
)

// Tools is the default tools/list of a fake server: three tools, one of them
// with a parameter that 2026-07-28 mirrors into a header.
const Tools = `[{"name":"echo","description":"Gives back its text.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}},` +
	`{"name":"add","description":"Adds two numbers.","inputSchema":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}}}},` +
	`{"name":"routed","description":"Says which region it was called in.","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}]`

// The other default lists of a fake server.
const (
	Resources = `[{"uri":"test://one","name":"one","mimeType":"text/plain"},{"uri":"test://two","name":"two","mimeType":"text/plain"}]`
	Templates = `[{"uriTemplate":"test://item/{id}","name":"item"}]`
	Prompts   = `[{"name":"greet","description":"Greets somebody.","arguments":[{"name":"who","required":true}]}]`
)

const capabilities = `{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"prompts":{"listChanged":true},"completions":{},"logging":{}}`

// both lists the versions of a server that speaks both eras.
const both = `"` + ModernVersion + `","` + LegacyVersion + `","2025-06-18","2025-03-26","2024-11-05"`

// standard is what a fake server answers to m when no handler was set: a
// result, or a JSON-RPC error code and its text. only says that the server
// speaks no other era than the modern one.
func standard(m Message, modern, only bool) (result string, code int, text string) {
	done, list := "", ""
	if modern {
		done = `"resultType":"complete",`
		list = `,"ttlMs":0,"cacheScope":"private"`
	}
	switch m.Method {
	case "server/discover":
		versions := both
		if only {
			versions = `"` + ModernVersion + `"`
		}
		return `{` + done + `"supportedVersions":[` + versions + `],"capabilities":` + capabilities + list + `}`, 0, ""
	case "initialize":
		return initializeResult(m), 0, ""
	case "tools/list":
		return `{` + done + `"tools":` + Tools + list + `}`, 0, ""
	case "resources/list":
		return `{` + done + `"resources":` + Resources + list + `}`, 0, ""
	case "resources/templates/list":
		return `{` + done + `"resourceTemplates":` + Templates + list + `}`, 0, ""
	case "prompts/list":
		return `{` + done + `"prompts":` + Prompts + list + `}`, 0, ""
	case "tools/call":
		return callResult(m, done)
	case "resources/read":
		uri, err := json.Marshal(param(m, "uri"))
		if err != nil {
			return "", -32602, "bad uri"
		}
		return `{` + done + `"contents":[{"uri":` + string(uri) + `,"mimeType":"text/plain","text":"content"}]` + list + `}`, 0, ""
	case "prompts/get":
		return `{` + done + `"messages":[{"role":"user","content":{"type":"text","text":"hello"}}]}`, 0, ""
	case "completion/complete":
		return `{` + done + `"completion":{"values":["one","two"],"total":2,"hasMore":false}}`, 0, ""
	case "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		if !modern {
			return `{}`, 0, ""
		}
	}
	return "", -32601, "Method not found"
}

// initializeResult agrees to the version that the client offers.
func initializeResult(m Message) string {
	version := param(m, "protocolVersion")
	switch version {
	case "2024-11-05", "2025-03-26", "2025-06-18", LegacyVersion:
	default:
		version = LegacyVersion
	}
	return fmt.Sprintf(`{"protocolVersion":%q,"capabilities":%s,"serverInfo":{"name":"doortest","version":"1"}}`, version, capabilities)
}

// callResult runs one of the default tools.
func callResult(m Message, done string) (result string, code int, text string) {
	var p struct {
		Name      string                     `json:"name"`
		Arguments map[string]json.RawMessage `json:"arguments"`
	}
	if err := json.Unmarshal(m.Params, &p); err != nil {
		return "", -32602, "bad params"
	}
	said := json.RawMessage(`""`)
	switch p.Name {
	case "echo":
		if v := p.Arguments["text"]; len(v) > 0 && v[0] == '"' {
			said = v
		}
	case "routed":
		if v := p.Arguments["region"]; len(v) > 0 && v[0] == '"' {
			said = v
		}
	case "add":
		var a, b float64
		if json.Unmarshal(p.Arguments["a"], &a) != nil || json.Unmarshal(p.Arguments["b"], &b) != nil {
			return `{` + done + `"content":[{"type":"text","text":"a and b must be numbers"}],"isError":true}`, 0, ""
		}
		said = json.RawMessage(fmt.Sprintf("\"%g\"", a+b))
	default:
		return "", -32602, "Unknown tool"
	}
	return `{` + done + `"content":[{"type":"text","text":` + string(said) + `}]}`, 0, ""
}

// param returns the string member name of params, or "".
func param(m Message, name string) string {
	var p map[string]json.RawMessage
	var s string
	if json.Unmarshal(m.Params, &p) == nil && p[name] != nil && json.Unmarshal(p[name], &s) == nil {
		return s
	}
	return ""
}
