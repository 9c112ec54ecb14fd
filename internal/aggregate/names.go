package aggregate

import (
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// separator stands between server id and name. Server ids hold no underscore,
// so the first one in a name always is ours (M07).
const separator = "__"

const scheme = "ostiary://"

// prefixed returns the name that the caller sees; false when it would not be a
// legal MCP name (1-128 of A-Za-z0-9_-., SEP-986): such an item is reached at
// /s/<server>/mcp only.
func prefixed(server, name string) (string, bool) {
	full := server + separator + name
	if name == "" || len(full) > 128 {
		return "", false
	}
	for i := range len(full) {
		c := full[i]
		legal := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
		if !legal {
			return "", false
		}
	}
	return full, true
}

func unprefix(full string) (server, name string, ok bool) {
	server, name, ok = strings.Cut(full, separator)
	return server, name, ok && server != "" && name != ""
}

func prefixedURI(server, uri string) string { return scheme + server + "/" + uri }

func unprefixURI(full string) (server, uri string, ok bool) {
	rest, ok := strings.CutPrefix(full, scheme)
	if !ok {
		return "", "", false
	}
	server, uri, ok = strings.Cut(rest, "/")
	return server, uri, ok && server != "" && uri != ""
}

// uriEdits returns the edits that prefix every resource URI in a result or
// notification: contents, resource links, embedded resources, updates.
func uriEdits(server string, m *wire.Message) []wire.Edit {
	var edits []wire.Edit
	add := func(v wire.Value) {
		if uri, ok := v.Text(); ok {
			edits = append(edits, wire.Replace(v, wire.Quote(prefixedURI(server, uri))))
		}
	}
	if m.Method() == "notifications/resources/updated" {
		add(m.Params().Get("uri"))
		return edits
	}
	r := m.Result()
	for v := range r.Get("contents").Elements() {
		add(v.Get("uri"))
	}
	for v := range r.Get("content").Elements() {
		block(v, add)
	}
	for v := range r.Get("messages").Elements() {
		block(v.Get("content"), add)
	}
	return edits
}

func block(v wire.Value, add func(wire.Value)) {
	switch kind, _ := v.Get("type").Text(); kind {
	case "resource_link":
		add(v.Get("uri"))
	case "resource":
		add(v.Get("resource").Get("uri"))
	}
}

// outward returns a server's message as the caller of /mcp sees it.
func outward(server string, m *wire.Message) (*wire.Message, error) {
	edits := uriEdits(server, m)
	if len(edits) == 0 {
		return m, nil
	}
	return m.Rewrite(edits...)
}
