package filter

import (
	"bytes"
	"strings"
)

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
// parts, of Windows with a drive or a share, and file: URIs. Each run of
// characters that paths have is looked at once.
func withoutPaths(line string) string {
	var out []byte
	for i := 0; i < len(line); {
		n := 0
		for i+n < len(line) && pathByte(line[i+n]) {
			n++
		}
		if n == 0 {
			out = append(out, line[i])
			i++
			continue
		}
		run := line[i : i+n]
		i += n
		at := pathIn(run)
		if before := placePrefix(out); before > 0 && (run[0] == '/' || run[0] == '\\') {
			out, at = out[:len(out)-before], 0
		} else if len(out) > 0 && out[len(out)-1] == ':' && strings.HasPrefix(run, "//") {
			at = -1 // a URL of another scheme
		}
		if at < 0 {
			out = append(out, run...)
			continue
		}
		out = append(append(out, run[:at]...), withheldPath...)
		if run[n-1] == '.' {
			out = append(out, '.') // the end of a sentence
		}
	}
	return string(out)
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c >= 0x80
}

func pathByte(c byte) bool { return nameByte(c) || strings.IndexByte(`/\~+@%`, c) >= 0 }

// placePrefix returns the length of file: or a drive at the end of s, 0 for none.
func placePrefix(s []byte) int {
	if bytes.HasSuffix(s, []byte("file:")) {
		return len("file:")
	}
	n := len(s)
	if n >= 2 && s[n-1] == ':' && s[n-2]|0x20 >= 'a' && s[n-2]|0x20 <= 'z' && (n == 2 || !nameByte(s[n-3])) {
		return 2
	}
	return 0
}

// pathIn returns where the first path of a run begins, -1 if there is none.
func pathIn(run string) int {
	for i := range len(run) {
		if i > 0 && (nameByte(run[i-1]) || run[i-1] == '/' || run[i-1] == '\\') {
			continue
		}
		rest := run[i:]
		if !strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, `\\`) && !strings.HasPrefix(rest, "~/") {
			continue
		}
		parts := 0
		for k := 0; k+1 < len(rest); k++ {
			if (rest[k] == '/' || rest[k] == '\\') && nameByte(rest[k+1]) {
				parts++
			}
		}
		if parts < 2 {
			return -1 // what begins later has fewer
		}
		return i
	}
	return -1
}
