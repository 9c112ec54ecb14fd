package main

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clientfile"
	"ostiary.dev/ostiary/internal/registry"
)

func TestClientEditsCanBeTriedAndReasoned(t *testing.T) {
	root := testRoot()
	for _, path := range []string{"import", "client connect", "client disconnect", "client undo"} {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil || cmd.CommandPath() != "ostiary "+path {
			t.Fatalf("%s: %v", path, err)
		}
		for _, flag := range []string{"dry-run", "yes", "reason"} {
			if cmd.Flags().Lookup(flag) == nil {
				t.Errorf("%s has no --%s", path, flag)
			}
		}
	}
}

func TestServerIDsAreLegalAndUnique(t *testing.T) {
	p := &plan{ids: map[string]bool{"taken": true}}
	long := strings.Repeat("long-", 10)
	for _, c := range []struct{ name, want string }{
		{"GitHub", "github"}, {"GitHub", "github-2"}, {"git hub", "git-hub"}, {"taken", "taken-2"}, {"@scope/pkg@1.2", "scope-pkg-1-2"},
		{"日本", "server"}, {"--", "server-2"}, {long, "long-long-long-long-long-long-lo"}, {long, "long-long-long-long-long-long-2"},
	} {
		got := p.freeID(c.name)
		if got != c.want || registry.ValidID(got) != nil {
			t.Errorf("%q: got %q (%v), want %q", c.name, got, registry.ValidID(got), c.want)
		}
	}
}

func TestOnlyLocalURLsBecomePrivate(t *testing.T) {
	for url, want := range map[string]bool{
		"http://localhost:3000/mcp": true, "http://127.0.0.1/": true, "http://[::1]:8/": true, "https://10.1.2.3/": true, "http://app.localhost/": true,
		"https://example.com/": false, "https://localhost.example.com/": false, "https://8.8.8.8/": false, "http://169.254.169.254/": false, "%": false,
	} {
		if got := localURL(url); got != want {
			t.Errorf("%s: got %v", url, got)
		}
	}
}

func TestServersWithSealedValuesAreNeverTakenForEachOther(t *testing.T) {
	known := admin.ServerView{ID: "a", State: registry.Active, Basis: "import", Transport: registry.Stdio, Command: []string{"x", "y"}}
	r := admin.SubmitServer{Transport: registry.Stdio, Command: []string{"x", "y"}}
	if !sameAsKnown(known, r) {
		t.Error("the same command is not recognised")
	}
	for name, change := range map[string]func(*admin.ServerView, *admin.SubmitServer){
		"sealed":        func(s *admin.ServerView, r *admin.SubmitServer) { s.Secrets = []string{"K"} },
		"new value":     func(s *admin.ServerView, r *admin.SubmitServer) { r.Secrets = []admin.Clear{{Name: "K"}} },
		"suspended":     func(s *admin.ServerView, r *admin.SubmitServer) { s.State = registry.Suspended },
		"by operator":   func(s *admin.ServerView, r *admin.SubmitServer) { s.Basis = "operator" },
		"other command": func(s *admin.ServerView, r *admin.SubmitServer) { r.Command = []string{"x"} },
		"other folder":  func(s *admin.ServerView, r *admin.SubmitServer) { r.Dir = "/d" },
	} {
		s, q := known, r
		if change(&s, &q); sameAsKnown(s, q) {
			t.Errorf("%s: taken for the same", name)
		}
	}
	one := admin.SubmitServer{Command: []string{"x"}, Secrets: []admin.Clear{{Name: "K", Value: []byte("1")}}}
	two := admin.SubmitServer{Command: []string{"x"}, Secrets: []admin.Clear{{Name: "K", Value: []byte("2")}}}
	if sameServer(one, two) || !sameServer(one, one) {
		t.Error("two accounts of one server are taken for one")
	}
}

func TestEntriesThatCannotBeTakenOverStay(t *testing.T) {
	p := &plan{}
	for name, e := range map[string]clientfile.Entry{
		"switched off": {Command: "x", Disabled: true},
		"envFile":      {Command: "x", EnvFile: ".env"},
		"neither":      {},
		"oauth":        {URL: "https://example.com", Extra: []clientfile.Member{{Key: "oauth", Raw: "{}"}}},
	} {
		if why := p.obstacle(e); !strings.Contains(why, name) {
			t.Errorf("%s: got %q", name, why)
		}
	}
	if why := p.obstacle(clientfile.Entry{Command: "x", Extra: []clientfile.Member{{Key: "timeout", Raw: "1"}}}); why != "" {
		t.Errorf("a plain entry: %q", why)
	}
}

func TestRequestExpandsAndSeals(t *testing.T) {
	c := &cli{process: process{environ: func(n string) (string, bool) { return "from-env", n == "T" }}}
	p := &plan{cli: c, inputs: map[string]string{"id": "from-input"}}
	r, note := p.request(clientfile.Entry{App: clientfile.ClaudeCode, Type: "stdio", Command: "./run", Cwd: "sub", Project: "/p",
		Args: []string{"${workspaceFolder}"}, Env: map[string]string{"A": "${T}", "B": "${input:id}"}}, clientfile.ScopeUser)
	if note != "" || strings.Join(r.Command, " ") != "/p/run /p" || r.Dir != "/p/sub" || r.Transport != registry.Stdio {
		t.Errorf("%q %+v", note, r)
	}
	if len(r.Secrets) != 2 || string(r.Secrets[0].Value) != "from-env" || string(r.Secrets[1].Value) != "from-input" {
		t.Errorf("secrets %v", r.Secrets)
	}
	r, note = p.request(clientfile.Entry{Type: "sse", URL: "http://localhost/", Headers: map[string]string{"H": "v"}}, clientfile.ScopeUser)
	if note != "" || r.Transport != registry.SSE || !r.Private || len(r.Secrets) != 1 {
		t.Errorf("%q %+v", note, r)
	}
	_, note = p.request(clientfile.Entry{Command: "x", Env: map[string]string{"A": "${input:other}", "B": "${NONE}"}}, clientfile.ScopeUser)
	if note != "no value for ${input:other} (give --input other=REF), the variable NONE" {
		t.Errorf("got %q", note)
	}
	for _, e := range []clientfile.Entry{{Command: "./x"}, {Command: "x", Cwd: "sub"}, {Command: "${workspaceFolder}/x"}} {
		if _, note := p.request(e, clientfile.ScopeUser); note == "" {
			t.Errorf("%+v: a path of one project is taken for all", e)
		}
		if _, note := p.request(e, clientfile.ScopeProject); note != "" {
			t.Errorf("%+v: %s", e, note)
		}
	}
}
