package sealed

import (
	"cmp"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/registry"
)

// This file is registry.Store inside a transaction.

// Meta returns a named value.
func (t *tx) Meta(name string) (string, error) {
	v, _, err := get[metaRow](t, t.key(kindMeta, name))
	if err != nil {
		return "", fmt.Errorf("meta %s: %w", name, err)
	}
	return string(v.Value), nil
}

// SetMeta sets a named value.
func (t *tx) SetMeta(name, value string) error {
	if err := t.put(t.key(kindMeta, name), metaRow{Key: name, Value: []byte(value)}); err != nil {
		return fmt.Errorf("set meta %s: %w", name, err)
	}
	return nil
}

// Servers returns all servers by id.
func (t *tx) Servers() (out []registry.Server, err error) {
	err = each(t, kindServer, func(v serverRow, revision int64) error {
		v.By = t.shown(v.By)
		out = append(out, serverOf(v, revision))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("servers: %w", err)
	}
	slices.SortFunc(out, func(a, b registry.Server) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Server returns one server.
func (t *tx) Server(id string) (registry.Server, error) {
	v, revision, err := get[serverRow](t, t.key(kindServer, id))
	if err != nil {
		return registry.Server{}, fmt.Errorf("server %s: %w", id, err)
	}
	v.By = t.shown(v.By)
	return serverOf(v, revision), nil
}

// InsertServer adds a server.
func (t *tx) InsertServer(s registry.Server) error {
	return t.putServer("insert", s, func(k key, v serverRow) error { return t.insert(k, s.Revision+1, v) })
}

// UpdateServer replaces a server whose revision is still s.Revision.
func (t *tx) UpdateServer(s registry.Server) error {
	return t.putServer("update", s, func(k key, v serverRow) error { return t.update(k, s.Revision+1, v) })
}

func (t *tx) putServer(verb string, s registry.Server, put func(key, serverRow) error) error {
	err := checkServer(s)
	if err == nil {
		v := rowOf(s)
		if v.By, err = t.who(s.By); err == nil {
			err = put(t.key(kindServer, s.ID), v)
		}
	}
	if err != nil {
		return fmt.Errorf("%s server %s: %w", verb, s.ID, err)
	}
	t.touched.Servers = append(t.touched.Servers, s.ID)
	return nil
}

func (t *tx) agentOf(v agentRow, revision int64) (registry.Agent, error) {
	id, err := t.Name(v.Subject)
	if err != nil {
		return registry.Agent{}, err
	}
	return registry.Agent{ID: id, Pseudonym: v.Subject, State: registry.State(v.State), Era: v.Era, Receipts: v.Receipts, Roles: slices.Clone(v.Roles), Clearance: slices.Clone(v.Clearance), Zone: v.Zone, Basis: v.Basis, Reason: v.Reason, By: t.shown(v.By),
		CreatedAt: stamp(v.CreatedAt), UpdatedAt: stamp(v.UpdatedAt), Revision: revision - 1}, nil
}

// Agents returns all agents by id. One whose key was destroyed is nobody any
// more, even before its row is deleted; the same holds for credentials and
// grants.
func (t *tx) Agents() (out []registry.Agent, err error) {
	err = each(t, kindAgent, func(v agentRow, revision int64) error {
		if a, err := t.agentOf(v, revision); err == nil {
			out = append(out, a)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	slices.SortFunc(out, func(a, b registry.Agent) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Agent returns one agent.
func (t *tx) Agent(id string) (a registry.Agent, err error) {
	k, _, err := t.agentKey(id)
	if err == nil {
		var v agentRow
		var revision int64
		if v, revision, err = get[agentRow](t, k); err == nil {
			a, err = t.agentOf(v, revision)
		}
	}
	if err != nil {
		return registry.Agent{}, fmt.Errorf("agent %s: %w", id, err)
	}
	return a, nil
}

// InsertAgent adds an agent.
func (t *tx) InsertAgent(a registry.Agent) error {
	err := checkAgent(a)
	if err == nil {
		var pseudonym string
		if pseudonym, err = t.Pseudonym(a.ID); err == nil {
			err = t.putAgent(a, pseudonym, t.insert)
		}
	}
	if err != nil {
		return fmt.Errorf("insert agent %s: %w", a.ID, err)
	}
	t.touched.Agents = append(t.touched.Agents, a.ID)
	return nil
}

// UpdateAgent replaces an agent whose revision is still a.Revision.
func (t *tx) UpdateAgent(a registry.Agent) error {
	err := checkAgent(a)
	if err == nil {
		var pseudonym string
		if _, pseudonym, err = t.agentKey(a.ID); err == nil {
			err = t.putAgent(a, pseudonym, t.update)
		}
	}
	if err != nil {
		return fmt.Errorf("update agent %s: %w", a.ID, err)
	}
	t.touched.Agents = append(t.touched.Agents, a.ID)
	return nil
}

func (t *tx) putAgent(a registry.Agent, pseudonym string, put func(key, int64, any) error) error {
	by, err := t.who(a.By)
	if err != nil {
		return err
	}
	return put(t.key(kindAgent, pseudonym), a.Revision+1, agentRow{Subject: pseudonym, State: string(a.State), Era: a.Era, Receipts: a.Receipts, Roles: a.Roles, Clearance: a.Clearance, Zone: a.Zone, Basis: a.Basis,
		Reason: a.Reason, By: by, CreatedAt: nanos(a.CreatedAt), UpdatedAt: nanos(a.UpdatedAt)})
}

// Grants returns all grants by agent and server.
func (t *tx) Grants() (out []registry.Grant, err error) {
	err = each(t, kindGrant, func(v grantRow, _ int64) error {
		if g, err := t.grantOf(v); err == nil {
			out = append(out, g)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	slices.SortFunc(out, func(a, b registry.Grant) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Server, b.Server))
	})
	return out, nil
}

func (t *tx) grantOf(v grantRow) (registry.Grant, error) {
	agent, err := t.Name(v.Subject)
	if err != nil {
		return registry.Grant{}, err
	}
	return registry.Grant{Agent: agent, Server: v.Server, Access: registry.Access(v.Access), Tools: slices.Clone(v.Tools), Purpose: v.Purpose,
		By: t.shown(v.By), Reason: v.Reason, CreatedAt: stamp(v.CreatedAt)}, nil
}

// Grant returns the grant of an agent on a server.
func (t *tx) Grant(agent, server string) (out registry.Grant, err error) {
	_, pseudonym, err := t.agentKey(agent)
	if err == nil {
		var v grantRow
		if v, _, err = get[grantRow](t, t.key(kindGrant, pair(pseudonym, server))); err == nil {
			out, err = t.grantOf(v)
		}
	}
	if err != nil {
		return registry.Grant{}, fmt.Errorf("grant %s/%s: %w", agent, server, err)
	}
	return out, nil
}

// pair names the grant of an agent on a server. Neither holds a zero byte.
func pair(pseudonym, server string) string { return pseudonym + "\x00" + server }

// PutGrant adds a grant or replaces the one of the same agent and server.
func (t *tx) PutGrant(g registry.Grant) error {
	if err := t.putGrant(g); err != nil {
		return fmt.Errorf("put grant %s/%s: %w", g.Agent, g.Server, err)
	}
	t.touched.Grants = append(t.touched.Grants, registry.Pair{Agent: g.Agent, Server: g.Server})
	return nil
}

func (t *tx) putGrant(g registry.Grant) error {
	if err := valid(g.Access.Valid(), "a grant's access"); err != nil {
		return err
	}
	pseudonym, err := t.holder(g.Agent)
	if err != nil {
		return err
	}
	if _, err := t.row(t.key(kindServer, g.Server)); err != nil {
		return fmt.Errorf("its server: %w", err)
	}
	by, err := t.who(g.By)
	if err != nil {
		return err
	}
	return t.put(t.key(kindGrant, pair(pseudonym, g.Server)), grantRow{Subject: pseudonym, Server: g.Server, Access: string(g.Access),
		Tools: g.Tools, Purpose: g.Purpose, By: by, Reason: g.Reason, CreatedAt: nanos(g.CreatedAt)})
}

// DeleteGrant removes a grant.
func (t *tx) DeleteGrant(agent, server string) error {
	_, pseudonym, err := t.agentKey(agent)
	if err == nil {
		err = t.remove(t.key(kindGrant, pair(pseudonym, server)))
	}
	if err != nil {
		return fmt.Errorf("delete grant %s/%s: %w", agent, server, err)
	}
	t.touched.Grants = append(t.touched.Grants, registry.Pair{Agent: agent, Server: server})
	return nil
}
