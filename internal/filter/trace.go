package filter

import "strings"

// traceMembers are the members of an error's data that hold a trace.
var traceMembers = []string{"stack", "stacktrace", "trace", "traceback", "backtrace", "callstack", "stackframes", "frames"}

func traceMember(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
	for _, m := range traceMembers {
		if name == m {
			return true
		}
	}
	return false
}

// withoutTraces returns a text about a failure without the lines of stack traces
// and without paths of files, which tell how and where a server is built.
func withoutTraces(text string) string {
	var b strings.Builder
	python := false
	for l := range strings.Lines(text) {
		body := strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(body, "Traceback (most recent call last)"):
			python = true
			continue
		case python && (l[0] == ' ' || l[0] == '\t'):
			continue
		case traceLine(body, l):
			continue
		}
		python = false
		b.WriteString(withoutPaths(l))
	}
	return strings.TrimRight(b.String(), "\n")
}

// traceLine reports whether a line is one of a stack trace: of V8, Java, .NET,
// Python, Go, Ruby, PHP or Rust.
func traceLine(body, whole string) bool {
	switch {
	case strings.HasPrefix(body, "at ") && strings.ContainsAny(body, "(:"),
		strings.HasPrefix(body, `File "`) && strings.Contains(body, ", line "),
		strings.HasPrefix(body, "goroutine ") && strings.HasSuffix(body, "]:"),
		strings.HasPrefix(body, "... ") && strings.HasSuffix(body, " more"),
		strings.HasPrefix(body, "from ") && strings.Contains(body, ":in "),
		strings.HasPrefix(body, "created by ") && strings.Contains(body, "."):
		return true
	case body != "" && body[0] == '#' && len(body) > 1 && body[1] >= '0' && body[1] <= '9':
		return true // #0 /app/index.php(12): run()
	}
	// Go puts the place of a frame on a line of its own.
	return whole != "" && whole[0] == '\t' && strings.Contains(body, ".go:")
}

// withheldPath stands in the place of the path of a file.
const withheldPath = "[path]"

// withoutPaths returns a line without absolute paths: of Unix with at least two
// parts, of Windows with a drive or a share, and file: URIs.
func withoutPaths(line string) string {
	var b strings.Builder
	for i := 0; i < len(line); {
		n := 0
		if i == 0 || !nameByte(line[i-1]) && line[i-1] != '/' && line[i-1] != '\\' {
			n = pathAt(line[i:])
		}
		if n == 0 {
			b.WriteByte(line[i])
			i++
			continue
		}
		b.WriteString(withheldPath)
		i += n
	}
	return b.String()
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c >= 0x80
}

// pathAt returns the length of the path that s begins with, 0 for none.
func pathAt(s string) int {
	from := 0
	switch {
	case strings.HasPrefix(s, "file:"):
		from = len("file:")
	case len(s) > 3 && s[1] == ':' && (s[2] == '\\' || s[2] == '/') && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z'):
		from = 2
	case strings.HasPrefix(s, `\\`), strings.HasPrefix(s, "/"), strings.HasPrefix(s, "~/"):
	default:
		return 0
	}
	i, parts := from, 0
	for i < len(s) && (nameByte(s[i]) || s[i] == '/' || s[i] == '\\' || s[i] == '~' || s[i] == '+' || s[i] == '@' || s[i] == '%') {
		if (s[i] == '/' || s[i] == '\\') && i+1 < len(s) && nameByte(s[i+1]) {
			parts++
		}
		i++
	}
	if from == 0 && parts < 2 {
		return 0
	}
	for i > 0 && s[i-1] == '.' {
		i-- // the end of a sentence
	}
	return i
}
