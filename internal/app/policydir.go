package app

import (
	"context"
	"path/filepath"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/registry"
)

// The checks of policies: whether those in force can be used, and whether the
// files that they come from could be read.
const (
	checkPolicy      = "policies"
	checkPolicyFiles = "policy files"
)

// policyRules is what the configuration says about policies.
func (a *App) policyRules() admin.PolicyRules {
	c := a.config.Load().Policy
	if c.Dir != "" && !filepath.IsAbs(c.Dir) {
		c.Dir = filepath.Join(filepath.Dir(a.file), c.Dir)
	}
	return admin.PolicyRules{Dir: c.Dir, FourEyes: c.FourEyes}
}

// policyHealth says whether the policies in force can be used.
func (a *App) policyHealth() (state, detail string) {
	if flaw := a.admin.PolicyFlaw(); flaw != "" {
		return stateFail, flaw + "; every call is refused until policies are applied anew"
	}
	return stateOK, ""
}

// startPolicies applies the files of the directory. Without an earlier version
// to stay with, a gateway whose files are invalid does not start (P01).
func (a *App) startPolicies(ctx context.Context) error {
	a.health.Watch(checkPolicy, a.policyHealth)
	err := a.applyFiles(ctx)
	if err != nil && registry.Get[registry.Policy](a.live.Load(), registry.KindPolicy, registry.PolicyActive) == nil {
		return err
	}
	a.notePolicies(err)
	return nil
}

// reloadPolicies reads the files again; invalid ones change nothing.
func (a *App) reloadPolicies(ctx context.Context) { a.notePolicies(a.applyFiles(ctx)) }

func (a *App) notePolicies(err error) {
	switch {
	case a.policyRules().Dir == "":
	case err != nil:
		a.health.Set(checkPolicyFiles, stateDegraded, "are not valid, the policies in force stay: "+err.Error())
		a.logError("the policy files are not valid; the policies in force stay", err)
	default:
		a.health.Set(checkPolicyFiles, stateOK, "")
	}
}

// applyFiles applies the files of the directory when they are not in force yet.
// A gateway that follows another one leaves it to that one.
func (a *App) applyFiles(ctx context.Context) error {
	dir := a.policyRules().Dir
	if dir == "" || a.follower != nil {
		return nil
	}
	sources, err := PolicyFiles(dir)
	if err != nil {
		return err
	}
	active := registry.Get[registry.Policy](a.live.Load(), registry.KindPolicy, registry.PolicyActive)
	if active != nil && active.Broken == "" && active.Hash == registry.PolicyHash(sources) {
		return nil
	}
	_, err = a.admin.As(admin.ByConfig).PolicyApply(ctx, admin.PolicyApply{Sources: sources, Change: admin.Change{Reason: "files of policy.dir"}})
	return err
}

// shadowTrial tells how the policies on trial of that hash compare.
func (a *App) shadowTrial(hash string) admin.PolicyTrial {
	c := a.shadow.Counts(hash)
	out := admin.PolicyTrial{Decided: c.Decided, Different: c.Different, Left: c.Left, Differences: []admin.PolicyDifference{}}
	for _, d := range c.Counts {
		out.Differences = append(out.Differences, admin.PolicyDifference{Agent: d.Agent, Server: d.Server, Tool: d.Tool, Active: d.Active, Shadow: d.Shadow, Count: d.Count})
	}
	return out
}
