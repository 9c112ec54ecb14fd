package clientfile

import (
	"os"
	"path/filepath"
	"strings"
)

// row is one line of the table. Path starts with a root: ~ home, . project,
// % AppData, / as it is; or with $NAME, a variable that moves the folder, in
// which case the row is used only when the variable is set and hides the row
// that follows it.
type row struct {
	app   App
	goos  string // "" = every system
	path  string
	scope string
	key   string // dot-separated
	form  Format
}

// table holds the paths and keys that the apps' own documentation gives; those
// of Claude Desktop on Linux, Windsurf and Zed come from third parties.
var table = []row{
	{ClaudeDesktop, "darwin", "~/Library/Application Support/Claude/claude_desktop_config.json", ScopeUser, "mcpServers", JSONC},
	{ClaudeDesktop, "windows", "%/Claude/claude_desktop_config.json", ScopeUser, "mcpServers", JSONC},
	{ClaudeDesktop, "linux", "~/.config/Claude/claude_desktop_config.json", ScopeUser, "mcpServers", JSONC},

	{ClaudeCode, "", "$CLAUDE_CONFIG_DIR/.claude.json", ScopeUser, "mcpServers", JSONC},
	{ClaudeCode, "", "~/.claude.json", ScopeUser, "mcpServers", JSONC},
	{ClaudeCode, "", "./.mcp.json", ScopeProject, "mcpServers", JSONC},

	{VSCode, "darwin", "~/Library/Application Support/Code/User/mcp.json", ScopeUser, "servers", JSONC},
	{VSCode, "windows", "%/Code/User/mcp.json", ScopeUser, "servers", JSONC},
	{VSCode, "linux", "~/.config/Code/User/mcp.json", ScopeUser, "servers", JSONC},
	{VSCode, "darwin", "~/Library/Application Support/Code/User/settings.json", ScopeUser, "mcp.servers", JSONC},
	{VSCode, "windows", "%/Code/User/settings.json", ScopeUser, "mcp.servers", JSONC},
	{VSCode, "linux", "~/.config/Code/User/settings.json", ScopeUser, "mcp.servers", JSONC},
	{VSCode, "", "./.vscode/mcp.json", ScopeProject, "servers", JSONC},
	{VSCode, "", "./.vscode/settings.json", ScopeProject, "mcp.servers", JSONC},

	{Copilot, "", "~/.copilot/mcp-config.json", ScopeUser, "mcpServers", JSONC},
	{Copilot, "", "./.mcp.json", ScopeProject, "mcpServers", JSONC},

	{Cursor, "", "~/.cursor/mcp.json", ScopeUser, "mcpServers", JSONC},
	{Cursor, "", "./.cursor/mcp.json", ScopeProject, "mcpServers", JSONC},

	{Codex, "", "$CODEX_HOME/config.toml", ScopeUser, "mcp_servers", TOML},
	{Codex, "", "~/.codex/config.toml", ScopeUser, "mcp_servers", TOML},
	{Codex, "", "./.codex/config.toml", ScopeProject, "mcp_servers", TOML},

	{Gemini, "", "~/.gemini/settings.json", ScopeUser, "mcpServers", JSONC},
	{Gemini, "", "./.gemini/settings.json", ScopeProject, "mcpServers", JSONC},
	{Gemini, "linux", "/etc/gemini-cli/settings.json", ScopeSystem, "mcpServers", JSONC},
	{Gemini, "darwin", "/Library/Application Support/GeminiCli/settings.json", ScopeSystem, "mcpServers", JSONC},
	{Gemini, "windows", "C:/ProgramData/gemini-cli/settings.json", ScopeSystem, "mcpServers", JSONC},

	{Windsurf, "", "~/.codeium/windsurf/mcp_config.json", ScopeUser, "mcpServers", JSONC},

	{Zed, "windows", "%/Zed/settings.json", ScopeUser, "context_servers", JSONC},
	{Zed, "darwin", "~/.config/zed/settings.json", ScopeUser, "context_servers", JSONC},
	{Zed, "linux", "~/.config/zed/settings.json", ScopeUser, "context_servers", JSONC},
	{Zed, "", "./.zed/settings.json", ScopeProject, "context_servers", JSONC},
}

// Locations returns every place to look at on this host, in the order of the
// table, whether or not the file exists. Two apps can share a project file
// (.mcp.json); whoever edits it edits it once, for the first of them.
func Locations(h Host) []Location {
	var all []Location
	moved := false
	for _, r := range table {
		if r.goos != "" && r.goos != h.GOOS {
			continue
		}
		byEnv := strings.HasPrefix(r.path, "$")
		path := ""
		if byEnv || !moved {
			path = h.resolve(r.path)
		}
		moved = byEnv && path != ""
		if path != "" {
			all = append(all, Location{App: r.app, Path: path, Scope: r.scope, Key: strings.Split(r.key, "."), Format: r.form})
		}
	}
	return all
}

// resolve turns a path of the table into one of this host, "" if its root is
// not known.
func (h Host) resolve(path string) string {
	root, rest, _ := strings.Cut(path, "/")
	base := ""
	switch {
	case root == "~":
		base = h.Home
	case root == ".":
		base = h.Cwd
	case root == "%":
		base = h.AppData
	case strings.HasPrefix(root, "$"):
		base, _ = h.env(root[1:])
	default:
		return filepath.FromSlash(path)
	}
	if base == "" {
		return ""
	}
	return filepath.Join(base, filepath.FromSlash(rest))
}

// Exists reports whether something stands at the location.
func (l Location) Exists() bool {
	_, err := os.Stat(l.Path)
	return err == nil
}

// FromFile returns the location that a file of any name stands for: the row of
// the table with this path, else a guess by the members that it holds.
func (h Host) FromFile(path string) (Location, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(h.Cwd, path)
	}
	path = filepath.Clean(path)
	for _, l := range Locations(h) {
		if l.Path == path {
			return l, nil
		}
	}
	src, err := readBounded(path)
	if err != nil {
		return Location{}, err
	}
	loc := Location{App: ClaudeCode, Path: path, Scope: ScopeUser, Format: JSONC}
	if strings.EqualFold(filepath.Ext(path), ".toml") {
		loc.App, loc.Format, loc.Key = Codex, TOML, []string{"mcp_servers"}
		return loc, nil
	}
	root, err := parseJSONC(src)
	if err != nil {
		return Location{}, located(path, src, err)
	}
	for _, g := range []struct {
		app  App
		keys []string
	}{{ClaudeCode, []string{"mcpServers"}}, {VSCode, []string{"servers"}}, {VSCode, []string{"mcp", "servers"}}, {Zed, []string{"context_servers"}}} {
		if m, _ := serverMap(root, g.keys); m != nil {
			loc.App, loc.Key = g.app, g.keys
			return loc, nil
		}
	}
	return Location{}, &ParseError{File: path, Line: 1, Column: 1, Reason: "no MCP servers are listed here",
		Fix: "expected a member mcpServers, servers, mcp.servers or context_servers, or a .toml file"}
}
