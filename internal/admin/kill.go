package admin

import (
	"context"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Kill switches stop something at once, whatever grants and policies say.

// Switch turns a kill switch on or, with Off, off.
type Switch struct {
	Change
	What string `json:"what"` // tool, server, client or tenant
	Name string `json:"name"` // SERVER/TOOL, server, agent, or default
	Off  bool   `json:"off,omitempty"`
}

// KillView is a kill switch that is on, or that was until now.
type KillView struct {
	What   string    `json:"what"`
	Name   string    `json:"name"`
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
}

// Kill turns a switch. It needs a reason either way. What it stops need not be
// registered: a name may be stopped before it comes. Only an agent must be
// known, since its name is stored as a pseudonym.
func (o *operator) Kill(_ context.Context, r Switch) (Done[KillView], error) {
	var out Done[KillView]
	id := registry.KillID(r.What, r.Name)
	if id == "" {
		return out, invalid("use tool SERVER/TOOL, server NAME, client NAME or tenant "+registry.Tenant, "there is no kill switch for %q %q", r.What, r.Name)
	}
	if r.Reason == "" {
		return out, invalid("add --reason TEXT", "a kill switch needs a reason")
	}
	t := &act{kind: "kill.on", noun: registry.NounRef{Kind: registry.KindKill, ID: id}, what: "the kill switch of " + r.What + " " + r.Name, Change: r.Change}
	if r.What == "client" {
		t.agent = r.Name
	} else {
		t.subject = id
	}
	if r.Off {
		t.kind = "kill.off"
	}
	view := KillView{What: r.What, Name: r.Name, Reason: r.Reason, By: o.by, At: o.cfg.Clock.Now().UTC()}
	err := o.change(t, func(s store.Store) (any, error) {
		detail := map[string]string{"what": r.What}
		if r.Off {
			return detail, s.DeleteNoun(registry.KindKill, id)
		}
		if r.What == "client" {
			if _, err := s.Agent(r.Name); err != nil {
				return nil, err
			}
		}
		return detail, o.putKill(s, id, view)
	})
	if err != nil {
		return out, err
	}
	return Done[KillView]{!r.DryRun, view, []string{}}, nil
}

func (o *operator) putKill(s store.Store, id string, v KillView) error {
	by, err := s.Pseudonym(o.by)
	if err != nil {
		return err
	}
	owner := ""
	if v.What == "client" {
		owner = id
	}
	n, err := registry.NewNoun(registry.KindKill, id, owner, registry.Kill{Reason: v.Reason, By: by, At: v.At})
	if err != nil {
		return err
	}
	return s.InsertNoun(n)
}

// Kills lists the switches that are on.
func (o *operator) Kills(context.Context, None) ([]KillView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindKill)
	if err != nil {
		return nil, asError("kill switches", err)
	}
	views := []KillView{}
	for _, n := range all {
		k, err := registry.ValueOf[registry.Kill](n)
		if err != nil {
			return nil, asError("kill switches", err)
		}
		by, err := o.cfg.Store.Name(k.By)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return nil, asError("kill switches", err)
		}
		what, name := registry.KillName(n.ID)
		views = append(views, KillView{What: what, Name: name, Reason: k.Reason, By: by, At: k.At})
	}
	return views, nil
}
