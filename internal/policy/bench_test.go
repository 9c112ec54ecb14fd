package policy

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
)

func many(b testing.TB, servers, tools, rules int) *registry.Snapshot {
	var list []registry.Server
	for i := range servers {
		srv := registry.Server{ID: fmt.Sprintf("s%d", i), State: registry.Active, Examined: true, Labels: []string{"plain"}}
		for j := range tools {
			srv.Tools = append(srv.Tools, registry.Tool{Name: fmt.Sprintf("t%d", j), Access: registry.Read, State: registry.ToolApproved, Definition: fetchDef})
		}
		list = append(list, srv)
	}
	var text strings.Builder
	for i := range rules {
		effect := "permit"
		if i%3 == 0 {
			effect = "forbid"
		}
		fmt.Fprintf(&text, "@id(\"r%d\") %s (principal in Ostiary::Role::\"r%d\", action in Ostiary::Action::\"read\", resource in Ostiary::Server::\"s%d\") when { resource.labels.contains(\"x%d\") && context has args && context.args has path && context.args.path like \"/srv/%d/*\" };\n",
			i, effect, i/servers%4, i%servers, i%5, i)
	}
	s := registry.NewSnapshot(1, list, []registry.Agent{{ID: "a", State: registry.Active, Roles: []string{"r0", "r1", "r2", "r3"}}}, nil, nil, []registry.Grant{{Agent: "a", Server: "s1", Access: registry.Read}, {Agent: "a", Server: "s0", Access: registry.Read}})
	return withPolicy(b, s, text.String())
}

func BenchmarkDecide1000(b *testing.B) {
	s := many(b, 100, 10, 1000)
	q := with(b, call("a", "s1", "t1"), `{"path":"/srv/a/b"}`)
	if d := Decide(s, q); !d.Allow {
		b.Fatal(d)
	}
	b.ReportAllocs()
	for b.Loop() {
		Decide(s, q)
	}
}

// wide gives the server s1 a thousand tools of its own.
func wide(s *registry.Snapshot, grants ...registry.Grant) *registry.Snapshot {
	server := *s.Server("s1")
	server.Tools = nil
	for i := range 1000 {
		server.Tools = append(server.Tools, registry.Tool{Name: fmt.Sprintf("w%d", i), Access: registry.Read, State: registry.ToolApproved, Definition: fetchDef})
	}
	return s.With(s.Version()+1, registry.Patch{Servers: []registry.Server{server}, Grants: grants})
}

// filter lists the tools of s1 and returns how many are shown.
func filter(s *registry.Snapshot) (shown int) {
	f := Lister(s)
	for i := range s.Server("s1").Tools {
		q := call("a", "s1", s.Server("s1").Tools[i].Name)
		q.Some, q.Call.Time = true, noon
		if f(q).Allow {
			shown++
		}
	}
	return shown
}

func BenchmarkFilterTools1000(b *testing.B) {
	s := wide(many(b, 100, 10, 1000))
	b.ReportAllocs()
	for b.Loop() {
		if n := filter(s); n != 1000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkFilterNamedTools1000 has a grant that names every other tool, and
// rules that ask which tool it is.
func BenchmarkFilterNamedTools1000(b *testing.B) {
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprintf("w%d", 2*i))
	}
	s := wide(many(b, 100, 10, 0), registry.Grant{Agent: "a", Server: "s1", Access: registry.Read, Tools: names})
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "@id(\"n%d\") forbid (principal, action, resource in Ostiary::Server::\"s1\") when { resource == Ostiary::Tool::\"s1/w%d\" && context has args && context.args has path && context.args.path like \"/srv/%d/*\" };\n", i, i, i)
	}
	s = withPolicy(b, s, text.String())
	b.ReportAllocs()
	for b.Loop() {
		if n := filter(s); n != 500 {
			b.Fatal(n)
		}
	}
}

func BenchmarkCompile1000(b *testing.B) {
	s := many(b, 100, 10, 1000)
	p := registry.Get[registry.Policy](s, registry.KindPolicy, registry.PolicyActive)
	for b.Loop() {
		if _, problems := Compile(s, p.Sources); len(problems) > 0 {
			b.Fatal(problems[0])
		}
	}
}
