package app

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"ostiary.dev/ostiary/internal/fault"
)

// maxConfig is the largest configuration file that is read.
const maxConfig = 1 << 20

// maxNesting is deeper than any key of Config lies.
const maxNesting = 16

// Problem and Problems are what is wrong with the configuration.
type (
	Problem  = fault.Problem
	Problems = fault.Problems
)

// place is where a key's value stands in the file.
type place struct{ line, column int }

// decoder reads a YAML document into Config by its struct tags. It is our own
// so that it can report every problem of a file at once, each with its line,
// and so that nothing of YAML but plain values is understood.
type decoder struct {
	file     string
	places   map[string]place // by key path
	problems Problems
}

// decode fills c from text. The decoder keeps every problem and place.
func (d *decoder) decode(text []byte, c *Config) {
	if len(text) > maxConfig {
		d.add("", place{}, fmt.Sprintf("is larger than %s", Size(maxConfig)))
		return
	}
	f, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return
	}
	var docs []*ast.DocumentNode
	for _, doc := range f.Docs {
		if doc.Body != nil {
			docs = append(docs, doc)
		}
	}
	switch len(docs) {
	case 0:
		d.add("", place{}, "is empty; write at least version: 1 and mode: enforce")
	case 1:
		d.value("", docs[0].Body, reflect.ValueOf(c).Elem(), 0)
		d.required("", reflect.ValueOf(c).Elem(), at(docs[0].Body))
	default:
		d.add("", at(docs[1].Body), "is a second document; write one")
	}
}

func (d *decoder) add(key string, p place, text string) {
	d.problems = append(d.problems, Problem{File: d.file, Line: p.line, Column: p.column, Key: key, Text: text})
}

// syntax reports a file that is not YAML.
func (d *decoder) syntax(err error) {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		d.add("", tokenAt(y.GetToken()), "is not YAML: "+y.GetMessage())
		return
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	d.add("", place{}, "is not YAML: "+first)
}

func at(n ast.Node) place {
	if n == nil {
		return place{}
	}
	return tokenAt(n.GetToken())
}

func tokenAt(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}

// value decodes n into v; key is v's path.
func (d *decoder) value(key string, n ast.Node, v reflect.Value, depth int) {
	if depth > maxNesting {
		d.add(key, at(n), "is nested too deeply")
		return
	}
	if _, null := n.(*ast.NullNode); null {
		return // as if it were not there
	}
	d.places[key] = at(n)
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		d.add(key, at(n), "anchors, aliases, merge keys and tags are not allowed; write the value out")
		return
	}
	switch {
	case isScalar(v.Type()):
		d.scalar(key, n, v)
	case v.Kind() == reflect.Struct:
		d.object(key, n, v, depth)
	case v.Kind() == reflect.Map:
		d.dictionary(key, n, v)
	case v.Kind() == reflect.Slice:
		d.list(key, n, v, depth)
	}
}

// object decodes a mapping into a struct.
func (d *decoder) object(key string, n ast.Node, v reflect.Value, depth int) {
	pairs, ok := mapping(n)
	if !ok {
		d.add(key, at(n), "must be a mapping of keys to values")
		return
	}
	seen := map[string]place{}
	for _, pair := range pairs {
		name, ok := d.key(key, pair, seen)
		if !ok {
			continue
		}
		i := fieldOf(v.Type(), name)
		if i < 0 {
			d.add(join(key, name), at(pair.Key), "is not a known key"+meant(name, v.Type()))
			continue
		}
		d.value(join(key, name), pair.Value, v.Field(i), depth+1)
	}
}

// key returns the name of a pair, unless it is not a plain one or a repetition.
func (d *decoder) key(parent string, pair *ast.MappingValueNode, seen map[string]place) (string, bool) {
	s, ok := pair.Key.(ast.ScalarNode)
	if _, merge := pair.Key.(*ast.MergeKeyNode); !ok || merge {
		d.add(parent, at(pair.Key), "anchors, aliases, merge keys and tags are not allowed; write the keys out")
		return "", false
	}
	name := fmt.Sprint(s.GetValue())
	if first, dup := seen[name]; dup {
		d.add(join(parent, name), at(pair.Key), fmt.Sprintf("is written twice, first in line %d", first.line))
		return "", false
	}
	seen[name] = at(pair.Key)
	return name, true
}

func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// dictionary decodes a mapping of names to texts or numbers.
func (d *decoder) dictionary(key string, n ast.Node, v reflect.Value) {
	pairs, ok := mapping(n)
	if !ok {
		d.add(key, at(n), "must be a mapping of names to values")
		return
	}
	seen := map[string]place{}
	out := reflect.MakeMap(v.Type())
	for _, pair := range pairs {
		name, ok := d.key(key, pair, seen)
		if !ok {
			continue
		}
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(join(key, name), pair.Value, one, maxNesting)
		out.SetMapIndex(reflect.ValueOf(name), one)
	}
	v.Set(out)
}

// list decodes a sequence.
func (d *decoder) list(key string, n ast.Node, v reflect.Value, depth int) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.add(key, at(n), "must be a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		path := fmt.Sprintf("%s[%d]", key, i)
		d.value(path, item, out.Index(i), depth+1)
		if out.Index(i).Kind() == reflect.Struct {
			d.required(path, out.Index(i), at(item))
		}
	}
	v.Set(out)
}

// scalar decodes one plain value.
func (d *decoder) scalar(key string, n ast.Node, v reflect.Value) {
	s, ok := n.(ast.ScalarNode)
	if !ok {
		d.add(key, at(n), "must be a single value")
		return
	}
	text := s.GetToken().Value
	_, quoted := n.(*ast.StringNode)
	if l, ok := n.(*ast.LiteralNode); ok {
		text, quoted = l.Value.Value, true
	}
	if v.Kind() == reflect.String && !quoted {
		// An unquoted 8443 or true where text belongs is text as written.
		text = s.GetToken().Value
	}
	if err := setScalar(v, text); err != nil {
		d.add(key, at(n), err.Error())
	}
}

// isScalar reports whether t is read from one plain value.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int64, reflect.Bool, reflect.Pointer:
		return true
	}
	return false
}

// setScalar reads text into v, which is a type of Config's leaves.
func setScalar(v reflect.Value, text string) error {
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = text
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("must be a whole number")
		}
		*p = n
	case *bool:
		if text != "true" && text != "false" {
			return errors.New("must be true or false")
		}
		*p = text == "true"
	case **float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != f {
			return errors.New("must be a number")
		}
		*p = &f
	case *Size:
		n, err := ParseSize(text)
		if err != nil {
			return err
		}
		*p = n
	case *Duration:
		n, err := ParseDuration(text)
		if err != nil {
			return err
		}
		*p = n
	default:
		panic(fmt.Sprintf("app: no scalar %T", p))
	}
	return nil
}

// required reports the keys of v that the file must have and has not.
func (d *decoder) required(key string, v reflect.Value, p place) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("required") == "" || !v.Field(i).IsZero() {
			continue
		}
		path := join(key, f.Tag.Get("yaml"))
		if own, there := d.places[path]; there {
			d.add(path, own, "must not be empty")
			continue
		}
		d.add(path, p, "is missing")
	}
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func fieldOf(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == name {
			return i
		}
	}
	return -1
}

// meant proposes the known key that is nearest to name.
func meant(name string, t reflect.Type) string {
	best, far := "", len(name)/2+1
	for i := range t.NumField() {
		known := t.Field(i).Tag.Get("yaml")
		if n := distance(name, known); n < far {
			best, far = known, n
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the edit distance of two short names.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, prev+1)
		}
	}
	return row[len(b)]
}
