package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// HeaderParam is one argument that a tool wants mirrored into a header.
type HeaderParam struct {
	Header string   // whole field name, "Mcp-Param-" and the tool's part
	Path   []string // member names from arguments down
	Type   string   // "string", "integer" or "boolean"
}

// annotation is the schema keyword that asks for a header.
const annotation = "x-mcp-header"

// maxHeaderParams is how many such headers one tool may ask for.
const maxHeaderParams = 64

// HeaderParams returns the annotated properties of a tool's inputSchema. By
// the rules of 2026-07-28 (streamable HTTP, "Schema Extension") a violation
// makes the whole definition invalid: the tool must be removed.
func HeaderParams(inputSchema Value) ([]HeaderParam, error) {
	w := schemaWalk{names: make(map[string]bool)}
	if inputSchema.Get(annotation).Exists() {
		return nil, errors.New(annotation + " stands on the schema itself, not on a property")
	}
	if err := w.schema(inputSchema, nil, true); err != nil {
		return nil, err
	}
	return w.found, nil
}

// schemaWalk looks through a schema for annotations.
type schemaWalk struct {
	found []HeaderParam
	names map[string]bool // lower case, for uniqueness
}

// schema walks one schema; open says that only properties keywords led to it.
func (w *schemaWalk) schema(v Value, path []string, open bool) error {
	if v.Kind() == Array {
		for e := range v.Elements() {
			if err := w.below(e, path, false); err != nil {
				return err
			}
		}
		return nil
	}
	for key, sub := range v.Members() {
		if err := w.keyword(key.Key, sub, path, open); err != nil {
			return err
		}
	}
	return nil
}

// keyword walks what one keyword of a schema holds. A keyword that is not
// known counts as a place where schemas may hide.
func (w *schemaWalk) keyword(key string, v Value, path []string, open bool) error {
	switch key {
	case "const", "enum", "default", "examples", annotation:
		return nil // data; the annotation itself is judged with its schema
	case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
	default:
		return w.below(v, path, false)
	}
	open = open && key == "properties"
	if v.Kind() != Object {
		return w.below(v, path, false)
	}
	for name, sub := range v.Members() {
		if err := w.below(sub, append(slices.Clip(path), name.Key), open); err != nil {
			return err
		}
	}
	return nil
}

// below judges a subschema and walks it.
func (w *schemaWalk) below(v Value, path []string, open bool) error {
	if header := v.Get(annotation); header.Exists() {
		if !open {
			return errors.New(annotation + " stands where properties keywords alone do not lead")
		}
		if err := w.take(v, header, path); err != nil {
			return err
		}
	}
	return w.schema(v, path, open)
}

// take adds one annotated property.
func (w *schemaWalk) take(v, header Value, path []string) error {
	name, ok := header.Text()
	if !ok || !isToken(name) {
		return errors.New(annotation + " is not an HTTP token")
	}
	lower := strings.ToLower(name)
	if w.names[lower] {
		return errors.New(annotation + " occurs twice with the same name")
	}
	w.names[lower] = true
	kind, _ := v.Get("type").Text()
	if kind != "string" && kind != "integer" && kind != "boolean" {
		return errors.New(annotation + " stands on a property that is no string, integer or boolean")
	}
	if len(w.found) == maxHeaderParams {
		return fmt.Errorf("%s occurs more than %d times", annotation, maxHeaderParams)
	}
	w.found = append(w.found, HeaderParam{"Mcp-Param-" + name, slices.Clone(path), kind})
	return nil
}
