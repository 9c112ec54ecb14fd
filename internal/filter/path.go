package filter

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Bounds of one path.
const (
	maxPath  = 1 << 10 // bytes
	maxSteps = 32
)

// stepKind is what one step of a path goes through.
type stepKind uint8

const (
	toName    stepKind = iota // the member of this name
	toAny                     // any member
	toElement                 // any element of a list
	toDeep                    // any number of members and elements, also none
)

// step is one step of a path.
type step struct {
	kind stepKind
	name string // of toName
}

// path leads from the root of a JSON value to values in it. The root has no
// step.
type path []step

// String returns the path as parsePath reads it.
func (p path) String() string {
	if len(p) == 0 {
		return "$"
	}
	var b strings.Builder
	for i, s := range p {
		if s.kind == toElement {
			b.WriteString("[*]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		switch {
		case s.kind == toAny:
			b.WriteByte('*')
		case s.kind == toDeep:
			b.WriteString("**")
		case plainName(s.name):
			b.WriteString(s.name)
		default:
			b.WriteString(quoteName(s.name))
		}
	}
	return b.String()
}

// nameEnds are the characters that end a name that is not in quotes.
const nameEnds = ".[]\"*$()=!<>,@"

// plainName reports whether a name needs no quotes.
func plainName(s string) bool {
	return s != "" && !strings.ContainsAny(s, nameEnds) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
	})
}

// quoteName writes a name in quotes. Only the quote and the backslash have an
// escape, since members may be called anything else.
func quoteName(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// misread is a text that cannot be read from the byte at on.
type misread struct {
	at  int
	why string
}

func (e *misread) Error() string { return e.why }

// parsePath reads a path such as items[*].customer."e-mail" or **.ssn.
func parsePath(s string) (path, error) {
	if len(s) > maxPath {
		return nil, fmt.Errorf("is longer than %d bytes", maxPath)
	}
	p := pathReader{text: s}
	if strings.HasPrefix(s, "$") {
		if p.at = 1; s == "$" {
			return path{}, nil
		}
		switch s[1] {
		case '.':
			p.at = 2
		case '[':
		default:
			return nil, p.fail("a dot is missing")
		}
	}
	for first := true; p.at < len(s) || first; first = false {
		if err := p.step(first); err != nil {
			return nil, err
		}
	}
	return p.path, p.check()
}

// pathReader is the state of parsePath.
type pathReader struct {
	text string
	at   int
	path path
}

func (p *pathReader) fail(why string) error { return &misread{p.at, why} }

// step reads one step with the dot before it.
func (p *pathReader) step(first bool) error {
	rest := p.text[p.at:]
	if strings.HasPrefix(rest, "[") {
		if !strings.HasPrefix(rest, "[*]") {
			return p.fail("write [*] for every element; elements have no numbers here")
		}
		return p.add(step{kind: toElement}, 3)
	}
	if !first {
		if !strings.HasPrefix(rest, ".") {
			return p.fail("a dot is missing")
		}
		p.at++
		rest = rest[1:]
	}
	switch {
	case strings.HasPrefix(rest, "**"):
		return p.add(step{kind: toDeep}, 2)
	case strings.HasPrefix(rest, "*"):
		return p.add(step{kind: toAny}, 1)
	case strings.HasPrefix(rest, `"`):
		name, size, err := unquoteName(rest)
		if err != nil {
			return p.fail(err.Error())
		}
		return p.add(step{toName, name}, size)
	}
	n := strings.IndexFunc(rest, func(r rune) bool { return !plainName(string(r)) })
	if n < 0 {
		n = len(rest)
	}
	if n == 0 {
		return p.fail("the name of a member is missing; put names with other characters in quotes")
	}
	return p.add(step{toName, rest[:n]}, n)
}

func (p *pathReader) add(s step, size int) error {
	if len(p.path) == maxSteps {
		return p.fail(fmt.Sprintf("has more than %d steps", maxSteps))
	}
	p.path = append(p.path, s)
	p.at += size
	return nil
}

// check refuses what would mean less or more than it seems to.
func (p *pathReader) check() error {
	for i, s := range p.path {
		if s.kind != toDeep {
			continue
		}
		if i+1 == len(p.path) {
			return p.fail("ends in **; a path already takes everything beneath it")
		}
		if p.path[i+1].kind == toDeep {
			return p.fail("has ** twice in a row")
		}
	}
	return nil
}

// unquoteName reads the quoted name that s begins with and returns its length.
func unquoteName(s string) (name string, size int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return b.String(), i + 1, nil
		case '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", 0, errors.New(`in quotes only \" and \\ are escapes`)
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, errors.New("a quote is not closed")
}
