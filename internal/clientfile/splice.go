package clientfile

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
)

// Change is one edit: New replaces the entry of this name or is added; nil
// removes it.
type Change struct {
	Name    string
	Project string
	New     *Entry
}

// Replace returns the file with the changes made. Bytes outside the changed
// entries stay, but for the comma or line end that a removal or addition
// needs. The file itself does not change.
//
// The result is parsed again: it must hold exactly the changed entries and
// otherwise the same ones, else an error is returned and nothing was made
// (FuzzJSONC, FuzzTOML).
func (f *File) Replace(changes []Change) ([]byte, error) {
	seen := map[[2]string]bool{}
	now := f
	for _, c := range changes {
		id := [2]string{c.Project, c.Name}
		if seen[id] {
			return nil, fmt.Errorf("entry %q of %s is changed twice", c.Name, f.Path)
		}
		seen[id] = true
		src, err := now.splice(c)
		if err != nil {
			return nil, fmt.Errorf("edit entry %q of %s: %w", c.Name, f.Path, located(f.Path, now.src, err))
		}
		next, err := Parse(f.Location, src)
		if err != nil {
			return nil, fmt.Errorf("edit entry %q of %s: the result cannot be read: %w", c.Name, f.Path, err)
		}
		if err := checkSplice(now, next, c); err != nil {
			return nil, fmt.Errorf("edit entry %q of %s: %w", c.Name, f.Path, err)
		}
		now = next
	}
	return now.src, nil
}

func (f *File) splice(c Change) ([]byte, error) {
	if c.Name == "" {
		return nil, fmt.Errorf("an entry needs a name")
	}
	if c.Project != "" && f.App != ClaudeCode {
		return nil, fmt.Errorf("%s keeps no entries per project in one file", f.App)
	}
	if f.Format == TOML {
		return f.spliceTOML(c)
	}
	return f.spliceJSON(c)
}

// checkSplice compares the entries before and after a change.
func checkSplice(before, after *File, c Change) error {
	want := map[[2]string]Entry{}
	for _, e := range before.entries {
		want[[2]string{e.Project, e.Name}] = e
	}
	id := [2]string{c.Project, c.Name}
	delete(want, id)
	if c.New != nil {
		want[id] = *c.New
	}
	if len(after.entries) != len(want) {
		return fmt.Errorf("the result would hold %d servers instead of %d; edit the file by hand", len(after.entries), len(want))
	}
	for _, e := range after.entries {
		key := [2]string{e.Project, e.Name}
		w, ok := want[key]
		same := ok && e.Command == w.Command && e.URL == w.URL && (len(e.Args) == 0 && len(w.Args) == 0 || reflect.DeepEqual(e.Args, w.Args))
		if key != id {
			same = reflect.DeepEqual(e, w)
		}
		if !same {
			return fmt.Errorf("the result would change server %q; edit the file by hand", e.Name)
		}
	}
	return nil
}

// newline returns the line end that a file uses.
func newline(src []byte) string {
	if i := bytes.IndexByte(src, '\n'); i > 0 && src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// cut returns src with the bytes from start to end replaced.
func cut(src []byte, start, end int, text string) []byte {
	out := make([]byte, 0, len(src)-(end-start)+len(text))
	out = append(out, src[:start]...)
	out = append(out, text...)
	return append(out, src[end:]...)
}

// lineStart returns the offset of the line that holds at.
func lineStart(src []byte, at int) int { return bytes.LastIndexByte(src[:at], '\n') + 1 }

// lineIndent returns the blanks that start the line that holds at.
func lineIndent(src []byte, at int) string {
	line := src[lineStart(src, at):]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// startsLine reports whether only blanks stand before at on its line.
func startsLine(src []byte, at int) bool {
	return strings.Trim(string(src[lineStart(src, at):at]), " \t") == ""
}

// removeLine deletes start to end, and the whole line if nothing else is on it.
func removeLine(src []byte, start, end int) []byte {
	rest := src[end:]
	blank := len(rest) - len(bytes.TrimLeft(rest, " \t"))
	after := rest[blank:]
	ends := 0
	switch {
	case bytes.HasPrefix(after, []byte("\r\n")):
		ends = 2
	case bytes.HasPrefix(after, []byte("\n")):
		ends = 1
	}
	if startsLine(src, start) && (ends > 0 || len(after) == 0) {
		return cut(src, lineStart(src, start), end+blank+ends, "")
	}
	if ends == 0 && (startsLine(src, start) || bytes.IndexByte([]byte(" \t{"), src[start-1]) >= 0) {
		end += blank
	}
	return cut(src, start, end, "")
}
