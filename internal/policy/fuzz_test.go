package policy

import (
	"testing"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// FuzzPolicyText reads any text as policies: it is refused with problems or it
// decides, never both, and a text without a permit allows nothing.
func FuzzPolicyText(f *testing.F) {
	for _, text := range []string{
		`@id("a") permit (principal, action, resource);`, `forbid (principal, action, resource) when { context.args.path like "/a/*" };`,
		`@needs("approval") permit (principal == Ostiary::Client::"a", action in Ostiary::Action::"read", resource in Ostiary::Server::"s");`,
		`forbid (principal, action, resource) unless { context.call.session_labels.contains("x") };`, `permit (`, "\x00", `@id("`, ``,
	} {
		f.Add(text)
	}
	s := registry.NewSnapshot(1, []registry.Server{{ID: "s", State: registry.Active}}, []registry.Agent{{ID: "a", State: registry.Active}}, nil, nil, nil)
	f.Fuzz(func(t *testing.T, text string) {
		set, problems := Compile(s, []Source{{Name: "p", Text: text}})
		if (set == nil) != (len(problems) > 0) {
			t.Fatalf("%v and %v", set, problems)
		}
		if set == nil {
			return
		}
		permits := false
		for _, r := range set.Rules() {
			permits = permits || !r.Forbid
		}
		d := DecideWith(set, s, Query{Principal: identity.Principal{Kind: identity.Client, ID: "a"}, Server: "s", Method: "tools/call", Tool: "t", IsTool: true})
		if d.Allow && !permits {
			t.Fatal("allowed without a permit")
		}
	})
}
