// Package policytest makes up registries, Cedar policies and queries at random,
// for tests that ask two implementations the same.
//
// It deliberately knows nothing of what the answers should be.
package policytest

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Draw returns a number below n. It is the only source of chance here.
type Draw func(n int) int

// Of picks one.
func (d Draw) Of(from ...string) string { return from[d(len(from))] }

// in reports true in n of 100 cases.
func (d Draw) in(n int) bool { return d(100) < n }

// some picks each with one chance of two.
func (d Draw) some(from ...string) (out []string) {
	for _, s := range from {
		if d.in(50) {
			out = append(out, s)
		}
	}
	return out
}

// Noon is the time of most queries.
var Noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// Definition is the pinned definition of every tool that World makes.
const Definition = `{"name":"any","inputSchema":{"type":"object","required":["path"],"properties":{
	"path":{"type":"string"},"n":{"type":"integer"},"price":{"type":"number"},"flag":{"type":"boolean"},
	"tags":{"type":"array","items":{"type":"string"}},"sums":{"type":"array","items":{"type":"integer"}},
	"deep":{"type":"object","properties":{"on":{"type":"boolean"},"name":{"type":"string"}}},
	"query":{"type":"string"},"note":{"type":["string","null"]},"any":{},"weird name":{"type":"string"}}}}`

// Names of what there is in a World. Some name nothing, or nothing active.
var (
	Agents  = []string{"reader", "owner", "guest", "narrow", "gone", "nobody"}
	Servers = []string{"files", "vault", "post", "raw", "off"}
	Tools   = []string{"fetch", "wipe", "send", "new", "odd", "put", "look"}
	roles   = []string{"visitor", "staff", "auditor"}
	labels  = []string{"secret", "health", "plain"}
	zones   = []string{"intern", "public", ""}
	access  = []registry.Access{registry.Read, registry.Write, registry.Modify}
)

// World makes a registry without policies.
func World(d Draw) *registry.Snapshot {
	var servers []registry.Server
	for _, id := range Servers {
		s := registry.Server{ID: id, State: registry.Active, Examined: id != "raw", Zone: d.Of(zones...), Labels: d.some(labels...)}
		if id == "off" {
			s.State = registry.Suspended
		}
		for _, name := range Tools {
			t := registry.Tool{Name: name, Access: access[d(3)], State: registry.ToolApproved, Definition: Definition, Labels: d.some(labels...)}
			if name == "new" {
				t.State = registry.ToolNew
			}
			if name == "odd" {
				t.Access = registry.Access(d.Of("", "all"))
			}
			s.Tools = append(s.Tools, t)
		}
		servers = append(servers, s)
	}
	var agents []registry.Agent
	var grants []registry.Grant
	for _, id := range Agents[:5] {
		a := registry.Agent{ID: id, State: registry.Active, Roles: d.some(roles...), Zone: d.Of(zones...), Clearance: d.some(labels...)}
		if id == "gone" {
			a.State = registry.Suspended
		}
		agents = append(agents, a)
		for _, server := range Servers {
			if id == "guest" || d.in(40) {
				continue
			}
			g := registry.Grant{Agent: id, Server: server, Access: access[d(3)], Purpose: d.Of("", "support")}
			if id == "narrow" {
				g.Tools = d.some(append([]string{"none"}, Tools...)...)
			}
			grants = append(grants, g)
		}
	}
	return registry.NewSnapshot(7, servers, agents, nil, nil, grants)
}

// With returns s with policies in force. They need not fit the schema.
func With(s *registry.Snapshot, text string) (*registry.Snapshot, error) {
	p := registry.Policy{Version: 1, Sources: []policy.Source{{Name: "p.cedar", Text: text}}}
	p.Hash = registry.PolicyHash(p.Sources)
	n, err := registry.NewNoun(registry.KindPolicy, registry.PolicyActive, "", p)
	if err != nil {
		return nil, fmt.Errorf("policytest: %w", err)
	}
	return s.WithNouns([]registry.Noun{n}, nil)
}

// Query makes a query about something, or about nothing, in a World.
func Query(d Draw) policy.Query {
	q := policy.Query{Server: d.Of(Servers...)}
	q.Principal = identity.Principal{Tenant: "default", Kind: identity.Client, ID: d.Of(Agents...), Scopes: d.Of("", "read", "read write"),
		Person: d.Of("", "p1", "p2"), Strength: identity.Strength(1 + d(4)), AuthTime: Noon.Add(-time.Duration(d(30)) * time.Minute)}
	q.Call = policy.Call{Time: Noon.Add(time.Duration(d(48)-24) * time.Hour / 2), Purpose: d.Of("", "support", "billing"), Signature: d.Of("verified", "unsigned"),
		Labels: d.some(labels...), Approved: d.in(30)}
	if d.in(70) {
		q.Call.IP = netip.MustParseAddr(d.Of("10.1.2.3", "127.0.0.1", "192.0.2.7", "2001:db8::1", "::1", "::ffff:10.0.0.1"))
	}
	switch d(10) {
	case 0:
		q.Method, q.Name = "resources/read", d.Of("file:///a", "file:///b/c")
	case 1:
		q.Method, q.Name = "prompts/get", d.Of("greet", "fetch")
	case 2:
		q.Method = d.Of("initialize", "tools/list", "prompts/list", "tasks/get", "logging/setLevel")
	case 3:
		q.Method, q.Name = d.Of("resources/subscribe", "completion/complete"), d.Of("file:///a", "greet")
	default:
		q.Method, q.IsTool, q.Tool = "tools/call", true, d.Of(Tools...)
		q.Args = Arguments(d)
	}
	return q
}

// Arguments makes arguments of a tool; most fit Definition.
func Arguments(d Draw) wire.Value {
	var parts []string
	add := func(chance int, name string, from ...string) {
		if d.in(chance) {
			parts = append(parts, `"`+name+`":`+d.Of(from...))
		}
	}
	add(90, "path", `"/srv/data/x"`, `"/secret/a"`, `"/open"`, `"plain"`, `"/srv/../x"`, `"/Secret/a"`, `""`)
	add(60, "n", `0`, `1`, `2`, `5`, `11`, `-3`, `9223372036854775807`, `1.5`)
	add(50, "price", `1`, `1.5`, `0.25`, `-2.0001`, `1e99`)
	add(50, "flag", `true`, `false`)
	add(50, "tags", `[]`, `["a"]`, `["a","b"]`, `["b","b","secret"]`, `["/a//b"]`)
	add(30, "sums", `[]`, `[1,2]`, `[5]`)
	add(50, "deep", `{}`, `{"on":true}`, `{"on":false,"name":"x"}`, `{"name":"/secret/y","more":1}`)
	add(40, "query", `"SELECT 1"`, `"DROP TABLE t"`, `"SELECT a FROM t WHERE b = 'x'"`)
	add(40, "note", `null`, `"-rf $(id)"`, `"two words"`)
	add(30, "any", `{"list":["a;b"]}`, `7`)
	add(30, "weird name", `"w"`, `""`)
	v, err := wire.ParseValue([]byte("{"+strings.Join(parts, ",")+"}"), wire.DefaultLimits())
	if err != nil {
		panic("policytest: " + err.Error())
	}
	return v
}
