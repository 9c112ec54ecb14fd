package clientfile

import (
	"bytes"
	"strings"
)

// mask returns src with every value that may be secret replaced by ***, line
// by line, so that the number of lines stays. A file that cannot be read loses
// every quoted text.
func mask(src []byte) []byte {
	root, err := parseJSONC(src)
	if err != nil {
		var doc *tomlDoc
		if doc, err = parseTOML(src); err == nil {
			root = doc.root
		}
	}
	m := &masker{src: src, hide: make([]bool, len(src))}
	if err != nil {
		m.quoted()
	} else if root != nil {
		m.walk("", root, false)
		m.comments(root)
	} else {
		m.quoted()
	}
	return m.apply()
}

type masker struct {
	src  []byte
	hide []bool // by byte
	keep []bool // by byte: part of a value or key that was looked at
}

// walk marks the secret strings below n, the value of key; all means that
// every value below is secret.
func (m *masker) walk(key string, n *node, all bool) {
	switch key {
	case "env", "headers", "http_headers":
		all = true
	}
	switch n.kind {
	case objectKind:
		for _, part := range n.members {
			m.walk(part.key, part.value, all)
		}
	case arrayKind:
		for i, item := range n.items {
			flag := ""
			if i > 0 {
				flag = n.items[i-1].string()
			}
			name, _, joined := strings.Cut(item.text, "=")
			secret := strings.HasPrefix(flag, "-") && secretName(flag) || joined && secretName(name)
			m.walk(key, item, all || secret)
		}
	default:
		m.seen(n)
		if all || secretReason(key, n.text, true) != "" {
			m.mark(n.start, n.end)
		}
	}
}

func (m *masker) mark(start, end int) {
	for i := start; i < end; i++ {
		m.hide[i] = true
	}
}

func (m *masker) seen(n *node) {
	if m.keep == nil {
		m.keep = make([]bool, len(m.src))
	}
	for i := n.start; i < n.end; i++ {
		m.keep[i] = true
	}
}

// comments marks what looks secret outside of values: somebody may have
// commented an entry out.
func (m *masker) comments(root *node) {
	if m.keep == nil {
		m.keep = make([]bool, len(m.src))
	}
	for at := 0; at < len(m.src); {
		end := bytes.IndexByte(m.src[at:], '\n')
		if end < 0 {
			end = len(m.src) - at
		}
		m.commentLine(at, at+end)
		at += end + 1
	}
}

// commentLine marks, on a line that holds a comment, the text after a colon or
// equals sign of the comment, and every word of the form of a credential.
func (m *masker) commentLine(start, end int) {
	text := string(m.src[start:end])
	at := strings.Index(text, "//")
	for _, mark := range []string{"#", "/*", "*"} {
		if i := strings.Index(text, mark); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	for i := 0; i < len(text); {
		j := i + strings.IndexAny(text[i:]+" ", " \t\"',;")
		if j > i && !m.keep[start+i] && secretShape(text[i:j]) {
			m.mark(start+i, start+j)
		}
		i = j + 1
	}
	if at < 0 || m.keep[start+at] {
		return
	}
	if i := strings.IndexAny(text[at:], ":="); i >= 0 && secretName(text[at:at+i]) {
		m.mark(start+at+i+1, end)
	}
}

// quoted marks every text in quotes, and a quote that is not closed up to the
// end of its line.
func (m *masker) quoted() {
	for i := 0; i < len(m.src); i++ {
		q := m.src[i]
		if q != '"' && q != '\'' {
			continue
		}
		end := i + 1
		for end < len(m.src) && m.src[end] != q && m.src[end] != '\n' {
			if m.src[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(m.src))
		m.mark(i, end)
		i = end - 1
	}
}

// apply writes *** for each run of marked bytes; line ends stay.
func (m *masker) apply() []byte {
	var out []byte
	for i, c := range m.src {
		switch {
		case !m.hide[i] || c == '\n' || c == '\r':
			out = append(out, c)
		case i == 0 || !m.hide[i-1] || m.src[i-1] == '\n':
			out = append(out, `"***"`...)
		}
	}
	return out
}
