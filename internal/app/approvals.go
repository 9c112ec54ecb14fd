package app

import (
	"context"
	"net/http"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/authorize"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/registry"
)

// approvals keeps what people confirm in the store, for the path.
type approvals struct{ app *App }

// Consume implements authorize.Approvals, as do the two below.
func (p approvals) Consume(ctx context.Context, hash string) (string, bool, error) {
	return p.app.admin.Own().UseApproval(ctx, hash, p.app.clock.Now())
}

// Ask keeps the question, and tells people of a new one.
func (p approvals) Ask(ctx context.Context, q authorize.Question) (authorize.Pending, error) {
	k := q.Key
	id, a, fresh, err := p.app.admin.Own().AskApproval(ctx, q.AgentName, registry.Approval{Hash: q.Hash, Server: k.Server, Method: k.Method,
		Name: k.Name, Digest: k.Definition, Arguments: q.Arguments, Agent: k.Agent, Person: k.Person, Need: q.Need, Exchange: q.Exchange,
		Policies: q.Policies, PolicyHash: q.Policy, Created: q.Time.UTC(), Needed: q.Needed, Passkey: q.Passkey})
	if err != nil {
		return authorize.Pending{}, err
	}
	if fresh {
		p.app.log.Info("a call waits for a person", logs.Public("approval", id), logs.Public("server", a.Server), logs.Public("exchange", a.Exchange))
		p.app.alarm("approval.requested", id)
	}
	return authorize.Pending{ID: id, Denied: a.State == registry.ApprovalDenied, Retry: a.Expires}, nil
}

// URL is where a person finds the approval.
func (p approvals) URL(id string) string {
	base := p.app.publicURL()
	if base == "" {
		return ""
	}
	return base + approvalsAt + "/" + id
}

// approvalsAt is where people find the calls that wait for them.
const approvalsAt = "/approvals"

// approvalPages adds the pages where people decide. A follower has none: it
// refuses calls that need a person.
func (a *App) approvalPages(all map[string]http.Handler) {
	if a.portal != nil {
		all[approvalsAt] = a.portal
	}
}

// checkBreakGlass is the check that is degraded while nobody is asked, and until
// somebody has looked at what happened meanwhile.
const checkBreakGlass = "break glass"

func (a *App) breakGlass() (state, detail string) {
	state, detail = stateOK, ""
	now := a.clock.Now()
	registry.All(a.live.Load(), registry.KindBypass, func(n *registry.Noun, b *registry.Bypass) {
		switch {
		case b.Open(now):
			state, detail = stateDegraded, "opening "+n.ID+" lets calls pass without approval until "+b.Until.UTC().Format(time.RFC3339)
		case b.Reviewed.IsZero() && state == stateOK:
			state, detail = stateDegraded, "opening "+n.ID+" is over and waits for its review"
		}
	})
	return state, detail
}

// alarm says at once what must not wait for somebody to look.
func (a *App) alarm(event, id string) {
	if strings.HasPrefix(event, "breakglass.") {
		a.log.Warn("the glass is broken: calls pass without approval", logs.Public("event", event), logs.Public("id", id))
	}
	a.webhook.Load().send(event, id)
}

// sweepApprovals ends what was not decided or used in time.
func (a *App) sweepApprovals(ctx context.Context) {
	every := time.NewTicker(15 * time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if err := a.admin.Own().SweepApprovals(ctx, a.clock.Now()); err != nil {
				a.logError("end approvals that have expired", err)
			}
		}
	}
}

var _ authorize.Approvals = approvals{}
