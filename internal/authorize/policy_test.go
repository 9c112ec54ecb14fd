package authorize

import (
	"context"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// TestP04PolicyIsReadAtDispatch: a list and then a change of policy: the call is
// decided by the policy of its own time, whose hash it names, and a call under
// way ends. A condition on arguments hides no tool.
func TestP04PolicyIsReadAtDispatch(t *testing.T) {
	s := world(t)
	before := s.Live.Load()
	listed := called(t, s, legacy(t, "reader", "files", "tools/list", "{}"))
	x := called(t, s, legacy(t, "reader", "files", "tools/call", `{"name":"list","arguments":{"path":"/secret/a"}}`))
	p := registry.Policy{Version: 1, Sources: []policy.Source{{Name: "p", Text: `@id("p") forbid (principal, action == Ostiary::Action::"call:files/list", resource) when { context.args.path like "/secret/*" };`}}}
	p.Hash = registry.PolicyHash(p.Sources)
	n, err := registry.NewNoun(registry.KindPolicy, registry.PolicyActive, "", p)
	if err != nil {
		t.Fatal(err)
	}
	next, err := before.WithNouns([]registry.Noun{n}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Live.Swap(next)
	wantKind(t, "under way", s.Still(x), fault.ServerUnknown)
	for path, kind := range map[string]fault.Kind{"/secret/a": fault.Denied, "/open/../secret/a": fault.Denied, "/open/a": ""} {
		call := legacy(t, "reader", "files", "tools/call", `{"name":"list","arguments":{"path":`+string(wire.Quote(path))+`}}`)
		wantKind(t, path, s.Call(context.Background(), call), kind)
		if call.Decision.Policy != p.Hash {
			t.Errorf("%s: decided by %q", path, call.Decision.Policy)
		}
	}
	listed.View = next
	if err := answered(t, s, listed, result(`{"tools":[`+listDef+`]}`)); err != nil || !strings.Contains(string(listed.Message.Raw()), `"list"`) {
		t.Errorf("%v: %s", err, listed.Message.Raw())
	}
}
