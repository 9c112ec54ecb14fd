package admin

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// maxWaiting bounds the proposals, and the requests, that wait.
const maxWaiting = 1000

// PolicyPropose keeps policies for another operator to apply.
func (o *operator) PolicyPropose(_ context.Context, r PolicyApply) (Done[PolicyView], error) {
	var out Done[PolicyView]
	if err := hasReason(r.Change); err != nil {
		return out, err
	}
	id := uuid.NewString()
	t := &act{kind: "policy.propose", subject: id, noun: registry.NounRef{Kind: registry.KindPolicyProposal, ID: id}, what: "the proposal", Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		if err := roomFor(s, registry.KindPolicyProposal); err != nil {
			return nil, err
		}
		set, err := compiled(o.base, r.Sources)
		if err != nil {
			return nil, err
		}
		active, _, err := activeOf(s)
		if err != nil {
			return nil, err
		}
		by, err := s.Pseudonym(o.by)
		if err != nil {
			return nil, err
		}
		p := registry.PolicyProposal{Sources: r.Sources, Hash: set.Hash(), Reason: r.Reason, By: by, At: o.now()}
		if active != nil {
			p.Base = active.Hash
		}
		n, err := registry.NewNoun(registry.KindPolicyProposal, id, "", p)
		if err != nil {
			return nil, err
		}
		out.Item = o.viewProposal(id, p)
		out.Item.Policies = len(set.Rules())
		return applied{After: p.Hash, Before: p.Base, Files: filesOf(r.Sources), Policies: out.Item.Policies}, s.InsertNoun(n)
	})
	if err != nil {
		return Done[PolicyView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{"another operator applies it: ostiary policy accept " + id + " --reason TEXT"}
	return out, nil
}

func (o *operator) viewProposal(id string, p registry.PolicyProposal) PolicyView {
	return PolicyView{ID: id, State: "proposed", Files: filesOf(p.Sources), Hash: p.Hash, Previous: p.Base, By: o.nameOf(p.By), Reason: p.Reason, At: p.At}
}

// roomFor refuses one more noun of a kind when many wait already.
func roomFor(s registry.NounStore, kind registry.NounKind) error {
	all, err := s.Nouns(kind)
	if err == nil && len(all) >= maxWaiting {
		return &Error{Code: Conflict, Message: "too many wait for an operator already", Fix: "decide some of them first"}
	}
	return err
}

// PolicyProposals lists what waits for another operator, the newest first.
func (o *operator) PolicyProposals(context.Context, None) ([]PolicyView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindPolicyProposal)
	if err != nil {
		return nil, asError("the proposals", err)
	}
	views := []PolicyView{}
	for _, n := range all {
		p, err := registry.ValueOf[registry.PolicyProposal](n)
		if err != nil {
			return nil, asError("the proposals", err)
		}
		v := o.viewProposal(n.ID, p)
		v.Sources = p.Sources
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b PolicyView) int { return b.At.Compare(a.At) })
	return views, nil
}

