package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"ostiary.dev/ostiary/internal/fault"
)

// Event is one server-sent event. A priming event has an id and no data; a
// keep-alive is a Comment and nothing else.
type Event struct {
	Name    string // "", "message" or "endpoint"
	ID      string
	HasID   bool
	Data    []byte // nil if there is none; lines joined by LF
	Retry   string // digits, milliseconds; "" if there is none
	Comment bool
}

// ErrTruncated says that the stream ended within an event, which is discarded.
var ErrTruncated = errors.New("event stream ended within an event")

// What an event's fields may be at most, in bytes; framing is what an event may
// take on the wire beyond its data.
const (
	maxEventID = 4 << 10
	maxRetry   = 10
	framing    = 8 << 10
)

// Events reads an event stream as WHATWG HTML 9.2.6 says: lines end in LF, CR
// or CRLF, one leading BOM is dropped, unknown fields are ignored. It is for
// one goroutine and holds at most one line and one event.
type Events struct {
	r     io.Reader
	max   int
	buf   []byte // read, not yet taken; buf[next:]
	next  int
	lf    int // offset of the first LF at or after next, len(buf) if none is read yet
	cr    int // the same for CR
	err   error
	begun bool // the first bytes were looked at for a BOM
	skip  bool // the line before ended in CR: an LF now belongs to it

	event Event
	size  int  // bytes of the event so far
	any   bool // a field that makes an event was seen
	data  bool // a data line was seen
	said  bool // a comment was returned since the last blank line
	odd   bool // the event's name is not one of the protocol's
}

// NewEvents returns a reader of events with at most maxEvent bytes of data each.
func NewEvents(r io.Reader, maxEvent int) *Events { return &Events{r: r, max: maxEvent} }

// Next returns the next event or comment. Whatever ends a line group without
// saying anything counts as a comment, so that the caller sees, and can bound,
// every flood. The error is io.EOF at an orderly end, ErrTruncated for an
// unfinished event, a fault of kind UpstreamBad or UpstreamTooLarge for what is
// refused, or the reader's own. Errors are final.
func (e *Events) Next() (Event, error) {
	for {
		line, err := e.line()
		if err != nil {
			return Event{}, err
		}
		if len(line) == 0 {
			if e.said && !e.any {
				e.said = false // the comment before stood for this group
				continue
			}
			odd := e.odd
			ev := e.dispatch()
			if odd && len(ev.Data) > 0 {
				return Event{}, e.stop(fault.Newf(fault.UpstreamBad, "The server's event stream has an event of an unknown name."))
			}
			return ev, nil
		}
		if line[0] == ':' {
			if !e.any {
				e.said = true
				return Event{Comment: true}, nil
			}
			continue
		}
		if err := e.field(line); err != nil {
			return Event{}, e.stop(err)
		}
	}
}

// dispatch ends the event. One without data, id and retry says nothing.
func (e *Events) dispatch() Event {
	ev := e.event
	e.event, e.size, e.any, e.data, e.odd, e.said = Event{}, 0, false, false, false, false
	if len(ev.Data) == 0 {
		ev.Data = nil
		if !ev.HasID && ev.Retry == "" {
			return Event{Comment: true}
		}
	}
	return ev
}

// field takes one line of the form name, or name: value.
func (e *Events) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		e.any = true
		if e.addData(value); len(e.event.Data) > e.max {
			return fault.New(fault.UpstreamTooLarge)
		}
	case "event":
		e.any = true
		switch string(value) {
		case "", "message", "endpoint":
			e.event.Name, e.odd = string(value), false
		default:
			e.event.Name, e.odd = "", true // refused if it carries data
		}
	case "id":
		e.any = true
		if bytes.IndexByte(value, 0) >= 0 || len(value) > maxEventID {
			return fault.Newf(fault.UpstreamBad, "The server's event stream has an event id that is not valid.")
		}
		e.event.ID, e.event.HasID = string(value), true
	case "retry":
		e.any = true
		if n := digits(value, 0); n == 0 || n < len(value) || n > maxRetry {
			return fault.Newf(fault.UpstreamBad, "The server's event stream has a retry that is no number.")
		}
		e.event.Retry = string(value)
	}
	return nil
}

// addData appends a data line; the event owns its bytes.
func (e *Events) addData(value []byte) {
	if e.data {
		e.event.Data = append(e.event.Data, '\n')
	} else {
		e.event.Data = make([]byte, 0, len(value))
	}
	e.data = true
	e.event.Data = append(e.event.Data, value...)
}

