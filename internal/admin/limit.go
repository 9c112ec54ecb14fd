package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// LimitAPI is how operators bound what calls may use.
type LimitAPI interface {
	SetLimit(context.Context, SetLimit) (Done[LimitView], error)
	RemoveLimit(context.Context, RemoveLimit) (Done[LimitView], error)
	Limits(context.Context, None) ([]LimitView, error)
}

// Amount is how much may be used in each window of a length.
type Amount struct {
	Limit  int64    `json:"limit"`
	Window Duration `json:"window"`
}

// SetLimit makes a limit, or replaces the one of the same name.
type SetLimit struct {
	Change
	ID       string `json:"id,omitempty"` // "" = made of agent, server and tool
	Agent    string `json:"agent,omitempty"`
	Server   string `json:"server,omitempty"`
	Tool     string `json:"tool,omitempty"`
	Shared   bool   `json:"shared,omitempty"` // one count for all agents
	Calls    Amount `json:"calls"`
	Bytes    Amount `json:"bytes"`
	Cost     Amount `json:"cost"`
	InFlight int    `json:"inFlight,omitempty"`
	Weight   int64  `json:"weight,omitempty"` // cost of one call
}

// RemoveLimit takes a limit away.
type RemoveLimit struct {
	Change
	ID string `json:"id"`
}

// LimitView is a limit as people see it.
type LimitView struct {
	ID       string  `json:"id"`
	Agent    string  `json:"agent,omitempty"`
	Server   string  `json:"server,omitempty"`
	Tool     string  `json:"tool,omitempty"`
	Shared   bool    `json:"shared,omitempty"`
	Calls    *Amount `json:"calls,omitempty"`
	Bytes    *Amount `json:"bytes,omitempty"`
	Cost     *Amount `json:"cost,omitempty"`
	InFlight int     `json:"inFlight,omitempty"`
	Weight   int64   `json:"weight,omitempty"`
}

// maxLimits bounds the limits, each of which every call looks at.
const maxLimits = 500

