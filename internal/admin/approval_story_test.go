package admin

import (
	"testing"
	"time"
)

// approvalStory calls every function of ApprovalAPI and LimitAPI once. Ids are
// drawn at random, so that only refusals and lists are compared.
func approvalStory(t *testing.T, api API, note func(string, any, error)) {
	t.Helper()
	why := Change{Reason: "story"}
	a1, err := api.Approvals(ctx, ApprovalQuery{})
	note("Approvals", a1, err)
	a2, err := api.Approval(ctx, ID{ID: "nothing"})
	note("Approval", a2, err)
	a3, err := api.DecideApproval(ctx, DecideApproval{Change: why, ID: "nothing", Approve: true})
	note("DecideApproval", a3, err)
	a4, err := api.OpenBypass(ctx, OpenBypass{Change: why, Agent: "app", For: Duration(9 * time.Hour)})
	note("OpenBypass", a4, err)
	a5, err := api.CloseBypass(ctx, BypassChoice{Change: why, ID: "nothing"})
	note("CloseBypass", a5, err)
	a6, err := api.ReviewBypass(ctx, BypassChoice{Change: why, ID: "nothing"})
	note("ReviewBypass", a6, err)
	a7, err := api.Bypasses(ctx, None{})
	note("Bypasses", a7, err)
	a8, err := api.SetLimit(ctx, SetLimit{Change: why, Calls: Amount{Limit: 3, Window: Duration(time.Minute)}})
	note("SetLimit", a8, err)
	a9, err := api.Limits(ctx, None{})
	note("Limits", a9, err)
	a10, err := api.RemoveLimit(ctx, RemoveLimit{Change: why, ID: "all"})
	note("RemoveLimit", a10, err)
}
