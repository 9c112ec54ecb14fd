package protect

import (
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/wire"
)

// fixed reports whether a value routes its message or ties it to another one. It
// cannot be edited: whoever receives it would do something else.
func fixed(path string) bool {
	switch path {
	case "id", "jsonrpc", "method", "params.name", "params.uri", "params.ref.name", "params.ref.uri", "params.requestId",
		"params.progressToken", "params._meta.progressToken", "params.protocolVersion", "result.protocolVersion", "params.level",
		"params.argument.name":
		return true
	}
	return strings.HasPrefix(path, "params._meta.io.modelcontextprotocol/") || strings.HasPrefix(path, "result._meta.io.modelcontextprotocol/")
}

// handle reports whether a value ties a message to another one, whatever its key
// sounds like: a progress token is no token of access. Only its form can say that
// it is more than that.
func handle(path string) bool {
	switch path {
	case "id", "params.requestId", "params.progressToken", "params._meta.progressToken":
		return true
	}
	return false
}

// opaque reports whether a value is nobody's to read but the one's who made it.
// It travels byte for byte; admit seals it before a client sees it.
func opaque(path string) bool {
	switch path {
	case "params.cursor", "result.nextCursor", "params.requestState", "result.requestState", "params.taskId", "result.task.taskId",
		"params._meta.traceparent", "params._meta.tracestate":
		return true
	}
	return false
}

// listed reports whether a value in a definition is one of those that a member of
// a schema may have.
func listed(path string) bool {
	if !strings.HasPrefix(path, "result.tools[*].inputSchema.") && !strings.HasPrefix(path, "result.tools[*].outputSchema.") {
		return false
	}
	return strings.HasSuffix(path, ".enum[*]") || strings.HasSuffix(path, ".const") || strings.HasSuffix(path, ".default")
}

// choosable reports whether a tool may offer a value of a type for choice: a city
// or a month is no person's because a schema lists it, and hidden in a call it is
// no valid argument. Names of persons, and values whose form proves what they are,
// stay hidden wherever they stand, for a schema is written by the server.
func choosable(t pii.Type) bool {
	switch t {
	case pii.Location, pii.Organization, pii.NRP, pii.Title, pii.Age, pii.DateTime:
		return true
	}
	return false
}

// below is the path as profiles write it: from the arguments or the structured
// result on, else from the params, the result or the error.
func below(path string) string {
	for _, head := range []string{"params.arguments.", "result.structuredContent.", "params.", "result.", "error."} {
		if rest, ok := strings.CutPrefix(path, head); ok {
			return rest
		}
	}
	return path
}

// ranges are byte ranges in ascending order.
type ranges [][2]int

// covers reports whether a range holds the byte.
func (r ranges) covers(at int) bool {
	i, _ := slices.BinarySearchFunc(r, at, func(x [2]int, at int) int {
		if x[1] <= at {
			return -1
		}
		return 1
	})
	return i < len(r) && r[i][0] <= at
}

// removals returns the edits that take out the members and elements whose values
// begin at one of the places, and the ranges that they cut.
func removals(m *wire.Message, gone map[int]bool) (edits []wire.Edit, cut ranges) {
	if len(gone) == 0 {
		return nil, nil
	}
	var walk func(v wire.Value)
	walk = func(v wire.Value) {
		is := func(v wire.Value) bool { start, _ := v.Range(); return gone[start] }
		switch v.Kind() {
		case wire.Object:
			edits = append(edits, wire.RemoveMembers(v, func(_ wire.Member, v wire.Value) bool { return is(v) })...)
			for _, below := range v.Members() {
				walk(below)
			}
		case wire.Array:
			edits = append(edits, wire.RemoveElements(v, func(_ int, v wire.Value) bool { return is(v) })...)
			for below := range v.Elements() {
				walk(below)
			}
		}
	}
	walk(m.Root())
	for _, e := range edits {
		cut = append(cut, [2]int{e.Start, e.End})
	}
	slices.SortFunc(cut, func(a, b [2]int) int { return a[0] - b[0] })
	return edits, cut
}
