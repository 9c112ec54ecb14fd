package wire_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// spec lists the methods of each version as its schema.ts does; ">" may come
// from the client, "<" from the server, "=" from both. The tasks of 2026-07-28
// are those of its extension (SEP-2663).
var spec = map[wire.Version]string{
	wire.V20241105: legacyMethods,
	wire.V20250326: legacyMethods,
	wire.V20250618: legacyMethods + " <elicitation/create",
	wire.V20251125: legacyMethods + " <elicitation/create =tasks/get =tasks/list =tasks/result =tasks/cancel" +
		" =notifications/tasks/status <notifications/elicitation/complete",
	wire.V20260728: ">server/discover >tools/list >tools/call >resources/list >resources/templates/list >resources/read" +
		" >subscriptions/listen >prompts/list >prompts/get >completion/complete >tasks/get >tasks/update >tasks/cancel" +
		" =notifications/cancelled <notifications/progress <notifications/message <notifications/tools/list_changed" +
		" <notifications/prompts/list_changed <notifications/resources/list_changed <notifications/resources/updated" +
		" <notifications/subscriptions/acknowledged <notifications/tasks",
}

const legacyMethods = ">initialize =ping >tools/list >tools/call >resources/list >resources/templates/list >resources/read" +
	" >resources/subscribe >resources/unsubscribe >prompts/list >prompts/get >completion/complete >logging/setLevel" +
	" <sampling/createMessage <roots/list >notifications/initialized >notifications/roots/list_changed" +
	" =notifications/cancelled =notifications/progress <notifications/message <notifications/tools/list_changed" +
	" <notifications/prompts/list_changed <notifications/resources/list_changed <notifications/resources/updated"

func TestFactsAreComplete(t *testing.T) {
	for _, v := range wire.Versions {
		var want, got []string
		for _, entry := range strings.Fields(spec[v]) {
			if entry[0] != '<' {
				want = append(want, "client "+entry[1:])
			}
			if entry[0] != '>' {
				want = append(want, "server "+entry[1:])
			}
		}
		for _, f := range wire.Facts() {
			for side, name := range map[wire.Side]string{wire.FromClient: "client ", wire.FromServer: "server "} {
				if found, ok := wire.Lookup(f.Method, v, side); ok {
					got = append(got, name+f.Method)
					if !found.Versions.Has(v) || found.From&side == 0 {
						t.Errorf("%s: Lookup of %s from %s found the row of another version or side", v, f.Method, name)
					}
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", v, got, want)
		}
	}
}

func TestFactsAreConsistent(t *testing.T) {
	for _, f := range wire.Facts() {
		if f.Notification != strings.HasPrefix(f.Method, "notifications/") {
			t.Errorf("%s: notification is %v", f.Method, f.Notification)
		}
		if f.Action == wire.ActNone || f.From == 0 || f.Versions == 0 {
			t.Errorf("%s: the row leaves its action, side or versions open", f.Method)
		}
		mrtr := f.Method == "tools/call" || f.Method == "resources/read" || f.Method == "prompts/get"
		if f.MRTR != mrtr {
			t.Errorf("%s: MRTR is %v", f.Method, f.MRTR)
		}
		if (f.ListKey != "") != strings.HasSuffix(f.Method, "/list") {
			t.Errorf("%s: list key %q", f.Method, f.ListKey)
		}
		for _, g := range wire.Facts() {
			if g.Method == f.Method && (g.Notification != f.Notification || g.Routed != f.Routed) {
				t.Errorf("%s: rows disagree on what Parse needs to know", f.Method)
			}
			if g.Method == f.Method && g != f && g.Versions&f.Versions != 0 && g.From&f.From != 0 {
				t.Errorf("%s: two rows hold for one version and side", f.Method)
			}
		}
	}
}

func TestFactsByName(t *testing.T) {
	for _, c := range []struct {
		method string
		want   wire.Fact
	}{
		{"tools/call", wire.Fact{Action: wire.ActTool, Routed: "name", Stream: true, MRTR: true}},
		{"resources/templates/list", wire.Fact{Action: wire.ActRead, ListKey: "resourceTemplates"}},
		{"subscriptions/listen", wire.Fact{Action: wire.ActListen, Stream: true}},
		{"tasks/update", wire.Fact{Action: wire.ActTask, Routed: "taskId", Extension: "io.modelcontextprotocol/tasks"}},
	} {
		f, ok := wire.Lookup(c.method, wire.V20260728, wire.FromClient)
		if !ok || f.Action != c.want.Action || f.Routed != c.want.Routed || f.Stream != c.want.Stream ||
			f.MRTR != c.want.MRTR || f.ListKey != c.want.ListKey || f.Extension != c.want.Extension {
			t.Errorf("%s: %+v, want %+v", c.method, f, c.want)
		}
	}
	for _, c := range []struct {
		method, capability string
	}{{"sampling/createMessage", "sampling"}, {"elicitation/create", "elicitation"}, {"roots/list", "roots"}} {
		legacy, ok := wire.Lookup(c.method, wire.V20251125, wire.FromServer)
		modern, asInput := wire.LookupInput(c.method, wire.V20260728)
		if !ok || !asInput || legacy.Capability != c.capability || modern.Capability != c.capability || legacy.Action != modern.Action {
			t.Errorf("%s: %+v and %+v", c.method, legacy, modern)
		}
	}
}

func TestLookupDenies(t *testing.T) {
	for _, c := range []struct {
		method string
		v      wire.Version
		from   wire.Side
	}{
		{"foo/bar", wire.V20251125, wire.FromClient}, {"", wire.V20251125, wire.FromClient}, {"Tools/call", wire.V20251125, wire.FromClient},
		{"ping", wire.V20260728, wire.FromClient}, {"initialize", wire.V20260728, wire.FromClient}, {"server/discover", wire.V20251125, wire.FromClient},
		{"sampling/createMessage", wire.V20260728, wire.FromServer}, {"sampling/createMessage", wire.V20251125, wire.FromClient},
		{"tools/call", wire.V20251125, wire.FromServer}, {"tools/call", "2027-01-01", wire.FromClient}, {"tools/call", "", wire.FromClient},
		{"elicitation/create", wire.V20250326, wire.FromServer}, {"tasks/list", wire.V20260728, wire.FromClient}, {"tools/call", wire.V20251125, 0},
		{"tools/call", wire.V20251125, wire.FromEither},
	} {
		if f, ok := wire.Lookup(c.method, c.v, c.from); ok || f.Action != wire.ActNone {
			t.Errorf("%q of %q from %d is known as %+v", c.method, c.v, c.from, f)
		}
	}
	if _, ok := wire.LookupInput("sampling/createMessage", wire.V20251125); ok {
		t.Error("input requests exist in the legacy era")
	}
	if _, ok := wire.LookupInput("tools/call", wire.V20260728); ok {
		t.Error("a server may ask for tools/call")
	}
}

func TestVersions(t *testing.T) {
	for i, v := range wire.Versions {
		if !v.Known() || (v.Era() == wire.Modern) != (v == wire.V20260728) || i > 0 && wire.Versions[i-1] >= v {
			t.Errorf("%s: era %s", v, v.Era())
		}
	}
	for _, v := range []wire.Version{"", "2024-11-04", "DRAFT-2026", "2026-07-28 "} {
		if v.Known() || v.Era() != wire.EraUnknown {
			t.Errorf("%q is known", v)
		}
	}
	if s := fmt.Sprint(wire.Legacy, wire.Modern, wire.EraUnknown, wire.Request, wire.ErrorResponse); s != "legacy modern unknown request error" {
		t.Errorf("names are %s", s)
	}
}
