package clientfile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected files")

// sample is one file of testdata/files with the app it belongs to.
type sample struct {
	file string
	app  App
	key  string
}

var samples = []sample{
	{"claude-desktop.json", ClaudeDesktop, "mcpServers"},
	{"claude-code.json", ClaudeCode, "mcpServers"},
	{"vscode.json", VSCode, "servers"},
	{"vscode-settings.json", VSCode, "mcp.servers"},
	{"copilot.json", Copilot, "mcpServers"},
	{"cursor.json", Cursor, "mcpServers"},
	{"codex.toml", Codex, "mcp_servers"},
	{"codex-inline.toml", Codex, "mcp_servers"},
	{"codex-dotted.toml", Codex, "mcp_servers"},
	{"gemini.json", Gemini, "mcpServers"},
	{"windsurf.json", Windsurf, "mcpServers"},
	{"zed.json", Zed, "context_servers"},
}

func (s sample) location() Location {
	loc := Location{App: s.app, Path: filepath.Join("testdata", "files", s.file), Key: strings.Split(s.key, "."), Format: JSONC}
	if filepath.Ext(s.file) == ".toml" {
		loc.Format = TOML
	}
	return loc
}

func (s sample) read(t *testing.T) *File {
	t.Helper()
	f, err := Read(s.location())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// golden compares got with a file, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n got: %q\nwant: %q", name, got, want)
	}
}

func describe(f *File) string {
	var b strings.Builder
	for _, e := range f.Entries() {
		fmt.Fprintf(&b, "%s\n  type %s disabled %v\n", e.Key(), e.Type, e.Disabled)
		fmt.Fprintf(&b, "  command %q %q cwd %q envFile %q\n  env %q\n  url %q %q\n", e.Command, e.Args, e.Cwd, e.EnvFile, e.Env, e.URL, e.Headers)
		for _, m := range e.Extra {
			fmt.Fprintf(&b, "  extra %s = %s\n", m.Key, m.Raw)
		}
		for _, r := range f.References(e) {
			fmt.Fprintf(&b, "  refers %s %s default %q at %s\n", r.Kind, r.Name, r.Default, r.Where)
		}
		for _, s := range Secrets(e) {
			fmt.Fprintf(&b, "  secret %s key %s %s\n", s.Where, s.Key, s.Reason)
		}
	}
	return b.String()
}

func TestEveryClientFileIsRead(t *testing.T) {
	for _, s := range samples {
		t.Run(s.file, func(t *testing.T) {
			golden(t, s.file+".entries", []byte(describe(s.read(t))))
		})
	}
}

func TestEveryAppOfTheTableHasASample(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		h := Host{Home: "/home/ada", Cwd: "/work/shop", AppData: "/appdata", GOOS: goos}
		for _, l := range Locations(h) {
			if !slices.ContainsFunc(samples, func(s sample) bool {
				return s.app == l.App && s.key == strings.Join(l.Key, ".") && s.location().Format == l.Format
			}) {
				t.Errorf("%s on %s: no sample", l.Path, goos)
			}
		}
		for _, app := range Apps() {
			if !slices.ContainsFunc(Locations(h), func(l Location) bool { return l.App == app }) {
				t.Errorf("%s has no location on %s", app, goos)
			}
		}
	}
}

