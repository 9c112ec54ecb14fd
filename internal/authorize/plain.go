package authorize

import (
	"bytes"

	"ostiary.dev/ostiary/internal/wire"
)

// plain is the schema that most tools have: an object whose members have a
// type and nothing more. It is checked on the tokens of the message, without
// decoding the arguments; whatever it cannot decide goes to the full check.
type plain struct {
	types  map[string]string // of the properties; "" = any
	closed bool              // additionalProperties: false
}

// annotations are keywords that assert nothing.
var annotations = map[string]bool{
	"$schema": true, "$id": true, "$comment": true, "title": true, "description": true, "default": true,
	"examples": true, "deprecated": true, "readOnly": true, "writeOnly": true, "x-mcp-header": true,
}

// plainOf returns the plain form of a schema, or nil when it says more.
// Missing members are left to the server, so "required" asserts nothing here.
func plainOf(schema wire.Value) *plain {
	p := &plain{types: map[string]string{}}
	if kind, ok := schema.Get("type").Text(); !ok || kind != "object" {
		return nil
	}
	for m, v := range schema.Members() {
		switch {
		case m.Key == "type", m.Key == "required", annotations[m.Key]:
		case m.Key == "additionalProperties":
			open, ok := v.Bool()
			if !ok {
				return nil
			}
			p.closed = !open
		case m.Key == "properties":
			for name, prop := range v.Members() {
				kind, ok := plainType(prop)
				if !ok {
					return nil
				}
				p.types[name.Key] = kind
			}
		default:
			return nil
		}
	}
	return p
}

// plainType returns the one type that a property demands.
func plainType(v wire.Value) (string, bool) {
	kind := ""
	for m, value := range v.Members() {
		switch {
		case annotations[m.Key]:
		case m.Key == "type":
			var ok bool
			if kind, ok = value.Text(); !ok {
				return "", false
			}
		default:
			return "", false
		}
	}
	return kind, v.Kind() == wire.Object
}

// check reports whether arguments fit; sure is false when only the full check
// can tell.
func (p *plain) check(arguments wire.Value) (fits, sure bool) {
	for m, v := range arguments.Members() {
		kind, known := p.types[m.Key]
		switch {
		case !known && p.closed:
			return false, true
		case !known || kind == "":
			continue
		}
		fits, sure := hasType(v, kind)
		if !fits || !sure {
			return fits, sure
		}
	}
	return true, true
}

func hasType(v wire.Value, kind string) (fits, sure bool) {
	switch kind {
	case "string":
		return v.Kind() == wire.String, true
	case "boolean":
		return v.Kind() == wire.True || v.Kind() == wire.False, true
	case "object":
		return v.Kind() == wire.Object, true
	case "array":
		return v.Kind() == wire.Array, true
	case "null":
		return v.Kind() == wire.Null, true
	case "number":
		return v.Kind() == wire.Number, true
	case "integer": // 1.0 and 1e2 are integers too
		return v.Kind() == wire.Number, v.Kind() != wire.Number || !bytes.ContainsAny(v.Raw(), ".eE")
	}
	return false, false
}
