package doortest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Handler answers one request. It may return without having answered: then
// the connection is closed.
type Handler func(w *Conn, r *Request)

// On sets the handler of one JSON-RPC method, "GET" or "DELETE"; nil brings
// the default back.
func (u *Upstream) On(method string, h Handler) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.handlers[method] = h
}

// OnEvery sets a handler that sees every request before anything else does;
// nil removes it.
func (u *Upstream) OnEvery(h Handler) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.every = h
}

// Push writes data as an event on the open GET stream of every session and on
// every open listen stream. It returns how many streams that were.
func (u *Upstream) Push(data string) int {
	u.mu.Lock()
	streams := make([]*Conn, 0, len(u.streams))
	for _, w := range u.streams {
		streams = append(streams, w)
	}
	u.mu.Unlock()
	for _, w := range streams {
		w.Event("", data)
	}
	return len(streams)
}

// AwaitStreams blocks until n GET or listen streams are open.
func (u *Upstream) AwaitStreams(n int) {
	u.tb.Helper()
	u.Await(fmt.Sprintf("%d open streams", n), func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return len(u.streams) == n
	})
}

// EndSessions forgets every legacy session: later requests get 404.
func (u *Upstream) EndSessions() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.sessions)
}

func (u *Upstream) handle(w *Conn, r *Request) {
	m := r.Message()
	key := m.Method
	if r.Method != http.MethodPost {
		key = r.Method
	}
	u.mu.Lock()
	every, h := u.every, u.handlers[key]
	u.mu.Unlock()
	if every == nil && u.config.OldSSE && !u.attach(w, r) {
		return
	}
	switch {
	case every != nil:
		every(w, r)
	case h != nil:
		h(w, r)
	default:
		w.Standard()
	}
}

// Standard answers the request as a well-behaved server does. A handler calls
// it for what it does not want to change.
func (w *Conn) Standard() {
	u, r := w.u, w.req
	switch {
	case w.via != nil:
		w.via.Event("", line(r.Message(), u.config.Modern))
	case pathOf(r.Target) != u.config.Path:
		w.Respond(http.StatusNotFound, "text/plain", "nothing here")
	case r.Method == http.MethodGet:
		u.openStream(w, r)
	case r.Method == http.MethodDelete:
		u.endSession(w, r)
	case r.Method == http.MethodPost:
		u.post(w, r)
	default:
		w.Respond(http.StatusMethodNotAllowed, "", "")
	}
}

func (u *Upstream) post(w *Conn, r *Request) {
	m := r.Message()
	modern := m.Modern()
	switch {
	case u.config.Legacy && modern:
		w.Fail(http.StatusBadRequest, -32600, "Bad Request: unsupported protocol version (supported versions: "+LegacyVersion+")")
		return
	case u.config.Modern && !modern && m.Method != "" && m.ID != nil:
		w.Fail(http.StatusBadRequest, -32022, "Unsupported protocol version")
		return
	case m.Method == "":
		u.deliver(m)
		w.Respond(http.StatusAccepted, "", "")
		return
	case m.ID == nil:
		w.Respond(http.StatusAccepted, "", "")
		return
	case !modern && m.Method != "initialize" && !u.knows(r):
		w.Fail(http.StatusNotFound, -32001, "Session not found")
		return
	case m.Method == "subscriptions/listen" && modern:
		u.listen(w, m)
		return
	}
	result, code, text := standard(m, modern, u.config.Modern)
	if code != 0 {
		status := http.StatusOK
		if code == -32601 && modern {
			status = http.StatusNotFound
		}
		w.Fail(status, code, text)
		return
	}
	if m.Method == "initialize" && !u.config.Stateless {
		w.Result(result, Header{"Mcp-Session-Id", u.newSession()})
		return
	}
	w.Result(result)
}

