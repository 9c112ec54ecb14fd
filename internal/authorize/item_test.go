package authorize

import (
	"context"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/fault"
)

const noItems = `
@id("r") forbid (principal, action, resource == Ostiary::Resource::"files/file:///secret");
@id("p") forbid (principal, action, resource == Ostiary::Prompt::"files/hidden");
@id("t") forbid (principal, action, resource == Ostiary::Resource::"files/file:///{secret}");`

// TestListsShowWhatReadsAllow: lists of resources, templates and prompts lack
// what a read of it would be refused, and nothing else.
func TestListsShowWhatReadsAllow(t *testing.T) {
	s := world(t)
	under(t, s, noItems)
	for method, c := range map[string]struct{ body, want string }{
		"resources/list":           {`{"resources":[{"uri":"file:///secret"} , {"uri":"file:///a"},{"name":"x"}]}`, `{"resources":[{"uri":"file:///a"}]}`},
		"resources/templates/list": {`{"resourceTemplates":[{"uriTemplate":"file:///{a}"},{"uriTemplate":"file:///{secret}"}]}`, `{"resourceTemplates":[{"uriTemplate":"file:///{a}"}]}`},
		"prompts/list":             {`{"prompts":[{"name":"hidden"},{"name":"file:///secret"}]}`, `{"prompts":[{"name":"file:///secret"}]}`},
	} {
		x := called(t, s, legacy(t, "reader", "files", method, "{}"))
		if err := answered(t, s, x, result(c.body)); err != nil || string(x.Message.Result().Raw()) != c.want {
			t.Errorf("%s: %v, %s", method, err, x.Message.Result().Raw())
		}
	}
	for _, c := range []struct {
		method, params string
		kind           fault.Kind
	}{
		{"resources/read", `{"uri":"file:///secret"}`, fault.Denied}, {"resources/read", `{"uri":"file:///a"}`, ""},
		{"prompts/get", `{"name":"hidden"}`, fault.Denied}, {"prompts/get", `{"name":"shown"}`, ""},
		{"resources/subscribe", `{"uri":"file:///secret"}`, fault.Denied},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"hidden"},"argument":{"name":"a","value":""}}`, fault.Denied},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"shown"},"argument":{"name":"a","value":""}}`, ""},
		{"completion/complete", `{"ref":{"type":"ref/resource","uri":"file:///{secret}"},"argument":{"name":"a","value":""}}`, fault.Denied},
		{"completion/complete", `{"ref":{"type":"REF/prompt","name":"hidden"},"argument":{"name":"a","value":""}}`, fault.BadParams},
		{"completion/complete", `{}`, fault.BadParams},
	} {
		wantKind(t, c.method+c.params, s.Call(context.Background(), legacy(t, "reader", "files", c.method, c.params)), c.kind)
	}
}

// TestListenItems: one who listens names each resource, is refused all for one,
// and hears of no change that it may not read now.
func TestListenItems(t *testing.T) {
	s := world(t)
	open := called(t, s, modern(t, "reader", "files", "subscriptions/listen", `,"notifications":{"resourceSubscriptions":["file:///secret"]}`))
	hears := func() fault.Kind {
		t.Helper()
		if err := answered(t, s, open, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///secret"}}`); err != nil {
			t.Fatal(err)
		}
		return open.Drop
	}
	if kind := hears(); kind != "" {
		t.Errorf("before: %s", kind)
	}
	under(t, s, noItems)
	if kind := hears(); kind != fault.Denied {
		t.Errorf("after: %q", kind)
	}
	wantKind(t, "open", s.Still(open), fault.ServerUnknown)
	for uris, kind := range map[string]fault.Kind{`["file:///a"]`: "", `[]`: "", `["file:///a","file:///secret"]`: fault.Denied} {
		x := modern(t, "reader", "files", "subscriptions/listen", `,"notifications":{"resourceSubscriptions":`+uris+`}`)
		wantKind(t, uris, s.Call(context.Background(), x), kind)
	}
}

// TestStillLooksAtTheTime: a stream that office hours allowed ends with them; a
// person's proof that was fresh when the call began stays so.
func TestStillLooksAtTheTime(t *testing.T) {
	now := time.Date(2026, 11, 2, 16, 59, 0, 0, time.UTC)
	s := world(t)
	s.Clock = clock.Fixed(func() time.Time { return now })
	under(t, s, `@id("hours") forbid (principal, action, resource) when { context.call.time.toTime() >= duration("18h") };
@id("proof") @needs("step-up") forbid (principal, action == Ostiary::Action::"call:files/plain", resource);`)
	x := legacy(t, "reader", "files", "tools/call", `{"name":"plain"}`)
	x.Start, x.Principal.Strength, x.Principal.AuthTime = now, 3, now.Add(-14*time.Minute)
	called(t, s, x)
	now = now.Add(time.Hour)
	wantKind(t, "within the hours", s.Still(x), "")
	now = now.Add(2 * time.Minute)
	wantKind(t, "after them", s.Still(x), fault.ServerUnknown)
}

// TestListsShowWhatTheTimeAllows: a list whose answer comes late shows what a
// call of now would be allowed, not what one of then was.
func TestListsShowWhatTheTimeAllows(t *testing.T) {
	now := time.Date(2026, 11, 2, 17, 59, 0, 0, time.UTC)
	s := world(t)
	s.Clock = clock.Fixed(func() time.Time { return now })
	under(t, s, `@id("hours") forbid (principal, action == Ostiary::Action::"call:files/plain", resource) when { context.call.time.toTime() >= duration("18h") };`)
	x := legacy(t, "reader", "files", "tools/list", "{}")
	x.Start = now
	called(t, s, x)
	for shown, later := range map[bool]time.Duration{true: 0, false: 2 * time.Minute} {
		now = x.Start.Add(later)
		if err := answered(t, s, x, result(`{"tools":[`+plainDef+`]}`)); err != nil || strings.Contains(string(x.Message.Raw()), `"plain"`) != shown {
			t.Errorf("%v later: %v %s", later, err, x.Message.Raw())
		}
		call := legacy(t, "reader", "files", "tools/call", `{"name":"plain"}`)
		call.Start = now
		if err := s.Call(context.Background(), call); (err == nil) != shown {
			t.Errorf("%v later a call is told %v", later, err)
		}
	}
}
