package clientfile

import (
	"bytes"
	"fmt"
)

// spliceJSON makes one change in a JSONC file.
func (f *File) spliceJSON(c Change) ([]byte, error) {
	if f.root == nil {
		if c.New == nil {
			return f.src, nil
		}
		return f.reparse(f.withRoot(), c)
	}
	base := f.root
	path := f.Location.Key
	if c.Project != "" {
		base = f.root.get("projects").get(c.Project)
		if base == nil {
			path = append([]string{"projects", c.Project}, path...)
			base = f.root
		}
	}
	servers, rest := serverMap(base, path)
	if servers != nil && servers.kind != objectKind {
		return nil, syntaxAt(servers.start, "write the servers by name in braces", "the server map is not an object")
	}
	if servers == nil {
		if c.New == nil {
			return f.src, nil
		}
		src, err := f.withMap(base, path, rest)
		if err != nil {
			return nil, err
		}
		return f.reparse(src, c)
	}
	for i, m := range servers.members {
		if m.key != c.Name {
			continue
		}
		if c.New == nil {
			return f.removeMember(servers, i)
		}
		value := renderJSON(f.App, *c.New, f.styleOf(m))
		return cut(f.src, m.value.start, m.value.end, value), nil
	}
	if c.New == nil {
		return f.src, nil
	}
	return f.addMember(servers, c.Name, func(s jsonStyle) string { return renderJSON(f.App, *c.New, s) })
}

// withRoot returns an empty file with its root object.
func (f *File) withRoot() []byte {
	src := bytes.Clone(f.src)
	if n := len(src); n > 0 && src[n-1] != '\n' && !bytes.Equal(src, []byte("\xef\xbb\xbf")) {
		src = append(src, newline(src)...)
	}
	return append(src, "{}"+newline(f.src)...)
}

// withMap returns the file with the first missing object of path added. The
// path is from base; rest is what is missing of it.
func (f *File) withMap(base *node, path, rest []string) ([]byte, error) {
	n := base
	for _, k := range path[:len(path)-len(rest)] {
		n = n.get(k)
	}
	if n.kind != objectKind {
		return nil, syntaxAt(n.start, "make it an object", "the server map has no place here")
	}
	return f.addMember(n, rest[0], func(jsonStyle) string { return "{}" })
}

func (f *File) reparse(src []byte, c Change) ([]byte, error) {
	next, err := Parse(f.Location, src)
	if err != nil {
		return nil, fmt.Errorf("make room for it: %w", err)
	}
	return next.spliceJSON(c)
}

// unit returns one level of the file's indentation.
func (f *File) unit() string {
	for _, m := range f.root.members {
		if indent := lineIndent(f.src, m.keyStart); startsLine(f.src, m.keyStart) && indent != "" {
			return indent
		}
	}
	return "  "
}

// styleOf returns the layout of a member's present value.
func (f *File) styleOf(m member) jsonStyle {
	s := jsonStyle{unit: f.unit(), indent: lineIndent(f.src, m.keyStart)}
	if bytes.IndexByte(f.src[m.value.start:m.value.end], '\n') >= 0 {
		s.newline = newline(f.src)
	}
	return s
}

// tail returns the offset after the last token or comment before the closing
// brace of n.
func (f *File) tail(n *node) int {
	from := n.start + 1
	if len(n.members) > 0 {
		from = n.members[len(n.members)-1].value.end
	}
	s := &jsonScanner{src: f.src, pos: from}
	end := from
	for s.pos < n.end-1 {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
			continue
		case '/':
			if s.comment() != nil {
				return end
			}
		default:
			s.pos++
		}
		end = s.pos
		for end > from && f.src[end-1] == '\r' { // a comment on a CRLF line
			end--
		}
	}
	return end
}

// comma returns the offset of the comma that follows from, -1 if none does.
func (f *File) comma(from int) int {
	s := &jsonScanner{src: f.src, pos: from}
	if s.space() == nil && s.pos < len(s.src) && s.src[s.pos] == ',' {
		return s.pos
	}
	return -1
}

// addMember appends a member to an object in the object's own style.
func (f *File) addMember(n *node, key string, value func(jsonStyle) string) ([]byte, error) {
	src := f.src
	multi := bytes.IndexByte(src[n.start:n.end], '\n') >= 0 || len(n.members) == 0
	outer := lineIndent(src, n.start)
	s := jsonStyle{unit: f.unit(), indent: outer + f.unit()}
	if multi {
		s.newline = newline(src)
	}
	last := -1
	trailing := false
	if k := len(n.members); k > 0 {
		last = n.members[k-1].value.end
		trailing = f.comma(last) >= 0
		if first := n.members[0].keyStart; startsLine(src, first) {
			s.indent = lineIndent(src, first)
		}
	}
	text := quoteJSON(key) + ": " + value(s)
	switch {
	case multi:
		text = s.newline + s.indent + text
	case last >= 0:
		text = " " + text
	}
	if trailing {
		text += ","
	}
	at := f.tail(n)
	if multi && bytes.IndexByte(src[at:n.end-1], '\n') < 0 {
		closing := n.end - 1
		src = cut(src, at, closing, s.newline+outer)
	}
	src = cut(src, at, at, text)
	if last >= 0 && !trailing {
		src = cut(src, last, last, ",")
	}
	return src, nil
}

// removeMember deletes a member with its comma; comments stay.
func (f *File) removeMember(n *node, i int) ([]byte, error) {
	m := n.members[i]
	src := f.src
	if at := f.comma(m.value.end); at >= 0 {
		src = cut(src, at, at+1, "")
		return removeLine(src, m.keyStart, m.value.end), nil
	}
	src = removeLine(src, m.keyStart, m.value.end)
	if i > 0 {
		at := f.comma(n.members[i-1].value.end)
		if at < 0 {
			return nil, syntaxAt(m.keyStart, "edit the file by hand", "the comma before the entry was not found")
		}
		src = cut(src, at, at+1, "")
	}
	return src, nil
}