// listen acknowledges the whole filter and keeps the stream open.
func (u *Upstream) listen(w *Conn, m Message) {
	var p struct {
		Filter json.RawMessage `json:"notifications"`
	}
	if json.Unmarshal(m.Params, &p) != nil || p.Filter == nil {
		p.Filter = json.RawMessage(`{}`)
	}
	w.Event("", `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":`+
		string(m.ID)+`},"notifications":`+string(p.Filter)+`}}`)
	u.hold(fmt.Sprintf("listen-%p", w), w)
}

func (u *Upstream) openStream(w *Conn, r *Request) {
	if u.config.Modern || u.config.Stateless {
		w.Respond(http.StatusMethodNotAllowed, "", "", Header{"Allow", "POST"})
		return
	}
	if !u.knows(r) {
		w.Respond(http.StatusNotFound, "", "")
		return
	}
	w.Begin()
	u.hold(r.Get("Mcp-Session-Id"), w)
}

// hold registers w as the open stream called key until the peer goes away.
func (u *Upstream) hold(key string, w *Conn) {
	u.mu.Lock()
	u.streams[key] = w
	u.wake()
	u.mu.Unlock()
	w.Hang()
	u.mu.Lock()
	delete(u.streams, key)
	u.wake()
	u.mu.Unlock()
}

func (u *Upstream) endSession(w *Conn, r *Request) {
	if !u.knows(r) || u.config.Stateless {
		w.Respond(http.StatusNotFound, "", "")
		return
	}
	u.mu.Lock()
	delete(u.sessions, r.Get("Mcp-Session-Id"))
	u.mu.Unlock()
	w.Respond(http.StatusNoContent, "", "")
}

func (u *Upstream) newSession() string {
	id := rand.Text()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sessions[id] = true
	u.made++
	return id
}

// Sessions counts the legacy sessions made since the start.
func (u *Upstream) Sessions() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.made
}

func (u *Upstream) knows(r *Request) bool {
	if u.config.Stateless {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.sessions[r.Get("Mcp-Session-Id")]
}

// deliver hands a client's answer to the Ask that waits for it.
func (u *Upstream) deliver(m Message) {
	u.mu.Lock()
	came := u.pending[string(m.ID)]
	delete(u.pending, string(m.ID))
	u.mu.Unlock()
	if came != nil {
		came <- m
	}
}

// attach speaks the HTTP+SSE transport of 2024-11-05: GET opens the one
// stream, whose first event names the URL for POST; answers flow on it. It
// tells whether r is a request that still wants an answer.
func (u *Upstream) attach(w *Conn, r *Request) bool {
	switch {
	case r.Method == http.MethodGet && pathOf(r.Target) == u.config.Path:
		id := u.newSession()
		w.Begin()
		u.mu.Lock()
		u.streams[id] = w // before its address is known, which may be used at once
		u.mu.Unlock()
		w.Chunk("event: endpoint\ndata: " + u.endpoint(id) + "\n\n")
		u.hold(id, w)
	case r.Method == http.MethodPost && strings.HasPrefix(r.Target, "/messages?session="):
		u.mu.Lock()
		w.via = u.streams[strings.TrimPrefix(r.Target, "/messages?session=")]
		u.mu.Unlock()
		if w.via == nil {
			w.Respond(http.StatusNotFound, "", "")
			return false
		}
		w.Respond(http.StatusAccepted, "", "")
		m := r.Message()
		if m.Method == "" {
			u.deliver(m)
		}
		return m.Method != "" && m.ID != nil
	default:
		w.Respond(http.StatusNotFound, "", "")
	}
	return false
}

// endpoint is the URL that the first event of the old transport names.
func (u *Upstream) endpoint(session string) string {
	if u.config.Endpoint != "" {
		return u.config.Endpoint
	}
	return "/messages?session=" + session
}

// line is the standard answer to m as one JSON-RPC message.
func line(m Message, only bool) string {
	result, code, text := standard(m, m.Modern(), only)
	if code != 0 {
		said, _ := json.Marshal(text) // a string always marshals
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%s}}`, m.ID, code, said)
	}
	return `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + result + `}`
}
