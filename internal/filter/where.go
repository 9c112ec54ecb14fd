package filter

import (
	"fmt"
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// Bounds of one predicate.
const (
	maxWhere      = 4 << 10 // bytes
	maxWhereDepth = 16
	maxWhereTerms = 200
)

// whereKind is what a node of a predicate does.
type whereKind uint8

const (
	isAnd whereKind = iota
	isOr
	isNot
	isExists
	isIn
	isEqual
	isUnequal
	isLess
	isLessEqual
	isGreater
	isGreaterEqual
)

// where is a predicate on one row, such as status == "open" and total > 10.
type where struct {
	kind    whereKind
	parts   []*where // of and, or, not
	path    []string // of a comparison: names from the row down; none: the row itself
	against []wire.Value
}

// comparisons are the operators, the longer ones first.
var comparisons = []struct {
	text string
	kind whereKind
}{{"==", isEqual}, {"!=", isUnequal}, {"<=", isLessEqual}, {">=", isGreaterEqual}, {"<", isLess}, {">", isGreater}}

// parseWhere reads a predicate.
func parseWhere(s string) (*where, error) {
	if len(s) > maxWhere {
		return nil, fmt.Errorf("is longer than %d bytes", maxWhere)
	}
	p := &whereReader{text: s}
	w, err := p.or(0)
	if err == nil {
		if p.space(); p.at < len(s) {
			err = p.fail("something follows the predicate; join parts with and, or")
		}
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// whereReader is the state of parseWhere.
type whereReader struct {
	text  string
	at    int
	terms int
}

func (p *whereReader) fail(why string) error { return &misread{p.at, why} }

func (p *whereReader) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// sign takes a sign, if it is next.
func (p *whereReader) sign(s string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

// word takes a word that no other character of a name follows.
func (p *whereReader) word(s string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.text[p.at:], s)
	if !ok || rest != "" && plainName(rest[:1]) || strings.HasPrefix(rest, ".") {
		return false
	}
	p.at += len(s)
	return true
}

func (p *whereReader) or(depth int) (*where, error) { return p.joined(isOr, "or", depth) }

// joined reads parts with the same word between them.
func (p *whereReader) joined(kind whereKind, word string, depth int) (*where, error) {
	if depth > maxWhereDepth {
		return nil, p.fail("nests too deeply")
	}
	w := &where{kind: kind}
	for {
		var part *where
		var err error
		if kind == isOr {
			part, err = p.joined(isAnd, "and", depth)
		} else {
			part, err = p.unary(depth)
		}
		if err != nil {
			return nil, err
		}
		if w.parts = append(w.parts, part); !p.word(word) {
			break
		}
	}
	if len(w.parts) == 1 {
		return w.parts[0], nil
	}
	return w, nil
}

func (p *whereReader) unary(depth int) (*where, error) {
	if p.terms++; p.terms > maxWhereTerms {
		return nil, p.fail("has too many parts")
	}
	if depth > maxWhereDepth {
		return nil, p.fail("nests too deeply")
	}
	switch {
	case p.word("not"):
		part, err := p.unary(depth + 1)
		return &where{kind: isNot, parts: []*where{part}}, err
	case p.sign("("):
		w, err := p.or(depth + 1)
		if err == nil && !p.sign(")") {
			err = p.fail("a bracket is not closed")
		}
		return w, err
	case p.word("exists"):
		return p.exists()
	}
	return p.comparison()
}

func (p *whereReader) exists() (*where, error) {
	if !p.sign("(") {
		return nil, p.fail("write exists(name)")
	}
	names, err := p.names()
	if err == nil && !p.sign(")") {
		err = p.fail("a bracket is not closed")
	}
	return &where{kind: isExists, path: names}, err
}

// comparison reads names, an operator and what they are compared with.
func (p *whereReader) comparison() (*where, error) {
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	w := &where{path: names}
	if p.word("in") {
		w.kind = isIn
		w.against, err = p.list()
		return w, err
	}
	for _, c := range comparisons {
		if !p.sign(c.text) {
			continue
		}
		v, err := p.literal()
		if err == nil && c.kind > isUnequal && v.Kind() != wire.Number && v.Kind() != wire.String {
			err = p.fail("only numbers and texts have an order")
		}
		w.kind, w.against = c.kind, []wire.Value{v}
		return w, err
	}
	return nil, p.fail("an operator is missing: ==, !=, <, <=, >, >= or in")
}

// names reads the way to a value from the row: @ is the row itself.
func (p *whereReader) names() ([]string, error) {
	if p.sign("@") {
		if !strings.HasPrefix(p.text[p.at:], ".") {
			return nil, nil
		}
		p.at++
	}
	p.space()
	var names []string
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		if names = append(names, name); len(names) > maxSteps {
			return nil, p.fail(fmt.Sprintf("has more than %d names", maxSteps))
		}
		if !strings.HasPrefix(p.text[p.at:], ".") {
			return names, nil
		}
		p.at++
	}
}

// keywords are the names that need quotes in a predicate.
var keywords = map[string]bool{"and": true, "or": true, "not": true, "in": true, "exists": true, "true": true, "false": true, "null": true}

func (p *whereReader) name() (string, error) {
	rest := p.text[p.at:]
	if strings.HasPrefix(rest, `"`) {
		name, size, err := unquoteName(rest)
		if err != nil {
			return "", p.fail(err.Error())
		}
		p.at += size
		return name, nil
	}
	n := strings.IndexFunc(rest, func(r rune) bool { return !plainName(string(r)) })
	if n < 0 {
		n = len(rest)
	}
	if n == 0 || keywords[rest[:n]] {
		return "", p.fail("the name of a member is missing; put names with other characters in quotes")
	}
	p.at += n
	return rest[:n], nil
}

// list reads [literal, literal].
func (p *whereReader) list() ([]wire.Value, error) {
	if !p.sign("[") {
		return nil, p.fail(`write in ["a", "b"]`)
	}
	var all []wire.Value
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		if all = append(all, v); p.sign("]") {
			return all, nil
		}
		if !p.sign(",") {
			return nil, p.fail("a comma or ] is missing")
		}
	}
}

// literal reads a JSON string, number, true, false or null.
func (p *whereReader) literal() (wire.Value, error) {
	if p.terms++; p.terms > maxWhereTerms {
		return wire.Value{}, p.fail("has too many parts")
	}
	p.space()
	rest := p.text[p.at:]
	n := strings.IndexAny(rest, " \t\r\n,])")
	if strings.HasPrefix(rest, `"`) {
		n = stringEnd(rest)
	}
	if n < 0 {
		n = len(rest)
	}
	v, err := wire.ParseValue([]byte(rest[:n]), wire.DefaultLimits())
	if err != nil || v.Kind() == wire.Object || v.Kind() == wire.Array {
		return wire.Value{}, p.fail("a value is missing: a text in double quotes, a number, true, false or null")
	}
	if v.Kind() == wire.Number {
		if _, ok := readDecimal(rest[:n]); !ok {
			return wire.Value{}, p.fail("the number is out of range")
		}
	}
	p.at += n
	return v, nil
}

// stringEnd returns the length of the JSON string that s begins with, -1 if it
// does not end.
func stringEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}
