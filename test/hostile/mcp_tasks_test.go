package hostile

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// begins answers tools/call with a task, under ids that are easy to guess.
func begins(w *doortest.Conn, r *doortest.Request) {
	w.Result(`{"task":{"taskId":"task-` + string(r.Message().ID) + `","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":60000}}`)
}

// about answers a request about one task.
func about(w *doortest.Conn, r *doortest.Request) {
	w.Result(`{"taskId":"` + taskOf(r) + `","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":60000}`)
}

// taskOf is the task id in a request, as the server sees it.
func taskOf(r *doortest.Request) string { return between(string(r.Body), `"taskId":"`) }

// between is what follows the first mark, up to the next quote.
func between(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

const taskOptions = `{"tasks":{"list":{},"cancel":{}},"elicitation":{}}`

// TestHostileTasks puts M28: tasks of the legacy era belong to the caller that
// began them, whatever the server thinks, and the decision on the call that began
// one is taken again.
func TestHostileTasks(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{})
	w := &site{up: up, Door: doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{{Name: "s", URL: up.URL()}, {Name: "twin", URL: up.URL()}}, Agents: []string{"a", "b"},
	})}
	up.On("tools/call", begins)
	up.On("tasks/get", about)
	up.On("tasks/cancel", about)
	begin := func(c *doortest.Client, id string) string {
		t.Helper()
		r := c.Call(id, "tools/call", `{"name":"echo","arguments":{},"task":{"ttl":60000}}`)
		handle := between(r.Final(), `"taskId":"`)
		if len(handle) < 40 || strings.Contains(r.Final(), "task-") {
			t.Fatalf("the task is known as %s", r.Body)
		}
		return handle
	}
	a, b := w.legacy(t, "a", "s", taskOptions), w.legacy(t, "b", "s", taskOptions)
	mine, theirs := begin(a, "1"), begin(b, "2")
	t.Run("M28 another's", func(t *testing.T) { w.m28Foreign(t, b, mine, theirs) })
	t.Run("M28 its own", func(t *testing.T) { w.m28Own(t, a, mine) })
	t.Run("M28 lists", func(t *testing.T) { w.m28List(t, a, mine) })
	t.Run("M28 news", func(t *testing.T) { w.m28News(t, a, mine) })
	t.Run("M28 other versions", w.m28Versions)
	t.Run("M28 the grant is gone", func(t *testing.T) {
		w.Revoke("b", "s")
		w.Grant("b", "s", "modify", "add")
		for _, method := range []string{"tasks/get", "tasks/result", "tasks/cancel"} {
			w.quiet(t, "denied", 200, -32602, func() doortest.Reply { return b.Call("9", method, `{"taskId":"`+theirs+`"}`) })
		}
	})
}

// m28Foreign names a task that is not the caller's in every way.
func (w *site) m28Foreign(t *testing.T, b *doortest.Client, mine, own string) {
	flipped := own[:len(own)-3] + map[bool]string{true: "B", false: "A"}[own[len(own)-3] == 'A'] + own[len(own)-2:]
	for name, id := range map[string]string{"handle": mine, "server's id": "task-1", "its own, as the server knows it": "task-2", "flipped": flipped, "empty": "", "long": strings.Repeat("A", 3000)} {
		for _, method := range []string{"tasks/get", "tasks/result", "tasks/cancel"} {
			t.Run(name+" "+method, func(t *testing.T) {
				w.quiet(t, "resource_unknown", 200, -32602, func() doortest.Reply { return b.Call("9", method, `{"taskId":"`+id+`"}`) })
			})
		}
	}
	twin := w.legacy(t, "b", "twin", taskOptions)
	w.quiet(t, "resource_unknown", 200, -32602, func() doortest.Reply { return twin.Call("9", "tasks/get", `{"taskId":"`+own+`"}`) })
}

