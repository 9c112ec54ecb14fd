package policy

import (
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"ostiary.dev/ostiary/internal/registry"
)

// view is what policy made of one Snapshot. It holds no Snapshot, so that an
// old one is not kept by a new one. What is made of single rows is made when
// first asked for: a change of one row costs nothing for the others.
type view struct {
	active, shadow *Set
	grants         sync.Map // *registry.Grant -> *rule
	rows           sync.Map // *registry.Agent, *registry.Server -> *types.Entity; *registry.Tool -> *itemView
}

// viewOf returns the view of s. The sets are compiled once for each text.
func viewOf(s *registry.Snapshot) *view {
	return s.Derived(registry.OfPolicy, func(s *registry.Snapshot, before any) any {
		old, _ := before.(*view)
		if old == nil {
			old = &view{}
		}
		return &view{active: setOf(s, registry.PolicyActive, old.active), shadow: setOf(s, registry.PolicyShadow, old.shadow)}
	}).(*view)
}

// SetOf returns the set that is in force in s, nil when there is none.
func SetOf(s *registry.Snapshot) *Set { return viewOf(s).active }

// ShadowOf returns the set that s tries beside the one in force, or nil.
func ShadowOf(s *registry.Snapshot) *Set { return viewOf(s).shadow }

// setOf compiles a bundle of s, or takes old when it has the same text. A bundle
// that does not verify, does not match its hash or does not parse makes a set
// that refuses everything (P01, TestP01BrokenBundleDeniesAll).
func setOf(s *registry.Snapshot, id string, old *Set) *Set {
	p := registry.Get[registry.Policy](s, registry.KindPolicy, id)
	switch {
	case p == nil:
		return nil
	case p.Broken != "":
		return &Set{hash: p.Hash, broken: p.Broken}
	case registry.PolicyHash(p.Sources) != p.Hash:
		return &Set{hash: p.Hash, broken: "the policies are not those that were applied"}
	case old != nil && old.broken == "" && old.hash == p.Hash:
		return old
	}
	set, problems := load(p.Sources)
	if len(problems) > 0 {
		return &Set{hash: p.Hash, broken: problems[0].String()}
	}
	return set
}

// grantRule returns the permit that a grant is.
func (v *view) grantRule(g *registry.Grant) *rule {
	if r, ok := v.grants.Load(g); ok {
		return r.(*rule)
	}
	r := compileGrant(g)
	v.grants.Store(g, r)
	return r
}

// compileGrant makes a permit of a grant. Its id is "grant:SERVER": the agent,
// who may be a person, stands in records as a pseudonym beside it.
func compileGrant(g *registry.Grant) *rule {
	var groups []types.EntityUID
	for _, access := range []registry.Access{registry.Read, registry.Write, registry.Modify} {
		if Includes(g.Access, access) {
			groups = append(groups, action(string(access)))
		}
	}
	p := ast.Permit().PrincipalEq(uid(typeClient, g.Agent)).ResourceIn(uid(typeServer, g.Server))
	if len(groups) == 1 {
		p.ActionIn(groups[0]) // Cedar makes a set anew each time
	} else {
		p.ActionInSet(groups...)
	}
	var named map[string]bool
	if len(g.Tools) > 0 {
		named = map[string]bool{}
		tools := make([]types.Value, 0, len(g.Tools))
		for _, name := range g.Tools {
			tools, named[name] = append(tools, uid(typeTool, g.Server+"/"+name)), true
		}
		// A grant that names tools names no resources or prompts: these stay
		// readable, as they have always been.
		p.When(ast.Not(ast.Resource().Is(typeTool)).Or(ast.Value(types.NewSet(tools...)).Contains(ast.Resource())))
	}
	return &rule{id: "grant:" + g.Server, grant: true, policy: cedar.NewPolicyFromAST(publicAST(p)), ast: p, tools: named}
}
