package clientfile

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func wrapped(f *File, e Entry) *Entry {
	w := Carry(e, WrapEntry(f.App, "/opt/ostiary", "/data/dir", string(f.App), e.Name))
	return &w
}

// wrapAll returns the changes that import makes.
func wrapAll(f *File) []Change {
	var all []Change
	for _, e := range f.Entries() {
		all = append(all, Change{Name: e.Name, Project: e.Project, New: wrapped(f, e)})
	}
	return all
}

func TestReplaceKeepsEverythingElse(t *testing.T) {
	for _, s := range samples {
		t.Run(s.file, func(t *testing.T) {
			f := s.read(t)
			got, err := f.Replace(wrapAll(f))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, s.file+".wrapped", got)
			golden(t, s.file+".diff", []byte(Diff(f.Bytes(), got, s.file)))
			again, err := Parse(f.Location, got)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range again.Entries() {
				if !IsWrap(e, "/opt/ostiary") || len(e.Env)+len(e.Headers) > 0 || len(Secrets(e)) > 0 {
					t.Errorf("%s is not a plain wrap entry: %+v", e.Name, e)
				}
				if e.Disabled != f.Entries()[i].Disabled {
					t.Errorf("%s: disabled changed to %v", e.Name, e.Disabled)
				}
			}
			twice, err := again.Replace(wrapAll(f))
			if err != nil || !bytes.Equal(twice, got) {
				t.Errorf("a second edit is not the same: %v\n%s", err, Diff(got, twice, s.file))
			}
		})
	}
}

func TestAddAndRemove(t *testing.T) {
	for _, s := range samples {
		t.Run(s.file, func(t *testing.T) {
			f := s.read(t)
			add := WrapEntry(s.app, "/opt/ostiary", "/data", string(s.app), "added")
			got, err := f.Replace([]Change{{Name: "added", New: &add}})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, s.file+".added", got)
			next, err := Parse(f.Location, got)
			if err != nil {
				t.Fatal(err)
			}
			back, err := next.Replace([]Change{{Name: "added"}})
			if err != nil {
				t.Fatal(err)
			}
			if f.Format == JSONC && !bytes.Equal(back, f.Bytes()) {
				t.Errorf("adding and removing leaves a difference:\n%s", Diff(f.Bytes(), back, s.file))
			}
			var none []Change
			for _, e := range f.Entries() {
				none = append(none, Change{Name: e.Name, Project: e.Project})
			}
			empty, err := f.Replace(none)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, s.file+".emptied", empty)
		})
	}
}

func TestAddMakesWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		src, key, project, want string
		app                     App
	}{
		{"", "mcpServers", "", "{\n  \"mcpServers\": {\n    \"n\": {\n      \"command\": \"c\",\n      \"args\": []\n    }\n  }\n}\n", Cursor},
		{"// mine", "mcpServers", "", "// mine\n{\n  \"mcpServers\": {\n    \"n\": {\n      \"command\": \"c\",\n      \"args\": []\n    }\n  }\n}\n", Cursor},
		{"{}", "mcp.servers", "", "{\n  \"mcp\": {\n    \"servers\": {\n      \"n\": {\n        \"command\": \"c\",\n        \"args\": []\n      }\n    }\n  }\n}", Cursor},
		{"{\n\t\"a\": 1 // one\n}\n", "s", "", "{\n\t\"a\": 1, // one\n\t\"s\": {\n\t\t\"n\": {\n\t\t\t\"command\": \"c\",\n\t\t\t\"args\": []\n\t\t}\n\t}\n}\n", Cursor},
		{`{"s": {"a": {"command": "x"}}}`, "s", "", `{"s": {"a": {"command": "x"}, "n": { "command": "c", "args": [] }}}`, Cursor},
		{"{\r\n  \"s\": {} // none\r\n}", "s", "", "{\r\n  \"s\": {\r\n    \"n\": {\r\n      \"command\": \"c\",\r\n      \"args\": []\r\n    }\r\n  } // none\r\n}", Cursor},
		{"{\n  \"projects\": {}\n}", "s", "/p", "{\n  \"projects\": {\n    \"/p\": {\n      \"s\": {\n        \"n\": {\n          \"command\": \"c\",\n          \"args\": []\n        }\n      }\n    }\n  }\n}", ClaudeCode},
		{"x = 1", "mcp_servers", "", "x = 1\n\n[mcp_servers.n]\ncommand = \"c\"\nargs = []\n", Codex},
		{"", "mcp_servers", "", "[mcp_servers.n]\ncommand = \"c\"\nargs = []\n", Codex},
	} {
		loc := Location{App: c.app, Path: "f", Key: strings.Split(c.key, "."), Format: JSONC}
		if c.app == Codex {
			loc.Format = TOML
		}
		f, err := Parse(loc, []byte(c.src))
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Replace([]Change{{Name: "n", Project: c.project, New: &Entry{Command: "c", Args: []string{}}}})
		if err != nil || string(got) != c.want {
			t.Errorf("%q: %v\n got %q\nwant %q", c.src, err, got, c.want)
		}
	}
}

