package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/vault"
)

// Bounds of requests to reveal values.
const (
	revealWithin = time.Hour
	maxRequests  = 256
)

// agreed returns the pseudonym of who agreed that this operator reveals the token
// for that purpose. While nobody has, it files the request, once, and out names it. An
// agreement is good for one value (TestRevealByTwo).
func (o *operator) agreed(r RevealToken, f vault.Found, out *Done[Revealed]) (second string, err error) {
	t := &act{kind: "vault.ask", what: "the request", Change: r.Change}
	err = o.change(t, func(s store.Store) (any, error) {
		by, err := s.Pseudonym(o.by)
		if err != nil {
			return nil, err
		}
		all, err := o.requests(s)
		if err != nil {
			return nil, err
		}
		for id, v := range all {
			if v.By != by || v.Token != f.Token() || v.Purpose != r.Purpose {
				continue
			}
			t.subject = id
			if v.Approver == "" {
				out.Item.Request = id
				return nil, errDry // it waits already
			}
			second, t.kind = v.Approver, "vault.use"
			return nil, s.DeleteNoun(registry.KindReveal, id)
		}
		if len(all) >= maxRequests {
			return nil, &Error{Code: Conflict, Message: "too many requests wait", Fix: "decide about some, or wait an hour"}
		}
		v := registry.Reveal{Token: f.Token(), Type: f.Type(), By: by, Purpose: r.Purpose, Reason: r.Reason, Created: o.now(), Expires: o.now().Add(revealWithin)}
		out.Item.Request = newID()
		t.subject = out.Item.Request
		n, err := registry.NewNoun(registry.KindReveal, out.Item.Request, o.by, v)
		if err != nil {
			return nil, err
		}
		return revealed{Token: v.Token, Type: v.Type, Purpose: v.Purpose}, s.InsertNoun(n)
	})
	if second == "" && err == nil {
		out.Notices = append(out.Notices, "another person agrees first: ostiary privacy vault approve "+out.Item.Request+" --reason TEXT; then ask again")
	}
	return second, err
}

// requests returns the requests that have not expired, and removes the others.
func (o *operator) requests(s store.Store) (map[string]registry.Reveal, error) {
	all, err := s.Nouns(registry.KindReveal)
	if err != nil {
		return nil, err
	}
	out := map[string]registry.Reveal{}
	for _, n := range all {
		v, err := registry.ValueOf[registry.Reveal](n)
		if err != nil {
			return nil, err
		}
		if o.now().Before(v.Expires) {
			out[n.ID] = v
		} else if err := s.DeleteNoun(registry.KindReveal, n.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o *operator) viewReveal(id string, v registry.Reveal) RevealView {
	out := RevealView{ID: id, State: "pending", Token: v.Token, Type: v.Type, By: o.shown(v.By), Purpose: v.Purpose, Reason: v.Reason, Created: v.Created, Expires: v.Expires}
	if v.Approver != "" {
		out.State, out.Approver = "approved", o.shown(v.Approver)
	}
	return out
}

// shown is the name behind a pseudonym, or the pseudonym of somebody erased.
func (o *operator) shown(pseudonym string) string {
	if name, err := o.cfg.Store.Name(pseudonym); err == nil {
		return name
	}
	return pseudonym
}

// RevealRequests lists the requests that wait for another person or for their
// use.
func (o *operator) RevealRequests(_ context.Context, _ None) ([]RevealView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindReveal)
	if err != nil {
		return nil, asError("requests", err)
	}
	out := []RevealView{}
	for _, n := range all {
		v, err := registry.ValueOf[registry.Reveal](n)
		if err != nil {
			return nil, asError("requests", err)
		}
		if o.now().Before(v.Expires) {
			out = append(out, o.viewReveal(n.ID, v))
		}
	}
	slices.SortFunc(out, func(a, b RevealView) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// DecideReveal agrees that somebody else reveals a value, or ends the request.
// Nobody agrees to a request of their own; beside people who can approve, the
// operator at the socket agrees to none, because it could be the same one.
func (o *operator) DecideReveal(_ context.Context, r DecideReveal) (Done[RevealView], error) {
	var out Done[RevealView]
	if err := reasoned(r.Change, "a request is decided"); err != nil {
		return out, err
	}
	t := &act{kind: "vault.deny", subject: r.ID, what: "request " + r.ID, noun: registry.NounRef{Kind: registry.KindReveal, ID: r.ID}, Change: r.Change}
	if r.Approve {
		t.kind = "vault.approve"
	}
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindReveal, r.ID)
		if err != nil {
			return nil, err
		}
		v, err := registry.ValueOf[registry.Reveal](n)
		if err != nil {
			return nil, err
		}
		if err := o.mayDecide(s, &v, r.Approve); err != nil {
			return nil, err
		}
		detail := revealed{Token: v.Token, Type: v.Type, Purpose: v.Purpose}
		if !r.Approve {
			out.Item = o.viewReveal(r.ID, v)
			return detail, s.DeleteNoun(n.Kind, n.ID)
		}
		next, err := registry.NewNoun(n.Kind, n.ID, n.Owner, v)
		if err != nil {
			return nil, err
		}
		next.Revision = n.Revision
		out.Item = o.viewReveal(r.ID, v)
		return detail, s.UpdateNoun(next)
	})
	if err != nil {
		return Done[RevealView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{}
	return out, nil
}

// mayDecide notes who decides, or refuses.
func (o *operator) mayDecide(s store.Store, v *registry.Reveal, yes bool) error {
	by, err := s.Pseudonym(o.by)
	if err != nil {
		return err
	}
	switch {
	case !o.now().Before(v.Expires):
		return &Error{Code: NotFound, Message: "that request has expired", Fix: "ask again"}
	case !yes:
		return nil
	case v.By == by:
		return &Error{Code: Forbidden, Message: "nobody agrees to a request of their own", Fix: "ask another person"}
	case v.Approver != "":
		return &Error{Code: Conflict, Message: "somebody has agreed already"}
	case o.proof == nil:
		if err := o.atSocket(s); err != nil {
			return err
		}
	}
	v.Approver = by
	return nil
}
