package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"ostiary.dev/ostiary/internal/registry"
)

// place finds the one server or agent that the scope names.
func (r *rule) place() {
	switch v := r.ast.Resource.(type) {
	case ast.ScopeTypeEq:
		r.home = serverOf(v.Entity)
	case ast.ScopeTypeIn:
		r.home = serverOf(v.Entity)
	case ast.ScopeTypeIsIn:
		r.home = serverOf(v.Entity)
	}
	if r.home == "" {
		r.home = actionHome(r.ast.Action)
	}
	if v, ok := r.ast.Principal.(ast.ScopeTypeEq); ok && v.Entity.Type == typeClient {
		r.owner = string(v.Entity.ID)
	}
}

func actionHome(scope ast.IsActionScopeNode) string {
	switch v := scope.(type) {
	case ast.ScopeTypeEq:
		return serverOf(v.Entity)
	case ast.ScopeTypeInSet:
		home := ""
		for i, e := range v.Entities {
			server := serverOf(e)
			if server == "" || i > 0 && server != home {
				return ""
			}
			home = server
		}
		return home
	}
	return ""
}

// candidates appends the rules whose scope the trial is in: the slice of the
// set that decides. What it leaves out could not match
// (TestSliceAgreesWithWholeSet).
func (s *Set) candidates(c *trial, out []*rule) []*rule {
	if s == nil {
		return out
	}
	if s.whole {
		return append(out, s.rules...)
	}
	for _, list := range [...][]*rule{s.any, s.home[c.server.ID], s.owner[c.agent.ID]} {
		for _, r := range list {
			if r.inScope(c) {
				out = append(out, r)
			}
		}
	}
	return out
}

// asked returns the facts that some rule of the set names.
func (s *Set) asked() []string {
	if s == nil {
		return nil
	}
	return s.facts
}

// mentions reports whether conditions of some rule name one of two entities.
func (s *Set) mentions(a, b types.EntityUID) bool {
	return s != nil && len(s.names) > 0 && (s.names[a] || s.names[b])
}

func (s *Set) alone() bool { return s != nil && s.single }

// concerns reports whether some permit names, or does not exclude, the agent
// and the server.
func (s *Set) concerns(agent *registry.Agent, server string) bool {
	if s == nil {
		return false
	}
	for _, list := range [...][]*rule{s.any, s.home[server], s.owner[agent.ID]} {
		for _, r := range list {
			if !r.forbid && memberOf(r.ast.Principal, agent) {
				return true
			}
		}
	}
	return false
}

func (r *rule) inScope(c *trial) bool {
	return actionIn(r.ast.Action, &c.target) && memberOf(r.ast.Principal, c.agent) && resourceIn(r.ast.Resource, c)
}

func actionIn(scope ast.IsActionScopeNode, t *target) bool {
	switch v := scope.(type) {
	case ast.ScopeTypeAll:
		return true
	case ast.ScopeTypeEq:
		return v.Entity == t.action
	case ast.ScopeTypeIn:
		return v.Entity == t.action || v.Entity == t.group
	case ast.ScopeTypeInSet:
		return slices.Contains(v.Entities, t.action) || slices.Contains(v.Entities, t.group)
	}
	return true
}

// memberOf reports whether an agent is in a scope for principals.
func memberOf(scope ast.IsScopeNode, agent *registry.Agent) bool {
	is := func(e types.EntityUID) bool { return e.Type == typeClient && string(e.ID) == agent.ID }
	in := func(e types.EntityUID) bool {
		return is(e) || e == tenantUID || e.Type == typeRole && slices.Contains(agent.Roles, string(e.ID))
	}
	switch v := scope.(type) {
	case ast.ScopeTypeAll:
		return true
	case ast.ScopeTypeEq:
		return is(v.Entity)
	case ast.ScopeTypeIn:
		return in(v.Entity)
	case ast.ScopeTypeIs:
		return v.Type == typeClient
	case ast.ScopeTypeIsIn:
		return v.Type == typeClient && in(v.Entity)
	}
	return true
}

func resourceIn(scope ast.IsScopeNode, c *trial) bool {
	of := c.target.resource
	in := func(e types.EntityUID) bool {
		return e == of || e == tenantUID || e.Type == typeServer && string(e.ID) == c.server.ID
	}
	switch v := scope.(type) {
	case ast.ScopeTypeAll:
		return true
	case ast.ScopeTypeEq:
		return v.Entity == of
	case ast.ScopeTypeIn:
		return in(v.Entity)
	case ast.ScopeTypeIs:
		return v.Type == of.Type
	case ast.ScopeTypeIsIn:
		return v.Type == of.Type && in(v.Entity)
	}
	return true
}
