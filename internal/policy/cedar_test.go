package policy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

const fetchDef = `{"name":"fetch","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"n":{"type":"integer"},"price":{"type":"number"},
	"deep":{"type":"object","properties":{"on":{"type":"boolean"}}},"tags":{"type":"array","items":{"type":"string"}},"note":{"type":["string","null"]},"any":{}},"required":["path"]}}`

// cedarView has the server "files" with the tools fetch (read) and wipe
// (modify), the labelled server "vault" and the sink "post"; the agents reader
// (a read grant on files), owner (modify on all) and guest (no grant).
func cedarView(t testing.TB, text string) *registry.Snapshot {
	t.Helper()
	ok := func(name string, access registry.Access, def string) registry.Tool {
		return registry.Tool{Name: name, Access: access, State: registry.ToolApproved, Definition: def}
	}
	renamed := ok("renamed", registry.Read, fetchDef)
	renamed.State = registry.ToolNew
	s := registry.NewSnapshot(9, []registry.Server{
		{ID: "files", State: registry.Active, Examined: true, Zone: "intern", Tools: []registry.Tool{ok("fetch", registry.Read, fetchDef), ok("wipe", registry.Modify, fetchDef), renamed}},
		{ID: "vault", State: registry.Active, Examined: true, Labels: []string{"secret"}, Tools: []registry.Tool{ok("get", registry.Read, fetchDef)}},
		{ID: "post", State: registry.Active, Examined: true, Zone: "public", Tools: []registry.Tool{ok("send", registry.Write, fetchDef)}},
	}, []registry.Agent{{ID: "reader", State: registry.Active, Clearance: []string{"secret"}}, {ID: "owner", State: registry.Active}, {ID: "guest", State: registry.Active, Roles: []string{"visitor"}}, {ID: "gone", State: registry.Suspended}},
		nil, nil, []registry.Grant{
			{Agent: "reader", Server: "files", Access: registry.Read, Purpose: "support"}, {Agent: "owner", Server: "files", Access: registry.Modify},
			{Agent: "owner", Server: "vault", Access: registry.Modify}, {Agent: "owner", Server: "post", Access: registry.Modify},
		})
	if text == "" {
		return s
	}
	return withPolicy(t, s, text)
}

