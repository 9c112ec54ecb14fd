package clientfile

import "strings"

// decode turns the member of a server map into an Entry. Members of the wrong
// type are refused: guessing what a client makes of them would let a server
// run that nobody saw.
func (f *File) decode(m member) (Entry, error) {
	e := Entry{App: f.App, Name: m.key}
	if m.value.kind != objectKind {
		return e, syntaxAt(m.value.start, "write its command or url in braces", "server %q is not an object", m.key)
	}
	if m.key == "" {
		return e, syntaxAt(m.keyStart, "give it a name", "a server has no name")
	}
	explicit := ""
	for _, part := range m.value.members {
		known, err := e.set(part, &explicit)
		if err != nil {
			return e, err
		}
		if !known {
			e.Extra = append(e.Extra, Member{Key: part.key, Raw: f.raw(part.value)})
		}
	}
	e.settle(explicit, m.value)
	if e.Command != "" && e.URL != "" {
		return e, syntaxAt(m.keyStart, "keep one of the two", "server %q has a command and a URL", m.key)
	}
	return e, nil
}

// raw returns a value's source; a TOML table spread over headers has none and
// is written as an inline table.
func (f *File) raw(n *node) string {
	if f.Format == TOML && !(n.sealed || n.kind == stringKind || n.kind == scalarKind) {
		return tomlInline(n, f.src)
	}
	return string(f.src[n.start:n.end])
}

// set interprets one member; known is false for one that is kept as it is.
func (e *Entry) set(m member, explicit *string) (known bool, err error) {
	switch m.key {
	case "command":
		err = e.setCommand(m)
	case "args":
		e.Args, err = stringsOf(m)
	case "env":
		err = merge(&e.Env, m)
	case "cwd":
		e.Cwd, err = stringOf(m)
	case "envFile":
		e.EnvFile, err = stringOf(m)
	case "url", "httpUrl", "serverUrl":
		if e.URL != "" {
			return true, syntaxAt(m.keyStart, "keep one of them", "server %q has two URLs", e.Name)
		}
		e.URL, err = stringOf(m)
		if m.key == "httpUrl" {
			*explicit = "http"
		}
	case "headers", "http_headers":
		err = merge(&e.Headers, m)
	case "env_http_headers":
		err = e.setEnvHeaders(m)
	case "bearer_token_env_var":
		var name string
		if name, err = stringOf(m); err == nil {
			e.setEnvHeader("Authorization", "Bearer ${"+name+"}")
		}
	case "type", "transport":
		*explicit, err = stringOf(m)
	case "disabled":
		e.Disabled, err = boolOf(m)
	case "enabled":
		var on bool
		on, err = boolOf(m)
		e.Disabled = !on
	default:
		return false, nil
	}
	return true, err
}

// setCommand reads a program; older Zed files hold an object with path, args
// and env.
func (e *Entry) setCommand(m member) error {
	if m.value.kind != objectKind {
		var err error
		e.Command, err = stringOf(m)
		return err
	}
	for _, part := range m.value.members {
		var err error
		switch part.key {
		case "path":
			e.Command, err = stringOf(part)
		case "args":
			e.Args, err = stringsOf(part)
		case "env":
			if part.value.kind != scalarKind || part.value.text != "null" {
				err = merge(&e.Env, part)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Entry) setEnvHeaders(m member) error {
	var names map[string]string
	if err := merge(&names, m); err != nil {
		return err
	}
	for header, name := range names {
		e.setEnvHeader(header, "${"+name+"}")
	}
	return nil
}

func (e *Entry) setEnvHeader(header, value string) {
	if e.Headers == nil {
		e.Headers = map[string]string{}
	}
	if e.envHeaders == nil {
		e.envHeaders = map[string]bool{}
	}
	e.Headers[header], e.envHeaders[header] = value, true
}

// settle works out the type. Gemini's url means SSE, its httpUrl means HTTP.
func (e *Entry) settle(explicit string, n *node) {
	switch t := strings.ToLower(explicit); {
	case e.Command != "":
		e.Type = "stdio"
	case t == "sse":
		e.Type = "sse"
	case e.URL != "" && e.App == Gemini && t == "" && n.get("url") != nil:
		e.Type = "sse"
	case e.URL != "":
		e.Type = "http"
	}
}

func stringOf(m member) (string, error) {
	if m.value.kind != stringKind {
		return "", syntaxAt(m.value.start, "write it in quotes", "%q must be a string", m.key)
	}
	if strings.ContainsRune(m.value.text, 0) {
		return "", syntaxAt(m.value.start, "remove it", "%q holds a NUL character", m.key)
	}
	return m.value.text, nil
}

func stringsOf(m member) ([]string, error) {
	if m.value.kind != arrayKind || m.value.tables {
		return nil, syntaxAt(m.value.start, "write it in brackets", "%q must be a list of strings", m.key)
	}
	all := make([]string, 0, len(m.value.items))
	for _, item := range m.value.items {
		s, err := stringOf(member{key: m.key, value: item})
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func boolOf(m member) (bool, error) {
	if m.value.kind != scalarKind || m.value.text != "true" && m.value.text != "false" {
		return false, syntaxAt(m.value.start, "write true or false", "%q must be true or false", m.key)
	}
	return m.value.text == "true", nil
}

// merge reads an object of strings into dst. Numbers and booleans count as
// their text, as clients pass them on.
func merge(dst *map[string]string, m member) error {
	if m.value.kind != objectKind {
		return syntaxAt(m.value.start, "write names and values in braces", "%q must be an object of strings", m.key)
	}
	if *dst == nil {
		*dst = make(map[string]string, len(m.value.members))
	}
	for _, part := range m.value.members {
		value := part.value.text
		if part.value.kind != scalarKind || value == "null" {
			var err error
			if value, err = stringOf(part); err != nil {
				return err
			}
		}
		(*dst)[part.key] = value
	}
	return nil
}
