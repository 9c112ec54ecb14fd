package filter

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"ostiary.dev/ostiary/internal/fault"
)

// Problem and Problems are what is wrong with a file of rules.
type (
	Problem  = fault.Problem
	Problems = fault.Problems
)

// maxProblems bounds what is said of one file.
const maxProblems = 50

// spot is a place in the file.
type spot struct{ line, column int }

// decoder reads a file of rules. It is strict: a key that it does not know may
// be one that was meant to take something away.
type decoder struct {
	file     string
	problems Problems
	moves    int // what compiling has taken of maxMoves
}

// field reads the value of one key.
type field func(key string, n ast.Node)

// Parse reads a file of rules, which is YAML. The error is Problems: all at
// once, with line and column.
func Parse(name string, text []byte) ([]Rule, error) {
	d := &decoder{file: name}
	rules := d.document(text)
	if len(d.problems) == 0 && len(rules) == 0 {
		d.add("filter", spot{}, "is empty; write at least one rule")
	}
	if len(d.problems) > 0 {
		d.problems.Sorted()
		return nil, d.problems[:min(len(d.problems), maxProblems)]
	}
	return rules, nil
}

func (d *decoder) document(text []byte) (rules []Rule) {
	if len(text) > maxFile {
		d.add("", spot{}, fmt.Sprintf("is larger than %d bytes", maxFile))
		return nil
	}
	if deep(text) {
		d.add("", spot{}, "is nested too deeply")
		return nil
	}
	f, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil
	}
	var body ast.Node
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			d.add("", at(doc.Body), "is a second document; write one")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		return nil
	}
	d.object("", body, map[string]field{"filter": func(key string, n ast.Node) {
		d.each(key, n, func(key string, n ast.Node) {
			if len(rules) == maxRules {
				d.add(key, at(n), fmt.Sprintf("is one of more than %d rules", maxRules))
			} else if len(rules) < maxRules {
				rules = append(rules, d.rule(key, n))
			}
		})
	}})
	return rules
}

// maxNesting is deeper than any key lies; maxIndent is wider than any of them
// needs to be indented.
const (
	maxNesting = 32
	maxIndent  = 128
)

// deep reports whether a text nests deeper than the YAML parser, which recurses,
// should be asked to follow: by brackets, by dashes in one line, or by indent.
func deep(text []byte) bool {
	open := 0
	for line := range strings.Lines(string(text)) {
		rest := strings.TrimLeft(line, " -?\t")
		if len(line)-len(rest) > maxIndent {
			return true
		}
		for _, c := range rest {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			}
			if open > maxNesting {
				return true
			}
		}
	}
	return false
}

func (d *decoder) add(key string, p spot, text string) {
	d.problems = append(d.problems, Problem{File: d.file, Line: p.line, Column: p.column, Key: key, Text: text})
}

// syntax reports a file that is not YAML.
func (d *decoder) syntax(err error) {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		d.add("", tokenAt(y.GetToken()), "is not YAML: "+y.GetMessage()+"; put texts that begin with * or hold [ in quotes")
		return
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	d.add("", spot{}, "is not YAML: "+first)
}

func at(n ast.Node) spot {
	switch n := n.(type) {
	case nil:
		return spot{}
	case *ast.MappingValueNode: // whose token is the colon
		return at(n.Key)
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return at(n.Values[0].Key)
		}
	}
	return tokenAt(n.GetToken())
}

func tokenAt(t *token.Token) spot {
	if t == nil || t.Position == nil {
		return spot{}
	}
	return spot{t.Position.Line, t.Position.Column}
}

// object reads a mapping with known keys.
func (d *decoder) object(key string, n ast.Node, known map[string]field) {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		d.add(key, at(n), "must be a mapping of keys to values")
		return
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		name, ok := scalar(pair.Key)
		if _, merge := pair.Key.(*ast.MergeKeyNode); !ok || merge {
			d.add(key, at(pair.Key), "anchors, aliases, merge keys and tags are not allowed; write the keys out")
			continue
		}
		path := strings.TrimPrefix(key+"."+name, ".")
		read := known[name]
		switch {
		case read == nil:
			d.add(path, at(pair.Key), "is not a known key; there are "+strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case seen[name]:
			d.add(path, at(pair.Key), "is written twice")
		default:
			seen[name] = true
			read(path, pair.Value)
		}
	}
}

// each calls read for every element of a list, or for a value that is none.
func (d *decoder) each(key string, n ast.Node, read field) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		read(key, n)
		return
	}
	for i, item := range seq.Values {
		read(indexed(key, i), item)
	}
}

func indexed(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }

// scalar returns a plain value as it was written.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.NullNode, *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "", false
	case ast.ScalarNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// text reads a plain value that is not empty.
func (d *decoder) text(key string, n ast.Node) (string, bool) {
	s, ok := scalar(n)
	switch {
	case !ok:
		d.add(key, at(n), "must be a single value; put a text that begins with * in quotes")
	case s == "":
		d.add(key, at(n), "must not be empty")
	default:
		return s, true
	}
	return "", false
}

// missing reports a key that is not there, or that could not be read.
func (d *decoder) missing(key string, n ast.Node, name string, there bool) {
	if !there {
		d.add(key, at(n), name+" is missing")
	}
}
