package filter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// globs reads a pattern or a list of them.
func (d *decoder) globs(key string, n ast.Node) globs {
	out, before := globs{}, len(d.problems)
	d.each(key, n, func(key string, n ast.Node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		switch {
		case len(s) > maxGlob:
			d.add(key, at(n), fmt.Sprintf("is longer than %d bytes", maxGlob))
		case s == "!":
			d.add(key, at(n), "says what does not fit, but names nothing")
		default:
			out = append(out, s)
		}
	})
	if len(out) == 0 && len(d.problems) == before {
		d.add(key, at(n), "names nothing; leave the key out")
	}
	return out
}

// names reads patterns of which one is enough.
func (d *decoder) names(key string, n ast.Node) globs {
	out := d.globs(key, n)
	for _, g := range out {
		if g[0] == '!' {
			d.add(key, at(n), "takes no ! here; name what is meant")
		}
	}
	return out
}

// paths reads a path or a list of them. Only keep can name the whole value.
func (d *decoder) paths(key string, n ast.Node, whole bool) []path {
	out, before := []path{}, len(d.problems)
	d.each(key, n, func(key string, n ast.Node) {
		p := d.path(key, n)
		if p != nil && len(p) == 0 && !whole {
			d.add(key, at(n), "names the whole answer; to let nothing through, write keep: []")
		}
		if p != nil {
			out = append(out, p)
		}
	})
	if len(out) == 0 && !whole && len(d.problems) == before {
		d.add(key, at(n), "names nothing; leave the key out")
	}
	return out
}

// path reads one path, nil if it cannot.
func (d *decoder) path(key string, n ast.Node) path {
	s, ok := d.text(key, n)
	if !ok {
		return nil
	}
	p, err := parsePath(s)
	if err != nil {
		d.add(key, within(n, err), "is not a path: "+err.Error())
		return nil
	}
	return p
}

func (d *decoder) where(key string, n ast.Node) *where {
	s, ok := d.text(key, n)
	if !ok {
		return nil
	}
	w, err := parseWhere(s)
	if err != nil {
		d.add(key, within(n, err), "is not a predicate: "+err.Error())
		return nil
	}
	return w
}

// within is where in a value of one line a text could not be read.
func within(n ast.Node, err error) spot {
	p := at(n)
	var m *misread
	if _, block := n.(*ast.LiteralNode); block || !errors.As(err, &m) {
		return p
	}
	p.column += m.at
	if t := n.GetToken(); t != nil && (t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType) {
		p.column++
	}
	return p
}

func (d *decoder) number(key string, n ast.Node) int {
	s, ok := d.text(key, n)
	if !ok {
		return unbounded
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < 0 || v > 1e9 {
		d.add(key, at(n), "must be a whole number from 0 on")
		return unbounded
	}
	return v
}

// size reads a number of bytes, such as 4096 or 4KiB.
func (d *decoder) size(key string, n ast.Node) int {
	s, ok := d.text(key, n)
	if !ok {
		return unbounded
	}
	unit := 1
	for suffix, bytes := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = strings.TrimSpace(number), bytes
		}
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < 0 || v > 1<<30/unit {
		d.add(key, at(n), "must be a size such as 4096 or 4KiB")
		return unbounded
	}
	return v * unit
}

func (d *decoder) strip(key string, n ast.Node) bool { return d.word(key, n, "strip") }

// word reads the only word that a key knows.
func (d *decoder) word(key string, n ast.Node, only string) bool {
	if s, ok := scalar(n); !ok || s != only {
		d.add(key, at(n), "knows only the word "+only)
	}
	return true
}
