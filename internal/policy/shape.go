package policy

import (
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// form is a type of the schema that an argument can have.
type form int

const (
	formText   form = iota + 1 // String
	formLong                   // Long
	formNumber                 // decimal
	formBool                   // Bool
	formSet                    // Set of item
	formRecord                 // members
)

// Bounds of what a schema may ask us to hold.
const (
	shapeDepth   = 4
	shapeMembers = 100
)

// shape is what Cedar sees of an argument, taken from a tool's inputSchema.
// What Cedar cannot hold has no shape: policies cannot read it, and named rules
// tell facts about it.
type shape struct {
	form    form
	item    *shape // of a set
	members []member
	path    bool // the schema says that it is a path or an address
}

type member struct {
	name     string
	required bool
	shape    *shape
}

var noArguments = &shape{form: formRecord}

// argumentsOf reads a pinned definition. One that cannot be read, or that does
// not describe an object, has no arguments that policies see.
func argumentsOf(t *registry.Tool) *shape {
	if t.Definition == "" {
		return noArguments
	}
	d, err := wire.ParseValue([]byte(t.Definition), wire.DefaultLimits())
	if err != nil {
		return noArguments
	}
	s := shapeIn(d.Get("inputSchema"), shapeDepth)
	if s == nil || s.form != formRecord {
		return noArguments
	}
	return s
}

// shapeIn returns the shape that a JSON Schema gives a value, or nil. depth
// bounds how far records and sets nest.
func shapeIn(v wire.Value, depth int) *shape {
	if depth == 0 || v.Kind() != wire.Object {
		return nil
	}
	switch typeIn(v) {
	case "string":
		format, _ := v.Get("format").Text()
		return &shape{form: formText, path: slices.Contains([]string{"uri", "uri-reference", "iri", "path"}, format)}
	case "integer":
		return &shape{form: formLong}
	case "number":
		return &shape{form: formNumber}
	case "boolean":
		return &shape{form: formBool}
	case "array":
		item := shapeIn(v.Get("items"), depth-1)
		if item == nil || item.form == formRecord || item.form == formSet {
			return nil
		}
		return &shape{form: formSet, item: item}
	case "object":
		return recordIn(v, depth)
	}
	return nil
}

// typeIn returns the one type that a schema allows beside null, "" if there is
// not exactly one. A list of strings to choose from is a string.
func typeIn(v wire.Value) string {
	t := v.Get("type")
	if text, ok := t.Text(); ok {
		return text
	}
	found := ""
	for e := range t.Elements() {
		text, ok := e.Text()
		switch {
		case !ok, found != "" && text != "null":
			return ""
		case text != "null":
			found = text
		}
	}
	if found != "" || t.Exists() {
		return found
	}
	for e := range v.Get("enum").Elements() {
		if e.Kind() != wire.String {
			return ""
		}
		found = "string"
	}
	return found
}

func recordIn(v wire.Value, depth int) *shape {
	s := &shape{form: formRecord}
	required := map[string]bool{}
	for e := range v.Get("required").Elements() {
		if name, ok := e.Text(); ok {
			required[name] = true
		}
	}
	for m, value := range v.Get("properties").Members() {
		inner := shapeIn(value, depth-1)
		if inner == nil || len(s.members) == shapeMembers || !nameable(m.Key) {
			continue
		}
		inner.path = inner.path || namesPath(m.Key)
		s.members = append(s.members, member{m.Key, required[m.Key], inner})
	}
	slices.SortFunc(s.members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return s
}

// nameable reports whether a schema's text can hold the name as it is.
func nameable(name string) bool {
	return name != "" && len(name) <= 200 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}

// pathWords are parts of argument names that hold paths or addresses.
var pathWords = []string{"path", "file", "dir", "folder", "uri", "url", "root", "location", "cwd"}

func namesPath(name string) bool {
	plain := strings.ToLower(name)
	return slices.ContainsFunc(pathWords, func(w string) bool { return strings.Contains(plain, w) })
}
