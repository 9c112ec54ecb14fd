package record

import (
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/exchange"
)

// sessions writes the beginning and the end of a session beside the exchange
// that caused it. It comes before the entry that ends the exchange, and trails it never.
func (s *Step) sessions(x *exchange.Exchange, now time.Time) error {
	kind, ok := sessionKind(x)
	if !ok {
		return nil
	}
	e := Entry{Time: now, Kind: kind, Actor: x.Principal.Pseudonym, ActorBy: x.Principal.Method, Peer: network(x.Peer),
		Server: clip(x.Endpoint), Era: x.Era.String(), Version: string(x.Version), Session: x.Session.ID}
	if x.Server != nil {
		e.Leaf = x.Server.ID
	}
	if kind == auditlog.SessionEnded {
		e.Detail = "ended by the client"
	}
	entry, err := e.entry(now)
	if err != nil {
		return err
	}
	s.trail.add(s.c.Book.SubmitTrailing(entry), entry, s.owe)
	return nil
}

// sessionKind says whether x began or ended a session. Parts of /mcp share the
// session of the whole.
func sessionKind(x *exchange.Exchange) (auditlog.Kind, bool) {
	switch {
	case x.Session == nil || x.Parent != "" || x.Fault != nil:
		return "", false
	case x.Verb == exchange.End:
		return auditlog.SessionEnded, true
	case x.Fact.Method == "initialize" && x.Outcome == exchange.OK:
		return auditlog.SessionStarted, true
	}
	return "", false
}
