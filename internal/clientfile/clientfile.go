// Package clientfile finds, reads and edits the configuration files in which
// MCP client apps list their servers, and undoes its edits byte for byte.
//
// It reads and writes the files named in its one table (locations.go) and its
// own backup folder, nothing else; environment, home folder and system come in
// a Host that cmd fills. Files are edited by splicing bytes into the text that
// the user wrote: comments, order, indentation and line endings outside the
// edited entry stay as they are, and what a splice produced is parsed again
// before anybody writes it. It deliberately starts no command, resolves no
// server, talks to no gateway and holds no key: backups are sealed by functions
// that the caller hands in, because originals may hold secrets in clear.
//
// JSON is read as RFC 8259 plus comments and trailing commas (the JSONC that
// these apps accept), TOML as version 1.0.0 (https://toml.io/en/v1.0.0).
package clientfile

import (
	"fmt"
	"strings"
)

// App is a client app; its text is also the id of its agent.
type App string

// The apps of the table.
const (
	ClaudeDesktop App = "claude-desktop"
	ClaudeCode    App = "claude-code"
	VSCode        App = "vscode"
	Copilot       App = "copilot"
	Cursor        App = "cursor"
	Codex         App = "codex"
	Gemini        App = "gemini"
	Windsurf      App = "windsurf"
	Zed           App = "zed"
)

// Apps returns every app, in the order of the table.
func Apps() []App {
	return []App{ClaudeDesktop, ClaudeCode, VSCode, Copilot, Cursor, Codex, Gemini, Windsurf, Zed}
}

// Format is the language of a file.
type Format string

// The formats.
const (
	JSONC Format = "jsonc"
	TOML  Format = "toml"
)

// The scopes of a location.
const (
	ScopeUser    = "user"
	ScopeProject = "project"
	ScopeSystem  = "system"
)

// Limits of what is read.
const (
	MaxBytes   = 4 << 20 // of one file
	maxDepth   = 64      // of nesting
	maxEntries = 4096    // servers in one file
)

// Host is what this package may know of the machine and the user.
type Host struct {
	Home    string // the user's home folder, absolute
	GOOS    string // as runtime.GOOS
	Cwd     string // the project's folder, absolute
	AppData string // Windows: %APPDATA%, absolute
	Env     func(name string) (string, bool)
}

func (h Host) env(name string) (string, bool) {
	if h.Env == nil {
		return "", false
	}
	return h.Env(name)
}

// Location is one place where an app keeps servers.
type Location struct {
	App    App
	Path   string   // absolute
	Scope  string   // user, project or system
	Key    []string // members that lead to the map of servers
	Format Format
}

// Member is a member that this package does not interpret, as it was written.
type Member struct {
	Key string
	Raw string // the value's source text in the file's format
}

// Entry is one server of a client file. Values are the file's, unexpanded.
type Entry struct {
	App      App
	Name     string
	Command  string
	Args     []string
	Env      map[string]string
	Cwd      string
	EnvFile  string // a file with more variables (VS Code); "" = none
	URL      string
	Headers  map[string]string
	Type     string // stdio, http or sse
	Disabled bool
	Extra    []Member // in the order of the file
	Project  string   // Claude Code: the project folder the entry belongs to; "" = all

	envHeaders map[string]bool // Codex: headers whose value is taken from the environment
}

// Key names an entry within its file.
func (e Entry) Key() string {
	if e.Project == "" {
		return e.Name
	}
	return e.Project + ": " + e.Name
}

// ParseError says where a file cannot be read and what to do.
type ParseError struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters
	Reason string
	Fix    string
}

// Error returns file:line:column, the reason and the fix.
func (e *ParseError) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Reason)
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// kind is the type of a value.
type kind int

const (
	objectKind kind = iota
	arrayKind
	stringKind
	scalarKind // number, date, true, false, null: text is the literal
)

// node is one value with its place in the source; offsets are bytes, half-open.
// A TOML table that is spread over headers has start = end = where it began.
type node struct {
	kind       kind
	start, end int
	text       string // decoded string or literal
	members    []member
	items      []*node

	sealed bool // TOML: an inline table or a plain array, closed to additions
	header bool // TOML: defined by its own [header]
	dotted bool // TOML: defined by dotted keys
	tables bool // TOML: an array of tables
}

// member is one key with its value; keyStart and keyEnd are the key's bytes.
type member struct {
	key              string
	keyStart, keyEnd int
	value            *node
}

// get returns the value of key, nil if there is none.
func (n *node) get(key string) *node {
	if n == nil || n.kind != objectKind {
		return nil
	}
	for i := range n.members {
		if n.members[i].key == key {
			return n.members[i].value
		}
	}
	return nil
}

// syntaxError is a refusal at a byte offset; Read adds the file and the line.
type syntaxError struct {
	offset int
	reason string
	fix    string
}

func (e *syntaxError) Error() string { return e.reason }

func syntaxAt(offset int, fix, format string, args ...any) error {
	return &syntaxError{offset: offset, reason: fmt.Sprintf(format, args...), fix: fix}
}

// position returns line and column of a byte offset.
func position(src []byte, offset int) (line, column int) {
	before := string(src[:min(offset, len(src))])
	line = strings.Count(before, "\n") + 1
	last := before[strings.LastIndexByte(before, '\n')+1:]
	return line, len([]rune(strings.TrimPrefix(last, "\ufeff"))) + 1
}
