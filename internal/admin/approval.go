package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// How long an approval may wait for people, and then to be used.
const (
	decideWithin = 10 * time.Minute
	useWithin    = 5 * time.Minute
)

// newID returns an id short enough to be read aloud. It is no secret.
func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "")[:16] }

// Approvals lists them, the newest first.
func (o *operator) Approvals(_ context.Context, q ApprovalQuery) ([]ApprovalView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindApproval)
	if err != nil {
		return nil, asError("the approvals", err)
	}
	out := []ApprovalView{}
	for _, n := range all {
		a, err := registry.ValueOf[registry.Approval](n)
		if err != nil {
			return nil, asError("the approvals", err)
		}
		v := o.viewApproval(n.ID, a)
		if (q.State == "" || q.State == v.State) && (q.Agent == "" || q.Agent == v.Agent) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b ApprovalView) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// Approval shows one.
func (o *operator) Approval(_ context.Context, r ID) (ApprovalView, error) {
	n, err := o.cfg.Store.Noun(registry.KindApproval, r.ID)
	if err != nil {
		return ApprovalView{}, noApproval(r.ID, err)
	}
	a, err := registry.ValueOf[registry.Approval](n)
	return o.viewApproval(n.ID, a), asError("approval "+r.ID, err)
}

func noApproval(id string, err error) error {
	e := asError("approval "+id, err)
	if found, ok := e.(*Error); ok && found.Code == NotFound {
		return &Error{Code: NotFound, Message: "approval " + id + " is not there; it may have expired", Fix: "see: ostiary approval list"}
	}
	return e
}

func (o *operator) viewApproval(id string, a registry.Approval) ApprovalView {
	v := ApprovalView{ID: id, State: string(a.State), Agent: o.nameOf(a.Agent), Server: a.Server, Method: a.Method, Name: a.Name,
		Access: string(a.Need), Definition: a.Digest, Arguments: a.Arguments, Policies: a.Policies, Created: a.Created, Expires: a.Expires,
		Needed: a.Needed, Passkey: a.Passkey, Approvers: []ApproverView{}, Reason: a.Reason, Exchange: a.Exchange}
	if a.Person != "" {
		v.Person = o.nameOf(a.Person)
	}
	if !a.Stands(o.cfg.Clock.Now()) && a.State != registry.ApprovalUsed {
		v.State = "expired"
	}
	for _, w := range a.Approvers {
		v.Approvers = append(v.Approvers, ApproverView{o.nameOf(w.Who), howProved(w.Strength), w.At})
	}
	return v
}

func howProved(strength int) string {
	switch {
	case strength >= int(identity.Passkey):
		return "passkey"
	case strength >= int(identity.TwoStep):
		return "password and code"
	}
	return "operator without second factor"
}

// approvalDetail is what the log keeps of an approval, without its arguments.
type approvalDetail struct {
	Hash       string `json:"hash"`
	Server     string `json:"server"`
	Name       string `json:"name"`
	Definition string `json:"definition,omitempty"`
	Requester  string `json:"requester"` // pseudonyms
	Person     string `json:"person,omitempty"`
	How        string `json:"how,omitempty"`
	Given      int    `json:"given"`
	Needed     int    `json:"needed"`
	Policy     string `json:"policy,omitempty"`
	Expires    string `json:"expires"`
}

func detailOfApproval(a *registry.Approval, how string) approvalDetail {
	return approvalDetail{a.Hash, a.Server, a.Name, a.Digest, a.Agent, a.Person, how, len(a.Approvers), a.Needed, a.PolicyHash, a.Expires.UTC().Format(time.RFC3339)}
}

// DecideApproval records a person's yes or no. Two yes of two people are needed
// where a policy says so; one no is enough.
func (o *operator) DecideApproval(_ context.Context, r DecideApproval) (Done[ApprovalView], error) {
	var out Done[ApprovalView]
	if strings.TrimSpace(r.Reason) == "" {
		return out, invalid("add --reason TEXT", "a decision about a call needs a reason")
	}
	kind := "approval.deny"
	if r.Approve {
		kind = "approval.approve"
	}
	t := &act{kind: kind, subject: r.ID, noun: registry.NounRef{Kind: registry.KindApproval, ID: r.ID}, what: "approval " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		n, a, err := openApproval(s, r.ID, o.cfg.Clock.Now())
		if err != nil {
			return nil, err
		}
		who, err := o.approver(s, a, r.Approve)
		if err != nil {
			return nil, err
		}
		a.Reason = r.Reason
		if r.Approve {
			agree(a, who)
			if len(a.Approvers) >= a.Needed {
				a.State, a.Expires = registry.ApprovalGranted, o.now().Add(useWithin)
			}
		} else {
			a.State = registry.ApprovalDenied
		}
		out.Item = o.viewApproval(r.ID, *a)
		return detailOfApproval(a, howProved(who.Strength)), putApproval(s, n, a)
	})
	if err != nil {
		return Done[ApprovalView]{}, err
	}
	out.Applied, out.Notices = !r.DryRun, []string{}
	if r.Approve && len(out.Item.Approvers) < out.Item.Needed {
		out.Notices = append(out.Notices, "another person must approve it too")
	}
	return out, nil
}

// openApproval returns an approval that can still be decided.
func openApproval(s registry.NounStore, id string, now time.Time) (registry.Noun, *registry.Approval, error) {
	n, err := s.Noun(registry.KindApproval, id)
	if err != nil {
		return n, nil, noApproval(id, err)
	}
	a, err := registry.ValueOf[registry.Approval](n)
	switch {
	case err != nil:
		return n, nil, err
	case !a.Stands(now):
		return n, nil, &Error{Code: Conflict, Message: "approval " + id + " has expired", Fix: "let the agent call again, and decide then"}
	case a.State != registry.ApprovalPending:
		return n, nil, &Error{Code: Conflict, Message: "approval " + id + " is " + string(a.State) + " already"}
	}
	return n, &a, nil
}

func putApproval(s registry.NounStore, n registry.Noun, a *registry.Approval) error {
	next, err := registry.NewNoun(n.Kind, n.ID, n.Owner, *a)
	if err != nil {
		return err
	}
	next.Revision = n.Revision
	return s.UpdateNoun(next)
}