// line returns the next line without its end; it lives until the next call.
func (e *Events) line() ([]byte, error) {
	for {
		e.begin()
		if e.skip && e.next < len(e.buf) {
			if e.skip = false; e.buf[e.next] == '\n' {
				e.next++
			}
		}
		if !e.skip && e.begun {
			if line, ok := e.take(); ok {
				e.size += len(line) + 1
				if e.size > e.max+framing {
					return nil, e.stop(fault.New(fault.UpstreamTooLarge))
				}
				if len(line) > 0 && line[0] == ':' && !e.any {
					e.size = 0
				}
				return line, nil
			}
		}
		if e.size+len(e.buf)-e.next > e.max+framing {
			return nil, e.stop(fault.New(fault.UpstreamTooLarge))
		}
		if e.err != nil {
			return nil, e.end()
		}
		e.fill()
	}
}

// take cuts a line off the buffer. The two searches keep what they found, so
// that no mix of line ends makes them look at a byte twice.
func (e *Events) take() ([]byte, bool) {
	e.lf = seek(e.buf, e.lf, e.next, '\n')
	e.cr = seek(e.buf, e.cr, e.next, '\r')
	end := min(e.lf, e.cr)
	if end >= len(e.buf) {
		return nil, false
	}
	line := e.buf[e.next:end]
	e.skip = e.buf[end] == '\r'
	e.next = end + 1
	return line, true
}

// seek returns the offset of the first c in buf at or after next, given that
// there is none in [next, from); len(buf) if there is none yet.
func seek(buf []byte, from, next int, c byte) int {
	if from < next {
		from = next
	}
	if from < len(buf) && buf[from] == c {
		return from
	}
	if i := bytes.IndexByte(buf[from:], c); i >= 0 {
		return from + i
	}
	return len(buf)
}

// bom is the byte order mark in UTF-8.
const bom = "\xEF\xBB\xBF"

// begin drops a byte order mark once the first bytes tell whether it is one.
func (e *Events) begin() {
	if e.begun || e.err == nil && len(e.buf) < len(bom) && strings.HasPrefix(bom, string(e.buf)) {
		return
	}
	e.begun = true
	if bytes.HasPrefix(e.buf, []byte(bom)) {
		e.next = len(bom)
	}
}

// readSize is how much is read at a time at first; it grows with the line, and
// an empty buffer larger than keepSize is given back.
const (
	readSize = 4 << 10
	keepSize = 64 << 10
)

// fill reads more behind what the buffer holds.
func (e *Events) fill() {
	if e.next > 0 && (e.next == len(e.buf) || e.next >= cap(e.buf)/2) {
		n := copy(e.buf, e.buf[e.next:])
		e.lf, e.cr = max(e.lf-e.next, 0), max(e.cr-e.next, 0)
		e.buf, e.next = e.buf[:n], 0
		if n == 0 && cap(e.buf) > keepSize {
			e.buf = nil
		}
	}
	if cap(e.buf)-len(e.buf) < readSize/2 {
		grown := make([]byte, len(e.buf), max(2*cap(e.buf), readSize))
		copy(grown, e.buf)
		e.buf = grown
	}
	n, err := e.r.Read(e.buf[len(e.buf):cap(e.buf)])
	e.buf = e.buf[:len(e.buf)+n]
	e.err = err
}

// end says how the stream ended.
func (e *Events) end() error {
	rest := e.buf[e.next:]
	if e.err == io.EOF && (e.any || len(rest) > 0 && rest[0] != ':') {
		return e.stop(ErrTruncated)
	}
	return e.stop(e.err)
}

// stop ends the reading for good.
func (e *Events) stop(err error) error {
	*e = Events{r: e.r, err: err, begun: true}
	return err
}

// AppendEvent appends the event in wire form. Data is one line (OneLine); if
// it is not, each line becomes a data line of its own. A field that could end
// its line early is left out.
func AppendEvent(dst []byte, e Event) []byte {
	if e.Comment {
		return append(dst, ":\n\n"...)
	}
	dst = appendField(dst, "event: ", e.Name, e.Name != "")
	dst = appendField(dst, "id: ", e.ID, e.HasID)
	dst = appendField(dst, "retry: ", e.Retry, e.Retry != "")
	if e.Data != nil || e.HasID {
		for line := range bytes.FieldsFuncSeq(e.Data, func(r rune) bool { return r == '\n' || r == '\r' }) {
			dst = append(append(append(dst, "data: "...), line...), '\n')
		}
		if len(e.Data) == 0 {
			dst = append(dst, "data: \n"...)
		}
	}
	return append(dst, '\n')
}

// appendField appends one field line if it is present and safe.
func appendField(dst []byte, name, value string, present bool) []byte {
	if !present || bytes.ContainsAny([]byte(value), "\r\n\x00") {
		return dst
	}
	return append(append(append(dst, name...), value...), '\n')
}
