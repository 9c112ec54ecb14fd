package admin

import (
	"context"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
)

// Bounds of what may wait for people: a flood of questions is how approvals are
// worn down (threats.md 31), and each is a row and an entry of the log.
const (
	maxPendingOfAgent = 16
	maxApprovals      = 1000
)

// AskApproval keeps a as a question to people, or returns the one that is there
// for the same call. agent is the name behind a.Agent.
func (o Own) AskApproval(ctx context.Context, agent string, a registry.Approval) (id string, now registry.Approval, fresh bool, err error) {
	if err := o.admin.cfg.Follows; err != nil {
		return "", now, false, fault.Wrap(fault.ApprovalRequired, err)
	}
	if id, found := registry.ApprovalFor(o.admin.cfg.Live.Load(), a.Hash, a.Created); found != nil {
		return id, *found, false, nil // the usual case of a client that tries again
	}
	id = newID()
	err = o.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		if err := o.room(s, &a, &id, &now); err != nil || now.Hash != "" {
			return nil, err
		}
		a.State, a.Expires, now, fresh = registry.ApprovalPending, a.Created.Add(decideWithin), a, true
		now.State, now.Expires = a.State, a.Expires
		n, err := registry.NewNoun(registry.KindApproval, id, agent, a)
		if err != nil {
			return nil, err
		}
		return []auditlog.Act{{Kind: approvalRequested, Action: "approval.request", Agent: agent, Subject: id, Change: detailOfApproval(&a, "")}}, s.InsertNoun(n)
	})
	return id, now, fresh, err
}

// room finds the same question, or refuses one more than an agent may have.
func (o Own) room(s registry.NounStore, a *registry.Approval, id *string, same *registry.Approval) error {
	all, err := s.Nouns(registry.KindApproval)
	if err != nil {
		return err
	}
	waiting := 0
	for _, n := range all {
		v, err := registry.ValueOf[registry.Approval](n)
		switch {
		case err != nil:
			return err
		case v.Hash == a.Hash && v.State != registry.ApprovalUsed && v.Stands(a.Created):
			*id, *same = n.ID, v
			return nil
		case v.Agent == a.Agent && v.State != registry.ApprovalUsed && v.Stands(a.Created):
			waiting++
		}
	}
	if waiting >= maxPendingOfAgent || len(all) >= maxApprovals {
		return fault.Newf(fault.Busy, "Too many calls of yours wait for a person already.")
	}
	return nil
}

// UseApproval uses up what people approved for the call with this hash. Of many
// at once one gets it: the row is compared and set, and its outcome is on stable
// storage when UseApproval returns.
func (o Own) UseApproval(ctx context.Context, hash string, at time.Time) (id string, ok bool, err error) {
	if err := o.admin.cfg.Follows; err != nil {
		return "", false, fault.Wrap(fault.ApprovalRequired, err)
	}
	err = o.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		all, err := s.Nouns(registry.KindApproval)
		if err != nil {
			return nil, err
		}
		for _, n := range all {
			a, err := registry.ValueOf[registry.Approval](n)
			if err != nil {
				return nil, err
			}
			if a.Hash != hash || a.State != registry.ApprovalGranted || !a.Stands(at) {
				continue
			}
			stand, err := o.stand(s, &a)
			if err != nil {
				return nil, err
			}
			if !stand { // the call is asked about anew
				return []auditlog.Act{{Kind: approvalExpired, Action: "approval.void", Agent: n.Owner, Subject: n.ID, Change: detailOfApproval(&a, "")}}, s.DeleteNoun(n.Kind, n.ID)
			}
			a.State, id, ok = registry.ApprovalUsed, n.ID, true
			return []auditlog.Act{{Kind: auditlog.AdminChanged, Action: "approval.use", Agent: n.Owner, Subject: n.ID, Change: detailOfApproval(&a, "")}}, putApproval(s, n, &a)
		}
		return nil, errNothing
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return id, ok && err == nil, err
}

// The kinds of entries about approvals.
const (
	approvalRequested auditlog.Kind = "approval.requested"
	approvalExpired   auditlog.Kind = "approval.expired"
	breakglassClosed  auditlog.Kind = "breakglass.closed"
)

// SweepApprovals deletes approvals that are over, and closes openings whose time
// has come. The log says which were never decided or never used.
func (o Own) SweepApprovals(ctx context.Context, now time.Time) error {
	due := false
	view := o.admin.cfg.Live.Load()
	registry.All(view, registry.KindApproval, func(_ *registry.Noun, a *registry.Approval) { due = due || !a.Stands(now) })
	registry.All(view, registry.KindBypass, func(_ *registry.Noun, b *registry.Bypass) {
		due = due || b.Closed.IsZero() && !b.Open(now)
	})
	if !due || o.admin.cfg.Follows != nil {
		return nil
	}
	return o.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		acts, err := sweepAsked(s, now)
		if err != nil {
			return nil, err
		}
		closed, err := sweepOpen(s, now)
		return append(acts, closed...), err
	})
}

func sweepAsked(s registry.NounStore, now time.Time) (acts []auditlog.Act, err error) {
	all, err := s.Nouns(registry.KindApproval)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		a, err := registry.ValueOf[registry.Approval](n)
		if err != nil {
			return nil, err
		}
		if a.Stands(now) {
			continue
		}
		if a.State == registry.ApprovalPending || a.State == registry.ApprovalGranted {
			acts = append(acts, auditlog.Act{Kind: approvalExpired, Action: "approval.expire", Agent: n.Owner, Subject: n.ID, Change: detailOfApproval(&a, "")})
		}
		if err := s.DeleteNoun(n.Kind, n.ID); err != nil {
			return nil, err
		}
	}
	return acts, nil
}

func sweepOpen(s registry.NounStore, now time.Time) (acts []auditlog.Act, err error) {
	all, err := s.Nouns(registry.KindBypass)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		b, err := registry.ValueOf[registry.Bypass](n)
		if err != nil {
			return nil, err
		}
		if !b.Reviewed.IsZero() && now.Sub(b.Reviewed) > 24*time.Hour { // the log keeps it
			if err := s.DeleteNoun(n.Kind, n.ID); err != nil {
				return nil, err
			}
			continue
		}
		if !b.Closed.IsZero() || now.Before(b.Until) {
			continue
		}
		b.Closed = b.Until
		if err := putBypass(s, n, &b); err != nil {
			return nil, err
		}
		acts = append(acts, auditlog.Act{Kind: breakglassClosed, Action: "bypass.expire", Agent: n.Owner, Subject: n.ID})
	}
	return acts, nil
}