// m28Own uses a task in the session that began it, in another one, and after a
// restart.
func (w *site) m28Own(t *testing.T, a *doortest.Client, mine string) {
	check := func(c *doortest.Client, method string) {
		t.Helper()
		r, req := w.passes(t, method, func() doortest.Reply { return c.Call("9", method, `{"taskId":"`+mine+`"}`) })
		if got := taskOf(req); got != "task-1" {
			t.Errorf("the server was asked for %q", got)
		}
		if got := between(r.Final(), `"taskId":"`); got != mine {
			t.Errorf("the client sees %s", r.Body)
		}
	}
	check(a, "tasks/get")
	check(w.legacy(t, "a", "s", taskOptions), "tasks/get")
	check(a, "tasks/cancel")
	w.Restart()
	if r := a.Call("9", "tasks/get", `{"taskId":"`+mine+`"}`); between(r.Final(), `"taskId":"`) != mine {
		t.Errorf("after a restart: %d %s", r.Status, r.Body)
	}
}

// m28List: a server that lists everybody's tasks.
func (w *site) m28List(t *testing.T, a *doortest.Client, mine string) {
	var all []string
	for i := range 4 {
		all = append(all, fmt.Sprintf(`{"taskId":"task-%d","status":"working"}`, i))
	}
	w.up.On("tasks/list", doortest.Answer(`{"tasks":[`+strings.Join(all, ",")+`],"nextCursor":"n"}`))
	r := a.Call("9", "tasks/list", `{}`)
	if got := string(r.Message().Result); got != `{"tasks":[{"taskId":"`+mine+`","status":"working"}],"nextCursor":"n"}` {
		t.Errorf("%s", r.Body)
	}
}

// m28News: a server that mixes up whose task its messages are about.
func (w *site) m28News(t *testing.T, a *doortest.Client, mine string) {
	status := func(id string) string {
		return `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"` + id + `","status":"working"}}`
	}
	related := func(id string) string {
		return `"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"` + id + `"}}`
	}
	w.up.On("tasks/result", doortest.Events(status("task-2"), status("task-1"), status("task-77"),
		`{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{`+related("task-1")+`,"message":"m","requestedSchema":{"type":"object","properties":{}}}}`,
		`{"jsonrpc":"2.0","id":%ID%,"result":{"content":[],`+related("task-1")+`}}`))
	n := len(w.Exchanges())
	r := a.Call("9", "tasks/result", `{"taskId":"`+mine+`"}`)
	if len(r.Messages) != 3 || strings.Contains(string(r.Body), "task-") || strings.Count(string(r.Body), mine) != 3 {
		t.Fatalf("the client saw %q", r.Messages)
	}
	if rec := w.last(t, n); rec.Dropped != 2 || rec.Passed != 3 {
		t.Errorf("record %s", rec.Line)
	}
	w.up.Forget()
	answer := `{"jsonrpc":"2.0","id":` + string(doortest.Envelope([]byte(r.Messages[1])).ID) + `,"result":{"action":"decline",` + related(mine) + `}}`
	if r := a.Post(answer); r.Status != 202 || !strings.Contains(string(w.up.Received()), related("task-1")) {
		t.Errorf("%d %s; the server saw %s", r.Status, r.Body, w.up.Received())
	}
}

// m28Versions: there are no tasks before 2025-11-25, and those of 2026-07-28 are
// an extension that cannot be enabled.
func (w *site) m28Versions(t *testing.T) {
	for _, version := range legacyVersions[:3] {
		c := w.client(t, "a", "s")
		c.Initialize(version, taskOptions)
		w.quiet(t, "method_unknown", 200, -32601, func() doortest.Reply { return c.Call("9", "tasks/get", `{"taskId":"task-1"}`) })
	}
	c := w.client(t, "a", "s")
	for _, method := range []string{"tasks/get", "tasks/update", "tasks/cancel"} {
		w.quiet(t, "method_unknown", 404, -32601, func() doortest.Reply {
			return c.Call("9", method, `{"taskId":"task-1"}`, doortest.Header{Name: "Mcp-Name", Value: "task-1"})
		})
	}
}
