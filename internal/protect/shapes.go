package protect

import (
	"strings"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// shapes says what the receiver's schema demands at a path.
type shapes struct {
	root wire.Value // the schema; absent: none is known
	head string     // paths below it begin so
}

// shapes returns the schema that the message's values must fit: of the arguments
// toward a server, of the structured result toward a client. It is read when the
// first finding asks.
func (j *job) shapes() shapes {
	if !j.shaped {
		j.schema, j.shaped = j.readShapes(), true
	}
	return j.schema
}

func (j *job) readShapes() shapes {
	if j.x.Tool == nil || j.x.Tool.Definition == "" {
		return shapes{}
	}
	v, err := wire.ParseValue([]byte(j.x.Tool.Definition), wire.DefaultLimits())
	if err != nil {
		return shapes{}
	}
	if j.where.Toward == privacy.Server {
		return shapes{v.Get("inputSchema"), "params.arguments"}
	}
	return shapes{v.Get("outputSchema"), "result.structuredContent"}
}

// at returns what the schema demands of a finding's value; free text where the
// schema says nothing that can be read here. Whether the whole still fits is
// asked once more at the end.
func (s shapes) at(f *finding) privacy.Schema {
	v, ok := s.node(f)
	if !ok {
		return privacy.Schema{Numeric: f.number && s.root.Exists() && strings.HasPrefix(f.path, s.head)}
	}
	var out privacy.Schema
	out.Format, _ = v.Get("format").Text()
	out.Pattern, _ = v.Get("pattern").Text()
	if most, ok := v.Get("maxLength").Int(); ok && most > 0 && most < 1<<20 {
		out.Max = int(most)
	}
	out.Numeric = v.Get("type").Is("number") || v.Get("type").Is("integer")
	return out
}

// node returns the part of the schema that a finding's whole value must fit. Each
// round takes something from the path, whatever names the sender chose
// (TestC13NamesWithBrackets).
func (s shapes) node(f *finding) (wire.Value, bool) {
	rest, ok := strings.CutPrefix(f.path, s.head)
	if !ok || !s.root.Exists() || f.key || !f.whole {
		return wire.Value{}, false
	}
	v := s.root
	for rest != "" {
		if after, is := strings.CutPrefix(rest, "[*]"); is {
			v, rest = v.Get("items"), after
			continue
		}
		name, is := strings.CutPrefix(rest, ".")
		if !is { // a member whose name has a bracket, or that begins as the head does
			return wire.Value{}, false
		}
		end := strings.IndexAny(name, ".[")
		if end < 0 {
			end = len(name)
		}
		v, rest = v.At("properties", name[:end]), name[end:]
	}
	return v, true
}

// offers reports whether a finding's value is one of those that the schema lists.
func (s shapes) offers(f *finding) bool {
	v, ok := s.node(f)
	if !ok {
		return false
	}
	if v.Get("const").Is(f.value) {
		return true
	}
	for choice := range v.Get("enum").Elements() {
		if choice.Is(f.value) {
			return true
		}
	}
	for _, list := range []string{"oneOf", "anyOf"} {
		for choice := range v.Get(list).Elements() {
			if choice.Get("const").Is(f.value) {
				return true
			}
		}
	}
	return false
}
