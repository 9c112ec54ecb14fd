package wire

import (
	"bytes"

	"ostiary.dev/ostiary/internal/fault"
)

// Parse tokenizes and checks one message: everything of a message's form that
// can be judged without its session. raw is kept, not copied; the caller must
// not change it.
//
// The error is always a *fault.Error: NotJSON, BadMessage, BadParams or
// TooLarge. The message is then non-nil only to carry ID(), and only if the
// text was JSON with one id of valid form.
func Parse(raw []byte, lim Limits, from Side) (*Message, error) {
	m := &Message{lim: lim, side: from}
	doc, flaw, err := tokenize(raw, &m.lim)
	if err != nil {
		return nil, err
	}
	if doc.toks[0].kind != Object {
		return nil, fault.Newf(fault.BadMessage, "The body must be one JSON object.")
	}
	m.doc = doc
	c := checker{doc: &m.doc, lim: &m.lim, from: from, kind: fault.BadMessage}
	if err := m.check(&c, flaw); err != nil {
		if m.id.IsZero() || m.id == NullID {
			return nil, err
		}
		return &Message{id: m.id}, err
	}
	return m, nil
}

// check fills the message from its envelope and judges it. The id is read
// first, so that every later refusal can quote it.
func (m *Message) check(c *checker, flaw *fault.Error) *fault.Error {
	m.envelope(c)
	idErr := m.readID()
	switch {
	case flaw != nil:
		return flaw
	case c.err != nil:
		return c.err
	case m.at.jsonrpc == 0 || string(m.value(m.at.jsonrpc).Raw()) != `"2.0"` && !m.value(m.at.jsonrpc).Is("2.0"):
		return fault.Newf(fault.BadMessage, `The member jsonrpc must be the string "2.0".`)
	case idErr != nil:
		return idErr
	}
	if err := m.classify(); err != nil {
		return err
	}
	return m.content(c)
}

// envelope finds the protocol members of the root and refuses case variants.
func (m *Message) envelope(c *checker) {
	toks := m.doc.toks
	ids := 0
	for k := uint32(1); k < toks[0].next; k = toks[k+1].next {
		name := c.name(k)
		switch string(name) {
		case "jsonrpc":
			m.at.jsonrpc = k + 1
		case "id":
			m.at.id = k + 1
			ids++
		case "method":
			m.at.method = k + 1
		case "params":
			m.at.params = k + 1
		case "result":
			m.at.result = k + 1
		case "error":
			m.at.error = k + 1
		default:
			if _, exact := scopes.envelope.find(name, toks[k].flags); !exact {
				c.variant(k)
			}
		}
	}
	if ids > 1 {
		m.at.id = 0 // which one is meant is what the refusal is about
	}
}

// readID takes over the id if its form is valid.
func (m *Message) readID() *fault.Error {
	if m.at.id == 0 {
		return nil
	}
	v := m.value(m.at.id)
	switch v.Kind() {
	case Null:
		m.id = NullID
		return nil
	case String, Number:
		if m.lim.fitsID(v) {
			m.id = v.ID()
			return nil
		}
	}
	return fault.Newf(fault.BadMessage,
		"The member id must be a string without control characters or an integer, and no longer than the gateway accepts.")
}

// classify decides the kind from the envelope's members.
func (m *Message) classify() *fault.Error {
	method, result, failure := m.at.method != 0, m.at.result != 0, m.at.error != 0
	switch {
	case method && (result || failure), result && failure:
		return fault.Newf(fault.BadMessage, "A message has exactly one of method, result and error.")
	case method:
		return m.call()
	case result:
		return m.answer()
	case failure:
		return m.failure()
	}
	return fault.Newf(fault.BadMessage, "A message needs one of method, result and error.")
}

// call judges the envelope of a request or notification.
func (m *Message) call() *fault.Error {
	v := m.value(m.at.method)
	if v.Kind() != String || len(m.doc.inside(m.at.method)) == 0 {
		return fault.Newf(fault.BadMessage, "The member method must be a string that is not empty.")
	}
	known := m.doc.method(m.at.method)
	if known != nil {
		m.method = known.name
	} else {
		m.method, _ = v.Text()
	}
	switch {
	case len(m.method) > m.lim.Method:
		return fault.Newf(fault.BadMessage, "The member method is longer than the gateway accepts.")
	case hasControl(m.method):
		return fault.Newf(fault.BadMessage, "The member method holds a control character.")
	case m.id == NullID:
		return fault.Newf(fault.BadMessage, "The member id must not be null; leave it out of a notification.")
	case m.at.id != 0:
		m.kind = Request
	default:
		m.kind = Notification
	}
	switch {
	case known == nil:
	case known.notification && m.kind == Request:
		return fault.Newf(fault.BadMessage, "A notification must not have an id.")
	case !known.notification && m.kind == Notification:
		// A call without an id would run without an answer to record (J16).
		return fault.Newf(fault.BadMessage, "This method is a request; give it an id.")
	}
	return nil
}

