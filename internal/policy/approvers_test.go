package policy

import (
	"fmt"
	"strings"
	"testing"
)

// TestApproversAnnotation: how many people and whether with a passkey; of
// several rules that ask, the strictest of each counts.
func TestApproversAnnotation(t *testing.T) {
	rule := func(id, approvers string) string {
		return fmt.Sprintf(`@id(%q) @needs("approval") @approvers(%q) forbid (principal, action in Ostiary::Action::"modify", resource);`, id, approvers)
	}
	for text, want := range map[string]struct {
		n       int
		passkey bool
	}{
		`@id("a") @needs("approval") forbid (principal, action in Ostiary::Action::"modify", resource);`: {1, false},
		rule("a", "1"):                           {1, false},
		rule("a", "2"):                           {2, false},
		rule("a", "passkey"):                     {1, true},
		rule("a", "2 passkey"):                   {2, true},
		rule("a", "2") + rule("b", "1 passkey"):  {2, true},
		rule("a", "passkey") + rule("b", "2"):    {2, true},
		rule("a", "1") + rule("b", "1"):          {1, false},
		rule("a", "  2   passkey  "):             {2, true},
		rule("a", "1 passkey") + rule("b", "1 "): {1, true},
	} {
		d := Decide(cedarView(t, text), with(t, call("owner", "files", "wipe"), `{"path":"/a"}`))
		if d.Allow || d.Needs != NeedsApproval || d.Approvers != want.n || d.Passkey != want.passkey {
			t.Errorf("%s: %+v", text, d)
		}
	}
	for _, wrong := range []string{"", "0", "3", "passkey 2", "pass key", "2 2", "1 2", "passkey passkey", "2 Passkey", "2,passkey", "-1"} {
		if set, problems := Compile(cedarView(t, ""), []Source{{Name: "p.cedar", Text: rule("a", wrong)}}); set != nil || len(problems) == 0 || !strings.Contains(problems[0].String(), "@approvers") {
			t.Errorf("%q: %v", wrong, problems)
		}
	}
	alone := `@approvers("passkey") forbid (principal, action, resource);`
	if set, problems := Compile(cedarView(t, ""), []Source{{Name: "p.cedar", Text: alone}}); set != nil || len(problems) == 0 {
		t.Errorf("@approvers without @needs: %v", problems)
	}
}
