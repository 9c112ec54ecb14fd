package clientfile

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// tomlScanner reads the tokens of TOML 1.0.0.
type tomlScanner struct {
	src []byte
	pos int
}

func (s *tomlScanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *tomlScanner) has(prefix string) bool {
	return bytes.HasPrefix(s.src[s.pos:], []byte(prefix))
}

// space skips blanks and tabs.
func (s *tomlScanner) space() {
	for s.pos < len(s.src) && (s.src[s.pos] == ' ' || s.src[s.pos] == '\t') {
		s.pos++
	}
}

// comment skips a comment up to its line's end.
func (s *tomlScanner) comment() error {
	for s.pos < len(s.src) && s.src[s.pos] != '\n' && !s.has("\r\n") {
		if c := s.src[s.pos]; c < 0x20 && c != '\t' || c == 0x7f {
			return syntaxAt(s.pos, "remove it", "a control character stands in a comment")
		}
		s.pos++
	}
	return nil
}

// blank skips blanks, line ends and comments.
func (s *tomlScanner) blank() error {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ' || c == '\t' || c == '\n':
			s.pos++
		case s.has("\r\n"):
			s.pos += 2
		case c == '#':
			if err := s.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// endOfLine skips the rest of a line, which may hold a comment.
func (s *tomlScanner) endOfLine() error {
	s.space()
	if s.peek() == '#' {
		if err := s.comment(); err != nil {
			return err
		}
	}
	if s.pos == len(s.src) || s.peek() == '\n' || s.has("\r\n") {
		return nil
	}
	return syntaxAt(s.pos, "start a new line before it", "unexpected text")
}

func (s *tomlScanner) header() (statement, error) {
	st := statement{start: s.pos, array: s.has("[[")}
	closing := "]"
	if st.array {
		closing = "]]"
	}
	s.pos += len(closing)
	s.space()
	var err error
	if st.path, err = s.key(); err != nil {
		return st, err
	}
	if !s.has(closing) {
		return st, syntaxAt(s.pos, "close the header", "expected %s", closing)
	}
	s.pos += len(closing)
	st.end = s.pos
	return st, nil
}

func (s *tomlScanner) pair(section []string) (statement, error) {
	st := statement{start: s.pos}
	key, err := s.key()
	if err != nil {
		return st, err
	}
	if st.path = append(append(st.path, section...), key...); len(st.path) > maxDepth {
		return st, syntaxAt(st.start, "shorten the key", "nested deeper than %d levels", maxDepth)
	}
	if st.value, err = s.assigned(0); err != nil {
		return st, err
	}
	st.end = s.pos
	return st, nil
}

// assigned reads "= value".
func (s *tomlScanner) assigned(depth int) (*node, error) {
	if s.peek() != '=' {
		return nil, syntaxAt(s.pos, "put = between key and value", "expected =")
	}
	s.pos++
	s.space()
	return s.value(depth)
}

// key reads a dotted key and the space after it.
func (s *tomlScanner) key() ([]string, error) {
	var parts []string
	for {
		part, err := s.simpleKey()
		if err != nil {
			return nil, err
		}
		if parts = append(parts, part); len(parts) > maxDepth {
			return nil, syntaxAt(s.pos, "shorten the key", "nested deeper than %d levels", maxDepth)
		}
		s.space()
		if s.peek() != '.' {
			return parts, nil
		}
		s.pos++
		s.space()
	}
}

func (s *tomlScanner) simpleKey() (string, error) {
	switch c := s.peek(); {
	case c == '"':
		return s.basic()
	case c == '\'':
		return s.literal()
	}
	start := s.pos
	for s.pos < len(s.src) && isBareKey(s.src[s.pos]) {
		s.pos++
	}
	if s.pos == start {
		return "", syntaxAt(start, "a key is letters, digits, - and _, or in quotes", "expected a key")
	}
	return string(s.src[start:s.pos]), nil
}

func isBareKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func (s *tomlScanner) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, syntaxAt(s.pos, "flatten the file", "nested deeper than %d levels", maxDepth)
	}
	n := &node{start: s.pos, kind: stringKind}
	var err error
	switch {
	case s.has(`"""`):
		n.text, err = s.multiline('"')
	case s.has(`'''`):
		n.text, err = s.multiline('\'')
	case s.peek() == '"':
		n.text, err = s.basic()
	case s.peek() == '\'':
		n.text, err = s.literal()
	case s.peek() == '[':
		err = s.array(n, depth)
	case s.peek() == '{':
		err = s.inline(n, depth)
	default:
		n.kind = scalarKind
		n.text, err = s.scalar()
	}
	n.end = s.pos
	return n, err
}

// scalar reads a number, a date or a boolean.
func (s *tomlScanner) scalar() (string, error) {
	start := s.pos
	for s.pos < len(s.src) && (isScalar(s.src[s.pos]) || s.src[s.pos] == '_' || s.src[s.pos] == ':') {
		s.pos++
	}
	text := string(s.src[start:s.pos])
	c := byte(0)
	if text != "" {
		c = text[0]
	}
	if text == "true" || text == "false" || text == "inf" || text == "nan" || c >= '0' && c <= '9' || (c == '+' || c == '-') && len(text) > 1 {
		return text, nil
	}
	return "", syntaxAt(start, "text needs quotes", "expected a value")
}