func withPolicy(t testing.TB, s *registry.Snapshot, text string, change ...func(*registry.Policy)) *registry.Snapshot {
	t.Helper()
	p := registry.Policy{Version: 1, Sources: []Source{{Name: "p.cedar", Text: text}}}
	p.Hash = registry.PolicyHash(p.Sources)
	for _, c := range change {
		c(&p)
	}
	n, err := registry.NewNoun(registry.KindPolicy, registry.PolicyActive, "", p)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.WithNouns([]registry.Noun{n}, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func args(t testing.TB, text string) wire.Value {
	t.Helper()
	v, err := wire.ParseValue([]byte(text), wire.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func with(t testing.TB, q Query, text string) Query {
	q.Args, q.Call.Time = args(t, text), noon
	return q
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// mustCompile checks that a text is right before it is used.
func mustCompile(t testing.TB, s *registry.Snapshot, text string) {
	t.Helper()
	if _, problems := Compile(s, []Source{{Name: "p.cedar", Text: text}}); len(problems) > 0 {
		t.Fatalf("%s\n%v", text, problems)
	}
}

const (
	visitorsFetch = `@id("visitors") permit (principal in Ostiary::Role::"visitor", action == Ostiary::Action::"call:files/fetch", resource);`
	noSecretPath  = `@id("paths") forbid (principal, action, resource in Ostiary::Server::"files") when { context has args && context.args has path && context.args.path like "/secret/*" };`
)

func TestForbidOverridesGrantAndPermitAddsToIt(t *testing.T) {
	text := visitorsFetch + noSecretPath
	mustCompile(t, cedarView(t, ""), text)
	s := cedarView(t, text)
	for _, c := range []struct {
		agent, server, tool, args string
		reason                    string
		allow                     bool
	}{
		{"reader", "files", "fetch", `{"path":"/open/a"}`, ReasonGranted, true},
		{"reader", "files", "fetch", `{"path":"/secret/a"}`, ReasonForbid, false},
		{"reader", "files", "wipe", `{"path":"/open/a"}`, ReasonAccess, false},
		{"owner", "files", "wipe", `{"path":"/secret/a"}`, ReasonForbid, false},
		{"guest", "files", "fetch", `{"path":"/open/a"}`, ReasonPermit, true},
		{"guest", "files", "fetch", `{"path":"/secret/a"}`, ReasonForbid, false},
		{"guest", "files", "wipe", `{"path":"/open/a"}`, ReasonNoPermit, false},
		{"guest", "files", "renamed", `{"path":"/open/a"}`, ReasonToolNew, false},
		{"guest", "vault", "get", `{"path":"/open/a"}`, ReasonNoGrant, false},
		{"gone", "files", "fetch", `{"path":"/open/a"}`, ReasonAgentInactive, false},
	} {
		d := Decide(s, with(t, call(c.agent, c.server, c.tool), c.args))
		if d.Allow != c.allow || d.Reason != c.reason || d.Policy == "" {
			t.Errorf("%+v: %+v", c, d)
		}
	}
	for _, method := range []string{"initialize", "tools/list"} {
		q := Query{Principal: client("guest"), Server: "files", Method: method}
		if d := Decide(s, q); !d.Allow {
			t.Errorf("%s: %+v", method, d)
		}
	}
	if d := Decide(s, Query{Principal: client("guest"), Server: "files", Method: "resources/read", Name: "file:///a"}); d.Allow {
		t.Errorf("a permit for one tool reads a resource: %+v", d)
	}
}

// TestP01BrokenBundleDeniesAll: a bundle that cannot be used lets nobody pass,
// not even by grants.
func TestP01BrokenBundleDeniesAll(t *testing.T) {
	for name, s := range map[string]*registry.Snapshot{
		"syntax":     cedarView(t, `permit (principal`),
		"unverified": withPolicy(t, cedarView(t, ""), visitorsFetch, func(p *registry.Policy) { p.Broken = "signature" }),
		"other hash": withPolicy(t, cedarView(t, ""), visitorsFetch, func(p *registry.Policy) { p.Sources[0].Text = `permit (principal, action, resource);` }),
	} {
		if d := Decide(s, with(t, call("owner", "files", "fetch"), `{"path":"/a"}`)); d.Allow || d.Reason != ReasonPolicyError {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if d := Decide(cedarView(t, "// nothing\n"), with(t, call("guest", "files", "fetch"), `{"path":"/a"}`)); d.Allow {
		t.Errorf("an empty set allows: %+v", d)
	}
}

// TestP02ErrorsDeny: an error in any rule is a refusal, also where Cedar would
// skip a forbid.
func TestP02ErrorsDeny(t *testing.T) {
	for _, text := range []string{
		`forbid (principal, action, resource) when { context.args.note == "x" };`,
		`forbid (principal, action, resource) when { context.args.n + 9223372036854775807 > 0 };`,
		`permit (principal, action, resource) when { principal.nothing };`,
	} {
		d := Decide(cedarView(t, text), with(t, call("owner", "files", "fetch"), `{"path":"/a","n":5}`))
		if d.Allow || d.Reason != ReasonPolicyError {
			t.Errorf("%s: %+v", text, d)
		}
	}
}

// TestP02PanicDenies: so is a panic of the engine.
func TestP02PanicDenies(t *testing.T) {
	set, _ := load([]Source{{Name: "p", Text: visitorsFetch}})
	broken := *set.rules[0]
	broken.policy = nil
	if d := DecideWith(&Set{any: []*rule{&broken}, hash: "h"}, cedarView(t, ""), call("guest", "files", "fetch")); d.Allow || d.Reason != ReasonPolicyError {
		t.Errorf("%+v", d)
	}
}

func TestNeeds(t *testing.T) {
	text := `@id("ask") @needs("approval") forbid (principal, action in Ostiary::Action::"modify", resource);
		@id("strong") @needs("step-up") permit (principal == Ostiary::Client::"guest", action in Ostiary::Action::"read", resource);`
	mustCompile(t, cedarView(t, ""), text)
	s := cedarView(t, text)
	q := with(t, call("owner", "files", "wipe"), `{"path":"/a"}`)
	if d := Decide(s, q); d.Allow || d.Needs != NeedsApproval || d.Reasons[0] != "ask" {
		t.Errorf("%+v", d)
	}
	q.Call.Approved = true
	if d := Decide(s, q); !d.Allow {
		t.Errorf("approved: %+v", d)
	}
	q = with(t, call("reader", "files", "wipe"), `{"path":"/a"}`)
	if d := Decide(s, q); d.Allow || d.Needs != "" {
		t.Errorf("who may not even with approval: %+v", d)
	}
	q.Call.Approved = true
	if d := Decide(s, q); d.Allow {
		t.Errorf("an approval is no grant: %+v", d)
	}
	q = with(t, call("guest", "files", "fetch"), `{"path":"/a"}`)
	if d := Decide(s, q); d.Allow || d.Needs != NeedsStepUp {
		t.Errorf("%+v", d)
	}
	q.Principal.Strength = identity.Passkey
	for age, allow := range map[time.Duration]bool{0: true, stepUpAge: true, stepUpAge + 1: false, -time.Hour: false} {
		if q.Principal.AuthTime = noon.Add(-age); Decide(s, q).Allow != allow {
			t.Errorf("proved %v ago: %+v", age, Decide(s, q))
		}
	}
}

// TestP06OnlyCanonicalPathsAreCompared: a prefix rule is not fooled by another
// spelling of the same path.
func TestP06OnlyCanonicalPathsAreCompared(t *testing.T) {
	text := noSecretPath + `permit (principal == Ostiary::Client::"guest", action == Ostiary::Action::"call:files/fetch", resource) when { context.args.path like "/srv/data/*" };`
	mustCompile(t, cedarView(t, ""), text)
	s := cedarView(t, text)
	for _, path := range []string{"/a/../secret/x", "/a//secret/x", "//secret/x", "/./secret/x", "/a/./x", "/%73ecret/x", "/secret%2fx", "/a/%2e%2e/secret/x", "/%2e/x",
		"/srv/data/../../secret/x", "/a\u2215secret", "\uff0fsecret/x", "/secret/x\x00", "/a\x00.txt", "/SECRET/x", "/Secret/x", "/a/..", "..", ".", "./x", `\secret\x`, `/a\..\secret`,
		"/secret./x", "/a\u200b/x", "/a\u202e/x", "/a /x", "/%", "/%zz", "file:///a/../secret/x", "FILE:///secret/x", "/\u2024\u2024/x"} {
		for _, agent := range []string{"reader", "guest", "owner"} {
			d := Decide(s, with(t, call(agent, "files", "fetch"), `{"path":`+string(wire.Quote(path))+`}`))
			if d.Allow || d.Reason != ReasonArgument {
				t.Errorf("%s %q: %+v", agent, path, d)
			}
		}
	}
	for _, path := range []string{"/srv/data/x", "/srv/data/a/b.txt", "/srv/data/.hidden", "/srv/data/a b", "/srv/data/naïve"} {
		if d := Decide(s, with(t, call("guest", "files", "fetch"), `{"path":`+string(wire.Quote(path))+`}`)); !d.Allow {
			t.Errorf("%q: %+v", path, d)
		}
	}
	// What no rule reads is the server's own affair.
	if d := Decide(s, with(t, call("reader", "files", "fetch"), `{"path":"/open","note":"/a/../b"}`)); !d.Allow {
		t.Errorf("%+v", d)
	}
}

func TestNumbersAreNeverRounded(t *testing.T) {
	text := `forbid (principal, action in Ostiary::Action::"read", resource is Ostiary::Tool) when { context has args && (context.args has n && context.args.n > 10 || context.args has price && context.args.price.greaterThan(decimal("1.5"))) };`
	s := cedarView(t, text)
	for in, want := range map[string]string{
		`"n":10`: ReasonGranted, `"n":11`: ReasonForbid, `"n":1e1`: ReasonArgument, `"n":10.0`: ReasonArgument, `"n":9223372036854775808`: ReasonArgument, `"n":"10"`: ReasonArgument,
		`"n":null`: ReasonGranted, `"price":1.5`: ReasonGranted, `"price":1`: ReasonGranted, `"price":1.5001`: ReasonForbid, `"price":1.50001`: ReasonArgument, `"price":1e99`: ReasonArgument,
		`"price":922337203685477.5808`: ReasonArgument, `"any":1.123456789`: ReasonGranted,
	} {
		if d := Decide(s, with(t, call("owner", "files", "fetch"), `{"path":"/a",`+in+`}`)); d.Reason != want {
			t.Errorf("%s: %s, want %s", in, d.Reason, want)
		}
	}
}

// TestP08OnlyProvenSQLReads: what is not proven to read only, is not.
func TestP08OnlyProvenSQLReads(t *testing.T) {
	for _, sql := range []string{"SELECT 1", "select a, b from t where x = 'it''s; drop' and y in (1, 2)", "WITH c AS (SELECT 1) SELECT * FROM c;", `SELECT "delete" FROM t`, "SELECT count(*) FROM t"} {
		if !sqlReads(sql) {
			t.Errorf("refused: %s", sql)
		}
	}
	for _, sql := range []string{"", "SELECT 1; DROP TABLE t", "SELECT 1;;", "SELECT 1 -- x", "SELECT /* x */ 1", "SELECT 1 # x", "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
		"COPY t TO PROGRAM 'id'", "SELECT\u00a01", "SELECT\u20031", "SELECT 1\x00", "SELECT pg_read_file('/etc/passwd')", "SELECT lo_import('/etc/passwd')", `SELECT "pg_read_file"('/x')`,
		"SELECT load_extension('x')", "SELECT * INTO t2 FROM t", "SELECT 1 INTO OUTFILE '/x'", "EXPLAIN ANALYZE DELETE FROM t", "PRAGMA writable_schema=1", "SELECT 'a\\'; DROP TABLE t; --'",
		"SELECT $$a$$", "SELECT 'open", "SELECT * FROM t FOR UPDATE", "ATTACH 'x' AS y", "DELETE FROM t", "SELECT nextval('s')", "ＳＥＬＥＣＴ 1", "select `x`", "SELECT E'\\x'", "SELECT pg_sleep (9)"} {
		if sqlReads(sql) {
			t.Errorf("taken for proven: %q", sql)
		}
	}
	text := `@id("sql") forbid (principal, action, resource in Ostiary::Server::"files") unless { context.call.facts.contains("sql_read_only") };`
	s := cedarView(t, text)
	for in, allow := range map[string]bool{`{"path":"/a","query":"SELECT 1"}`: true, `{"path":"/a","query":"DROP TABLE t"}`: false, `{"path":"/a"}`: false, `{"path":"/a","query":7}`: false,
		`{"path":"/a","query":"SELECT 1","sql":"DROP TABLE t"}`: false} {
		if d := Decide(s, with(t, call("owner", "files", "fetch"), in)); d.Allow != allow {
			t.Errorf("%s: %+v", in, d)
		}
	}
}

// TestP09ShellFacts: what a shell or a program's option parser would read is told.
func TestP09ShellFacts(t *testing.T) {
	text := `@id("shell") forbid (principal, action, resource is Ostiary::Tool) when { context.call.facts.containsAny(["shell_meta", "leading_dash"]) };`
	mustCompile(t, cedarView(t, ""), text)
	s := cedarView(t, text)
	for _, in := range []string{"$(id)", "`id`", "a;b", "a\nb", "--upload-pack=x", "-rf", " -rf", "a|b", "a&b", "a>b", "a<b", "*", "a'b", `a"b`, "~x", "a\u2028b", "a\x00b"} {
		if d := Decide(s, with(t, call("owner", "files", "fetch"), `{"any":{"list":[`+string(wire.Quote(in))+`]}}`)); d.Allow || d.Reason != ReasonForbid {
			t.Errorf("%q: %+v", in, d)
		}
	}
	if d := Decide(s, with(t, call("owner", "files", "fetch"), `{"path":"plain-name.txt","n":-1}`)); !d.Allow {
		t.Errorf("%+v", d)
	}
}

// TestFactsDependOnNoOtherRule: a rule that looks at all facts sees the same
// ones with and without rules beside it that name some.
func TestFactsDependOnNoOtherRule(t *testing.T) {
	const all = `@id("all") forbid (principal, action, resource is Ostiary::Tool) unless { context.call.facts.isEmpty() };`
	const beside = `@id("beside") forbid (principal == Ostiary::Client::"owner", action, resource is Ostiary::Tool) when { context.call.facts.contains("shell_meta:note") && false };`
	for _, text := range []string{all, all + beside} {
		s := cedarView(t, text)
		for in, allow := range map[string]bool{`{"path":"/a"}`: true, `{"path":"/a","note":"$(id)"}`: false, `{"path":"/a","note":"-x"}`: false} {
			if d := Decide(s, with(t, call("owner", "files", "fetch"), in)); d.Allow != allow {
				t.Errorf("%s\n%s: %+v", text, in, d)
			}
		}
	}
}

// TestP15FlowRule: what was read before decides where the agent may write.
func TestP15FlowRule(t *testing.T) {
	text := `@id("flow") forbid (principal, action in [Ostiary::Action::"write", Ostiary::Action::"modify"], resource in Ostiary::Server::"post") when { context.call.session_labels.contains("secret") };`
	mustCompile(t, cedarView(t, ""), text)
	s := cedarView(t, text)
	q := with(t, call("owner", "post", "send"), `{"path":"/a"}`)
	if d := Decide(s, q); !d.Allow {
		t.Errorf("before: %+v", d)
	}
	q.Call.Labels = []string{"secret"}
	if d := Decide(s, q); d.Allow || d.Reasons[0] != "flow" {
		t.Errorf("after: %+v", d)
	}
}

// TestP17RenamedToolIsNotAllowed: a rule against a name is not escaped by
// another name, which nobody approved.
func TestP17RenamedToolIsNotAllowed(t *testing.T) {
	s := cedarView(t, `forbid (principal, action == Ostiary::Action::"call:files/fetch", resource);`)
	for _, tool := range []string{"fetch", "renamed", "Fetch", "fetch ", "fetch\x00"} {
		if d := Decide(s, with(t, call("owner", "files", tool), `{"path":"/a"}`)); d.Allow {
			t.Errorf("%q: %+v", tool, d)
		}
	}
}

// TestSomeShowsWhatCouldBeAllowed: a condition on arguments hides no tool; a
// condition that no arguments change does.
func TestSomeShowsWhatCouldBeAllowed(t *testing.T) {
	for text, shown := range map[string]bool{
		`permit (principal, action, resource) when { context has args && context.args has path && context.args.path == "/a" };`:                                    true,
		`permit (principal, action, resource) when { principal.zone == "x" && context has args && context.args has path && context.args.path == "/a" };`:           false,
		`permit (principal, action, resource); forbid (principal, action, resource) when { context has args && context.args has path && context.args.path=="/a"};`: true,
		`permit (principal, action, resource); forbid (principal, action, resource) when { principal.zone == "" };`:                                                false,
		`permit (principal, action, resource); forbid (principal, action, resource) when { context.call.facts.contains("shell_meta") };`:                           true,
		`permit (principal, action, resource) when { context.call.mfa };`:                                                                                          false,
		`@needs("approval") permit (principal, action, resource);`:                                                                                                 true,
		`permit (principal, action, resource) when { principal.nothing && context.args.path == "/a" };`:                                                            false,
	} {
		q := call("guest", "files", "fetch")
		q.Some = true
		d := Decide(cedarView(t, text), q)
		if (d.Allow || d.Needs != "") != shown {
			t.Errorf("%s: %+v", text, d)
		}
	}
}

func TestCompileProblems(t *testing.T) {
	s := cedarView(t, "")
	for text, want := range map[string]string{
		"permit (principal, action, resource);\npermit (principal;":                                            "p.cedar:2:",
		`permit (principal, action == Ostiary::Action::"call:files/nothing", resource);`:                       "p.cedar:1:1:",
		`permit (principal, action == Ostiary::Action::"call:files/fetch", resource) when { context.args.x };`: "p.cedar:1:1:",
		`permit (principal, action, resource) when { context.args.path == "/a" };`:                             "p.cedar:1:1:",
		`@need("approval") permit (principal, action, resource);`:                                              "@need",
		`@needs("aproval") permit (principal, action, resource);`:                                              "@needs",
		`@id("a") permit (principal, action, resource); @id("a") permit (principal, action, resource);`:        "another policy",
		`@id("grant:files") permit (principal, action, resource);`:                                             "@id",
		`permit (principal == Ostiary::User::"x", action, resource);`:                                          "p.cedar:1:1:",
	} {
		set, problems := Compile(s, []Source{{Name: "p.cedar", Text: text}})
		if set != nil || len(problems) == 0 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%s: %v, want %s", text, problems, want)
		}
	}
}

// TestSliceAgreesWithWholeSet: what the slice leaves out would not have matched,
// and all rules at once say what they say one after the other.
func TestSliceAgreesWithWholeSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		var text strings.Builder
		for i := range rapid.IntRange(0, 12).Draw(t, "n") {
			fmt.Fprintf(&text, "@id(\"r%d\") %s (%s, %s, %s)%s;\n", i, pick("effect", "permit", "permit", "forbid"),
				pick("p", "principal", `principal == Ostiary::Client::"guest"`, `principal in Ostiary::Role::"visitor"`, `principal is Ostiary::Client`, `principal in Ostiary::Tenant::"default"`, `principal is Ostiary::Person`),
				pick("a", "action", `action in Ostiary::Action::"read"`, `action == Ostiary::Action::"call:files/fetch"`, `action in [Ostiary::Action::"write", Ostiary::Action::"modify"]`, `action == Ostiary::Action::"get"`, `action in [Ostiary::Action::"call:files/fetch", Ostiary::Action::"call:vault/get"]`),
				pick("r", "resource", `resource in Ostiary::Server::"files"`, `resource == Ostiary::Tool::"files/fetch"`, `resource is Ostiary::Tool`, `resource is Ostiary::Tool in Ostiary::Server::"vault"`, `resource in Ostiary::Tenant::"default"`, `resource == Ostiary::Server::"post"`),
				pick("w", "", "", ` when { context has args && context.args has n && context.args.n == 1 }`, ` when { context.args.n == 1 }`, ` unless { context has args && context.args has n && context.args.n == 2 }`))
		}
		set, problems := load([]Source{{Name: "p", Text: text.String()}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		whole := *set
		whole.whole = true
		single := *set
		single.single = true
		s := cedarView(nopT{}, "")
		q := call(pick("agent", "guest", "reader", "owner"), pick("server", "files", "vault", "post"), pick("tool", "fetch", "get", "send", "wipe"))
		if rapid.Bool().Draw(t, "read") {
			q.IsTool, q.Tool, q.Method, q.Name = false, "", "resources/read", "file:///a"
		}
		anyRule := func(d Decision) Decision { // which of several failing rules is named is chance
			if d.Reason == ReasonPolicyError {
				d.Reasons = nil
			}
			return d
		}
		if a, b := anyRule(DecideWith(set, s, q)), anyRule(DecideWith(&whole, s, q)); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("%s\n%+v\n%+v\n%+v", text.String(), q, a, b)
		}
		if q.IsTool && rapid.Bool().Draw(t, "args") {
			q = with(nopT{}, q, pick("arguments", `{}`, `{"n":1}`, `{"n":2}`, `{"path":"/x","n":1}`))
		}
		a, b := anyRule(DecideWith(set, s, q)), anyRule(DecideWith(&single, s, q))
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("together and one by one\n%s\n%+v\n%+v\n%+v", text.String(), q, a, b)
		}
	})
}

type nopT struct{ testing.TB }

func (nopT) Helper() {}

// TestReloadsMixNothing: under reloads every call is decided by one set alone.
// One set permits only what the other forbids.
func TestReloadsMixNothing(t *testing.T) {
	base := cedarView(t, "")
	const a = `@id("a1") permit (principal == Ostiary::Client::"guest", action, resource); @id("a2") forbid (principal, action, resource) when { context has args && context.args has n && context.args.n == 1 };`
	const b = `@id("b1") permit (principal == Ostiary::Client::"guest", action, resource); @id("b2") forbid (principal, action, resource) when { context has args && context.args has n && context.args.n == 2 };`
	views := []*registry.Snapshot{withPolicy(t, base, a), withPolicy(t, base, b)}
	live := &registry.Live{}
	live.Swap(views[0])
	hashes := map[string]string{Decide(views[0], Query{}).Policy: "a", Decide(views[1], Query{}).Policy: "b"}
	queries := []Query{with(t, call("guest", "files", "fetch"), `{"path":"/x","n":1}`), with(t, call("guest", "files", "fetch"), `{"path":"/x","n":2}`)}
	stop, wg := make(chan struct{}), sync.WaitGroup{}
	for range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				d := Decide(live.Load(), queries[i%2])
				set := hashes[d.Policy]
				if set == "" || d.Allow != (set == "a" == (i%2 == 1)) || !strings.HasPrefix(d.Reasons[0], set) {
					t.Errorf("mixed: %+v", d)
					return
				}
			}
		})
	}
	for i := range 1000 {
		live.Swap(withPolicy(t, base, []string{a, b}[i%2]))
	}
	close(stop)
	wg.Wait()
}

// TestChangesCompileNothingAnew: a change of a token keeps the compiled set.
func TestChangesCompileNothingAnew(t *testing.T) {
	s := cedarView(t, visitorsFetch)
	set := SetOf(s)
	next := s.With(10, registry.Patch{Tokens: []registry.Token{{ID: "x", Agent: "owner"}}})
	if SetOf(next) != set {
		t.Error("the set was compiled again")
	}
}
