package doortest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Conn answers one request. Its methods write raw bytes; write errors mean
// that the gateway has gone away, which a handler may ignore.
type Conn struct {
	u      *Upstream
	c      net.Conn
	req    *Request
	gone   <-chan struct{}
	via    *Conn // HTTP+SSE: the stream that carries the answers; else nil
	stream bool  // an event stream has begun
	closed bool  // close the connection after the handler
}

// Gone is closed once the peer has closed the connection.
func (w *Conn) Gone() <-chan struct{} { return w.gone }

// Raw writes b as it is.
func (w *Conn) Raw(b string) {
	_ = w.c.SetWriteDeadline(time.Now().Add(Patience))
	_, _ = w.c.Write([]byte(b))
}

// Respond writes one whole response with a Content-Length.
func (w *Conn) Respond(status int, contentType, body string, headers ...Header) {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	if contentType != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", contentType)
	}
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	w.Raw(b.String())
}

// JSON writes body as application/json with status 200.
func (w *Conn) JSON(body string, headers ...Header) {
	w.Respond(http.StatusOK, "application/json", body, headers...)
}

// Begin starts an event stream, chunked, unless it has begun.
func (w *Conn) Begin(headers ...Header) {
	if w.stream || w.via != nil {
		return
	}
	w.stream = true
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n")
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	w.Raw(b.String() + "\r\n")
}

// Chunk writes text as one chunk of the event stream, whatever it holds.
func (w *Conn) Chunk(text string) {
	if w.via != nil {
		w.via.Chunk(text)
		return
	}
	w.Begin()
	w.Raw(fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
}

// Event writes one message event. id may be "".
func (w *Conn) Event(id, data string) {
	if id != "" {
		id = "id: " + id + "\n"
	}
	w.Chunk(id + "event: message\ndata: " + data + "\n\n")
}

// End ends the event stream in good order.
func (w *Conn) End() {
	if w.via == nil {
		w.Raw("0\r\n\r\n")
	}
}

// Close makes the connection end after the handler.
func (w *Conn) Close() { w.closed = true }

// Hang answers nothing (more) until the peer goes away or the test ends.
func (w *Conn) Hang() {
	select {
	case <-w.gone:
	case <-w.u.quit:
	}
	w.closed = true
}

// Wait blocks until gate is closed or receives, and tells whether it did so
// before the peer went away or the test ended.
func (w *Conn) Wait(gate <-chan struct{}) bool {
	select {
	case <-gate:
		return true
	case <-w.gone:
	case <-w.u.quit:
	}
	return false
}

// Ask sends a server's request of the legacy era on the event stream and waits
// for the client's answer; ok is false when none came. id and params are JSON.
func (w *Conn) Ask(id, method, params string) (answer Message, ok bool) {
	came := make(chan Message, 1)
	w.u.mu.Lock()
	w.u.pending[id] = came
	w.u.mu.Unlock()
	w.Event("", fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, params))
	select {
	case answer = <-came:
		return answer, true
	case <-w.gone:
	case <-w.u.quit:
	}
	return Message{}, false
}

// Result writes a result for the request, by JSON or as an event, whichever
// the server's configuration or an event before it chose.
func (w *Conn) Result(result string, headers ...Header) {
	w.Message(`{"jsonrpc":"2.0","id":`+string(w.req.Message().ID)+`,"result":`+result+`}`, headers...)
}

// Message writes body, the answer to the request, byte for byte.
func (w *Conn) Message(body string, headers ...Header) {
	if !w.stream && !w.u.config.SSE && w.via == nil {
		w.JSON(body, headers...)
		return
	}
	w.Begin(headers...)
	w.Event("", body)
	w.End()
}

// Fail writes a JSON-RPC error for the request.
func (w *Conn) Fail(status, code int, message string) {
	text, _ := json.Marshal(message) // a string always marshals
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%s}}`, idOrNull(w.req), code, text)
	if w.via != nil {
		w.via.Event("", body)
		return
	}
	w.Respond(status, "application/json", body)
}

func idOrNull(r *Request) string {
	if id := r.Message().ID; id != nil {
		return string(id)
	}
	return "null"
}