// SetLimit checks and stores a limit.
func (o *operator) SetLimit(_ context.Context, r SetLimit) (Done[LimitView], error) {
	var out Done[LimitView]
	if err := checkLimit(&r); err != nil {
		return out, err
	}
	err := o.change(limitAct("limit.set", r.ID, r.Agent, r.Change), func(s store.Store) (any, error) {
		l, err := o.limitOf(s, r)
		if err != nil {
			return nil, err
		}
		n, err := registry.NewNoun(registry.KindLimit, r.ID, r.Agent, l)
		if err != nil {
			return nil, err
		}
		out.Item = o.viewLimit(r.ID, l)
		old, err := s.Noun(registry.KindLimit, r.ID)
		if errors.Is(err, registry.ErrNotFound) {
			all, err := s.Nouns(registry.KindLimit)
			if err == nil && len(all) >= maxLimits {
				err = &Error{Code: Conflict, Message: "there are too many limits", Fix: "remove some: ostiary limit remove ID"}
			}
			if err != nil {
				return nil, err
			}
			return l, s.InsertNoun(n)
		}
		if err != nil {
			return nil, err
		}
		if old.Owner != n.Owner {
			return nil, &Error{Code: Conflict, Message: "limit " + r.ID + " is another agent's", Fix: "choose another --id"}
		}
		n.Revision = old.Revision
		return l, s.UpdateNoun(n)
	})
	if err != nil {
		return Done[LimitView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{}
	return out, nil
}

// limitOf makes the stored form, without names of people.
func (o *operator) limitOf(s store.Store, r SetLimit) (registry.Limit, error) {
	amount := func(a Amount) registry.Amount {
		return registry.Amount{Limit: a.Limit, Window: time.Duration(a.Window)}
	}
	l := registry.Limit{Server: r.Server, Tool: r.Tool, Shared: r.Shared, Calls: amount(r.Calls), Bytes: amount(r.Bytes),
		Cost: amount(r.Cost), InFlight: r.InFlight, Weight: r.Weight}
	if r.Server != "" {
		if _, err := s.Server(r.Server); err != nil {
			return l, asError("server "+r.Server, err)
		}
	}
	if r.Agent == "" {
		return l, nil
	}
	if _, err := s.Agent(r.Agent); err != nil {
		return l, asError("agent "+r.Agent, err)
	}
	var err error
	l.Agent, err = s.Pseudonym(r.Agent)
	return l, err
}

func limitAct(kind, id, agent string, c Change) *act {
	return &act{kind: kind, subject: id, agent: agent, noun: registry.NounRef{Kind: registry.KindLimit, ID: id}, what: "limit " + id, Change: c}
}

// checkLimit refuses what bounds nothing or cannot be counted, and names the
// limit when the operator did not.
func checkLimit(r *SetLimit) error {
	if r.ID == "" {
		parts := []string{}
		for _, p := range []string{r.Server, r.Tool} {
			if p != "" {
				parts = append(parts, p)
			}
		}
		if r.Agent != "" {
			return invalid("add --id NAME", "a limit of one agent needs an id of its own, which does not name the agent")
		}
		r.ID = cmp.Or(strings.Join(parts, "/"), "all")
	}
	bounds := r.InFlight > 0 || r.Weight > 0
	for _, a := range []Amount{r.Calls, r.Bytes, r.Cost} {
		w := time.Duration(a.Window)
		switch {
		case a.Limit < 0 || a.Limit > 1<<50 || r.InFlight < 0 || r.InFlight > 1e6 || r.Weight < 0 || r.Weight > 1e9:
			return invalid("use a positive number", "a limit is out of range")
		case a.Limit > 0 && (w < time.Second || w > 31*24*time.Hour):
			return invalid("write for example 100/1m", "a window is at least a second and at most 31 days")
		}
		bounds = bounds || a.Limit > 0
	}
	switch {
	case !bounds:
		return invalid("add --calls, --bytes, --cost, --in-flight or --weight", "the limit bounds nothing")
	case r.Tool != "" && r.Server == "":
		return invalid("add --server", "a tool is one of a server")
	case len(r.ID) > 100 || strings.ContainsFunc(r.ID, func(c rune) bool { return c <= ' ' || c > '~' }):
		return invalid("use letters, digits and / . - _", "the id of a limit is not usable")
	}
	return nil
}

// RemoveLimit takes a limit away.
func (o *operator) RemoveLimit(_ context.Context, r RemoveLimit) (Done[LimitView], error) {
	var out Done[LimitView]
	t := limitAct("limit.remove", r.ID, "", r.Change)
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindLimit, r.ID)
		if err != nil {
			return nil, err
		}
		l, err := registry.ValueOf[registry.Limit](n)
		if err != nil {
			return nil, err
		}
		t.agent, out.Item = n.Owner, o.viewLimit(r.ID, l)
		return l, s.DeleteNoun(n.Kind, n.ID)
	})
	if err != nil {
		return Done[LimitView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{}
	return out, nil
}

// Limits lists them.
func (o *operator) Limits(context.Context, None) ([]LimitView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindLimit)
	if err != nil {
		return nil, asError("the limits", err)
	}
	out := []LimitView{}
	for _, n := range all {
		l, err := registry.ValueOf[registry.Limit](n)
		if err != nil {
			return nil, asError("the limits", err)
		}
		out = append(out, o.viewLimit(n.ID, l))
	}
	slices.SortFunc(out, func(a, b LimitView) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func (o *operator) viewLimit(id string, l registry.Limit) LimitView {
	amount := func(a registry.Amount) *Amount {
		if a.Limit == 0 {
			return nil
		}
		return &Amount{a.Limit, Duration(a.Window)}
	}
	v := LimitView{ID: id, Server: l.Server, Tool: l.Tool, Shared: l.Shared, Calls: amount(l.Calls), Bytes: amount(l.Bytes), Cost: amount(l.Cost),
		InFlight: l.InFlight, Weight: l.Weight}
	if l.Agent != "" {
		v.Agent = o.nameOf(l.Agent)
	}
	return v
}
