package policytest

import (
	"fmt"
	"strings"
)

// Policies makes the text of up to most policies. Many of them fail for some
// queries, and some for all.
func Policies(d Draw, most int) string {
	var b strings.Builder
	for i := range d(most + 1) {
		needs := ""
		if d.in(15) {
			needs = d.Of(`@needs("approval") `, `@needs("step-up") `, `@needs("approval step-up") `, `@needs("approval") @approvers("2") `)
		}
		fmt.Fprintf(&b, "@id(\"r%d\") %s%s (%s, %s, %s)", i, needs, d.Of("permit", "permit", "forbid"), principalScope(d), actionScope(d), resourceScope(d))
		for range d(3) {
			fmt.Fprintf(&b, "\n  %s { %s }", d.Of("when", "when", "unless"), Condition(d, 3))
		}
		b.WriteString(";\n")
	}
	return b.String()
}

// ItemPolicies makes policies that look at little but the item they are asked
// about, and seldom fail.
func ItemPolicies(d Draw, most int) string {
	var b strings.Builder
	for i := range 1 + d(most) {
		more := d.Of("", "", ` && context has args && context.args has n && context.args.n > 1`, ` && context.call.facts.contains("shell_meta")`)
		fmt.Fprintf(&b, "@id(\"i%d\") %s (principal, action, resource) when { %s%s };\n", i, d.Of("permit", "permit", "forbid"), d.Of(items...), more)
	}
	return b.String()
}

func principalScope(d Draw) string {
	return d.Of("principal", "principal", `principal == Ostiary::Client::"guest"`, `principal in Ostiary::Role::"visitor"`, `principal is Ostiary::Client`,
		`principal in Ostiary::Tenant::"default"`, `principal is Ostiary::Client in Ostiary::Role::"staff"`, `principal is Ostiary::Person`, `principal == Ostiary::Client::"reader"`)
}

func actionScope(d Draw) string {
	return d.Of("action", "action", `action in Ostiary::Action::"read"`, `action == Ostiary::Action::"call:files/fetch"`,
		`action in [Ostiary::Action::"write", Ostiary::Action::"modify"]`, `action == Ostiary::Action::"get"`, `action == Ostiary::Action::"list"`,
		`action in [Ostiary::Action::"call:files/fetch", Ostiary::Action::"call:vault/fetch"]`, `action in []`)
}

func resourceScope(d Draw) string {
	return d.Of("resource", "resource", `resource in Ostiary::Server::"files"`, `resource == Ostiary::Tool::"files/fetch"`, `resource is Ostiary::Tool`,
		`resource is Ostiary::Tool in Ostiary::Server::"vault"`, `resource in Ostiary::Tenant::"default"`, `resource == Ostiary::Server::"post"`,
		`resource == Ostiary::Resource::"files/file:///a"`, `resource is Ostiary::Prompt`)
}

// Condition makes an expression that is a Boolean, or an error.
func Condition(d Draw, depth int) string {
	if depth == 0 || d.in(45) {
		return atom(d)
	}
	sub := func() string { return Condition(d, depth-1) }
	switch d(6) {
	case 0:
		return "(" + sub() + " || " + sub() + ")"
	case 1:
		return "!(" + sub() + ")"
	case 2:
		return "(if " + sub() + " then " + sub() + " else " + sub() + ")"
	case 3:
		return "((" + sub() + ") == (" + sub() + "))"
	}
	return "(" + sub() + " && " + sub() + ")"
}

func atom(d Draw) string {
	switch d(8) {
	case 0:
		return ofPrincipal(d)
	case 1, 2:
		return ofResource(d)
	case 3, 4:
		return ofCall(d)
	case 5:
		return d.Of(failing...)
	}
	return ofArguments(d)
}

func ofPrincipal(d Draw) string {
	return d.Of(`principal in Ostiary::Role::"visitor"`, `principal == Ostiary::Client::"guest"`, `principal.zone == "intern"`, `principal.clearance.contains("secret")`,
		`principal.clearance.containsAll(resource.labels)`, `principal.tenant == Ostiary::Tenant::"default"`, `principal in [Ostiary::Role::"staff", Ostiary::Role::"auditor"]`,
		`principal has zone`, `principal has nothing`, `principal is Ostiary::Client`, `principal.zone like "*tern"`, `principal.clearance.isEmpty()`,
		`Ostiary::Role::"visitor" in Ostiary::Tenant::"default"`, `principal in principal.tenant`)
}

func ofResource(d Draw) string {
	return d.Of(items...)
}