func (s *tomlScanner) array(n *node, depth int) error {
	n.kind, n.sealed = arrayKind, true
	s.pos++
	for {
		if err := s.blank(); err != nil {
			return err
		}
		if s.peek() == ']' {
			s.pos++
			return nil
		}
		item, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
		if err := s.blank(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
		default:
			return syntaxAt(s.pos, "separate values by commas and close the bracket", "expected a comma or ]")
		}
	}
}

// inline reads an inline table, which stands on one line.
func (s *tomlScanner) inline(n *node, depth int) error {
	n.kind = objectKind
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		n.seal()
		return nil
	}
	for {
		s.space()
		st := statement{start: s.pos}
		key, err := s.key()
		if err != nil {
			return err
		}
		if len(key)+depth > maxDepth {
			return syntaxAt(st.start, "flatten the file", "nested deeper than %d levels", maxDepth)
		}
		if st.value, err = s.assigned(depth + len(key)); err != nil {
			return err
		}
		if err := n.put(key, st); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			n.seal()
			return nil
		default:
			return syntaxAt(s.pos, "separate members by commas and close the brace on the same line", "expected a comma or }")
		}
	}
}

// seal closes an inline table and the tables that its dotted keys made.
func (n *node) seal() {
	n.sealed = true
	for _, m := range n.members {
		if m.value.kind == objectKind && !m.value.sealed {
			m.value.seal()
			m.value.sealed = false // has no source of its own
			m.value.header = true  // but is closed all the same
		}
	}
}

func (s *tomlScanner) literal() (string, error) {
	start := s.pos
	s.pos++
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '\'':
			s.pos++
			return string(s.src[start+1 : s.pos-1]), nil
		case c < 0x20 && c != '\t' || c == 0x7f:
			return "", syntaxAt(s.pos, "close the quote before it", "a control character stands in a string")
		}
		s.pos++
	}
	return "", syntaxAt(start, "close it", "a string is not closed")
}

func (s *tomlScanner) basic() (string, error) {
	start := s.pos
	s.pos++
	var out []byte
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '"':
			s.pos++
			return string(out), nil
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		case c < 0x20 && c != '\t' || c == 0x7f:
			return "", syntaxAt(s.pos, "write it as an escape such as \\n, or close the quote before it", "a control character stands in a string")
		default:
			out = append(out, c)
			s.pos++
		}
	}
	return "", syntaxAt(start, "close it", "a string is not closed")
}

func (s *tomlScanner) escape() (rune, error) {
	at := s.pos
	if at+1 >= len(s.src) {
		return 0, syntaxAt(at, "close the string", "an escape is cut off")
	}
	c := s.src[at+1]
	s.pos += 2
	const plain, meant = `"\bfnrt`, "\"\\\b\f\n\r\t"
	if i := bytes.IndexByte([]byte(plain), c); i >= 0 {
		return rune(meant[i]), nil
	}
	digits := map[byte]int{'u': 4, 'U': 8}[c]
	if digits == 0 || s.pos+digits > len(s.src) {
		return 0, syntaxAt(at, "write a backslash as \\\\, or use single quotes", "unknown escape")
	}
	v, err := strconv.ParseUint(string(s.src[s.pos:s.pos+digits]), 16, 32)
	s.pos += digits
	if err != nil || v > utf8.MaxRune || !utf8.ValidRune(rune(v)) {
		return 0, syntaxAt(at, "use the hexadecimal number of a character", "broken escape")
	}
	return rune(v), nil
}

// multiline reads a string in three quotes of kind q. Up to two quotes may
// stand directly before the closing ones.
func (s *tomlScanner) multiline(q byte) (string, error) {
	start := s.pos
	closing := string([]byte{q, q, q})
	s.pos += 3
	if s.has("\r\n") {
		s.pos += 2
	} else if s.peek() == '\n' {
		s.pos++
	}
	var out []byte
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case s.has(closing):
			s.pos += 3
			for extra := 0; extra < 2 && s.peek() == q; extra++ {
				out = append(out, q)
				s.pos++
			}
			return string(out), nil
		case c == '\\' && q == '"':
			if s.continued() {
				continue
			}
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		case c < 0x20 && c != '\t' && c != '\n' && !s.has("\r\n") || c == 0x7f:
			return "", syntaxAt(s.pos, "write it as an escape", "a control character stands in a string")
		default:
			out = append(out, c)
			s.pos++
		}
	}
	return "", syntaxAt(start, "close it with three quotes", "a string is not closed")
}

// continued skips a backslash at a line's end with all space that follows.
func (s *tomlScanner) continued() bool {
	i := s.pos + 1
	for i < len(s.src) && (s.src[i] == ' ' || s.src[i] == '\t') {
		i++
	}
	rest := s.src[i:]
	if !bytes.HasPrefix(rest, []byte("\n")) && !bytes.HasPrefix(rest, []byte("\r\n")) {
		return false
	}
	for i < len(s.src) && bytes.IndexByte([]byte(" \t\r\n"), s.src[i]) >= 0 {
		i++
	}
	s.pos = i
	return true
}
