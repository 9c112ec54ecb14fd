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

// maxBypass is the longest that nobody is asked (K08, TestK08BreakGlass).
const maxBypass = 8 * time.Hour

// maxBypasses bounds the openings that wait for their end and their review.
const maxBypasses = 100

// errNothing undoes a transaction that found nothing to do.
var errNothing = errors.New("nothing to do")

// OpenBypass opens the glass: approvals are not asked for. What is forbidden
// stays forbidden, and every call says in its record under which opening it was
// made.
func (o *operator) OpenBypass(_ context.Context, r OpenBypass) (Done[BypassView], error) {
	var out Done[BypassView]
	life := time.Duration(r.For)
	switch {
	case strings.TrimSpace(r.Reason) == "":
		return out, invalid("add --reason TEXT", "breaking the glass needs a reason")
	case life < time.Minute || life > maxBypass:
		return out, invalid("use --for with 1m to 8h", "an opening lasts at least a minute and at most eight hours")
	}
	id := newID()
	t := &act{kind: "bypass.open", subject: id, agent: r.Agent, noun: registry.NounRef{Kind: registry.KindBypass, ID: id}, what: "agent " + r.Agent, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		if _, err := s.Agent(r.Agent); err != nil {
			return nil, err
		}
		if r.Server != "" {
			if _, err := s.Server(r.Server); err != nil {
				return nil, asError("server "+r.Server, err)
			}
		}
		all, err := s.Nouns(registry.KindBypass)
		if err == nil && len(all) >= maxBypasses {
			err = &Error{Code: Conflict, Message: "too many openings wait for their review", Fix: "review some: ostiary approval review ID"}
		}
		if err != nil {
			return nil, err
		}
		agent, err := s.Pseudonym(r.Agent)
		if err != nil {
			return nil, err
		}
		by, err := s.Pseudonym(o.by)
		if err != nil {
			return nil, err
		}
		b := registry.Bypass{Agent: agent, Server: r.Server, Opened: o.now(), Until: o.now().Add(life), By: by, Reason: r.Reason}
		n, err := registry.NewNoun(registry.KindBypass, id, r.Agent, b)
		if err != nil {
			return nil, err
		}
		out.Item = o.viewBypass(id, b)
		return bypassDetail{r.Server, b.Until.Format(time.RFC3339), life.String()}, s.InsertNoun(n)
	})
	if err != nil {
		return Done[BypassView]{}, err
	}
	out.Applied = !r.DryRun
	out.Notices = []string{"health is degraded until the opening is over and reviewed: ostiary approval review " + id + " --reason FINDING"}
	if out.Applied && o.cfg.Alarm != nil {
		o.cfg.Alarm("breakglass.opened", id)
	}
	return out, nil
}

// bypassDetail is what the log keeps of an opening.
type bypassDetail struct {
	Server string `json:"server,omitempty"`
	Until  string `json:"until"`
	For    string `json:"for,omitempty"`
}

// CloseBypass ends an opening before its time; calls under way under it end too.
func (o *operator) CloseBypass(_ context.Context, r BypassChoice) (Done[BypassView], error) {
	return o.changeBypass("bypass.close", r, func(_ store.Store, b *registry.Bypass, _ string) error {
		if !b.Closed.IsZero() {
			return &Error{Code: Conflict, Message: "opening " + r.ID + " is over already"}
		}
		b.Closed = o.now()
		return nil
	})
}

// ReviewBypass closes the later review. Beside enrolled approvers it is somebody
// else than who opened it; who did stands in the record.
func (o *operator) ReviewBypass(_ context.Context, r BypassChoice) (Done[BypassView], error) {
	return o.changeBypass("bypass.review", r, func(s store.Store, b *registry.Bypass, who string) error {
		switch {
		case b.Open(o.cfg.Clock.Now()):
			return &Error{Code: Conflict, Message: "opening " + r.ID + " is not over yet", Fix: "end it: ostiary approval close " + r.ID + " --reason TEXT"}
		case !b.Reviewed.IsZero():
			return &Error{Code: Conflict, Message: "opening " + r.ID + " is reviewed already"}
		}
		b.Reviewed, b.Reviewer, b.Finding = o.now(), who, r.Reason
		return o.reviewer(s, who, b.By)
	})
}

func (o *operator) changeBypass(kind string, r BypassChoice, do func(s store.Store, b *registry.Bypass, who string) error) (Done[BypassView], error) {
	var out Done[BypassView]
	if strings.TrimSpace(r.Reason) == "" {
		return out, invalid("add --reason TEXT", "this needs a reason")
	}
	t := &act{kind: kind, subject: r.ID, noun: registry.NounRef{Kind: registry.KindBypass, ID: r.ID}, what: "opening " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindBypass, r.ID)
		if err != nil {
			return nil, err
		}
		b, err := registry.ValueOf[registry.Bypass](n)
		if err != nil {
			return nil, err
		}
		who, err := s.Pseudonym(o.by)
		if err != nil {
			return nil, err
		}
		if err := do(s, &b, who); err != nil {
			return nil, err
		}
		t.agent, out.Item = n.Owner, o.viewBypass(r.ID, b)
		return bypassDetail{Server: b.Server, Until: b.Until.Format(time.RFC3339)}, putBypass(s, n, &b)
	})
	if err != nil {
		return Done[BypassView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{}
	return out, nil
}

func putBypass(s registry.NounStore, n registry.Noun, b *registry.Bypass) error {
	next, err := registry.NewNoun(n.Kind, n.ID, n.Owner, *b)
	if err != nil {
		return err
	}
	next.Revision = n.Revision
	return s.UpdateNoun(next)
}

// Bypasses lists openings, the newest first.
func (o *operator) Bypasses(context.Context, None) ([]BypassView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindBypass)
	if err != nil {
		return nil, asError("the openings", err)
	}
	out := []BypassView{}
	for _, n := range all {
		b, err := registry.ValueOf[registry.Bypass](n)
		if err != nil {
			return nil, asError("the openings", err)
		}
		out = append(out, o.viewBypass(n.ID, b))
	}
	slices.SortFunc(out, func(a, b BypassView) int { return cmp.Or(b.Opened.Compare(a.Opened), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

func (o *operator) viewBypass(id string, b registry.Bypass) BypassView {
	v := BypassView{ID: id, State: "review", Agent: o.nameOf(b.Agent), Server: b.Server, Opened: b.Opened, Until: b.Until,
		By: o.nameOf(b.By), Reason: b.Reason, Finding: b.Finding}
	if v.Server == "" {
		v.Server = "every server"
	}
	switch {
	case b.Open(o.cfg.Clock.Now()):
		v.State = "open"
	case !b.Reviewed.IsZero():
		v.State, v.Reviewer = "reviewed", o.nameOf(b.Reviewer)
	}
	if !b.Closed.IsZero() {
		v.Closed = &b.Closed
	}
	return v
}
