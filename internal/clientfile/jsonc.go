package clientfile

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonScanner reads JSON with comments and trailing commas into nodes.
type jsonScanner struct {
	src []byte
	pos int
}

// parseJSONC returns the root object, nil if the file holds only space and
// comments. A leading byte order mark is skipped. Errors are *syntaxError.
func parseJSONC(src []byte) (*node, error) {
	s := &jsonScanner{src: src}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		s.pos = 3
	}
	if at := invalidUTF8(src); at >= 0 {
		return nil, syntaxAt(at, "save the file as UTF-8", "not valid UTF-8")
	}
	if err := s.space(); err != nil {
		return nil, err
	}
	if s.pos == len(src) {
		return nil, nil
	}
	if s.src[s.pos] != '{' {
		return nil, syntaxAt(s.pos, "the file must be one object in braces", "expected {")
	}
	root, err := s.value(0)
	if err != nil {
		return nil, err
	}
	if err := s.space(); err != nil {
		return nil, err
	}
	if s.pos != len(src) {
		return nil, syntaxAt(s.pos, "remove what follows the closing brace", "unexpected text after the object")
	}
	return root, nil
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(src []byte) int {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// space skips white space and comments.
func (s *jsonScanner) space() error {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s.pos++
		case c == '/':
			if err := s.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (s *jsonScanner) comment() error {
	rest := s.src[s.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			n = len(rest)
		}
		s.pos += n
	case bytes.HasPrefix(rest, []byte("/*")):
		n := bytes.Index(rest[2:], []byte("*/"))
		if n < 0 {
			return syntaxAt(s.pos, "end it with */", "a comment is not closed")
		}
		s.pos += n + 4
	default:
		return syntaxAt(s.pos, "a comment starts with // or /*", "unexpected /")
	}
	return nil
}

// value reads the value that starts at pos.
func (s *jsonScanner) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, syntaxAt(s.pos, "flatten the file", "nested deeper than %d levels", maxDepth)
	}
	if s.pos == len(s.src) {
		return nil, syntaxAt(s.pos, "the file seems cut off", "expected a value")
	}
	n := &node{start: s.pos}
	var err error
	switch c := s.src[s.pos]; {
	case c == '{':
		err = s.object(n, depth)
	case c == '[':
		err = s.array(n, depth)
	case c == '"':
		n.kind = stringKind
		n.text, err = s.str()
	default:
		n.kind = scalarKind
		n.text, err = s.scalar()
	}
	n.end = s.pos
	return n, err
}

func (s *jsonScanner) object(n *node, depth int) error {
	n.kind = objectKind
	seen := map[string]bool{}
	s.pos++
	for {
		if err := s.space(); err != nil {
			return err
		}
		if s.pos < len(s.src) && s.src[s.pos] == '}' {
			s.pos++
			return nil
		}
		m := member{keyStart: s.pos}
		if s.pos == len(s.src) || s.src[s.pos] != '"' {
			return syntaxAt(s.pos, "write the name in double quotes or close the brace", "expected a member name")
		}
		var err error
		if m.key, err = s.str(); err != nil {
			return err
		}
		m.keyEnd = s.pos
		if seen[m.key] {
			return syntaxAt(m.keyStart, "keep one of the two", "member %q appears twice in one object", m.key)
		}
		seen[m.key] = true
		if err := s.expect(':', "put a colon after the name"); err != nil {
			return err
		}
		if m.value, err = s.value(depth + 1); err != nil {
			return err
		}
		n.members = append(n.members, m)
		if done, err := s.next('}'); err != nil || done {
			return err
		}
	}
}

func (s *jsonScanner) array(n *node, depth int) error {
	n.kind = arrayKind
	s.pos++
	for {
		if err := s.space(); err != nil {
			return err
		}
		if s.pos < len(s.src) && s.src[s.pos] == ']' {
			s.pos++
			return nil
		}
		item, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
		if done, err := s.next(']'); err != nil || done {
			return err
		}
	}
}

// expect skips space, the byte c and space again.
func (s *jsonScanner) expect(c byte, fix string) error {
	if err := s.space(); err != nil {
		return err
	}
	if s.pos == len(s.src) || s.src[s.pos] != c {
		return syntaxAt(s.pos, fix, "expected %q", string(c))
	}
	s.pos++
	return s.space()
}

// next skips a comma, or the closing byte and reports done.
func (s *jsonScanner) next(closing byte) (done bool, err error) {
	if err := s.space(); err != nil {
		return false, err
	}
	if s.pos == len(s.src) {
		return false, syntaxAt(s.pos, "the file seems cut off", "expected a comma or %q", string(closing))
	}
	switch s.src[s.pos] {
	case ',':
		s.pos++
		return false, nil
	case closing:
		s.pos++
		return true, nil
	}
	return false, syntaxAt(s.pos, "put a comma between the two", "expected a comma or %q", string(closing))
}

// scalar reads a number, true, false or null.
func (s *jsonScanner) scalar() (string, error) {
	start := s.pos
	for s.pos < len(s.src) && isScalar(s.src[s.pos]) {
		s.pos++
	}
	text := string(s.src[start:s.pos])
	if text == "true" || text == "false" || text == "null" || isNumber(text) {
		return text, nil
	}
	return "", syntaxAt(start, "text needs double quotes", "expected a value")
}

func isScalar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'
}

// isNumber follows the number grammar of RFC 8259 section 6.
func isNumber(t string) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(t) && t[i] >= '0' && t[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(t) && t[i] == '-' {
		i++
	}
	first := i
	if !digits() || t[first] == '0' && i > first+1 {
		return false
	}
	if i < len(t) && t[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(t) && (t[i] == 'e' || t[i] == 'E') {
		i++
		if i < len(t) && (t[i] == '+' || t[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(t)
}

// str reads the string whose opening quote is at pos and decodes it.
func (s *jsonScanner) str() (string, error) {
	start := s.pos
	s.pos++
	var out []byte
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '"':
			s.pos++
			return string(out), nil
		case c < 0x20:
			return "", syntaxAt(s.pos, "write it as an escape such as \\n, or close the quote before it", "a control character stands in a string")
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
			s.pos++
		}
	}
	return "", syntaxAt(start, "close it with a double quote", "a string is not closed")
}

// escape reads the escape at pos; a lone surrogate is refused, because apps
// differ in what they make of it.
func (s *jsonScanner) escape() (rune, error) {
	at := s.pos
	if at+1 >= len(s.src) {
		return 0, syntaxAt(at, "close the string", "an escape is cut off")
	}
	c := s.src[at+1]
	s.pos += 2
	const plain, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := bytes.IndexByte([]byte(plain), c); i >= 0 {
		return rune(meant[i]), nil
	}
	if c != 'u' {
		return 0, syntaxAt(at, "write a backslash as \\\\", "unknown escape")
	}
	r, ok := s.hex4()
	if ok && utf16.IsSurrogate(r) {
		if !bytes.HasPrefix(s.src[s.pos:], []byte(`\u`)) {
			return 0, syntaxAt(at, "write the whole pair", "half of a surrogate pair")
		}
		s.pos += 2
		low, lowOK := s.hex4()
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError || !lowOK {
			return 0, syntaxAt(at, "write the whole pair", "half of a surrogate pair")
		}
	}
	if !ok {
		return 0, syntaxAt(at, "\\u needs four hexadecimal digits", "broken escape")
	}
	return r, nil
}

func (s *jsonScanner) hex4() (rune, bool) {
	if s.pos+4 > len(s.src) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(s.src[s.pos:s.pos+4]), 16, 16)
	s.pos += 4
	return rune(v), err == nil
}
