package clientfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// part is one member of a rendered entry; one of the values is used.
type part struct {
	key  string
	text string
	list []string
	dict map[string]string
	raw  string
	is   partKind
}

type partKind int

const (
	textPart partKind = iota
	listPart
	dictPart
	rawPart
)

// parts lists what an entry consists of, in the order and under the names that
// the app documents.
func (e Entry) parts(app App) []part {
	var all []part
	if t := typeName(app, e); t != "" {
		all = append(all, part{key: "type", text: t})
	}
	if e.Command != "" {
		all = append(all, part{key: "command", text: e.Command}, part{key: "args", list: e.Args, is: listPart})
	}
	if e.URL != "" {
		all = append(all, part{key: urlName(app, e.Type), text: e.URL})
	}
	if e.Cwd != "" {
		all = append(all, part{key: "cwd", text: e.Cwd})
	}
	if e.EnvFile != "" {
		all = append(all, part{key: "envFile", text: e.EnvFile})
	}
	if len(e.Env) > 0 {
		all = append(all, part{key: "env", dict: e.Env, is: dictPart})
	}
	all = append(all, e.headerParts(app)...)
	if e.Disabled {
		name, value := "disabled", "true"
		if app == Codex || app == Zed {
			name, value = "enabled", "false"
		}
		all = append(all, part{key: name, raw: value, is: rawPart})
	}
	for _, m := range e.Extra {
		all = append(all, part{key: m.Key, raw: m.Raw, is: rawPart})
	}
	return all
}

// headerParts writes a Codex header that comes from the environment back in
// the form it had: an inline token would be rejected.
func (e Entry) headerParts(app App) []part {
	if app != Codex {
		if len(e.Headers) == 0 {
			return nil
		}
		return []part{{key: "headers", dict: e.Headers, is: dictPart}}
	}
	var all []part
	plain, env := map[string]string{}, map[string]string{}
	for name, value := range e.Headers {
		variable, ok := strings.CutPrefix(value, "Bearer ${")
		switch {
		case !e.envHeaders[name]:
			plain[name] = value
		case ok:
			all = append(all, part{key: "bearer_token_env_var", text: strings.TrimSuffix(variable, "}")})
		default:
			env[name] = strings.TrimSuffix(strings.TrimPrefix(value, "${"), "}")
		}
	}
	if len(plain) > 0 {
		all = append(all, part{key: "http_headers", dict: plain, is: dictPart})
	}
	if len(env) > 0 {
		all = append(all, part{key: "env_http_headers", dict: env, is: dictPart})
	}
	return all
}

// typeName is the app's word for the transport, "" where it has none.
func typeName(app App, e Entry) string {
	switch app {
	case VSCode, ClaudeCode:
		return e.Type
	case Copilot:
		if e.Type == "stdio" {
			return "local"
		}
		return e.Type
	}
	return ""
}

// urlName is the app's word for the URL. Gemini reads url as SSE.
func urlName(app App, transport string) string {
	switch {
	case app == Gemini && transport != "sse":
		return "httpUrl"
	case app == Windsurf:
		return "serverUrl"
	}
	return "url"
}

// jsonStyle is how a JSON value is laid out.
type jsonStyle struct {
	newline string // "" = all on one line
	unit    string // one level of indentation
	indent  string // of the line on which the value starts
}

func (s jsonStyle) deeper() jsonStyle {
	s.indent += s.unit
	return s
}

// wrap lays out members between braces.
func (s jsonStyle) wrap(members []string) string {
	if len(members) == 0 {
		return "{}"
	}
	if s.newline == "" {
		return "{ " + strings.Join(members, ", ") + " }"
	}
	inner := s.newline + s.indent + s.unit
	return "{" + inner + strings.Join(members, ","+inner) + s.newline + s.indent + "}"
}

// renderJSON lays out an entry.
func renderJSON(app App, e Entry, s jsonStyle) string {
	var members []string
	for _, p := range e.parts(app) {
		value := p.raw
		switch p.is {
		case textPart:
			value = quoteJSON(p.text)
		case listPart:
			value = "[" + strings.Join(quoteAll(p.list, quoteJSON), ", ") + "]"
		case dictPart:
			var inner []string
			for _, k := range slices.Sorted(maps.Keys(p.dict)) {
				inner = append(inner, quoteJSON(k)+": "+quoteJSON(p.dict[k]))
			}
			value = s.deeper().wrap(inner)
		}
		members = append(members, quoteJSON(p.key)+": "+value)
	}
	return s.wrap(members)
}

// renderTOML returns the lines of an entry's table, each "key = value".
func renderTOML(app App, e Entry) []string {
	var lines []string
	for _, p := range e.parts(app) {
		value := p.raw
		switch p.is {
		case textPart:
			value = quoteTOML(p.text)
		case listPart:
			value = "[" + strings.Join(quoteAll(p.list, quoteTOML), ", ") + "]"
		case dictPart:
			var inner []string
			for _, k := range slices.Sorted(maps.Keys(p.dict)) {
				inner = append(inner, tomlKey(k)+" = "+quoteTOML(p.dict[k]))
			}
			value = "{ " + strings.Join(inner, ", ") + " }"
		}
		lines = append(lines, tomlKey(p.key)+" = "+value)
	}
	return lines
}

func quoteAll(list []string, quote func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote(s)
	}
	return out
}

// quoteJSON writes a string as people do: only what must be is escaped.
func quoteJSON(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("clientfile: a string cannot be encoded: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// quoteTOML writes a basic string.
func quoteTOML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// tomlKey writes a key bare if it can be.
func tomlKey(k string) string {
	for i := range len(k) {
		if !isBareKey(k[i]) {
			return quoteTOML(k)
		}
	}
	if k == "" {
		return `""`
	}
	return k
}
