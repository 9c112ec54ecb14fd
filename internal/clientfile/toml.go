package clientfile

import (
	"bytes"
	"strings"
)

// statement is one header or one key/value of a TOML file. Start is the first
// byte of the header or key, end is after the closing bracket or the value.
type statement struct {
	start, end int
	path       []string // absolute: the section's path, then the key's
	value      *node    // nil for a header
	array      bool     // [[header]]
}

// tomlDoc is a parsed file: its statements in order and the tree they make.
type tomlDoc struct {
	statements []statement
	root       *node
}

// parseTOML reads TOML 1.0.0. Numbers and dates are taken as bare text, whose
// characters alone are checked. Errors are *syntaxError.
func parseTOML(src []byte) (*tomlDoc, error) {
	s := &tomlScanner{src: src}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		s.pos = 3
	}
	if at := invalidUTF8(src); at >= 0 {
		return nil, syntaxAt(at, "save the file as UTF-8", "not valid UTF-8")
	}
	doc := &tomlDoc{root: &node{kind: objectKind, header: true}}
	var section []string
	at := doc.root
	for {
		if err := s.blank(); err != nil {
			return nil, err
		}
		if s.pos == len(src) {
			return doc, nil
		}
		var st statement
		var err error
		if src[s.pos] == '[' {
			if st, err = s.header(); err == nil {
				section = st.path
				at, err = doc.root.open(st)
			}
		} else if st, err = s.pair(section); err == nil {
			err = at.put(st.path[len(section):], st)
		}
		if err == nil {
			err = s.endOfLine()
		}
		if err != nil {
			return nil, err
		}
		doc.statements = append(doc.statements, st)
	}
}

// child returns the table that key names below n, making it if there is none;
// of an array of tables it is the last element.
func (n *node) child(key string, st statement) (child *node, made bool, err error) {
	if n.sealed {
		return nil, false, syntaxAt(st.start, "add it inside the braces", "an inline table cannot be extended")
	}
	child = n.get(key)
	if child == nil {
		child = &node{kind: objectKind, start: st.start, end: st.start}
		n.members = append(n.members, member{key: key, keyStart: st.start, keyEnd: st.start, value: child})
		return child, true, nil
	}
	if child.tables {
		child = child.items[len(child.items)-1]
	}
	if child.kind != objectKind {
		return nil, false, syntaxAt(st.start, "keep one of the two", "key %q is defined twice", key)
	}
	return child, false, nil
}

// open applies a header and returns its table.
func (n *node) open(st statement) (*node, error) {
	last := len(st.path) - 1
	for _, key := range st.path[:last] {
		next, _, err := n.child(key, st)
		if err != nil {
			return nil, err
		}
		n = next
	}
	key := st.path[last]
	if st.array {
		return n.appendTable(key, st)
	}
	if list := n.get(key); list != nil && list.tables {
		return nil, syntaxAt(st.start, "write [[%s]] or rename it", "table %q is an array of tables", key)
	}
	t, _, err := n.child(key, st)
	if err != nil {
		return nil, err
	}
	if t.header || t.dotted || t.sealed {
		return nil, syntaxAt(st.start, "keep one of the two", "table %q is defined twice", strings.Join(st.path, "."))
	}
	t.header = true
	return t, nil
}

func (n *node) appendTable(key string, st statement) (*node, error) {
	if n.sealed {
		return nil, syntaxAt(st.start, "add it inside the braces", "an inline table cannot be extended")
	}
	list := n.get(key)
	if list == nil {
		list = &node{kind: arrayKind, tables: true, start: st.start, end: st.start}
		n.members = append(n.members, member{key: key, keyStart: st.start, keyEnd: st.start, value: list})
	}
	if !list.tables {
		return nil, syntaxAt(st.start, "keep one of the two", "key %q is defined twice", key)
	}
	t := &node{kind: objectKind, header: true, start: st.start, end: st.start}
	list.items = append(list.items, t)
	return t, nil
}

// put applies a key/value below the table n.
func (n *node) put(key []string, st statement) error {
	last := len(key) - 1
	for _, k := range key[:last] {
		next, made, err := n.child(k, st)
		if err != nil {
			return err
		}
		if next.header && !made {
			return syntaxAt(st.start, "move it below that header", "table %q has its own header", k)
		}
		next.dotted = true
		n = next
	}
	if n.sealed || n.get(key[last]) != nil {
		return syntaxAt(st.start, "keep one of the two", "key %q is defined twice", key[last])
	}
	n.members = append(n.members, member{key: key[last], keyStart: st.start, keyEnd: st.start, value: st.value})
	return nil
}

// tomlInline writes a table that is spread over headers as an inline one.
func tomlInline(n *node, src []byte) string {
	var parts []string
	switch {
	case n.tables:
		for _, item := range n.items {
			parts = append(parts, tomlInline(item, src))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.sealed || n.kind != objectKind:
		return string(src[n.start:n.end])
	}
	for _, m := range n.members {
		parts = append(parts, tomlKey(m.key)+" = "+tomlInline(m.value, src))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}
