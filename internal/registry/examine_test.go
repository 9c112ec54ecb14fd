package registry

import (
	"reflect"
	"testing"
)

func examined(defs ...string) Examination {
	e := Examination{Eras: []string{"legacy"}, Listed: true}
	for i := 0; i < len(defs); i += 2 {
		e.Tools = append(e.Tools, Tool{Name: defs[i], Definition: defs[i+1]})
	}
	return e
}

func toolStates(s Server) map[string]ToolState {
	out := make(map[string]ToolState)
	for _, t := range s.Tools {
		out[t.Name] = t.State
	}
	return out
}

func kinds(changes []Change) map[string]ChangeKind {
	out := make(map[string]ChangeKind)
	for _, c := range changes {
		out[c.Tool] = c.Kind
	}
	return out
}

func check[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestMergeFirst: the first examination approves what it finds and keeps the
// classes that the operator named; what he named and is not there goes.
func TestMergeFirst(t *testing.T) {
	s := Server{ID: "s", Tools: []Tool{{Name: "read", Access: Read}, {Name: "ghost", Access: Read}}}
	s, changes := Merge(s, examined("write", `{"name":"write"}`, "read", `{"name":"read"}`))
	check(t, "states", toolStates(s), map[string]ToolState{"read": ToolApproved, "write": ToolApproved})
	check(t, "changes", kinds(changes), map[string]ChangeKind{"write": ToolAdded, "ghost": ToolRemoved})
	if s.Tool("read").Access != Read || s.Tool("write").Access != "" || s.Tools[0].Name != "read" || !s.Examined || s.Tool("read").Digest == "" {
		t.Errorf("tools are %+v", s.Tools)
	}
	check(t, "eras", s.Eras, []string{"legacy"})
}

// TestM11Drift: what differs from the pins is not callable, however it differs.
func TestM11Drift(t *testing.T) {
	s, _ := Merge(Server{ID: "s"}, examined("a", `{"v":1}`, "b", `{"v":1}`, "c", `{"v":1}`))
	s.Tools[0].Access = Write

	same, changes := Merge(s, examined("c", `{"v":1}`, "a", `{ "v" : 1 }`, "b", `{"v":1}`))
	check(t, "unchanged states", toolStates(same), toolStates(s))
	check(t, "unchanged changes", len(changes), 0)
	check(t, "unchanged access", same.Tool("a").Access, Write)

	drift, changes := Merge(s, examined("a", `{"v":2}`, "b", `{"v":1}`, "d", `{"v":1}`))
	check(t, "states", toolStates(drift), map[string]ToolState{"a": ToolChanged, "b": ToolApproved, "d": ToolNew})
	check(t, "changes", kinds(changes), map[string]ChangeKind{"a": ToolDiffers, "c": ToolRemoved, "d": ToolAdded})
	check(t, "old definition", changes[0].Old.Definition, `{"v":1}`)
	check(t, "access of the changed", drift.Tool("a").Access, Write)

	// Seen again, it is still not approved, and neither is the way back.
	again, changes := Merge(drift, examined("a", `{"v":2}`, "b", `{"v":1}`, "d", `{"v":1}`))
	check(t, "states again", toolStates(again), toolStates(drift))
	check(t, "changes again", len(changes), 0)
	back, _ := Merge(drift, examined("a", `{"v":1}`, "b", `{"v":1}`, "c", `{"v":1}`))
	check(t, "states back", toolStates(back), map[string]ToolState{"a": ToolChanged, "b": ToolApproved, "c": ToolNew})
	check(t, "the input", toolStates(s), map[string]ToolState{"a": ToolApproved, "b": ToolApproved, "c": ToolApproved})
}

// TestMergeHostileLists: a list with a name twice or with a definition that two
// parsers read differently gives no callable tool of that name, at any time.
func TestMergeHostileLists(t *testing.T) {
	known, _ := Merge(Server{ID: "s"}, examined("a", `{"v":1}`))
	for name, start := range map[string]Server{"first": {ID: "s"}, "later": known} {
		twice, changes := Merge(start, examined("a", `{"v":1}`, "a", `{"v":2}`))
		check(t, name+" twice", toolStates(twice), map[string]ToolState{"a": ToolChanged})
		check(t, name+" twice, change", kinds(changes)["a"], ToolTwice)
		equal, _ := Merge(start, examined("a", `{"v":1}`, "a", `{"v":1}`))
		check(t, name+" twice the same", toolStates(equal), map[string]ToolState{"a": ToolChanged})
		bad, changes := Merge(start, examined("a", `{"v":1,"v":2}`))
		check(t, name+" malformed", toolStates(bad), map[string]ToolState{"a": ToolChanged})
		check(t, name+" malformed, change", kinds(changes), map[string]ChangeKind{"a": ToolBad})
		still, _ := Merge(bad, examined("a", `{"v":1,"v":2}`))
		check(t, name+" still malformed", toolStates(still), map[string]ToolState{"a": ToolChanged})
	}
}

// TestMergeForgetsLookups: a Server taken from a snapshot finds its new tools.
func TestMergeForgetsLookups(t *testing.T) {
	first, _ := Merge(Server{ID: "s", State: Active}, examined("a", `{}`))
	live := *NewSnapshot(1, []Server{first}, nil, nil, nil, nil).Server("s")
	next, _ := Merge(live, examined("b", `{}`))
	if next.Tool("a") != nil || next.Tool("b") == nil || live.Tool("a") == nil {
		t.Error("lookups are stale")
	}
}

// A server whose list could not be had keeps what was known of it.
func TestMergeWithoutAListKeepsTheTools(t *testing.T) {
	before := Server{ID: "a", Examined: true, Tools: []Tool{{Name: "t", State: ToolApproved, Digest: "d"}}}
	after, changes := Merge(before, Examination{Eras: []string{"modern"}})
	if len(changes) != 0 || len(after.Tools) != 1 || !after.Examined || after.Eras[0] != "modern" {
		t.Fatalf("%+v, %v", after, changes)
	}
	fresh, _ := Merge(Server{ID: "b"}, Examination{Eras: []string{"modern"}})
	if fresh.Examined {
		t.Fatal("a server without a list counts as examined")
	}
}