// items are conditions on the item and on the action.
var items = []string{
	`resource.labels.contains("secret")`, `resource in Ostiary::Server::"files"`, `resource is Ostiary::Tool`, `resource == Ostiary::Tool::"files/fetch"`,
	`resource is Ostiary::Tool in Ostiary::Server::"vault"`, `resource has labels`, `resource has zone && resource.zone == "intern"`, `resource.labels.containsAny(["health", "plain"])`,
	`[Ostiary::Tool::"files/wipe", Ostiary::Tool::"vault/send"].contains(resource)`, `action == Ostiary::Action::"call:files/fetch"`, `action in Ostiary::Action::"read"`,
	`action in [Ostiary::Action::"write", Ostiary::Action::"modify"]`, `resource in Ostiary::Tenant::"default"`, `(if true then resource else resource).labels.contains("plain")`,
	`resource in [Ostiary::Server::"files", Ostiary::Server::"post"]`, `{"r": resource}.r == Ostiary::Tool::"post/send"`, `resource == resource`, `resource.labels.isEmpty()`,
	`[action].contains(Ostiary::Action::"call:raw/wipe")`,
}

func ofCall(d Draw) string {
	c := d.Of(`mfa`, `auth_strength >= 3`, `purpose == "support"`, `purpose like "b*"`, `chain.contains(Ostiary::Person::"p1")`, `chain.isEmpty()`, `signature_state == "verified"`,
		`facts.contains("shell_meta")`, `facts.containsAny(["leading_dash", "path_ambiguous"])`, `facts.contains("sql_read_only")`, `facts.contains("sql_read_only:query")`, `facts.contains("shell_meta:note")`,
		`facts.isEmpty()`, `session_labels.contains("secret")`, `session_labels.containsAll(["secret", "health"])`, `scopes.contains("write")`, `approved`,
		`time > datetime("2026-11-29T12:00:00Z")`, `time.toTime() < duration("9h30m")`, `time.toDate() == datetime("2026-11-29")`, `time.offset(duration("-12h")) <= datetime("2026-11-29")`,
		`time.durationSince(datetime("2026-11-28")).toHours() > 30`, `ip.isInRange(ip("10.0.0.0/8"))`, `ip.isLoopback()`, `ip.isIpv4()`, `ip == ip("2001:db8::1")`, `nothing`)
	if strings.HasPrefix(c, "ip") && d.in(70) {
		return "(context.call has ip && context.call." + c + ")"
	}
	if d.in(10) {
		return "context.call has " + d.Of("mfa", "ip", "facts", "nothing")
	}
	return "context.call." + c
}

// asked are conditions on arguments, by the argument that each looks at.
var asked = map[string][]string{
	"path":  {`like "/secret/*"`, `== "/open"`, `like "/srv/*/x"`, `!= "plain"`, `like "*"`},
	"n":     {`> 1`, `<= 5`, `== 2`, `+ 1 > 2`, `* 2 < 10`, `- 9223372036854775807 < 0`, `* 9223372036854775807 > 0`},
	"price": {`.lessThan(decimal("1.5"))`, `.greaterThanOrEqual(decimal("0.25"))`, `== decimal("1.0")`},
	"flag":  {``, `== false`},
	"tags":  {`.contains("a")`, `.containsAll(["a", "b"])`, `.isEmpty()`, `.containsAny(["secret"])`, `== ["b", "a"]`},
	"sums":  {`.contains(5)`, `.containsAny([1, 9])`},
	"deep":  {`.on`, `has name`, `has on`, `.name == "x"`, `== {"on": true}`, `.name like "/secret/*"`},
	"query": {`== "SELECT 1"`, `like "SELECT*"`},
	"note":  {`== "two words"`, `> 3`},
	"any":   {`== 7`},
}

var askedNames = []string{"path", "path", "n", "n", "price", "flag", "tags", "sums", "deep", "query", "note", "any"}

func ofArguments(d Draw) string {
	name := d.Of(askedNames...)
	c := d.Of(asked[name]...)
	if !strings.HasPrefix(c, ".") && c != "" {
		c = " " + c
	}
	switch d(10) {
	case 0:
		return "context.args." + name + c
	case 1:
		return d.Of(`context has args`, `context has call`, `context has args && context.args has `+name, `context has args && context.args["weird name"] == "w"`, `context has args && context.args == {}`)
	case 2:
		return "(context has args && context.args." + name + c + ")"
	}
	return "(context has args && context.args has " + name + " && context.args." + name + c + ")"
}

// failing are conditions that are errors, or would be were they reached.
var failing = []string{
	`principal.nothing`, `resource.zone == "x"`, `context.nothing == 1`, `context.call.purpose > 3`, `context.call.time > 5`, `context.call.time.toTime() < 5`, `duration("1h") > datetime("2026-01-01")`, `"a" + 1 == 2`, `true`, `false`, `1 == "1"`, `(1 > 0 || principal.nothing)`,
	`(false && context.args.x)`, `Ostiary::Client::"nobody".zone == "x"`, `Ostiary::Client::"nobody" has zone`, `decimal("1.23456") == decimal("1.0")`, `ip("no") == ip("::1")`,
	`[1, "a"].contains("a")`, `9223372036854775807 + 1 > 0`, `(if 3 then true else false)`, `!(3)`, `principal in 3`, `[principal].contains(principal)`,
	`datetime("2026-13-01") > datetime("2026-01-01")`, `-(-9223372036854775807) > 0`, `principal in [Ostiary::Role::"staff", "x"]`,
}
