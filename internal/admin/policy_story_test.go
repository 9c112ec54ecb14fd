package admin

import (
	"testing"

	"ostiary.dev/ostiary/internal/policy"
)

// policyStory calls every function of PolicyAPI once.
func policyStory(t *testing.T, api API, note func(string, any, error)) {
	t.Helper()
	why := Change{Reason: "story", DryRun: true}
	sources := texts(`@id("a") forbid (principal, action, resource);`)
	a1, err := api.PolicyCheck(ctx, PolicyCheck{Sources: sources})
	note("PolicyCheck", a1, err)
	a2, err := api.PolicyTest(ctx, PolicyTest{Cases: []PolicyCase{{Agent: "app", Server: "wiki", Expect: "deny"}}})
	note("PolicyTest", a2, err)
	a3, err := api.PolicyDiff(ctx, PolicyCheck{Sources: sources})
	note("PolicyDiff", a3, err)
	a4, err := api.PolicyApply(ctx, PolicyApply{Change: why, Sources: sources})
	note("PolicyApply", a4, err)
	a5, err := api.PolicyHistory(ctx, None{})
	note("PolicyHistory", a5, err)
	a6, err := api.PolicyShow(ctx, PolicyVersion{})
	note("PolicyShow", a6, err)
	a7, err := api.PolicyRollback(ctx, PolicyRollback{Change: why, Version: 7})
	note("PolicyRollback", a7, err)
	_, err = api.PolicyPropose(ctx, PolicyApply{Sources: sources}) // an id differs between the two
	note("PolicyPropose", nil, err)
	a9, err := api.PolicyProposals(ctx, None{})
	note("PolicyProposals", a9, err)
	b1, err := api.PolicyDecide(ctx, PolicyChoice{Change: why, ID: "none"})
	note("PolicyDecide", b1, err)
	b2, err := api.PolicyShadow(ctx, None{})
	note("PolicyShadow", b2, err)
	b3, err := api.PolicyEndShadow(ctx, why)
	note("PolicyEndShadow", b3, err)
	b4, err := api.PolicyReplay(ctx, PolicyReplay{Sources: sources})
	note("PolicyReplay", b4, err)
	b5, err := api.PolicySchema(ctx, None{})
	note("PolicySchema", b5, err)
	c1, err := api.WhoCan(ctx, WhoCan{Server: "wiki"})
	note("WhoCan", c1, err)
	c2, err := api.WhatCan(ctx, ID{"app"})
	note("WhatCan", c2, err)
	c3, err := api.Unused(ctx, Unused{})
	note("Unused", c3, err)
	c4, err := api.RequestAccess(ctx, Grant{Agent: "app", Server: "wiki"})
	note("RequestAccess", c4, err)
	c5, err := api.AccessRequests(ctx, None{})
	note("AccessRequests", c5, err)
	c6, err := api.DecideRequest(ctx, Choice{Change: why, ID: "none"})
	note("DecideRequest", c6, err)
}

func texts(all ...string) (sources []policy.Source) {
	for i, text := range all {
		sources = append(sources, policy.Source{Name: string(rune('a'+i)) + ".cedar", Text: text})
	}
	return sources
}
