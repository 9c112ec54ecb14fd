package app

import (
	"context"
	"html/template"
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

// approvalPages adds the page that a client sends its person to. Until people
// can sign in, it says how to approve and nothing about the call: whoever has
// the address need not be somebody who may see its arguments.
func (a *App) approvalPages(all map[string]http.Handler) {
	all[approvalsAt] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, approvalsAt), "/")
		if !approvalID(id) || r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if err := approvalPage.Execute(w, id); err != nil {
			return // the peer is gone
		}
	})
}

// approvalID reports whether id has the form of one. The page is the same for
// those that exist and those that do not.
func approvalID(id string) bool {
	if len(id) != 16 {
		return false
	}
	for _, c := range id {
		if (c < 'a' || c > 'f') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

var approvalPage = template.Must(template.New("approval").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Approval {{.}}</title></head>
<body><h1>A call waits for a person</h1>
<p>Approval <code>{{.}}</code>. Whoever operates this gateway sees what is asked, and decides, with:</p>
<pre>ostiary approval show {{.}}
ostiary approval approve {{.}} --reason "..."
ostiary approval deny {{.}} --reason "..."</pre>
<p>Once it is approved, make the same call again within five minutes.</p></body></html>
`))

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