func TestVariableMovesTheFolder(t *testing.T) {
	env := func(name string) (string, bool) { return "/elsewhere", name == "CODEX_HOME" }
	var got []string
	for _, l := range Locations(Host{Home: "/home/ada", GOOS: "linux", Env: env}) {
		if l.App == Codex {
			got = append(got, filepath.ToSlash(l.Path))
		}
	}
	if want := []string{"/elsewhere/config.toml"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFromFileGuessesByContent(t *testing.T) {
	h := Host{Cwd: t.TempDir(), GOOS: "linux"}
	for _, s := range samples {
		src, err := os.ReadFile(s.location().Path)
		if err != nil {
			t.Fatal(err)
		}
		name := "some-" + s.file
		if err := os.WriteFile(filepath.Join(h.Cwd, name), src, 0o600); err != nil {
			t.Fatal(err)
		}
		loc, err := h.FromFile(name)
		if err != nil || strings.Join(loc.Key, ".") != s.key || loc.Format != s.location().Format {
			t.Errorf("%s: %v %+v", s.file, err, loc)
		}
	}
	if err := os.WriteFile(filepath.Join(h.Cwd, "none.json"), []byte(`{"a": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var p *ParseError
	if _, err := h.FromFile("none.json"); !errors.As(err, &p) || p.Fix == "" {
		t.Errorf("a file without servers: %v", err)
	}
	if _, err := h.FromFile("absent.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestMalformedFilesAreRefusedWithTheirPlace(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 70)
	for _, c := range []struct{ name, format, src, want string }{
		{"duplicate server", "jsonc", "{\"mcpServers\": {\n  \"a\": {},\n  \"a\": {}\n}}", "3:3: member \"a\" appears twice"},
		{"duplicate by escape", "jsonc", `{"mcpServers": {"a": {}, "\u0061": {}}}`, "1:26: member \"a\" appears twice"},
		{"not an object", "jsonc", "[]", "1:1: expected {"},
		{"cut off", "jsonc", `{"mcpServers": {`, "1:17: expected a member name"},
		{"rest", "jsonc", "{} x", "1:4: unexpected text"},
		{"comment open", "jsonc", "{ /* ", "1:3: a comment is not closed"},
		{"single quotes", "jsonc", "{'a': 1}", "1:2: expected a member name"},
		{"bare word", "jsonc", `{"a": yes}`, "1:7: expected a value"},
		{"leading zero", "jsonc", `{"a": 01}`, "1:7: expected a value"},
		{"lone surrogate", "jsonc", `{"a": "\ud800"}`, "1:8: half of a surrogate pair"},
		{"raw newline", "jsonc", "{\"a\": \"x\ny\"}", "1:9: a control character"},
		{"not UTF-8", "jsonc", "{\"\xff\": 1}", "1:3: not valid UTF-8"},
		{"depth", "jsonc", deep, "nested deeper than 64"},
		{"no comma", "jsonc", `{"a": 1 "b": 2}`, "1:9: expected a comma"},
		{"server not object", "jsonc", `{"mcpServers": {"é": 3}}`, "1:22: server \"é\" is not an object"},
		{"map not object", "jsonc", `{"mcpServers": []}`, "1:16: mcpServers must be an object"},
		{"args not list", "jsonc", `{"mcpServers": {"a": {"args": "x"}}}`, "1:31: \"args\" must be a list"},
		{"NUL", "jsonc", `{"mcpServers": {"a": {"command": "x\u0000"}}}`, "holds a NUL"},
		{"command and url", "jsonc", `{"mcpServers": {"a": {"command": "x", "url": "y"}}}`, "a command and a URL"},
		{"two urls", "jsonc", `{"mcpServers": {"a": {"httpUrl": "x", "url": "y"}}}`, "two URLs"},
		{"no name", "jsonc", `{"mcpServers": {"": {}}}`, "1:17: a server has no name"},
		{"table twice", "toml", "[mcp_servers.a]\n[mcp_servers.a]\n", "2:1: table \"mcp_servers.a\" is defined twice"},
		{"key twice", "toml", "a = 1\na = 2", "2:1: key \"a\" is defined twice"},
		{"key over table", "toml", "[a.b]\n[a]\nb = 1", "3:1: key \"b\" is defined twice"},
		{"dotted into a header", "toml", "[a.b]\nx = 1\n[a]\nb.y = 2", "4:1: table \"b\" has its own header"},
		{"inline extended", "toml", "a = {}\n[a.b]", "2:1: an inline table cannot be extended"},
		{"two on a line", "toml", "a = 1 b = 2", "1:7: unexpected text"},
		{"bad escape", "toml", `a = "\q"`, "1:6: unknown escape"},
		{"open string", "toml", `a = """x`, "1:5: a string is not closed"},
		{"no value", "toml", "a =", "1:4: expected a value"},
		{"open header", "toml", "[a", "1:3: expected ]"},
		{"deep key", "toml", strings.Repeat("a.", 80) + "a = 1", "nested deeper than 64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			loc := Location{App: ClaudeDesktop, Path: "f", Key: []string{"mcpServers"}, Format: Format(c.format)}
			if loc.Format == TOML {
				loc.App, loc.Key = Codex, []string{"mcp_servers"}
			}
			_, err := Parse(loc, []byte(c.src))
			var p *ParseError
			if !errors.As(err, &p) || !strings.Contains(err.Error(), c.want) || p.Fix == "" {
				t.Errorf("got %v, want %q with a fix", err, c.want)
			}
		})
	}
}

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.json")
	if err := os.WriteFile(path, bytes.Repeat([]byte(" "), MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(Location{Path: path}); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("a file over the limit: %v", err)
	}
	if _, err := Read(Location{Path: filepath.Dir(path)}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestTOMLStrings(t *testing.T) {
	for src, want := range map[string]string{
		`a = "x\u00e9\n\"y\""`:              "xé\n\"y\"",
		`a = 'C:\dir'`:                      `C:\dir`,
		"a = \"\"\"\nx\\\n   y\"\"\"\"\"":   `xy""`,
		"a = '''\r\nx'y'''":                 "x'y",
		"a = \"\"\"q\\\"\"\"\"\"":           `q""`,
		"\"a\" = \"\\U0001F600\" # smile\n": "😀",
	} {
		doc, err := parseTOML([]byte(src))
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		if got := doc.root.get("a").text; got != want {
			t.Errorf("%q: got %q, want %q", src, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	h := Host{Home: "/home/ada", Cwd: "/work/shop", Env: func(n string) (string, bool) {
		v, ok := map[string]string{"A": "1", "EMPTY": "", "NEST": "${A}"}[n]
		return v, ok
	}}
	e := Entry{App: VSCode, Command: "${workspaceFolder}/run", Args: []string{"${A}${env:A}", "${NONE:-d}", "${EMPTY:-e}", "${NEST}", "$A", "${", "${x y}"},
		Env: map[string]string{"K": "${input:key}", "L": "${env:NONE}"}, Cwd: "${userHome}"}
	got, missing := Expand(e, h, map[string]string{"key": "secret"})
	if want := []string{"11", "d", "e", "${A}", "$A", "${", "${x y}"}; !slices.Equal(got.Args, want) {
		t.Errorf("args %q, want %q", got.Args, want)
	}
	if got.Command != "/work/shop/run" || got.Cwd != "/home/ada" || got.Env["K"] != "secret" || got.Env["L"] != "${env:NONE}" {
		t.Errorf("got %+v", got)
	}
	var names []string
	for _, m := range missing {
		names = append(names, m.Kind+" "+m.Name+" "+m.Where)
	}
	if want := []string{"unknown x y args[6]", "env NONE env.L"}; !slices.Equal(names, want) {
		t.Errorf("missing %q, want %q", names, want)
	}
	if e.Env["K"] != "${input:key}" || e.Args[0] != "${A}${env:A}" {
		t.Error("Expand changed its argument")
	}
	gemini, _ := Expand(Entry{App: Gemini, Args: []string{"$A-"}}, h, nil)
	codex, _ := Expand(Entry{App: Codex, Args: []string{"${A}"}}, h, nil)
	if gemini.Args[0] != "1-" || codex.Args[0] != "${A}" {
		t.Errorf("gemini %q codex %q", gemini.Args, codex.Args)
	}
}

func TestSecretsAreFoundByNameAndShape(t *testing.T) {
	for _, c := range []struct {
		key, value string
		want       bool
	}{
		{"API_KEY", "abcd1234", true}, {"apiKey", "abcd1234", true}, {"X-Api-Key", "abcd", true}, {"GITHUB_PAT", "abcd1234", true},
		{"DB_PASSWORD", "pässword", true}, {"PATH", "/usr/bin", false}, {"LOG_LEVEL", "debug", false}, {"AUTH", "true", false},
		{"KEYBOARD", "german", false}, {"API_KEY", "${API_KEY}", false}, {"Authorization", "Bearer ${T}", false}, {"API_KEY", "${T:-abcd1234}", true},
		{"X", "ghp_0123456789abcdefghij0123", true}, {"X", "postgres://u:p@h/d", true}, {"X", "https://h/?api_key=abcd", true},
		{"X", "https://h/path?page=2", false}, {"X", "@modelcontextprotocol/server-filesystem", false},
		{"X", "0f0e0d0c0b0a09080706050403020100", true}, {"X", "-----BEGIN EC PRIVATE KEY-----", true},
		{"SSH_KEY", "/home/ada/.ssh/id", false},
	} {
		got := Secrets(Entry{Env: map[string]string{c.key: c.value}})
		if (len(got) == 1) != c.want {
			t.Errorf("%s=%s: got %v, want found %v", c.key, c.value, got, c.want)
		}
		if s := fmt.Sprintf("%+v", got); len(got) > 0 && strings.Contains(s, c.value) {
			t.Errorf("%s: the finding holds the value", c.key)
		}
	}
	args := Secrets(Entry{Args: []string{"--api-key", "abcd1234", "--token=abcd1234", "--port", "8080", "--password", "--verbose"}})
	var at []string
	for _, s := range args {
		at = append(at, s.Where)
	}
	if want := []string{"args[1]", "args[2]"}; !slices.Equal(at, want) {
		t.Errorf("arguments: got %q, want %q", at, want)
	}
}
