package privacy

import (
	"strings"
	"testing"
)

func TestSubjectRules(t *testing.T) {
	good := SubjectRule{Kind: "patient", Servers: []string{"clinic*"}, Tools: []string{"find"}, Paths: []string{"rows[*].id", "**.mrn"}, Up: 1}
	p, err := Compile(Config{Subjects: []SubjectRule{good, {Kind: "case", Servers: []string{"*"}, Paths: []string{"case"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ server, tool, path, name string }{
		{"clinic-1", "find", "rows[*].id", "patient:7"},
		{"clinic-1", "find", "a.b.mrn", "patient:7"},
		{"clinic-1", "find", "case", "case:7"},
		{"clinic-1", "other", "case", "case:7"},
		{"clinic-1", "other", "rows[*].id", ""},
		{"mail", "find", "rows[*].id", ""},
		{"clinic-1", "find", "rows[*].other", ""},
	} {
		a, got := p.About(c.server, c.tool), ""
		if rule, _, ok := a.Member(c.path); ok {
			got = a.Name(rule, " 7 ")
		}
		if got != c.name {
			t.Errorf("%v: %q", c, got)
		}
	}
	a := p.About("clinic-1", "find")
	for _, id := range []string{"", "  ", strings.Repeat("x", maxSubject+1)} {
		if got := a.Name(0, id); got != "" {
			t.Errorf("%q names %q", id, got)
		}
	}
	none, err := Compile(Config{})
	if err != nil || none.About("clinic-1", "find").Exists() {
		t.Error("something is said where nothing is", err)
	}
	if n := testing.AllocsPerRun(10, func() { none.About("clinic-1", "find") }); n != 0 {
		t.Errorf("%v allocations where nothing is said", n)
	}
	for key, change := range map[string]func(*SubjectRule){
		"subjects[0].kind":       func(r *SubjectRule) { r.Kind = "" },
		"subjects[0].servers":    func(r *SubjectRule) { r.Servers = nil },
		"subjects[0].servers[0]": func(r *SubjectRule) { r.Servers = []string{""} },
		"subjects[0].tools[0]":   func(r *SubjectRule) { r.Tools = []string{""} },
		"subjects[0].paths":      func(r *SubjectRule) { r.Paths = nil },
		"subjects[0].paths[0]":   func(r *SubjectRule) { r.Paths = []string{"rows[0].id"} },
		"subjects[0].up":         func(r *SubjectRule) { r.Up = maxUp + 1 },
	} {
		bad := good
		change(&bad)
		if _, err := Compile(Config{Subjects: []SubjectRule{bad}}); err == nil || !strings.HasPrefix(err.Error(), key+": ") {
			t.Errorf("%s: %v", key, err)
		}
	}
	bad := good
	bad.Kind = "a:b"
	if _, err := Compile(Config{Subjects: []SubjectRule{bad}}); err == nil {
		t.Error("a kind with a colon is taken")
	}
}
