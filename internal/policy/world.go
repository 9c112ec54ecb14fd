package policy

import (
	"net/netip"
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
type world trial

// Get returns an entity; what the registry does not know has no attributes and
// no parents.
func (w *world) Get(e types.EntityUID) (types.Entity, bool) {
	c := (*trial)(w)
	switch e.Type {
	case typeAction:
		if e == c.target.action && c.target.group != (types.EntityUID{}) {
			return types.Entity{UID: e, Parents: parentsOf(c.need)}, true
		}
	case typeClient:
		if string(e.ID) == c.agent.ID {
			if c.client == nil {
				c.client = c.view.client(c.agent)
			}
			return *c.client, true
		}
	case typeServer:
		if string(e.ID) == c.server.ID {
			return *c.view.server(c.server), true
		}
	case typeTool, typeResource, typePrompt:
		if e == c.target.resource {
			if c.item == nil {
				c.item = newItem(&c.target, c.server, nil)
			}
			return c.item.entity, true
		}
	case typeRole, typePerson:
		return types.Entity{UID: e, Parents: tenantParents}, true
	}
	return types.Entity{UID: e}, true
}

var (
	tenantParents = types.NewEntityUIDSet(tenantUID)
	readParents   = types.NewEntityUIDSet(action("read"))
	writeParents  = types.NewEntityUIDSet(action("write"))
	modifyParents = types.NewEntityUIDSet(action("modify"))
)

func parentsOf(need registry.Access) types.EntityUIDSet {
	switch need {
	case registry.Read:
		return readParents
	case registry.Write:
		return writeParents
	case registry.Modify:
		return modifyParents
	}
	return types.EntityUIDSet{}
}

// cached returns what build makes of a row, made once for a view.
func cached[V any](v *view, row any, build func() *V) *V {
	if e, ok := v.rows.Load(row); ok {
		return e.(*V)
	}
	e := build()
	v.rows.Store(row, e)
	return e
}

func (v *view) client(a *registry.Agent) *types.Entity {
	return cached(v, a, func() *types.Entity {
		parents := []types.EntityUID{tenantUID}
		for _, role := range a.Roles {
			parents = append(parents, uid(typeRole, role))
		}
		return &types.Entity{UID: uid(typeClient, a.ID), Parents: types.NewEntityUIDSet(parents...),
			Attributes: types.NewRecord(types.RecordMap{"tenant": tenantUID, "zone": types.String(a.Zone), "clearance": texts(a.Clearance)})}
	})
}

func (v *view) server(s *registry.Server) *types.Entity {
	return cached(v, s, func() *types.Entity {
		return &types.Entity{UID: uid(typeServer, s.ID), Parents: tenantParents,
			Attributes: types.NewRecord(types.RecordMap{"labels": texts(s.Labels), "zone": types.String(s.Zone), "state": types.String(s.State)})}
	})
}

// itemView is a tool, a resource or a prompt as policies see it. Its labels are
// those of its server and its own.
type itemView struct {
	target target
	labels []string
	entity types.Entity
	shape  *shape // of its arguments
}

// aim finds what the trial is about. A registered tool is made ready once.
func (c *trial) aim() {
	if c.tool == nil {
		c.target = targetOf(&c.q, c.need)
		return
	}
	c.item = cached(c.view, c.tool, func() *itemView {
		t := targetOf(&c.q, c.need)
		return newItem(&t, c.server, c.tool)
	})
	c.target = c.item.target
}

func newItem(t *target, s *registry.Server, tool *registry.Tool) *itemView {
	i := &itemView{target: *t, labels: Labels(s, tool), shape: noArguments}
	if tool != nil {
		i.shape = argumentsOf(tool)
	}
	i.entity = types.Entity{UID: t.resource, Parents: types.NewEntityUIDSet(uid(typeServer, s.ID)),
		Attributes: types.NewRecord(types.RecordMap{"labels": texts(i.labels)})}
	return i
}

// labels returns the labels of what the trial is about.
func (c *trial) labels() []string {
	if c.item == nil {
		return c.server.Labels
	}
	return c.item.labels
}

// Labels returns the labels of what a tool reads: its server's and its own. t
// may be nil.
func Labels(s *registry.Server, t *registry.Tool) []string {
	if t == nil {
		return s.Labels
	}
	return union(s.Labels, t.Labels)
}

// setting builds the context of what the rules read of the circumstances, and
// nothing else. An error is an argument that some rule reads and that Cedar
// cannot hold exactly.
func (c *trial) setting() error {
	asksArgs := c.q.IsTool && (len(c.merged.args) > 0 || c.merged.has)
	if c.merged.call == 0 && !asksArgs {
		return nil
	}
	m := types.RecordMap{}
	if c.merged.call != 0 {
		m["call"] = c.call()
	}
	if asksArgs {
		args, err := c.arguments()
		if err != nil {
			return err
		}
		m["args"] = args
	}
	c.context = types.NewRecord(m)
	return nil
}

// call builds the members of context.call that are read.
func (c *trial) call() types.Value {
	m, call, p := types.RecordMap{}, &c.q.Call, &c.q.Principal
	put := func(what callSet, name types.String, value func() types.Value) {
		if c.merged.call&what != 0 {
			m[name] = value()
		}
	}
	put(readStrength, "auth_strength", func() types.Value { return types.Long(p.Strength) })
	put(readMFA, "mfa", func() types.Value { return types.Boolean(p.Strength >= identity.TwoStep) })
	put(readChain, "chain", func() types.Value {
		if p.Person == "" {
			return types.NewSet()
		}
		return types.NewSet(uid(typePerson, p.Person))
	})
	put(readPurpose, "purpose", func() types.Value { return types.String(c.purpose()) })
	put(readSignature, "signature_state", func() types.Value { return types.String(call.Signature) })
	put(readScopes, "scopes", func() types.Value { return texts(strings.Fields(p.Scopes)) })
	put(readLabels, "session_labels", func() types.Value { return texts(call.Labels) })
	put(readApproved, "approved", func() types.Value { return types.Boolean(call.Approved) })
	put(readFacts, "facts", c.facts)
	if !call.Time.IsZero() { // a time that is not known is an error where it is read
		put(readTime, "time", func() types.Value { return types.NewDatetime(call.Time) })
	}
	if ip := call.IP.Unmap().WithZone(""); ip.IsValid() {
		put(readIP, "ip", func() types.Value { return types.IPAddr(netip.PrefixFrom(ip, ip.BitLen())) })
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
	asked := c.merged.facts
	if c.merged.allFacts {
		asked = union(FactNames(), c.set.asked())
	}
	return texts(union(c.q.Call.Facts, factsOf(c.q.Args, asked)))
}

func texts(list []string) types.Set {
	out := make([]types.Value, len(list))
	for i, s := range list {
		out[i] = types.String(s)
	}
	return types.NewSet(out...)
}
