package authorize

import (
	"maps"
	"slices"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/wire"
)

// Bounds of what is remembered about reads.
const (
	labelLife   = time.Hour // after the last read
	maxSessions = 256       // told apart, for each caller
	sweepAt     = 1000      // callers, from which on the quiet ones are looked for
)

// flows remembers, for each caller, the labels of what it was shown, so that a
// policy can refuse to let a secret leave through another server (P15,
// TestP15ReadThenSend). The zero value is ready.
//
// Only sessions of /mcp can be told apart: a client of single servers has one
// session with each, and the modern era has none, so their calls see what the
// caller read anywhere. Nothing is forgotten to make room: a session too many
// joins what counts for all. It is kept in this process alone.
type flows struct {
	mu      sync.Mutex
	callers map[caller]*flow
}

// caller is an agent, and the person for whom it acts, as a pseudonym.
type caller struct{ agent, person string }

// flow is what one caller read: label to the time of the last read.
type flow struct {
	all      map[string]time.Time            // anywhere
	loose    map[string]time.Time            // where no session could be told
	sessions map[string]map[string]time.Time // through /mcp, by session
}

// place returns whose flow x belongs to, and its session, "" when it cannot be
// told apart.
func place(x *exchange.Exchange) (caller, string) {
	who := caller{x.Principal.ID, x.Principal.Person}
	if x.Parent == "" || x.Session == nil {
		return who, ""
	}
	return who, x.Session.ID
}

// seen returns the labels that the session of x read before now, sorted.
func (f *flows) seen(x *exchange.Exchange, now time.Time) []string {
	who, session := place(x)
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.callers[who]
	if c == nil {
		return nil
	}
	var out []string
	collect := func(from map[string]time.Time) {
		for label, at := range from {
			if now.Sub(at) <= labelLife {
				out = append(out, label)
			}
		}
	}
	if session == "" {
		collect(c.all)
	} else {
		collect(c.loose)
		collect(c.sessions[session])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// note keeps that the session of x is about to read what has the labels.
func (f *flows) note(x *exchange.Exchange, labels []string, now time.Time) {
	if len(labels) == 0 {
		return
	}
	who, session := place(x)
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.callers[who]
	if c == nil {
		f.sweep(now)
		c = &flow{all: map[string]time.Time{}, loose: map[string]time.Time{}, sessions: map[string]map[string]time.Time{}}
		f.callers[who] = c
	}
	own := c.loose
	if session != "" {
		own = c.session(session, now)
	}
	for _, label := range labels {
		c.all[label], own[label] = now, now
	}
}

// session returns the labels of a session, and makes room for a new one.
func (c *flow) session(id string, now time.Time) map[string]time.Time {
	if own := c.sessions[id]; own != nil {
		return own
	}
	if len(c.sessions) >= maxSessions {
		for old, labels := range c.sessions {
			if expired(labels, now) {
				delete(c.sessions, old)
			}
		}
	}
	if len(c.sessions) >= maxSessions { // opening sessions must not make the gateway forget one
		return c.loose
	}
	c.sessions[id] = map[string]time.Time{}
	return c.sessions[id]
}

// expired reports whether every label has expired, and drops those that have.
func expired(labels map[string]time.Time, now time.Time) bool {
	maps.DeleteFunc(labels, func(_ string, at time.Time) bool { return now.Sub(at) > labelLife })
	return len(labels) == 0
}

// sweep drops callers that read nothing for long, when there are many.
func (f *flows) sweep(now time.Time) {
	if f.callers == nil {
		f.callers = map[caller]*flow{}
	}
	if len(f.callers) < sweepAt {
		return
	}
	maps.DeleteFunc(f.callers, func(_ caller, c *flow) bool { return expired(c.all, now) })
}

// reads notes the labels of what x.Message shows to the caller. Any message of
// the server in a call or a read counts, errors and questions among them: each
// can carry what was asked for. Lists, greetings and news that something
// changed do not.
func (s *Step) reads(x *exchange.Exchange) {
	if x.Server == nil || tells(x) {
		return
	}
	s.flows.note(x, labelsOf(x), s.Clock.Now())
}

// Found notes labels of what was found in an answer and passes to the caller as
// it is, beside those of its server and tool.
func (s *Step) Found(x *exchange.Exchange, labels []string) { s.flows.note(x, labels, s.Clock.Now()) }

// tells reports whether x.Message says only what there is, or that it changed.
func tells(x *exchange.Exchange) bool {
	switch x.Message.Method() {
	case "ping", "notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed",
		"notifications/resources/updated", "notifications/subscriptions/acknowledged":
		return true
	case "":
		return x.Request != nil && slices.Contains([]wire.Action{wire.ActSession, wire.ActRead, wire.ActListen}, x.Fact.Action)
	}
	return x.Request != nil && (x.Fact.Action == wire.ActSession || x.Fact.Action == wire.ActRead)
}

// labelsOf returns the labels of what x asked for. An answer that comes without
// its call, on a resumed stream or for a task that is not known, may be of any
// tool.
func labelsOf(x *exchange.Exchange) []string {
	switch {
	case x.Tool != nil:
		return policy.Labels(x.Server, x.Tool)
	case x.Origin != nil:
		return policy.Labels(x.Server, x.Server.Tool(x.Origin.Name))
	case x.Resume == nil && x.Fact.Action != wire.ActTask && x.Fact.Action != wire.ActOwn:
		return x.Server.Labels
	}
	all := slices.Clone(x.Server.Labels)
	for i := range x.Server.Tools {
		all = append(all, x.Server.Tools[i].Labels...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
