package admin

import (
	"errors"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// proved returns why a sign-in does not count for what needs a fresh one
// (invariant 16, security.md 3.6, TestStepUp): at least two factors, at most
// stepUpAge ago. Somebody with a passkey cannot fall back to a code, which could
// be phished. The table of roles and the approvals ask this same function.
func proved(p Proof, hasKey bool, now time.Time) error {
	age := now.Sub(p.At)
	switch {
	case age < -time.Minute || age > stepUpAge || p.Strength < identity.TwoStep:
		return &Error{Code: Forbidden, Message: "sign in again for this, with a passkey if you have one", Fix: "open /login; it is good for five minutes"}
	case hasKey && p.Strength < identity.Passkey:
		return &Error{Code: Forbidden, Message: "you have a passkey: this needs it", Fix: "sign in again with your passkey"}
	}
	return nil
}

// approver says who decides about a, and refuses whoever must not: the
// requester, who lacks the role or a fresh proof, who approved already, and the
// operator at the socket as soon as somebody is enrolled who can approve
// (invariant 16, TestSocketCannotApproveBesidePeople). The person is read again
// inside the transaction: a role that was taken away a moment ago is gone.
func (o *operator) approver(s store.Store, a *registry.Approval, yes bool) (registry.Approver, error) {
	w := registry.Approver{At: o.now()}
	var err error
	if w.Who, err = s.Pseudonym(o.by); err != nil {
		return w, err
	}
	switch {
	case w.Who == a.Person || w.Who == a.Agent:
		err = ownCall
	case o.proof == nil:
		err = o.atSocket(s)
	default:
		w.Strength = int(o.proof.Strength)
		err = o.asApprover(s, a)
	}
	if err == nil && yes && slices.ContainsFunc(a.Approvers, func(have registry.Approver) bool { return sameHand(have, w) }) {
		err = &Error{Code: Forbidden, Message: "you have approved it already; the other approval is another person's"}
	}
	return w, err
}

var ownCall = &Error{Code: Forbidden, Message: "nobody decides about a call of their own", Fix: "ask another person"}

// sameHand reports whether two approvals count as one person's. All users of the
// machine who reach the socket count as one: nobody can tell root from whoever
// may become root.
func sameHand(a, b registry.Approver) bool {
	return a.Who == b.Who || a.Strength == 0 && b.Strength == 0
}

// atSocket refuses the operator at the socket while people can approve.
func (o *operator) atSocket(s store.Store) error {
	people, err := approversEnrolled(s)
	if err != nil || !people {
		return err
	}
	return &Error{Code: Forbidden, Message: "people approve calls here, with a second factor; the operator at the socket does not",
		Fix: "an approver signs in and decides at " + pathOf(o, "/approvals") + "; in an emergency: ostiary approval bypass --agent NAME --for 1h --reason TEXT"}
}

// approversEnrolled reports whether anybody is enrolled who can approve.
func approversEnrolled(s registry.NounStore) (bool, error) { return anybody(s, canApprove) }

// anybody reports whether there is a person who fits.
func anybody(s registry.NounStore, fits func(registry.Person) bool) (bool, error) {
	all, err := s.Nouns(registry.KindPerson)
	if err != nil {
		return false, err
	}
	for _, n := range all {
		p, err := registry.ValueOf[registry.Person](n)
		if err != nil {
			return false, err
		}
		if fits(p) {
			return true, nil
		}
	}
	return false, nil
}

func canApprove(p registry.Person) bool {
	return p.State == registry.PersonActive && p.Has(registry.RoleApprover)
}

// asApprover checks a person who signed in. An agent without a person behind its
// call is the responsibility of those that it may act for: the call is theirs.
func (o *operator) asApprover(s registry.NounStore, a *registry.Approval) error {
	n, err := s.Noun(registry.KindPerson, o.by)
	if errors.Is(err, registry.ErrNotFound) {
		return notApprover
	}
	if err != nil {
		return err
	}
	p, err := registry.ValueOf[registry.Person](n)
	switch {
	case err != nil:
		return err
	case !canApprove(p):
		return notApprover
	case a.Person == "" && slices.Contains(p.Agents, a.Agent):
		return ownCall
	}
	if err := proved(*o.proof, len(p.Passkeys) > 0, o.cfg.Clock.Now()); err != nil {
		return err
	}
	if o.proof.Strength < identity.Passkey && (a.Passkey || o.cfg.Passkeys != nil && o.cfg.Passkeys()) {
		return &Error{Code: Forbidden, Message: "this approval needs a passkey that was used in the last five minutes",
			Fix: "add a passkey at /login/account, and sign in with it"}
	}
	return nil
}

var notApprover = &Error{Code: Forbidden, Message: "your roles do not allow this", Fix: "ask an admin: ostiary user set NAME --role approver"}

// agree adds a yes. Beside people, what the socket said before they were
// enrolled counts no longer.
func agree(a *registry.Approval, w registry.Approver) {
	if w.Strength > 0 {
		a.Approvers = slices.DeleteFunc(a.Approvers, func(have registry.Approver) bool { return have.Strength == 0 })
	}
	a.Approvers = append(a.Approvers, w)
}

// stand reports whether those who approved may still do so: who was disabled,
// or lost the role, since then has approved nothing (TestApprovalFallsWithApprover).
func (o Own) stand(s registry.NounStore, a *registry.Approval) (bool, error) {
	for _, w := range a.Approvers {
		if w.Strength == 0 {
			continue // whoever reaches the socket has no account here
		}
		subject, ok := o.admin.cfg.Ring.SubjectOf(w.Who)
		if !ok {
			return false, nil
		}
		n, err := s.Noun(registry.KindPerson, subject.Name())
		if errors.Is(err, registry.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		p, err := registry.ValueOf[registry.Person](n)
		if err != nil || !canApprove(p) {
			return false, err
		}
	}
	return true, nil
}

// reviewer returns why who may not review what opener opened. Whoever broke the
// glass does not judge it; beside people who can approve, no operator at the
// socket does, for it could be the same one (K08, TestK08ReviewByAnother).
func (o *operator) reviewer(s store.Store, who, opener string) error {
	people, err := approversEnrolled(s)
	if err != nil || !people {
		return err // one operator stands alone, and the record names them twice
	}
	if who == opener || o.proof == nil {
		return &Error{Code: Forbidden, Message: "another person than who broke the glass reviews it, signed in with a second factor",
			Fix: "an approver reviews it at " + pathOf(o, "/approvals")}
	}
	return nil
}

func pathOf(o *operator, path string) string {
	if o.cfg.Gateway == nil {
		return path
	}
	return o.cfg.Gateway().URL + path
}
