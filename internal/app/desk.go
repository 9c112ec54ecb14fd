package app

import (
	"context"
	"encoding/json"
	"errors"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/portal"
)

// desk is how the portal's pages reach calls that wait: by the operators'
// functions, as the person who is signed in, so that the table of roles and the
// rules of approvals hold there as everywhere.
type desk struct{ app *App }

// Waiting implements portal.Desk, as do Call and Decide.
func (d desk) Waiting(ctx context.Context, who portal.Person) ([]portal.Call, error) {
	all, err := called[[]admin.ApprovalView](ctx, d, who, "approval.list", admin.ApprovalQuery{State: "pending"})
	if err != nil {
		return nil, err
	}
	calls := make([]portal.Call, 0, len(all))
	for i := range all {
		calls = append(calls, callOf(&all[i]))
	}
	return calls, nil
}

// Call shows a call to whom the table of roles lets see it, and to the person
// behind it: they know it already, and have been sent to the page.
func (d desk) Call(ctx context.Context, who portal.Person, id string) (portal.Call, error) {
	v, err := called[admin.ApprovalView](ctx, d, who, "approval.get", admin.ID{ID: id})
	if err == nil {
		return callOf(&v), nil
	}
	v, own := d.app.admin.AsPerson(who.Name, admin.Proof{}).Approval(ctx, admin.ID{ID: id})
	if own != nil || v.Person != who.Name {
		return portal.Call{}, err
	}
	return callOf(&v), nil
}

// Decide decides.
func (d desk) Decide(ctx context.Context, who portal.Person, c portal.Decision) (portal.Call, error) {
	done, err := called[admin.Done[admin.ApprovalView]](ctx, d, who, "approval.decide",
		admin.DecideApproval{Change: admin.Change{Reason: c.Reason}, ID: c.ID, Approve: c.Yes})
	return callOf(&done.Item), err
}

// Openings implements portal.Desk, as does Review.
func (d desk) Openings(ctx context.Context, who portal.Person) ([]portal.Opening, error) {
	all, err := called[[]admin.BypassView](ctx, d, who, "bypass.list", admin.None{})
	var due []portal.Opening
	for _, b := range all {
		if b.State != "review" {
			continue
		}
		o := portal.Opening{ID: b.ID, Agent: b.Agent, Server: b.Server, By: b.By, Reason: b.Reason, Opened: b.Opened, Until: b.Until}
		if b.Closed != nil {
			o.Until = *b.Closed
		}
		due = append(due, o)
	}
	return due, err
}

// Review closes the review of broken glass.
func (d desk) Review(ctx context.Context, who portal.Person, id, finding string) error {
	_, err := called[admin.Done[admin.BypassView]](ctx, d, who, "bypass.review", admin.BypassChoice{Change: admin.Change{Reason: finding}, ID: id})
	return err
}

// called runs one of the operators' functions as somebody at the portal.
func called[T any](ctx context.Context, d desk, who portal.Person, name string, request any) (T, error) {
	var none T
	body, err := json.Marshal(request)
	if err != nil {
		return none, err
	}
	v, err := d.app.admin.Call(ctx, callerOf(who), name, body)
	var e *admin.Error
	switch {
	case errors.As(err, &e) && (e.Code == admin.Forbidden || e.Code == admin.NotFound || e.Code == admin.Conflict || e.Code == admin.Invalid):
		return none, &portal.Refusal{Text: sentences(e)}
	case err != nil:
		return none, err
	}
	out, ok := v.(T)
	if !ok {
		return none, errors.New("the answer of " + name + " is of another kind")
	}
	return out, nil
}

// sentences is an error of the operators' functions as a page says it.
func sentences(e *admin.Error) string {
	text := upper(e.Message) + "."
	if e.Fix != "" {
		text += " " + upper(e.Fix) + "."
	}
	return text
}

func upper(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

func callOf(v *admin.ApprovalView) portal.Call {
	c := portal.Call{ID: v.ID, State: v.State, Agent: v.Agent, Person: v.Person, Server: v.Server, Method: v.Method, Name: v.Name, Access: v.Access,
		Definition: v.Definition, Exchange: v.Exchange, Reason: v.Reason, Arguments: v.Arguments, Policies: v.Policies,
		Needed: v.Needed, Passkey: v.Passkey, Created: v.Created, Expires: v.Expires}
	for _, a := range v.Approvers {
		c.Approvers = append(c.Approvers, portal.Approver{Name: a.Who, How: a.How})
	}
	return c
}
