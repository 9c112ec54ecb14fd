package registry

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Snapshot is an immutable view of the whole registry at one version. All
// methods are safe for concurrent use, and a nil Snapshot is an empty one.
// What they return is shared: nobody changes it.
type Snapshot struct {
	version uint64
	servers []*Server
	byID    map[string]*Server
	agents  map[string]*Agent
	tokens  map[string]*Token
	certs   map[string]*Certificate
	grants  map[grantKey]*Grant
	visible map[string][]*Server
	nouns   map[NounKind]map[string]*liveNoun
	derived *derived
}

// A Derivation names what one room computes of every Snapshot. The room that it
// is named after is the only one that uses it.
type Derivation uint8

// The derivations.
const (
	OfPolicy Derivation = iota // compiled rules of the decision
	OfFilter                   // compiled filters
	derivations
)

// derived is what other rooms computed from a Snapshot.
type derived [derivations]struct {
	once   sync.Once
	value  atomic.Pointer[any]
	before any // what was computed for an earlier view, or nil
}

// copy returns a view that shares everything with s but what is derived.
func (s *Snapshot) copy() *Snapshot {
	if s == nil {
		return &Snapshot{derived: &derived{}}
	}
	out := *s
	out.derived = &derived{}
	if s.derived == nil {
		return &out
	}
	for i := range s.derived {
		if v := s.derived[i].value.Load(); v != nil {
			out.derived[i].before = *v
		} else {
			out.derived[i].before = s.derived[i].before
		}
	}
	return &out
}

// Derived returns what compute makes of s; it is called once for each view, with
// what it made of an earlier one, or nil.
func (s *Snapshot) Derived(of Derivation, compute func(s *Snapshot, before any) any) any {
	if s == nil || s.derived == nil {
		return compute(s, nil)
	}
	d := &s.derived[of]
	d.once.Do(func() {
		v := compute(s, d.before)
		d.value.Store(&v)
	})
	if v := d.value.Load(); v != nil {
		return *v
	}
	return compute(s, nil) // the first one panicked
}

type grantKey struct{ agent, server string }

// NewSnapshot builds a view from rows, which it copies. Of rows with the same
// key the last one counts.
func NewSnapshot(version uint64, servers []Server, agents []Agent, tokens []Token, certs []Certificate, grants []Grant) *Snapshot {
	s := &Snapshot{
		derived: &derived{},
		version: version,
		agents:  index(agents, func(v Agent) string { return v.ID }),
		tokens:  index(tokens, func(v Token) string { return v.ID }),
		certs:   index(certs, func(v Certificate) string { return v.Serial }),
		grants:  index(grants, func(v Grant) grantKey { return grantKey{v.Agent, v.Server} }),
	}
	s.setServers(index(servers, func(v Server) string { return v.ID }), servers)
	s.setVisible()
	return s
}

// setServers makes byID the servers, of which changed are new here.
func (s *Snapshot) setServers(byID map[string]*Server, changed []Server) {
	s.byID, s.servers = byID, nil
	for i := range changed {
		v := byID[changed[i].ID]
		v.Tools = slices.Clone(v.Tools)
		v.tools = make(map[string]*Tool, len(v.Tools))
		for i := range v.Tools {
			v.tools[v.Tools[i].Name] = &v.Tools[i]
		}
	}
	for _, v := range byID {
		s.servers = append(s.servers, v)
	}
	slices.SortFunc(s.servers, byServerID)
}

// setVisible lists for each agent the active servers of its grants.
func (s *Snapshot) setVisible() {
	s.visible = make(map[string][]*Server)
	for key := range s.grants {
		if server := s.byID[key.server]; server != nil && server.State == Active {
			s.visible[key.agent] = append(s.visible[key.agent], server)
		}
	}
	for _, list := range s.visible {
		slices.SortFunc(list, byServerID)
	}
}

// index copies rows into a map by key.
func index[K comparable, V any](rows []V, key func(V) K) map[K]*V {
	out := make(map[K]*V, len(rows))
	for _, row := range rows {
		out[key(row)] = &row
	}
	return out
}

func byServerID(a, b *Server) int { return cmp.Compare(a.ID, b.ID) }

// Version returns the number of the view; it rises with every change.
func (s *Snapshot) Version() uint64 {
	if s == nil {
		return 0
	}
	return s.version
}

// Server returns the server, or nil.
func (s *Snapshot) Server(id string) *Server {
	if s == nil {
		return nil
	}
	return s.byID[id]
}

// Agent returns the agent, or nil.
func (s *Snapshot) Agent(id string) *Agent {
	if s == nil {
		return nil
	}
	return s.agents[id]
}

// Token returns the token with this visible id, or nil.
func (s *Snapshot) Token(id string) *Token {
	if s == nil {
		return nil
	}
	return s.tokens[id]
}

// Certificate returns the certificate with this serial, or nil.
func (s *Snapshot) Certificate(serial string) *Certificate {
	if s == nil {
		return nil
	}
	return s.certs[serial]
}

// Grant returns what the agent was granted on the server, or nil.
func (s *Snapshot) Grant(agent, server string) *Grant {
	if s == nil {
		return nil
	}
	return s.grants[grantKey{agent, server}]
}

// Servers returns every server in every state, sorted by id.
func (s *Snapshot) Servers() []*Server {
	if s == nil {
		return nil
	}
	return s.servers
}

// Visible returns the active servers on which the agent has a grant, sorted by
// id. It does not ask whether the agent is active: policy does.
func (s *Snapshot) Visible(agent string) []*Server {
	if s == nil {
		return nil
	}
	return s.visible[agent]
}

// AgentActive reports whether the agent exists and is active.
func (s *Snapshot) AgentActive(id string) bool {
	a := s.Agent(id)
	return a != nil && a.State == Active
}

// TokenHolder returns the agent and the hash of a token, and whether the token
// is in force at now: neither revoked nor expired.
func (s *Snapshot) TokenHolder(id string, now time.Time) (agent string, hash []byte, live bool) {
	t := s.Token(id)
	if t == nil {
		return "", nil, false
	}
	return t.Agent, t.Hash, !t.Revoked && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}

// TokenLimits returns what a token reaches at most, and at whose endpoint alone
// it is good; "" does not limit.
func (s *Snapshot) TokenLimits(id string) (scope, server string) {
	if t := s.Token(id); t != nil {
		return t.Scope, t.Server
	}
	return "", ""
}

// CertificateHolder returns the agent of a certificate that the gateway issued
// and whether it is in force at now.
func (s *Snapshot) CertificateHolder(serial string, now time.Time) (agent string, live bool) {
	c := s.Certificate(serial)
	if c == nil {
		return "", false
	}
	return c.Agent, !c.Revoked && now.Before(c.NotAfter)
}

// CertificatesBefore returns the serials of at most limit certificates that
// ended before a time.
func (s *Snapshot) CertificatesBefore(t time.Time, limit int) (serials []string) {
	for serial, c := range s.certs {
		if c.NotAfter.Before(t) && len(serials) < limit {
			serials = append(serials, serial)
		}
	}
	return serials
}

// Tool returns the tool with exactly this name, or nil. On a server of a
// Snapshot it is one map lookup.
func (s *Server) Tool(name string) *Tool {
	if s.tools != nil {
		return s.tools[name]
	}
	for i := range s.Tools {
		if s.Tools[i].Name == name {
			return &s.Tools[i]
		}
	}
	return nil
}
