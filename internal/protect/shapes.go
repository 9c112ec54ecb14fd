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
// toward a server, of the structured result toward a client.
func (j *job) shapes() shapes {
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
	rest, ok := strings.CutPrefix(f.path, s.head)
	if !ok || !s.root.Exists() || f.key || !f.whole {
		return privacy.Schema{Numeric: f.number && ok && s.root.Exists()}
	}
	v := s.root
	for rest != "" {
		if after, is := strings.CutPrefix(rest, "[*]"); is {
			v, rest = v.Get("items"), after
			continue
		}
		name := strings.TrimPrefix(rest, ".")
		end := strings.IndexAny(name, ".[")
		if end < 0 {
			end = len(name)
		}
		v, rest = v.At("properties", name[:end]), name[end:]
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
