package clientfile

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// The kinds of a reference.
const (
	RefEnv       = "env"       // ${NAME}, ${env:NAME}, ${NAME:-default}; Gemini also $NAME
	RefInput     = "input"     // ${input:ID}: VS Code asks its user
	RefWorkspace = "workspace" // ${workspaceFolder}
	RefHome      = "home"      // ${userHome}
	RefUnknown   = "unknown"   // anything else in ${...}
)

// Reference is a part of a value that the client replaces when it starts the
// server.
type Reference struct {
	Kind    string
	Name    string
	Default string // of ${NAME:-default}
	HasDef  bool
	Where   string // such as env.NAME, args[0], url
}

// Missing is a reference for which there is no value.
type Missing = Reference

// References returns what the values of an entry refer to, in a fixed order.
func (f *File) References(e Entry) []Reference { return References(e) }

// References returns what the values of an entry refer to, in a fixed order.
func References(e Entry) []Reference {
	var all []Reference
	e.walk(func(where, value string) string {
		return e.replace(where, value, func(r Reference, whole string) string {
			all = append(all, r)
			return whole
		})
	})
	return all
}

// Expand returns a copy of e with every reference replaced. What has no value
// stays as it is and is reported. The result may hold secrets in clear: it is
// for sealing, never for a file. Replaced text is not expanded again.
func Expand(e Entry, h Host, inputs map[string]string) (Entry, []Missing) {
	var missing []Missing
	out := e.walk(func(where, value string) string {
		return e.replace(where, value, func(r Reference, whole string) string {
			if v, ok := h.lookUp(r, inputs); ok {
				return v
			}
			missing = append(missing, r)
			return whole
		})
	})
	return out, missing
}

func (h Host) lookUp(r Reference, inputs map[string]string) (string, bool) {
	switch r.Kind {
	case RefEnv:
		v, ok := h.env(r.Name)
		if r.HasDef && v == "" {
			return r.Default, true
		}
		return v, ok
	case RefInput:
		v, ok := inputs[r.Name]
		return v, ok
	case RefWorkspace:
		if r.Name == "workspaceFolderBasename" {
			return filepath.Base(h.Cwd), h.Cwd != ""
		}
		return h.Cwd, h.Cwd != ""
	case RefHome:
		return h.Home, h.Home != ""
	}
	return "", false
}

// walk returns a copy of e with every value passed through do.
func (e Entry) walk(do func(where, value string) string) Entry {
	e.Command = do("command", e.Command)
	e.Args = slices.Clone(e.Args)
	for i := range e.Args {
		e.Args[i] = do(argName(i), e.Args[i])
	}
	e.Cwd = do("cwd", e.Cwd)
	e.EnvFile = do("envFile", e.EnvFile)
	e.URL = do("url", e.URL)
	e.Env = maps.Clone(e.Env)
	for _, k := range slices.Sorted(maps.Keys(e.Env)) {
		e.Env[k] = do("env."+k, e.Env[k])
	}
	e.Headers = maps.Clone(e.Headers)
	for _, k := range slices.Sorted(maps.Keys(e.Headers)) {
		e.Headers[k] = do("headers."+k, e.Headers[k])
	}
	return e
}

// replace passes the references in value to do. Codex expands nothing but the
// headers that name a variable; only Gemini knows $NAME without braces.
func (e Entry) replace(where, value string, do func(r Reference, whole string) string) string {
	if e.App == Codex && !e.envHeaders[strings.TrimPrefix(where, "headers.")] {
		return value
	}
	var out strings.Builder
	for {
		i := strings.IndexByte(value, '$')
		if i < 0 {
			out.WriteString(value)
			return out.String()
		}
		out.WriteString(value[:i])
		value = value[i:]
		n, r := 1, Reference{}
		if strings.HasPrefix(value, "${") {
			if end := strings.IndexByte(value, '}'); end > 2 {
				n, r = end+1, parseReference(value[2:end])
			}
		} else if name := envName(value[1:]); name != "" && e.App == Gemini {
			n, r = len(name)+1, Reference{Kind: RefEnv, Name: name}
		}
		if r.Kind == "" {
			out.WriteString(value[:n])
		} else {
			r.Where = where
			out.WriteString(do(r, value[:n]))
		}
		value = value[n:]
	}
}

// parseReference reads what stands between ${ and }.
func parseReference(s string) Reference {
	switch {
	case s == "workspaceFolder" || s == "workspaceFolderBasename" || s == "workspaceRoot":
		return Reference{Kind: RefWorkspace, Name: s}
	case s == "userHome":
		return Reference{Kind: RefHome, Name: s}
	case strings.HasPrefix(s, "input:"):
		return Reference{Kind: RefInput, Name: s[len("input:"):]}
	}
	name, def, has := strings.Cut(s, ":-")
	name = strings.TrimPrefix(name, "env:")
	if envName(name) != name || name == "" {
		return Reference{Kind: RefUnknown, Name: s}
	}
	return Reference{Kind: RefEnv, Name: name, Default: def, HasDef: has}
}

// envName returns the name of a variable that starts s.
func envName(s string) string {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return s[:i]
		}
	}
	return s
}