func TestReplaceRefuses(t *testing.T) {
	f := samples[0].read(t)
	for name, changes := range map[string][]Change{
		"twice":   {{Name: "filesystem"}, {Name: "filesystem"}},
		"no name": {{Name: ""}},
		"project": {{Name: "filesystem", Project: "/p"}},
	} {
		if got, err := f.Replace(changes); err == nil || got != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if got, err := f.Replace([]Change{{Name: "absent"}}); err != nil || !bytes.Equal(got, f.Bytes()) {
		t.Errorf("removing what is not there: %v", err)
	}
}

// checkSplices makes every kind of edit in whatever was accepted.
func checkSplices(t interface{ Fatalf(string, ...any) }, f *File) {
	for i, e := range f.Entries() {
		if i == 4 {
			break
		}
		for _, c := range []Change{{Name: e.Name, Project: e.Project}, {Name: e.Name, Project: e.Project, New: wrapped(f, e)}} {
			got, err := f.Replace([]Change{c})
			if err != nil {
				continue // refused: nothing was made
			}
			next, err := Parse(f.Location, got)
			if err != nil {
				t.Fatalf("the result is not accepted: %v\n%q\n%q", err, f.Bytes(), got)
			}
			others(t, f, next, c)
		}
	}
	mask(f.Bytes())
	if d := Diff(f.Bytes(), nil, "f"); d != "" {
		for _, e := range f.Entries() {
			for _, v := range e.Env {
				if len(v) > 24 && e.Command == "" && !strings.ContainsAny(v, " \t\"',;:=\\/#*") && strings.Count(string(f.Bytes()), v) == 1 && strings.Contains(d, v) {
					t.Fatalf("a difference shows a value of env: %q", v)
				}
			}
		}
	}
}

// others compares every entry but the changed one.
func others(t interface{ Fatalf(string, ...any) }, before, after *File, c Change) {
	left := map[string]Entry{}
	for _, e := range after.Entries() {
		left[e.Key()] = e
	}
	for _, e := range before.Entries() {
		if e.Name == c.Name && e.Project == c.Project {
			continue
		}
		if got, ok := left[e.Key()]; !ok || !reflect.DeepEqual(got, e) {
			t.Fatalf("entry %q changed: %+v to %+v", e.Name, e, got)
		}
	}
}

func TestBytesOutsideTheEntryStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(samples).Draw(t, "sample")
		f, err := Read(s.location())
		if err != nil {
			t.Fatalf("%v", err)
		}
		e := rapid.SampledFrom(f.Entries()).Draw(t, "entry")
		if s.app == Codex {
			checkSplices(t, f)
			return
		}
		got, err := f.Replace([]Change{{Name: e.Name, Project: e.Project, New: wrapped(f, e)}})
		if err != nil {
			t.Fatalf("%v", err)
		}
		src := f.Bytes()
		head, tail := 0, 0
		for head < len(src) && head < len(got) && src[head] == got[head] {
			head++
		}
		for tail < len(src)-head && tail < len(got)-head && src[len(src)-1-tail] == got[len(got)-1-tail] {
			tail++
		}
		start, end := place(f, e)
		if head < start || len(src)-tail > end {
			t.Fatalf("bytes %d to %d changed, the entry is %d to %d", head, len(src)-tail, start, end)
		}
	})
}

// place returns where an entry's value stands in a JSONC file.
func place(f *File, e Entry) (start, end int) {
	base := f.root
	if e.Project != "" {
		base = f.root.get("projects").get(e.Project)
	}
	servers, _ := serverMap(base, f.Location.Key)
	n := servers.get(e.Name)
	return n.start, n.end
}

func addSamples(f *testing.F, format Format) {
	for _, s := range samples {
		if s.location().Format == format {
			got, err := Read(s.location())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(got.Bytes())
		}
	}
}

// FuzzJSONC holds that whatever is accepted can be edited without harm to
// anything else, or the edit is refused.
func FuzzJSONC(f *testing.F) {
	addSamples(f, JSONC)
	f.Add([]byte(`{"mcpServers":{"a":{"command":"x",},/* c */"b":{"url":"u"}// d` + "\n}}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, loc := range []Location{{App: ClaudeCode, Path: "f", Key: []string{"mcpServers"}, Format: JSONC}, {App: VSCode, Path: "f", Key: []string{"mcp", "servers"}, Format: JSONC}} {
			got, err := Parse(loc, src)
			if err != nil {
				continue
			}
			checkSplices(t, got)
			add := WrapEntry(loc.App, "o", "d", "a", "added entry")
			next, err := got.Replace([]Change{{Name: "added entry", New: &add}})
			if err != nil {
				continue
			}
			if again, err := Parse(loc, next); err != nil {
				t.Fatalf("the result is not accepted: %v", err)
			} else {
				others(t, got, again, Change{Name: "added entry"})
			}
		}
	})
}

// FuzzTOML is FuzzJSONC for TOML.
func FuzzTOML(f *testing.F) {
	addSamples(f, TOML)
	f.Add([]byte("[[mcp_servers.a.x]]\ny=1\n[mcp_servers.a]\ncommand='''c'''\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		loc := Location{App: Codex, Path: "f", Key: []string{"mcp_servers"}, Format: TOML}
		got, err := Parse(loc, src)
		if err != nil {
			return
		}
		checkSplices(t, got)
		add := WrapEntry(loc.App, "o", "d", "a", "added entry")
		next, err := got.Replace([]Change{{Name: "added entry", New: &add}})
		if err != nil {
			return
		}
		if again, err := Parse(loc, next); err != nil {
			t.Fatalf("the result is not accepted: %v", err)
		} else {
			others(t, got, again, Change{Name: "added entry"})
		}
	})
}
