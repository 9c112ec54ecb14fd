package registry

import (
	"maps"
	"slices"
)

// Touched names what a transaction changed, by key. Whole says that the names
// do not tell: everything has to be read.
type Touched struct {
	Whole                                 bool
	Servers, Agents, Tokens, Certificates []string
	Grants                                []Pair
	Nouns                                 []NounRef
}

// Pair names a grant.
type Pair struct{ Agent, Server string }

// Patch is what changed since a Snapshot: rows that are new or other, and
// grants and certificates that are gone. Nothing else ever goes but by an
// erasure, after which a Snapshot is built anew.
type Patch struct {
	Servers      []Server
	Agents       []Agent
	Tokens       []Token
	Certificates []Certificate
	Grants       []Grant
	Revoked      []Pair
	Ended        []string // serials
}

// With returns the view that NewSnapshot would build of the rows of s with the
// patch. It copies maps but looks at no row that did not change, as long as no
// server did.
func (s *Snapshot) With(version uint64, p Patch) *Snapshot {
	out := s.copy()
	out.version = version
	out.agents = merged(s.agents, p.Agents, func(v Agent) string { return v.ID })
	out.tokens = merged(s.tokens, p.Tokens, func(v Token) string { return v.ID })
	out.certs = merged(s.certs, p.Certificates, func(v Certificate) string { return v.Serial })
	if len(p.Ended) > 0 {
		out.certs = maps.Clone(out.certs)
		for _, serial := range p.Ended {
			delete(out.certs, serial)
		}
	}
	out.grants = merged(s.grants, p.Grants, func(v Grant) grantKey { return grantKey{v.Agent, v.Server} })
	if len(p.Revoked) > 0 {
		out.grants = maps.Clone(out.grants)
		for _, g := range p.Revoked {
			delete(out.grants, grantKey{g.Agent, g.Server})
		}
	}
	if len(p.Servers) > 0 {
		out.setServers(merged(s.byID, p.Servers, func(v Server) string { return v.ID }), p.Servers)
		out.setVisible()
		return out
	}
	out.visible = maps.Clone(s.visible)
	for _, g := range p.Grants {
		out.see(g.Agent, g.Server)
	}
	for _, g := range p.Revoked {
		out.see(g.Agent, g.Server)
	}
	return out
}

// see puts the server into the agent's list, or takes it out.
func (s *Snapshot) see(agent, server string) {
	list := slices.Clone(s.visible[agent])
	list = slices.DeleteFunc(list, func(v *Server) bool { return v.ID == server })
	if v := s.byID[server]; s.Grant(agent, server) != nil && v != nil && v.State == Active {
		list = append(list, v)
		slices.SortFunc(list, byServerID)
	}
	if len(list) == 0 {
		delete(s.visible, agent)
		return
	}
	s.visible[agent] = list
}

// merged returns the map with copies of the rows; the same map without rows.
func merged[K comparable, V any](old map[K]*V, rows []V, key func(V) K) map[K]*V {
	if len(rows) == 0 {
		return old
	}
	out := maps.Clone(old)
	for _, row := range rows {
		out[key(row)] = &row
	}
	return out
}

// Held returns what the agent has in the view, in no order.
func (s *Snapshot) Held(agent string) (tokens []Token, certs []Certificate, grants []Grant) {
	for _, t := range s.tokens {
		if t.Agent == agent {
			tokens = append(tokens, *t)
		}
	}
	for _, c := range s.certs {
		if c.Agent == agent {
			certs = append(certs, *c)
		}
	}
	for k, g := range s.grants {
		if k.agent == agent {
			grants = append(grants, *g)
		}
	}
	return tokens, certs, grants
}
