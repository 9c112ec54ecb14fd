package admin

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// RequestAccess keeps a wish for a grant, for an operator to decide.
func (o *operator) RequestAccess(_ context.Context, r Grant) (Done[RequestView], error) {
	var out Done[RequestView]
	if err := checkGrant(r); err != nil {
		return out, err
	}
	id := uuid.NewString()
	t := &act{kind: "request.make", subject: id, agent: r.Agent, noun: registry.NounRef{Kind: registry.KindAccessRequest, ID: id},
		what: "the request of " + r.Agent, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		if err := roomFor(s, registry.KindAccessRequest); err != nil {
			return nil, err
		}
		var err error
		if out.Notices, err = grantable(s, r); err != nil {
			return nil, err
		}
		q := registry.AccessRequest{Server: r.Server, Access: r.Access, Tools: r.Tools, Reason: r.Reason, At: o.now()}
		if q.Agent, err = s.Pseudonym(r.Agent); err != nil {
			return nil, err
		}
		if q.By, err = s.Pseudonym(o.by); err != nil {
			return nil, err
		}
		n, err := registry.NewNoun(registry.KindAccessRequest, id, r.Agent, q)
		if err != nil {
			return nil, err
		}
		out.Item = o.viewRequest(id, q)
		return granted{r.Access, r.Tools, ""}, s.InsertNoun(n)
	})
	if err != nil {
		return Done[RequestView]{}, err
	}
	out.Applied = !r.DryRun
	return out, nil
}

func (o *operator) viewRequest(id string, q registry.AccessRequest) RequestView {
	return RequestView{ID: id, Agent: o.nameOf(q.Agent), Server: q.Server, Access: q.Access, Tools: q.Tools, Reason: q.Reason, By: o.nameOf(q.By), At: q.At}
}

var ownRequest = &Error{Code: Forbidden, Message: "nobody accepts a request of their own", Fix: "ask another approver"}

// AccessRequests lists what waits, the oldest first.
func (o *operator) AccessRequests(context.Context, None) ([]RequestView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindAccessRequest)
	if err != nil {
		return nil, asError("the requests", err)
	}
	views := []RequestView{}
	for _, n := range all {
		q, err := registry.ValueOf[registry.AccessRequest](n)
		if err != nil {
			return nil, asError("the requests", err)
		}
		views = append(views, o.viewRequest(n.ID, q))
	}
	slices.SortFunc(views, func(a, b RequestView) int { return a.At.Compare(b.At) })
	return views, nil
}

// DecideRequest turns a request into a grant, or turns it down.
func (o *operator) DecideRequest(_ context.Context, r Choice) (Done[RequestView], error) {
	var out Done[RequestView]
	t := &act{kind: "access.refuse", what: "the request " + r.ID, Change: r.Change}
	if r.Accept {
		t.kind = "access.grant"
	}
	n, err := o.cfg.Store.Noun(registry.KindAccessRequest, r.ID)
	if err != nil {
		return out, asError(t.what, err)
	}
	q, err := registry.ValueOf[registry.AccessRequest](n)
	if err != nil {
		return out, asError(t.what, err)
	}
	out.Item, out.Notices = o.viewRequest(r.ID, q), []string{}
	t.agent, t.subject = out.Item.Agent, q.Server
	err = o.change(t, func(s store.Store) (any, error) {
		if err := s.DeleteNoun(n.Kind, n.ID); err != nil || !r.Accept {
			return granted{q.Access, q.Tools, ""}, err
		}
		if who, err := s.Pseudonym(o.by); err != nil || o.proof != nil && who == q.By {
			return nil, cmp.Or(err, error(ownRequest))
		}
		asked := Grant{Agent: t.agent, Server: q.Server, Access: q.Access, Tools: q.Tools}
		var err error
		if out.Notices, err = grantable(s, asked); err != nil {
			return nil, err
		}
		purpose := purposeOf(s, asked)
		return granted{q.Access, q.Tools, purpose}, s.PutGrant(registry.Grant{Agent: t.agent, Server: q.Server, Access: q.Access, Tools: q.Tools, Purpose: purpose,
			By: o.by, Reason: r.Reason, CreatedAt: o.now()})
	})
	if err != nil {
		return Done[RequestView]{}, err
	}
	out.Applied = !r.DryRun
	return out, nil
}
