package authorize

import (
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

// decide asks policy, and then whether the caller's token reaches as far: what
// a person allowed a client narrows what its agent was granted and never widens
// it (TestScopeNarrows). Lists and calls both ask here, so that they agree.
func decide(view *registry.Snapshot, q policy.Query) policy.Decision {
	return scoped(policy.Decide(view, q), q)
}

// scoped bounds a decision by the scopes of the caller's token.
func scoped(d policy.Decision, q policy.Query) policy.Decision {
	if d.Allow && !identity.Reaches(q.Principal.Scopes, string(d.Need)) {
		d.Allow, d.Kind, d.Reason = false, fault.ScopeMissing, "the token's scope does not reach this"
	}
	return d
}
