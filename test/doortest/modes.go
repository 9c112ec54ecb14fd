package doortest

import (
	"fmt"
	"strings"
)

// The handlers below are the ways in which servers go wrong, and a few in
// which they are merely unusual. Set them with On or OnEvery.

// Answer gives a result, JSON text.
func Answer(result string) Handler {
	return func(w *Conn, _ *Request) { w.Result(result) }
}

// Exactly gives body as the whole answer, byte for byte, with %ID% replaced by
// the request's id.
func Exactly(body string) Handler {
	return func(w *Conn, r *Request) {
		w.Message(strings.ReplaceAll(body, "%ID%", idOrNull(r)))
	}
}

// Status gives a bare HTTP answer.
func Status(status int, contentType, body string, headers ...Header) Handler {
	return func(w *Conn, _ *Request) { w.Respond(status, contentType, body, headers...) }
}

// Events gives an event stream of these messages, with %ID% replaced by the
// request's id, and ends it.
func Events(messages ...string) Handler {
	return func(w *Conn, r *Request) {
		w.Begin()
		for _, m := range messages {
			w.Event("", strings.ReplaceAll(m, "%ID%", idOrNull(r)))
		}
		w.End()
	}
}

// Hang never answers.
func Hang(w *Conn, _ *Request) { w.Hang() }

// HangUp closes the connection without an answer.
func HangUp(w *Conn, _ *Request) { w.Close() }

// Bytes gives raw bytes in place of an HTTP answer and closes.
func Bytes(raw string) Handler {
	return func(w *Conn, _ *Request) {
		w.Raw(raw)
		w.Close()
	}
}

// Redirect points elsewhere.
func Redirect(status int, location string) Handler {
	return Status(status, "", "", Header{"Location", location})
}

// Huge gives a well-formed result whose text is n bytes long.
func Huge(n int) Handler {
	return func(w *Conn, r *Request) {
		head := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","content":[{"type":"text","text":"`, idOrNull(r))
		tail := `"}]}}`
		w.Raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(head)+n+len(tail), head))
		block := strings.Repeat("x", 64<<10)
		for n > 0 {
			part := block[:min(n, len(block))]
			w.Raw(part)
			n -= len(part)
		}
		w.Raw(tail)
	}
}

// Trickle gives body as a JSON answer, one byte for each receive from gate.
func Trickle(gate <-chan struct{}, body string) Handler {
	return func(w *Conn, r *Request) {
		body := strings.ReplaceAll(body, "%ID%", idOrNull(r))
		w.Raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body)))
		for i := range len(body) {
			if !w.Wait(gate) {
				w.Close()
				return
			}
			w.Raw(body[i : i+1])
		}
	}
}

// Gated answers as the default does once gate is closed or receives.
func Gated(gate <-chan struct{}) Handler {
	return func(w *Conn, _ *Request) {
		if w.Wait(gate) {
			w.Standard()
			return
		}
		w.Close()
	}
}

// Flood writes the message as an event again and again until the peer goes
// away or n were written, and then closes.
func Flood(n int, message string) Handler {
	return func(w *Conn, r *Request) {
		message := strings.ReplaceAll(message, "%ID%", idOrNull(r))
		for range n {
			select {
			case <-w.gone:
				w.Close()
				return
			default:
			}
			w.Event("", message)
		}
		w.Close()
	}
}

// HalfStream writes the messages as events, then breaks the connection without
// the answer and without the end of the chunked body.
func HalfStream(messages ...string) Handler {
	return func(w *Conn, r *Request) {
		w.Begin()
		for _, m := range messages {
			w.Event("", strings.ReplaceAll(m, "%ID%", idOrNull(r)))
		}
		w.Close()
	}
}
