package filter

import (
	"slices"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// neutralTexts are texts of the formats that JSON Schema names, which say
// nothing about anybody. The names are those that RFC 2606 reserves.
var neutralTexts = map[string]string{
	"date": "1970-01-01", "date-time": "1970-01-01T00:00:00Z", "time": "00:00:00Z", "duration": "PT0S",
	"email": "withheld@example.invalid", "idn-email": "withheld@example.invalid",
	"hostname": "withheld.invalid", "idn-hostname": "withheld.invalid",
	"ipv4": "0.0.0.0", "ipv6": "::",
	"uri": "about:blank", "iri": "about:blank", "uri-reference": "", "iri-reference": "",
	"uuid": "00000000-0000-0000-0000-000000000000", "json-pointer": "", "regex": "",
}

// neutral returns a value for a schema, made of its parts. It is a proposal: the
// whole answer is validated afterwards.
func (b *shaper) neutral(parts []wire.Value, s *shape) []byte {
	for _, p := range parts {
		if v := p.Get("const"); v.Exists() {
			return v.Raw() // the schema tells it anyway
		}
	}
	for _, p := range parts {
		if v := p.Get("enum"); v.Len() > 0 {
			return ofEnum(v)
		}
	}
	types := typesOf(parts)
	switch {
	case len(types) == 0 || slices.Contains(types, "null"):
		return []byte("null")
	case slices.Contains(types, "string"):
		return ofString(parts)
	case slices.Contains(types, "boolean"):
		return []byte("false")
	case slices.Contains(types, "integer"), slices.Contains(types, "number"):
		return ofNumber(parts)
	case slices.Contains(types, "array"):
		return ofList(parts, s)
	case slices.Contains(types, "object"):
		return ofObject(s)
	}
	return nil
}

// typesOf returns the types that the first part which names any allows.
func typesOf(parts []wire.Value) []string {
	var types []string
	for _, p := range parts {
		t := p.Get("type")
		if text, ok := t.Text(); ok {
			return []string{text}
		}
		for v := range t.Elements() {
			text, _ := v.Text()
			types = append(types, text)
		}
		if len(types) > 0 {
			return types
		}
	}
	return nil
}

// ofEnum takes null or the empty text if they are allowed, else the first.
func ofEnum(enum wire.Value) []byte {
	var first, empty wire.Value
	for v := range enum.Elements() {
		switch {
		case v.Kind() == wire.Null:
			return []byte("null")
		case v.Is(""):
			empty = v
		case !first.Exists():
			first = v
		}
	}
	if empty.Exists() {
		return empty.Raw()
	}
	return first.Raw()
}

func ofString(parts []wire.Value) []byte {
	least := 0
	for _, p := range parts {
		if format, ok := p.Get("format").Text(); ok {
			return wire.Quote(neutralTexts[format])
		}
		n, _ := p.Get("minLength").Int()
		least = max(least, int(n))
	}
	if least > maxNeutral {
		return nil
	}
	return wire.Quote(strings.Repeat("-", least))
}

// ofNumber returns zero, or the bound that zero is beyond.
func ofNumber(parts []wire.Value) []byte {
	var n int64
	for _, p := range parts {
		if low, ok := p.Get("minimum").Int(); ok {
			n = max(n, low)
		}
		if low, ok := p.Get("exclusiveMinimum").Int(); ok && low < 1<<53 {
			n = max(n, low+1)
		}
	}
	for _, p := range parts {
		if high, ok := p.Get("maximum").Int(); ok {
			n = min(n, high)
		}
		if high, ok := p.Get("exclusiveMaximum").Int(); ok && high > -1<<53 {
			n = min(n, high-1)
		}
	}
	return strconv.AppendInt(nil, n, 10)
}

func ofList(parts []wire.Value, s *shape) []byte {
	var least int64
	for _, p := range parts {
		n, _ := p.Get("minItems").Int()
		least = max(least, n)
	}
	if least <= 0 {
		return []byte("[]")
	}
	one := []byte("null")
	if s.elements != nil {
		one = s.elements.neutral
	}
	if one == nil || least > maxNeutral || int(least)*len(one) > maxNeutral {
		return nil
	}
	out := []byte{'['}
	for i := range int(least) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, one...)
	}
	return append(out, ']')
}

// ofObject has the members that may not be missing, and no other.
func ofObject(s *shape) []byte {
	var names []string
	for name := range s.required {
		names = append(names, name)
	}
	slices.Sort(names)
	out := []byte{'{'}
	for _, name := range names {
		text, ok := s.instead(name)
		if !ok || len(out)+len(text)+len(name) > maxNeutral {
			return nil
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, wire.Quote(name)...)
		out = append(out, ':')
		out = append(out, text...)
	}
	return append(out, '}')
}
