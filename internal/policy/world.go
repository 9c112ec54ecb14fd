package policy

import (
	"net/netip"
	"slices"
	"strings"

	publicast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// tenantUID is the one tenant.
var tenantUID = uid(typeTenant, "default")

func publicAST(p *ast.Policy) *publicast.Policy { return (*publicast.Policy)(p) }

// world answers Cedar's questions about entities, for one trial. This is the
// one place that builds them.
type world struct {
	c         *trial
	principal types.EntityUID
	context   types.Record
}

func (v *view) worldOf(c *trial) *world {
	return &world{c: c, principal: uid(typeClient, c.agent.ID)}
}

// Get returns an entity; what the registry does not know has no attributes and
// no parents.
func (w *world) Get(e types.EntityUID) (types.Entity, bool) {
	c := w.c
	switch e.Type {
	case typeAction:
		if e == c.target.action && c.target.group != (types.EntityUID{}) {
			return types.Entity{UID: e, Parents: parentsOf(c.target.group)}, true
		}
	case typeClient:
		if e == w.principal {
			return c.view.client(c.agent), true
		}
	case typeServer:
		if string(e.ID) == c.server.ID {
			return c.view.server(c.server), true
		}
	case typeTool, typeResource, typePrompt:
		if e == c.target.resource {
			return c.view.item(e, c.server, c.tool), true
		}
	case typeRole:
		return types.Entity{UID: e, Parents: tenantParents}, true
	case typePerson:
		return types.Entity{UID: e, Parents: tenantParents}, true
	}
	return types.Entity{UID: e}, true
}

var (
	tenantParents = types.NewEntityUIDSet(tenantUID)
	groupParents  = map[types.EntityUID]types.EntityUIDSet{
		action("read"): types.NewEntityUIDSet(action("read")), action("write"): types.NewEntityUIDSet(action("write")),
		action("modify"): types.NewEntityUIDSet(action("modify")),
	}
)

func parentsOf(group types.EntityUID) types.EntityUIDSet { return groupParents[group] }

// cached returns what build makes of a row, made once for a view.
func (v *view) cached(row any, build func() types.Entity) types.Entity {
	if e, ok := v.entities.Load(row); ok {
		return e.(types.Entity)
	}
	e := build()
	v.entities.Store(row, e)
	return e
}

func (v *view) client(a *registry.Agent) types.Entity {
	return v.cached(a, func() types.Entity {
		parents := []types.EntityUID{tenantUID}
		for _, role := range a.Roles {
			parents = append(parents, uid(typeRole, role))
		}
		return types.Entity{UID: uid(typeClient, a.ID), Parents: types.NewEntityUIDSet(parents...),
			Attributes: types.NewRecord(types.RecordMap{"tenant": tenantUID, "zone": types.String(a.Zone), "clearance": texts(a.Clearance)})}
	})
}

func (v *view) server(s *registry.Server) types.Entity {
	return v.cached(s, func() types.Entity {
		return types.Entity{UID: uid(typeServer, s.ID), Parents: tenantParents,
			Attributes: types.NewRecord(types.RecordMap{"labels": texts(s.Labels), "zone": types.String(s.Zone), "state": types.String(s.State)})}
	})
}

// item is a tool, a resource or a prompt. Its labels are those of its server
// and its own.
func (v *view) item(e types.EntityUID, s *registry.Server, t *registry.Tool) types.Entity {
	if t != nil && e.Type == typeTool {
		return v.cached(t, func() types.Entity { return itemEntity(e, s, Labels(s, t)) })
	}
	return itemEntity(e, s, s.Labels)
}

func itemEntity(e types.EntityUID, s *registry.Server, labels []string) types.Entity {
	return types.Entity{UID: e, Parents: types.NewEntityUIDSet(uid(typeServer, s.ID)),
		Attributes: types.NewRecord(types.RecordMap{"labels": texts(labels)})}
}

// Labels returns the labels of what a tool reads: its server's and its own. t
// may be nil.
func Labels(s *registry.Server, t *registry.Tool) []string {
	if t == nil {
		return s.Labels
	}
	return union(s.Labels, t.Labels)
}

// context builds what the rules read of the circumstances, and nothing else. An
// error is an argument that some rule reads and that Cedar cannot hold exactly.
func (c *trial) context() error {
	c.open = c.q.Some
	if len(c.merged.call) == 0 && len(c.merged.args) == 0 && !c.merged.has {
		return nil
	}
	m := types.RecordMap{}
	if len(c.merged.call) > 0 {
		m["call"] = c.call()
	}
	if c.q.IsTool && (len(c.merged.args) > 0 || c.merged.has) {
		args, err := c.arguments()
		if err != nil {
			return err
		}
		m["args"] = args
	}
	c.world.context = types.NewRecord(m)
	return nil
}

// call builds the members of context.call that are read.
func (c *trial) call() types.Value {
	m, call, p := types.RecordMap{}, &c.q.Call, &c.q.Principal
	read := func(name string) bool {
		return slices.Contains(c.merged.call, name) || slices.Contains(c.merged.call, "*")
	}
	put := func(name string, value func() types.Value) {
		if read(name) {
			m[types.String(name)] = value()
		}
	}
	put("auth_strength", func() types.Value { return types.Long(p.Strength) })
	put("mfa", func() types.Value { return types.Boolean(p.Strength >= identity.TwoStep) })
	put("chain", func() types.Value {
		if p.Person == "" {
			return types.NewSet()
		}
		return types.NewSet(uid(typePerson, p.Person))
	})
	put("purpose", func() types.Value { return types.String(c.purpose()) })
	put("signature_state", func() types.Value { return types.String(call.Signature) })
	put("scopes", func() types.Value { return texts(strings.Fields(p.Scopes)) })
	put("session_labels", func() types.Value { return texts(call.Labels) })
	put("approved", func() types.Value { return types.Boolean(call.Approved) })
	put("facts", c.facts)
	if read("time") && !call.Time.IsZero() { // a time that is not known is an error where it is read
		m["time"] = types.NewDatetime(call.Time)
	}
	if ip := call.IP.Unmap().WithZone(""); read("ip") && ip.IsValid() {
		m["ip"] = types.IPAddr(netip.PrefixFrom(ip, ip.BitLen()))
	}
	return types.NewRecord(m)
}

func (c *trial) purpose() string {
	if c.q.Call.Purpose == "" && c.grant != nil {
		return c.grant.Purpose
	}
	return c.q.Call.Purpose
}

// facts returns the set of facts, or the unknown when arguments are not known.
func (c *trial) facts() types.Value {
	if c.open && c.q.IsTool {
		return eval.Variable("facts")
	}
	return texts(union(c.q.Call.Facts, factsOf(c.q.Args, c.merged.facts)))
}

func texts(list []string) types.Set {
	out := make([]types.Value, len(list))
	for i, s := range list {
		out[i] = types.String(s)
	}
	return types.NewSet(out...)
}
