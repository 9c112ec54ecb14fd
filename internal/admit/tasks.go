package admit

import (
	"encoding/json"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// Tasks of 2025-11-25 (basic/utilities/tasks) outlive their request, and the
// server sees the gateway alone: by its ids one caller could read or cancel
// another's task (M28, TestHostileTasks). So a client gets a handle in place of
// each id, bound to the principal, the endpoint and the server, which carries
// the call that began the task, so that the decision on it is taken again.

// relatedTask is the metadata key of messages that belong to a task.
const relatedTask = "io.modelcontextprotocol/related-task"

// taskLife is how long a task can be asked for, whatever life it was given.
const taskLife = 7 * 24 * time.Hour

// mostTasks bounds the tasks that a session remembers.
const mostTasks = 4096

// task is what a handle holds.
type task struct {
	ID     string `json:"t"` // the server's own
	Method string `json:"m"` // of the call that began it
	Name   string `json:"n,omitempty"`
}

// tasks are those of one session: the handle that the client knows by the
// server's id, so that each message about a task names it the same way. The
// oldest are forgotten first; their handles open all the same.
type tasks struct {
	mu     sync.Mutex
	handle map[string]string
	order  []string
}

func (t *tasks) know(id, handle string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.handle == nil {
		t.handle = map[string]string{}
	}
	if _, known := t.handle[id]; !known {
		if len(t.order) == mostTasks {
			delete(t.handle, t.order[0])
			t.order = t.order[1:]
		}
		t.order = append(t.order, id)
	}
	t.handle[id] = handle
}

func (t *tasks) find(id string) (handle string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	handle, ok = t.handle[id]
	return handle, ok
}

// haveTasks reports whether x is of the version that has tasks.
func (f *face) haveTasks(x *exchange.Exchange) bool {
	return f.known != nil && x.Version == wire.V20251125
}

func taskBinding(x *exchange.Exchange) string { return x.Endpoint + "\x00" + source(x) }

func taskKey(x *exchange.Exchange, id string) string { return source(x) + "\x00" + id }

// sealTasks puts handles in the place of the task ids of a server's message.
// News of a task that is not this session's are withheld, and lists hold only
// what is. A related task that is not known is the client's own.
func (f *face) sealTasks(x *exchange.Exchange, m *wire.Message) (*wire.Message, error) {
	r := m.Result()
	edits, err := f.began(x, r.Get("task").Get("taskId"))
	if err != nil {
		return nil, err
	}
	related := r.Get("_meta")
	if m.Kind() != wire.Response {
		related = m.Meta()
	}
	for _, v := range []wire.Value{related.Get(relatedTask).Get("taskId"), f.ownID(x, r)} {
		if edit, ok := f.renamed(x, v); ok {
			edits = append(edits, edit)
		}
	}
	if x.Fact.Method == "tasks/list" {
		edits = append(edits, f.listed(x, r.Get("tasks"))...)
	}
	if m.Method() == "notifications/tasks/status" {
		edit, ok := f.renamed(x, m.Params().Get("taskId"))
		if !ok {
			x.Drop = fault.BadMessage
			return m, nil
		}
		edits = append(edits, edit)
	}
	if len(edits) == 0 {
		return m, nil
	}
	return m.Rewrite(edits...)
}

// ownID is the id in the answer to a request about one task.
func (f *face) ownID(x *exchange.Exchange, result wire.Value) wire.Value {
	if x.Fact.Method != "tasks/get" && x.Fact.Method != "tasks/cancel" {
		return wire.Value{}
	}
	return result.Get("taskId")
}

// began makes the handle of a task that the answer to x announces.
func (f *face) began(x *exchange.Exchange, v wire.Value) ([]wire.Edit, error) {
	id, ok := v.Text()
	if !ok || x.Request == nil {
		return nil, nil
	}
	payload, err := json.Marshal(task{ID: id, Method: x.Request.Method(), Name: x.Request.Name()})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err)
	}
	cfg := f.door.cfg
	handle := cfg.Handles.Seal("task", x.Principal.ID, taskBinding(x), payload, cfg.Clock.Now().Add(taskLife))
	if handle == "" {
		return nil, fault.New(fault.UpstreamBad)
	}
	f.known.tasks.know(taskKey(x, id), handle)
	return []wire.Edit{wire.Replace(v, wire.Quote(handle))}, nil
}

// renamed replaces the server's id at v by the handle, if it is known.
func (f *face) renamed(x *exchange.Exchange, v wire.Value) (wire.Edit, bool) {
	id, ok := v.Text()
	if !ok {
		return wire.Edit{}, false
	}
	handle, ok := f.known.tasks.find(taskKey(x, id))
	if !ok {
		return wire.Edit{}, false
	}
	return wire.Replace(v, wire.Quote(handle)), true
}

// listed keeps the session's own tasks of a list.
func (f *face) listed(x *exchange.Exchange, list wire.Value) []wire.Edit {
	var kept []wire.Edit
	edits := wire.RemoveElements(list, func(_ int, v wire.Value) bool {
		edit, ok := f.renamed(x, v.Get("taskId"))
		if ok {
			kept = append(kept, edit)
		}
		return !ok
	})
	return append(edits, kept...)
}

// openTask puts the server's id in the place of the handle of a request about
// a task. Whatever is wrong with a handle, the task is unknown.
func (f *face) openTask(x *exchange.Exchange) error {
	v := x.Request.Params().Get("taskId")
	t, err := f.opened(x, v)
	if err != nil {
		return fault.Wrap(fault.ResourceUnknown, err)
	}
	x.Origin = &exchange.Origin{Method: t.Method, Name: t.Name}
	m, err := x.Request.Rewrite(wire.Replace(v, wire.Quote(t.ID)))
	if err != nil {
		return fault.Wrap(fault.ResourceUnknown, err)
	}
	x.Request = m
	return nil
}

// openRelated does the same in the metadata of any other message of a client.
// What is no handle is a task of the client's own.
func (f *face) openRelated(x *exchange.Exchange, meta wire.Value) error {
	v := meta.Get(relatedTask).Get("taskId")
	if !v.Exists() {
		return nil
	}
	t, err := f.opened(x, v)
	if err != nil {
		return nil
	}
	m, err := x.Request.Rewrite(wire.Replace(v, wire.Quote(t.ID)))
	if err != nil {
		return fault.Wrap(fault.BadMessage, err)
	}
	x.Request = m
	return nil
}

func (f *face) opened(x *exchange.Exchange, v wire.Value) (task, error) {
	handle, _ := v.Text()
	payload, err := f.door.cfg.Handles.Open("task", x.Principal.ID, taskBinding(x), handle, x.Start)
	if err != nil {
		return task{}, err
	}
	var t task
	if err := json.Unmarshal(payload, &t); err != nil {
		return task{}, err
	}
	f.known.tasks.know(taskKey(x, t.ID), handle)
	return t, nil
}
