package clientfile

import (
	"bytes"
	"slices"
	"strings"
)

// spliceTOML makes one change in a TOML file.
func (f *File) spliceTOML(c Change) ([]byte, error) {
	doc, err := parseTOML(f.src)
	if err != nil {
		return nil, err
	}
	if servers, _ := serverMap(doc.root, f.Location.Key); servers != nil && servers.sealed {
		return f.spliceInline(servers, c)
	}
	path := append(slices.Clone(f.Location.Key), c.Name)
	var own []int // the statements that make the entry
	home := -1    // its own header, if it has one
	for i, st := range doc.statements {
		if len(st.path) < len(path) || !slices.Equal(st.path[:len(path)], path) {
			continue
		}
		own = append(own, i)
		if st.value == nil && len(st.path) == len(path) && home < 0 {
			home = i
		}
	}
	switch {
	case len(own) == 0 && c.New == nil:
		return f.src, nil
	case len(own) == 0:
		return f.appendTable(path, *c.New), nil
	}
	if home < 0 {
		home = own[0]
	}
	return f.rewrite(doc, own, home, c, path), nil
}

// rewrite replaces the statements own by the new entry, which stands where the
// statement home was.
func (f *File) rewrite(doc *tomlDoc, own []int, home int, c Change, path []string) []byte {
	src := f.src
	nl := newline(src)
	for k := len(own) - 1; k >= 0; k-- {
		i := own[k]
		st := doc.statements[i]
		switch {
		case i != home || c.New == nil:
			src = removeLine(src, st.start, st.end)
		case st.value == nil && len(st.path) == len(path):
			// The header and what follows it on its line stay.
			at := lineEnd(src, st.end)
			src = cut(src, at, at, nl+strings.Join(renderTOML(f.App, *c.New), nl))
		case st.value == nil: // only a sub-table has a header
			text := f.table(path, *c.New, nl)
			src = cut(src, st.start, st.end, text)
		default:
			src = cut(src, st.start, st.end, f.inlinePair(doc, i, c, path))
		}
	}
	return src
}

// lineEnd returns the offset of the line end after at.
func lineEnd(src []byte, at int) int {
	n := bytes.IndexByte(src[at:], '\n')
	if n < 0 {
		return len(src)
	}
	if at += n; at > 0 && src[at-1] == '\r' {
		at--
	}
	return at
}

// table renders an entry with its header.
func (f *File) table(path []string, e Entry, nl string) string {
	return "[" + strings.Join(quoteAll(path, tomlKey), ".") + "]" + nl + strings.Join(renderTOML(f.App, e), nl)
}

// inlinePair renders an entry as one key with an inline table, relative to the
// section that statement i stands in.
func (f *File) inlinePair(doc *tomlDoc, i int, c Change, path []string) string {
	depth := 0
	for _, st := range slices.Backward(doc.statements[:i]) {
		if st.value == nil {
			depth = len(st.path)
			break
		}
	}
	return strings.Join(quoteAll(path[depth:], tomlKey), ".") + " = { " + strings.Join(renderTOML(f.App, *c.New), ", ") + " }"
}

// appendTable adds an entry at the end of the file.
func (f *File) appendTable(path []string, e Entry) []byte {
	nl := newline(f.src)
	src := bytes.Clone(f.src)
	if n := len(src); n > 0 && src[n-1] != '\n' {
		src = append(src, nl...)
	}
	if len(bytes.TrimSpace(src)) > 0 {
		src = append(src, nl...)
	}
	return append(src, f.table(path, e, nl)+nl...)
}

// spliceInline makes a change where all servers stand in one inline table.
func (f *File) spliceInline(servers *node, c Change) ([]byte, error) {
	text := ""
	if c.New != nil {
		text = tomlKey(c.Name) + " = { " + strings.Join(renderTOML(f.App, *c.New), ", ") + " }"
	}
	var parts []string
	replaced := false
	for _, m := range servers.members {
		switch {
		case m.key != c.Name:
			parts = append(parts, tomlKey(m.key)+" = "+tomlInline(m.value, f.src))
		case c.New != nil:
			if m.value.sealed { // the usual case: nothing else is touched
				return cut(f.src, m.value.start, m.value.end, "{ "+strings.Join(renderTOML(f.App, *c.New), ", ")+" }"), nil
			}
			parts, replaced = append(parts, text), true
		}
	}
	if c.New != nil && !replaced {
		parts = append(parts, text)
	}
	whole := "{}"
	if len(parts) > 0 {
		whole = "{ " + strings.Join(parts, ", ") + " }"
	}
	return cut(f.src, servers.start, servers.end, whole), nil
}
