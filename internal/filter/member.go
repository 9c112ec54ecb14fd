package filter

import (
	"slices"

	"ostiary.dev/ostiary/internal/wire"
)

// What results and blocks have by the protocol. Under a keep rule anything else
// goes: no path names it.
var (
	resultMembers = []string{"_meta", "content", "structuredContent", "isError", "contents", "messages", "resultType", "ttlMs", "cacheScope",
		"inputRequests", "requestState", "task", "taskId", "status", "createdAt", "lastUpdatedAt", "ttl", "pollInterval", "pollIntervalMs", "result", "error"}
	blockMembers = []string{"_meta", "type", "text", "data", "mimeType", "resource", "uri", "name", "title", "description", "size", "icons", "blob"}
)

// protocolMeta are the keys of _meta that the protocol itself needs in answers.
var protocolMeta = []string{"progressToken", "io.modelcontextprotocol/related-task", "io.modelcontextprotocol/subscriptionId",
	"io.modelcontextprotocol/serverInfo", "io.modelcontextprotocol/protocolVersion", "traceparent", "tracestate", "baggage"}

// members strips what is not content of a result, a block or a resource.
func (j *job) members(v wire.Value, known []string) {
	stripMeta := j.keeps || j.some(func(r *Rule) bool { return r.stripMeta })
	notes := j.keeps || j.some(func(r *Rule) bool { return r.annotations })
	links := j.some(func(r *Rule) bool { return r.links })
	if !stripMeta && !notes && !links {
		return
	}
	gone := wire.RemoveMembers(v, func(m wire.Member, c wire.Value) bool {
		switch {
		case m.Key == "_meta" && stripMeta:
			return j.meta(c)
		case m.Key == "annotations" && notes, j.keeps && !slices.Contains(known, m.Key):
			j.Fields++
			return true
		case m.Key == "uri" && links:
			j.link(c)
		}
		return false
	})
	j.edits = append(j.edits, gone...)
}

// meta strips the keys that no protocol and no rule names, and reports whether
// none is left. Keys of the gateway's own are among those that go: what a server
// writes under them is no verdict of this gateway.
func (j *job) meta(v wire.Value) (gone bool) {
	stays := func(key string) bool {
		if slices.Contains(protocolMeta, key) {
			return true
		}
		return !j.some(func(r *Rule) bool { return (r.stripMeta || r.keeps) && !r.meta.some(key) })
	}
	n, kept := 0, 0
	edits := wire.RemoveMembers(v, func(m wire.Member, _ wire.Value) bool {
		if n++; stays(m.Key) {
			kept++
			return false
		}
		return true
	})
	j.Fields += n - kept
	if n > 0 && kept == 0 {
		return true
	}
	j.edits = append(j.edits, edits...)
	return v.Kind() != wire.Object // which is no metadata
}

// failure filters the error object of an answer.
func (j *job) failure(object wire.Value) {
	if object.Kind() != wire.Object {
		return
	}
	j.lenient, j.traces = true, j.some(func(r *Rule) bool { return r.errors })
	data := object.Get("data")
	if h := open(data); data.Exists() && isContainer(h.core) {
		j.data(object, h)
	} else if data.Kind() == wire.String && j.plain(data, true) || data.Exists() && data.Kind() != wire.String && j.keeps {
		j.cut(object, "data")
	}
	if m := object.Get("message"); m.Kind() == wire.String {
		j.plain(m, true)
	}
	if j.keeps {
		gone := wire.RemoveMembers(object, func(m wire.Member, _ wire.Value) bool {
			if m.Key == "code" || m.Key == "message" || m.Key == "data" {
				return false
			}
			j.Fields++
			return true
		})
		j.edits = append(j.edits, gone...)
	}
}

// data filters an object or list beside an error.
func (j *job) data(in wire.Value, h held) {
	at := j.start()
	if !j.stays(h, at) {
		j.cut(in, "data")
		return
	}
	before := len(j.edits)
	j.within(h, at, nil)
	j.edited = j.edited || len(j.edits) > before
}

// cut takes a member out.
func (j *job) cut(object wire.Value, key string) {
	if e, ok := wire.RemoveMember(object, key); ok {
		j.Fields++
		j.edited = true
		j.edits = append(j.edits, e)
	}
}

// notice filters a notification. What it says in words is bounded as the texts
// of results are.
func (j *job) notice(method string, params wire.Value) {
	j.lenient = true
	switch method {
	case "notifications/message":
		j.logged(params)
	case "notifications/progress":
		j.words(params, "message")
	case "notifications/cancelled":
		j.words(params, "reason")
	case "notifications/tasks", "notifications/tasks/status":
		j.words(params, "statusMessage")
		if inner := params.Get("result"); inner.Kind() == wire.Object {
			j.result(inner, nil)
		}
		j.failure(params.Get("error"))
	}
	if m := params.Get("_meta"); m.Kind() == wire.Object && (j.keeps || j.some(func(r *Rule) bool { return r.stripMeta })) && j.meta(m) {
		j.cut(params, "_meta")
	}
}

// words bounds a member that is not needed.
func (j *job) words(params wire.Value, key string) {
	v := params.Get(key)
	if v.Kind() != wire.String {
		return
	}
	if is, gone := j.jsonText(v); is && !gone {
		return
	} else if gone || j.plain(v, false) {
		j.cut(params, key)
	}
}

// logged filters the data of a log message, which may be anything but must be
// there.
func (j *job) logged(params wire.Value) {
	v := params.Get("data")
	if !v.Exists() {
		return
	}
	h, at := open(v), j.start()
	switch {
	case isContainer(h.core) && j.stays(h, at):
		j.within(h, at, nil)
	case isContainer(h.core), v.Kind() == wire.String && j.plain(v, false), v.Kind() != wire.String && j.keeps:
		j.Fields++
		j.edits = append(j.edits, wire.Replace(v, []byte(`"(withheld)"`)))
	}
}