// answer judges the envelope of a result.
func (m *Message) answer() *fault.Error {
	m.kind = Response
	switch {
	case m.at.id == 0 || m.id == NullID:
		return fault.Newf(fault.BadMessage, "A result needs the id of its request.")
	case m.at.params != 0:
		return fault.Newf(fault.BadMessage, "A result has no params.")
	case m.value(m.at.result).Kind() != Object:
		return fault.Newf(fault.BadMessage, "The member result must be an object.")
	}
	return nil
}

// failure judges the envelope of an error answer, whose id may be null or
// absent when the request could not be read.
func (m *Message) failure() *fault.Error {
	m.kind = ErrorResponse
	v := m.value(m.at.error)
	_, integer := v.Get("code").Int()
	switch {
	case m.at.params != 0:
		return fault.Newf(fault.BadMessage, "An error answer has no params.")
	case v.Kind() != Object:
		return fault.Newf(fault.BadMessage, "The member error must be an object.")
	case !integer:
		return fault.Newf(fault.BadMessage, "The member error.code must be an integer of at most 64 bits.")
	case v.Get("message").Kind() != String:
		return fault.Newf(fault.BadMessage, "The member error.message must be a string.")
	}
	return nil
}

// content judges params, result or error by the scopes of the protocol.
func (m *Message) content(c *checker) *fault.Error {
	switch m.kind {
	case Response:
		c.object(m.at.result, scopes.result)
		m.at.meta = m.Result().Get("_meta").at
	case ErrorResponse:
		c.object(m.at.error, scopes.failure)
	default:
		return m.callContent(c)
	}
	return c.err
}

// callContent judges the params of a request or notification.
func (m *Message) callContent(c *checker) *fault.Error {
	routed := ""
	if known := m.doc.method(m.at.method); known != nil {
		routed = known.routed
	}
	if m.at.params != 0 {
		if m.Params().Kind() != Object {
			return fault.Newf(fault.BadParams, "The member params must be an object.")
		}
		c.kind = fault.BadParams
		c.object(m.at.params, scopes.params)
		if c.err != nil {
			return c.err
		}
		m.at.meta = m.Params().Get("_meta").at
	}
	if routed == "" || m.removed() {
		return nil
	}
	name, ok := m.Params().Get(routed).Text()
	if !ok {
		return fault.Newf(fault.BadParams, "The method needs the string params.%s.", routed)
	}
	m.name = name
	return nil
}

// removed reports whether the method is known, but not in the version that the
// message names: it is then answered as unknown, whatever its params.
func (m *Message) removed() bool {
	named := m.Meta().Get(metaVersion)
	for _, v := range Versions {
		if named.Is(string(v)) {
			_, here := Lookup(m.method, v, m.side)
			return !here
		}
	}
	return false
}

// IsBatch reports whether the first byte after white space begins an array.
func IsBatch(raw []byte) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && raw[0] == '['
}

// ParseBatch splits a batch of the client's, which exists in 2025-03-26 only:
// a non-empty array of at most max messages. Each is checked as Parse does, and
// one bad member refuses the whole batch.
func ParseBatch(raw []byte, lim Limits, max int) ([]*Message, error) {
	outer := lim
	outer.Depth++
	doc, flaw, err := tokenize(raw, &outer)
	if err == nil {
		err = flaw
	}
	if err != nil {
		return nil, err
	}
	batch := Value{doc: &doc}
	n := batch.Len()
	switch {
	case batch.Kind() != Array || n == 0:
		return nil, fault.Newf(fault.BadMessage, "A batch is an array of at least one message.")
	case n > max:
		return nil, fault.Newf(fault.TooLarge, "A batch holds at most %d messages.", max)
	}
	messages := make([]*Message, 0, n)
	for v := range batch.Elements() {
		m, err := Parse(v.Raw(), lim, FromClient)
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	return messages, nil
}
