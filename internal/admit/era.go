package admit

import (
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// supported is the data of a -32022 error: every version we speak.
const supported = `"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"]`

// era decides once which era x belongs to, and checks what that era demands of
// every request (protocol.md 1; MCP 2026-07-28 basic/versioning).
func (f *face) era(x *exchange.Exchange) error {
	inBody, has := x.Request.ProtocolVersion()
	header := wire.Version(x.Mirrors.Version)
	switch {
	case has && header != "" && string(header) != inBody:
		return fault.Newf(fault.HeaderMismatch, "The header MCP-Protocol-Version does not agree with the body.")
	case has && !wire.Version(inBody).Known():
		return unknownVersion(inBody)
	case header != "" && !header.Known():
		return unknownVersion(string(header))
	case has || header.Era() == wire.Modern:
		return f.modern(x, inBody, has)
	}
	return f.legacy(x, header)
}

func unknownVersion(v string) error {
	e := fault.New(fault.VersionUnknown)
	if len(v) <= 64 {
		e.Data = `{` + supported + `,"requested":` + string(wire.Quote(v)) + `}`
	} else {
		e.Data = `{` + supported + `}`
	}
	return e
}

// modern checks a request of 2026-07-28: metadata and headers say the same,
// and every request brings its own capabilities.
func (f *face) modern(x *exchange.Exchange, inBody string, has bool) error {
	x.Era, x.Version = wire.Modern, wire.V20260728
	m := x.Request
	if m.Kind() != wire.Request && m.Kind() != wire.Notification {
		return fault.Newf(fault.BadMessage, "Send requests and notifications only; there are no responses in this protocol version.")
	}
	if has && wire.Version(inBody).Era() != wire.Modern {
		return fault.New(fault.HeaderMismatch)
	}
	if m.Kind() == wire.Request && !has {
		return fault.Newf(fault.BadParams, "params._meta must hold io.modelcontextprotocol/protocolVersion.")
	}
	fact, known := wire.Lookup(m.Method(), x.Version, wire.FromClient)
	if m.Kind() == wire.Request {
		caps := m.Meta().Get("io.modelcontextprotocol/clientCapabilities")
		if caps.Kind() != wire.Object {
			return fault.Newf(fault.BadParams, "params._meta must hold io.modelcontextprotocol/clientCapabilities, an object.")
		}
		x.Capable = string(caps.Raw())
	}
	mr := x.Mirrors
	if !known && mr.HasMethod && mr.Method == m.Method() {
		return fault.New(fault.MethodUnknown) // whatever else it lacks
	}
	if err := wire.CheckMirrors(m, mr.Version, mr.Method, mr.HasMethod, mr.Name, mr.HasName, mr.Params, nil, false); err != nil {
		return err
	}
	if !known || fact.Extension != "" { // no extension can be enabled yet
		return fault.New(fault.MethodUnknown)
	}
	x.Fact = fact
	if fact.Method == "subscriptions/listen" {
		if m.Params().Get("notifications").Get("resourceSubscriptions").Len() > f.door.cfg.Limits.URIs {
			return fault.New(fault.Busy)
		}
		if err := f.take(f.door.listens, x.Principal.ID); err != nil {
			return err
		}
	}
	return f.openState(x)
}

// legacy checks a message of the versions up to 2025-11-25: all but initialize
// belong to a session.
func (f *face) legacy(x *exchange.Exchange, header wire.Version) error {
	x.Era = wire.Legacy
	m := x.Request
	if m.Method() == "initialize" {
		return f.initialize(x)
	}
	if err := f.session(x, header); err != nil {
		return err
	}
	if m.Kind() == wire.Response || m.Kind() == wire.ErrorResponse {
		return f.answer(x)
	}
	fact, known := wire.Lookup(m.Method(), x.Version, wire.FromClient)
	if !known {
		return fault.New(fault.MethodUnknown)
	}
	x.Fact = fact
	if f.haveTasks(x) {
		open := f.openRelated(x, m.Meta())
		if fact.Action == wire.ActTask && m.Kind() == wire.Request {
			open = f.openTask(x)
		}
		if open != nil {
			return open
		}
	}
	if m.Kind() == wire.Request {
		return f.enter(x)
	}
	return nil
}

// initialize prepares a new session. The version that the client offers is the
// server's to accept; a modern one cannot be had this way.
func (f *face) initialize(x *exchange.Exchange) error {
	m := x.Request
	if m.Kind() != wire.Request {
		return fault.New(fault.BadMessage)
	}
	offered, ok := m.Params().Get("protocolVersion").Text()
	if !ok {
		return fault.Newf(fault.BadParams, "params.protocolVersion must be a string.")
	}
	x.Version = wire.Version(offered)
	if !x.Version.Known() || x.Version.Era() != wire.Legacy {
		x.Version = wire.LatestLegacy
	}
	caps := m.Params().Get("capabilities")
	if caps.Kind() != wire.Object {
		return fault.Newf(fault.BadParams, "params.capabilities must be an object.")
	}
	x.Capable = string(caps.Raw())
	x.Fact, _ = wire.Lookup("initialize", x.Version, wire.FromClient)
	x.Session = &exchange.Session{
		ID: newID(), New: true, Version: x.Version, Capabilities: x.Capable,
		ClientInfo: string(m.Params().Get("clientInfo").Raw()), Bound: x.Endpoint == "", Created: x.Start,
	}
	return f.take(f.door.sessions, x.Principal.ID)
}

// session opens the session that the request names.
func (f *face) session(x *exchange.Exchange, header wire.Version) error {
	handle, ok := f.r.Header.Get("Mcp-Session-Id")
	if !ok {
		return fault.New(fault.SessionMissing)
	}
	s, err := f.door.sessions.open(x.Principal.ID, x.Endpoint, handle, x.Start)
	if err != nil {
		return err
	}
	f.known = s
	x.Session, x.Version, x.Capable, x.Era = s.session, s.session.Version, s.session.Capabilities, wire.Legacy
	// Another legacy version in the header changes nothing: the session's own
	// version counts, here and towards the server (M04).
	if header != "" && header.Era() != wire.Legacy {
		return fault.Newf(fault.BadHeader, "MCP-Protocol-Version is not a version of this session's era.")
	}
	return nil
}

// enter marks the request as under way in its session, so that its id is not
// used twice.
func (f *face) enter(x *exchange.Exchange) error {
	id := x.Request.ID()
	if !f.known.enter(id) {
		return fault.Newf(fault.BadMessage, "A request with this id is already under way in this session.")
	}
	s := f.known
	f.held = append(f.held, func() { s.leave(id) })
	return nil
}

// answer finds the server's question that the client answers. An answer that
// nobody waits for goes nowhere (J15).
func (f *face) answer(x *exchange.Exchange) error {
	p, ok := f.known.answered(x.Request.ID())
	if !ok {
		return fault.Newf(fault.BadMessage, "No request waits for this answer.")
	}
	m, err := x.Request.WithID(p.ID)
	if err != nil {
		return fault.Wrap(fault.BadMessage, err)
	}
	x.Request, x.Pending = m, &p
	x.Fact, _ = wire.Lookup(p.Method, x.Version, wire.FromServer)
	if f.haveTasks(x) {
		return f.openRelated(x, m.Result().Get("_meta"))
	}
	return nil
}

// readVerb handles GET and DELETE, which exist in the legacy era alone.
func (f *face) readVerb(x *exchange.Exchange) error {
	if err := f.mirrors(x); err != nil {
		return err
	}
	if _, ok := f.r.Header.Get("Mcp-Session-Id"); !ok {
		return fault.New(fault.MethodNotAllowed)
	}
	header := wire.Version(x.Mirrors.Version)
	if header != "" && (!header.Known() || header.Era() != wire.Legacy) {
		return fault.Newf(fault.BadHeader, "MCP-Protocol-Version is not the version of this session.")
	}
	if err := f.session(x, header); err != nil {
		return err
	}
	if x.Verb == exchange.End {
		f.door.sessions.end(f.known)
		return nil
	}
	accept := false
	for v := range f.r.Header.All("Accept") {
		accept = accept || acceptsEvents(v)
	}
	if !accept {
		return fault.New(fault.NotAcceptable)
	}
	if err := f.take(f.door.streams, x.Principal.ID); err != nil {
		return err
	}
	return f.resume(x)
}

// resume opens Last-Event-ID and makes sure that a session has one stream of
// its own at most (S04).
func (f *face) resume(x *exchange.Exchange) error {
	if last, ok := f.r.Header.Get("Last-Event-ID"); ok {
		m, err := f.door.openMark(x, last)
		if err != nil {
			return err
		}
		if m.Kept {
			if err := f.rejoin(x, m); err != nil {
				return err
			}
		} else {
			x.Resume = &exchange.Resume{Server: m.Server, Event: m.Event, Request: wire.ParseID(m.Request), Progress: wire.ParseID(m.Progress)}
		}
		if x.Join != nil || x.Resume != nil && !x.Resume.Request.IsZero() {
			return nil // goes on with a request's stream, not with the session's
		}
	}
	if !f.known.openStream() {
		return fault.New(fault.StreamTaken)
	}
	s := f.known
	f.held = append(f.held, s.closeStream)
	return nil
}