// PolicyDecide applies a proposal, or turns it down. With four eyes, whoever
// proposed it cannot apply it; and what was compared with other policies than
// those in force is proposed again.
func (o *operator) PolicyDecide(_ context.Context, r PolicyChoice) (Done[PolicyView], error) {
	var out Done[PolicyView]
	if err := hasReason(r.Change); err != nil {
		return out, err
	}
	kind := "policy.reject"
	ref := registry.NounRef{Kind: registry.KindPolicyProposal, ID: r.ID}
	if r.Accept {
		kind, ref = "policy.apply", registry.NounRef{Kind: registry.KindPolicy, ID: registry.PolicyActive}
	}
	t := &act{kind: kind, subject: r.ID, noun: ref, what: "the proposal", Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindPolicyProposal, r.ID)
		if err != nil {
			return nil, err
		}
		p, err := registry.ValueOf[registry.PolicyProposal](n)
		if err != nil {
			return nil, err
		}
		if err := s.DeleteNoun(n.Kind, n.ID); err != nil {
			return nil, err
		}
		out.Item = o.viewProposal(r.ID, p)
		if !r.Accept {
			out.Item.State = "rejected"
			return applied{After: p.Hash, Proposal: r.ID, Proposer: p.By}, nil
		}
		return o.accept(s, r, p, &out.Item)
	})
	if err != nil {
		return Done[PolicyView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{}
	return out, nil
}

func (o *operator) accept(s store.Store, r PolicyChoice, p registry.PolicyProposal, view *PolicyView) (any, error) {
	rules := o.rules()
	if rules.Dir != "" {
		return nil, &Error{Code: Forbidden, Message: "the policies of this gateway come from " + rules.Dir, Fix: "put the files there, and reload"}
	}
	by, err := s.Pseudonym(o.by)
	if err != nil {
		return nil, err
	}
	if rules.FourEyes && by == p.By {
		return nil, &Error{Code: Forbidden, Message: "whoever proposed policies cannot apply them (policy.four_eyes)", Fix: "ask another operator"}
	}
	next, n, err := o.nextPolicy(s, Change{Reason: r.Reason}, p.Sources)
	if err != nil {
		return nil, err
	}
	if next.Previous != p.Base {
		return nil, &Error{Code: Conflict, Message: "other policies are in force than when these were proposed", Fix: "compare them, and propose them again"}
	}
	*view = PolicyView{Version: next.Version, ID: r.ID, State: "active", Files: filesOf(p.Sources), Policies: n, Hash: next.Hash,
		Previous: next.Previous, Signed: true, By: o.by, Reason: next.Reason, At: next.At}
	return applied{Version: next.Version, Before: next.Previous, After: next.Hash, Files: filesOf(p.Sources), Policies: n,
		Proposal: r.ID, Proposer: p.By}, o.putPolicy(s, next)
}

// applyShadow puts policies beside those in force.
func (o *operator) applyShadow(r PolicyApply) (Done[PolicyView], error) {
	var out Done[PolicyView]
	if err := hasReason(r.Change); err != nil {
		return out, err
	}
	t := &act{kind: "policy.shadow", subject: registry.PolicyShadow, noun: registry.NounRef{Kind: registry.KindPolicy, ID: registry.PolicyShadow},
		what: "the shadow", Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		p, rules, err := o.nextPolicy(s, r.Change, r.Sources)
		if err != nil {
			return nil, err
		}
		p.Version-- // of those that it runs beside
		n, err := signedPolicy(o.cfg.Ring, registry.KindPolicy, registry.PolicyShadow, p)
		if err != nil {
			return nil, err
		}
		out.Item = PolicyView{Version: p.Version, State: "shadow", Files: filesOf(r.Sources), Policies: rules, Hash: p.Hash, Previous: p.Previous,
			Signed: true, By: o.by, Reason: p.Reason, At: p.At}
		return applied{Version: p.Version, Before: p.Previous, After: p.Hash, Files: filesOf(r.Sources), Policies: rules}, putNoun(s, n)
	})
	if err != nil {
		return Done[PolicyView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{"see how it compares: ostiary policy shadow"}
	return out, nil
}

// PolicyEndShadow takes the shadow away.
func (o *operator) PolicyEndShadow(_ context.Context, r Change) (Done[PolicyView], error) {
	var out Done[PolicyView]
	t := &act{kind: "policy.unshadow", subject: registry.PolicyShadow, noun: registry.NounRef{Kind: registry.KindPolicy, ID: registry.PolicyShadow},
		what: "the shadow", Change: r}
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindPolicy, registry.PolicyShadow)
		if err != nil {
			return nil, err
		}
		if out.Item, err = o.viewVersion(n); err != nil {
			return nil, err
		}
		out.Item.State = "ended"
		return applied{Before: out.Item.Hash}, s.DeleteNoun(n.Kind, n.ID)
	})
	if err != nil {
		return Done[PolicyView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{}
	return out, nil
}

// PolicyShadow says how the shadow compares. The counts are those of this
// process.
func (o *operator) PolicyShadow(context.Context, None) (PolicyTrial, error) {
	out := PolicyTrial{Differences: []PolicyDifference{}}
	n, err := o.cfg.Store.Noun(registry.KindPolicy, registry.PolicyShadow)
	if err != nil {
		return out, &Error{Code: NotFound, Message: "no policies run beside those in force", Fix: "ostiary policy apply FILE --shadow --reason TEXT"}
	}
	v, err := o.viewVersion(n)
	if err != nil {
		return out, err
	}
	if o.cfg.Shadow != nil {
		out = o.cfg.Shadow(v.Hash)
	}
	v.State, out.Shadow = "shadow", &v
	return out, nil
}
