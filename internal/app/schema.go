package app

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
)

// configSource and its kin are config.go and the other files of keys themselves:
// their comments are the schema's descriptions, so that the two cannot differ.
//
//go:embed config.go
var configSource []byte

//go:embed config_root.go
var rootSource []byte

//go:embed config_privacy.go
var privacySource []byte

//go:embed config_sidecar.go
var sidecarSource []byte

//go:embed config_trust.go
var trustText []byte

// schemaID names the schema; it is not fetched.
const schemaID = "https://ostiary.dev/schema/config.json"

// Schema returns the JSON Schema (2020-12) of ostiary.yaml. The repository
// keeps a copy in docs/config.schema.json, which a test compares.
func Schema() ([]byte, error) {
	docs, err := fieldDocs()
	if err != nil {
		return nil, fmt.Errorf("generate schema: %w", err)
	}
	s := objectSchema(reflect.TypeFor[Config](), docs, "restart", "file")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["$id"] = schemaID
	s["title"] = "Configuration of an Ostiary gateway (ostiary.yaml)"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("generate schema: %w", err)
	}
	return b.Bytes(), nil
}

// fieldDocs returns the comment of each field, as "Type.Field".
func fieldDocs() (map[string]string, error) {
	docs := map[string]string{}
	for _, source := range [][]byte{configSource, rootSource, privacySource, sidecarSource, trustText} {
		if err := docsOf(source, docs); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

func docsOf(source []byte, docs map[string]string) error {
	f, err := parser.ParseFile(token.NewFileSet(), "config.go", source, parser.ParseComments)
	if err != nil {
		return err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		t, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := t.Type.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				for _, name := range field.Names {
					docs[t.Name.Name+"."+name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
				}
			}
		}
		return false
	})
	return nil
}

// objectSchema describes a struct; reload and source are inherited marks.
func objectSchema(t reflect.Type, docs map[string]string, reload, source string) map[string]any {
	properties := map[string]any{}
	var required []string
	for i := range t.NumField() {
		f := t.Field(i)
		r, s := reload, source
		if tag := f.Tag.Get("reload"); tag != "" {
			r = tag
		}
		if tag := f.Tag.Get("source"); tag != "" {
			s = tag
		}
		p := valueSchema(f.Type, f.Tag, docs, r, s)
		p["description"] = docs[t.Name()+"."+f.Name]
		name := f.Tag.Get("yaml")
		properties[name] = p
		if f.Tag.Get("required") != "" {
			required = append(required, name)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// valueSchema describes one field.
func valueSchema(t reflect.Type, tag reflect.StructTag, docs map[string]string, reload, source string) map[string]any {
	if t.Kind() == reflect.Struct {
		return objectSchema(t, docs, reload, source)
	}
	p := map[string]any{"x-reload": reload, "x-source": source}
	switch t {
	case reflect.TypeFor[Size]():
		p["anyOf"] = []any{
			map[string]any{"type": "integer", "minimum": number(tag.Get("min")), "maximum": number(tag.Get("max"))},
			map[string]any{"type": "string", "pattern": "^[0-9]+ ?(KiB|MiB|GiB)?$"},
		}
		return p
	case reflect.TypeFor[Duration]():
		p["type"], p["pattern"] = "string", `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
		return p
	}
	switch t.Kind() {
	case reflect.Slice:
		p["type"], p["items"] = "array", map[string]any{"type": "string"}
		if t.Elem().Kind() == reflect.Struct {
			p["items"] = objectSchema(t.Elem(), docs, reload, source)
		}
	case reflect.Map:
		values := map[string]any{"type": "string"}
		if t.Elem().Kind() == reflect.Pointer {
			values = map[string]any{"type": "number", "minimum": number(tag.Get("min")), "maximum": number(tag.Get("max"))}
		}
		p["type"], p["additionalProperties"] = "object", values
	case reflect.Bool:
		p["type"] = "boolean"
	case reflect.Pointer:
		p["type"], p["minimum"], p["maximum"] = "number", number(tag.Get("min")), number(tag.Get("max"))
	case reflect.Int:
		p["type"] = "integer"
		if tag.Get("max") != "" {
			p["minimum"], p["maximum"] = number(tag.Get("min")), number(tag.Get("max"))
		}
	default:
		p["type"] = "string"
	}
	if enum := tag.Get("enum"); enum != "" {
		p["enum"] = enumOf(t, enum)
	}
	return p
}

func enumOf(t reflect.Type, values string) []any {
	var all []any
	for _, v := range strings.Split(values, ",") {
		if n, err := strconv.Atoi(v); err == nil && t.Kind() == reflect.Int {
			all = append(all, n)
			continue
		}
		all = append(all, v)
	}
	return all
}
