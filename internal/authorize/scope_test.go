package authorize

import (
	"context"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
)

// TestScopeNarrows: a token reaches what the agent was granted and the scope
// names, in calls and lists alike; the refusal is told from others only where
// the agent has the grant.
func TestScopeNarrows(t *testing.T) {
	s := world(t)
	put := `{"name":"put"}`
	for _, c := range []struct {
		agent, scopes, params string
		kind                  fault.Kind
	}{
		{"owner", "", put, ""},
		{"owner", identity.ScopeModify, put, ""},
		{"owner", identity.ScopeRead + " " + identity.ScopeModify, put, ""},
		{"owner", identity.ScopeRead, put, fault.ScopeMissing},
		{"owner", identity.ScopeWrite, put, fault.ScopeMissing},
		{"owner", "email", put, fault.ScopeMissing},
		{"reader", identity.ScopeModify, put, fault.Denied},
		{"reader", identity.ScopeRead, put, fault.Denied},
		{"owner", identity.ScopeModify, `{"name":"unknown"}`, fault.Denied},
		{"owner", identity.ScopeRead, `{"name":"unknown"}`, fault.Denied},
		{"nobody", identity.ScopeModify, put, fault.ServerUnknown},
	} {
		x := legacy(t, c.agent, "files", "tools/call", c.params)
		x.Principal.Scopes = c.scopes
		err := s.Call(context.Background(), x)
		wantKind(t, c.agent+" "+c.scopes+" "+c.params, err, c.kind)
		if (err == nil) != x.Decision.Allow {
			t.Errorf("%+v: the decision says %v", c, x.Decision.Allow)
		}
	}
	x := legacy(t, "owner", "files", "tools/list", "{}")
	x.Principal.Scopes = identity.ScopeRead
	if err := answered(t, s, called(t, s, x), result(`{"tools":[`+listDef+`,`+putDef+`]}`)); err != nil {
		t.Fatal(err)
	}
	if got := string(x.Message.Raw()); !strings.Contains(got, `"list"`) || strings.Contains(got, `"put"`) {
		t.Errorf("the list shows %s", got)
	}
}
