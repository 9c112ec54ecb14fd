package filter

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/wire"
)

// names are few, so that paths and members meet.
var names = []string{"a", "b", "c", "d.e", "ü", "x y"}

// jsonOf draws a JSON value: nested, in odd spellings, sometimes within a string.
func jsonOf(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if depth == 0 {
			kind %= 4
		}
		space := rapid.SampledFrom([]string{"", "", " ", "\n\t"}).Draw(t, "space")
		switch kind {
		case 0:
			return fmt.Sprint(rapid.IntRange(-99, 99).Draw(t, "n"))
		case 1:
			return rapid.SampledFrom([]string{"true", "false", "null", "1.50", "-0", "1e3", "12345678901234567890"}).Draw(t, "word")
		case 2, 3:
			return spelt(t, rapid.SampledFrom([]string{"", "text", "tab\t\"quoted\"", "ünïcödé", "😀 \\ /", "{no json", "[x]"}).Draw(t, "s"))
		case 4:
			return spelt(t, jsonOf(depth-1).Draw(t, "inner"))
		case 5, 6:
			var parts []string
			for range rapid.IntRange(0, 3).Draw(t, "len") {
				parts = append(parts, space+jsonOf(depth-1).Draw(t, "element"))
			}
			return "[" + strings.Join(parts, ",") + space + "]"
		}
		var parts []string
		for _, name := range names[:rapid.IntRange(0, len(names)).Draw(t, "members")] {
			parts = append(parts, space+spelt(t, name)+space+":"+space+jsonOf(depth-1).Draw(t, "value"))
		}
		return "{" + strings.Join(parts, ",") + space + "}"
	})
}

// spelt writes a string, some characters as needless escapes.
func spelt(t *rapid.T, s string) string {
	quoted := string(wire.Quote(s))
	if !rapid.Bool().Draw(t, "escapes") {
		return quoted
	}
	var b strings.Builder
	for i, r := range quoted {
		if r > 0x7f && r < 0x10000 || i > 0 && r >= 'a' && r <= 'c' && quoted[i-1] != '\\' {
			fmt.Fprintf(&b, `\u%04X`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// pathOf draws a path.
func pathOf() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var p path
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			kinds := []stepKind{toName, toName, toElement, toAny}
			if len(p) == 0 || p[len(p)-1].kind != toDeep {
				kinds = append(kinds, toDeep)
			}
			s := step{kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
			if s.kind == toName {
				s.name = rapid.SampledFrom(names).Draw(t, "name")
			}
			p = append(p, s)
		}
		if p[len(p)-1].kind == toDeep {
			p = append(p, step{toName, "a"})
		}
		return p.String()
	})
}

func pathsOf(t *rapid.T, key string) string {
	var all []string
	for _, p := range rapid.SliceOfN(pathOf(), 1, 4).Draw(t, key) {
		all = append(all, quoteYAML(p))
	}
	return key + ": [" + strings.Join(all, ", ") + "]"
}

// plainly is what the paths mean, written again without any machine: it reports
// whether a path that is walked step by step takes the value.
func plainly(p path, way path) (takes, mayBelow bool) {
	if len(p) == 0 {
		return true, false
	}
	if p[0].kind == toDeep {
		takes, mayBelow = plainly(p[1:], way)
		if takes || len(way) == 0 {
			return takes, true
		}
		t, m := plainly(p, way[1:])
		return t, m || mayBelow
	}
	if len(way) == 0 {
		return false, true
	}
	w := way[0]
	if p[0].kind == toElement && w.kind == toElement || w.kind == toName && (p[0].kind == toAny || p[0].kind == toName && p[0].name == w.name) {
		return plainly(p[1:], way[1:])
	}
	return false, false
}

// expected filters a decoded value by the plain meaning of paths.
func expected(v any, way path, keep, drop []path, layers int) (any, bool) {
	kept, below := keep == nil, keep == nil
	for _, p := range keep {
		t, m := plainly(p, way)
		kept, below = kept || t, below || m
	}
	for _, p := range drop {
		if t, _ := plainly(p, way); t && len(way) > 0 && !takesAbove(p, way) {
			return nil, false
		}
	}
	if s, ok := v.(string); ok && layers < maxLayers {
		if inner, ok := decoded(s, layers); ok {
			out, stays := expected(inner, way, keep, drop, layers+1)
			if !stays {
				return nil, false
			}
			text, _ := json.Marshal(out)
			return string(text), true
		}
	}
	switch v := v.(type) {
	case map[string]any:
		if !kept && !below {
			return nil, false
		}
		out := map[string]any{}
		for k, c := range v {
			if x, ok := expected(c, append(slices.Clone(way), step{toName, k}), keep, drop, 0); ok {
				out[k] = x
			}
		}
		return out, true
	case []any:
		if !kept && !below {
			return nil, false
		}
		out := []any{}
		for _, c := range v {
			if x, ok := expected(c, append(slices.Clone(way), step{kind: toElement}), keep, drop, 0); ok {
				out = append(out, x)
			}
		}
		return out, true
	}
	return v, kept
}

// takesAbove reports whether the path takes something above the value, which was
// then dropped there.
func takesAbove(p path, way path) bool {
	for n := range way {
		if t, _ := plainly(p, way[:n]); t && n > 0 {
			return true
		}
	}
	return false
}

// decoded returns the object or list that a string holds.
func decoded(s string, layers int) (any, bool) {
	if !begins(s) {
		return nil, false
	}
	v, err := wire.ParseValue([]byte(s), wire.DefaultLimits())
	if err != nil {
		return nil, false
	}
	out := plain(v)
	if text, ok := out.(string); ok && layers+1 < maxLayers {
		if _, ok := decoded(text, layers+1); ok {
			return out, true
		}
	}
	switch out.(type) {
	case map[string]any, []any:
		return out, true
	}
	return nil, false
}

// plain returns a value without its spelling; numbers stay as they were written.
func plain(v wire.Value) any {
	switch v.Kind() {
	case wire.Object:
		out := map[string]any{}
		for m, c := range v.Members() {
			out[m.Key] = plain(c)
		}
		return out
	case wire.Array:
		out := []any{}
		for c := range v.Elements() {
			out = append(out, plain(c))
		}
		return out
	case wire.String:
		s, _ := v.Text()
		return s
	case wire.Number:
		return json.Number(v.Raw())
	case wire.True, wire.False:
		return v.Kind() == wire.True
	}
	return nil
}

// settled writes JSON within strings again, so that spellings do not differ.
func settled(v any, layers int) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, c := range v {
			out[k] = settled(c, 0)
		}
		return out
	case []any:
		out := []any{}
		for _, c := range v {
			out = append(out, settled(c, 0))
		}
		return out
	case string:
		if inner, ok := decoded(v, layers); ok && layers < maxLayers {
			text, _ := json.Marshal(settled(inner, layers+1))
			return string(text)
		}
	}
	return v
}

// TestPathsMeanWhatTheySay compares the machine, the walk and the edits with a
// plain reading of the paths, on values of any nesting and spelling: a keep
// leaves no other leaf, a drop no leaf that it names, the structure and its twin
// agree, and what stays keeps its bytes.
func TestPathsMeanWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := jsonOf(4).Draw(t, "json")
		var parts []string
		for _, key := range []string{"keep", "drop"} {
			if rapid.Bool().Draw(t, key) {
				parts = append(parts, pathsOf(t, key))
			}
		}
		if len(parts) == 0 {
			parts = append(parts, pathsOf(t, "drop"))
		}
		rules, err := Parse("f", []byte("filter: [{"+strings.Join(parts, ", ")+"}]"))
		if err != nil {
			t.Fatal(err)
		}
		v, err := wire.ParseValue([]byte(in), wire.DefaultLimits())
		if err != nil {
			t.Skip("not JSON as wire reads it")
		}
		if !isContainer(v) {
			return
		}
		var keep []path
		if rules[0].keeps {
			keep = append([]path{}, rules[0].keep...)
		}
		want, stays := expected(plain(v), path{}, keep, rules[0].drop, 0)
		if !stays {
			want = map[string]any{}
			if v.Kind() == wire.Array {
				want = []any{}
			}
		}
		p := New(rules).For(call)
		got := through(t, p, `{"content":[],"structuredContent":`+in+`}`).Get("structuredContent")
		if g, w := settled(plain(got), 0), settled(want, 0); !reflect.DeepEqual(g, w) {
			t.Fatalf("structure: got  %v\nwant %v\nof   %s", g, w, in)
		}
		// The twin is the same, or is gone when nothing stays of it.
		content := through(t, p, textOf(in)).Get("content")
		if !stays && content.Len() > 0 {
			t.Fatalf("text: %s stays", content.Raw())
		}
		for b := range content.Elements() {
			text, _ := b.Get("text").Text()
			if text != string(got.Raw()) {
				t.Fatalf("text: got  %s\nwant %s", text, got.Raw())
			}
		}
		// Once more changes nothing.
		if again := through(t, p, `{"content":[],"structuredContent":`+string(got.Raw())+`}`).Get("structuredContent"); string(again.Raw()) != string(got.Raw()) {
			t.Fatalf("again: got  %s\nwant %s", again.Raw(), got.Raw())
		}
	})
}

// through applies a plan as the path does and returns the result.
func through(t *rapid.T, p *Plan, result string) wire.Value {
	m, err := wire.NewResult(wire.IntID(1), []byte(result))
	if err != nil {
		t.Fatal(err)
	}
	edits, r, err := p.Apply(m.Result(), nil)
	if err != nil || r.Unfit != "" {
		t.Fatal(err, r.Unfit)
	}
	out, err := m.Rewrite(edits...)
	if err != nil {
		t.Fatalf("the edits make no message: %v", err)
	}
	if len(edits) == 0 && string(out.Raw()) != string(m.Raw()) {
		t.Fatal("bytes differ without an edit")
	}
	return out.Result()
}

// TestWhatStaysKeepsItsBytes tells that every leaf which stays is spelt as it
// came, in the structure and within its twin.
func TestWhatStaysKeepsItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		kept := map[string]string{}
		for i := range rapid.IntRange(1, 8).Draw(t, "members") {
			name := fmt.Sprintf("m%d", i)
			text := jsonOf(2).Draw(t, name)
			if rapid.Bool().Draw(t, "kept") {
				kept[name] = text
			}
			parts = append(parts, spelt(t, name)+":"+text)
		}
		in := "{" + strings.Join(parts, ",") + "}"
		if _, err := wire.ParseValue([]byte(in), wire.DefaultLimits()); err != nil {
			t.Skip("not JSON as wire reads it")
		}
		rules, err := Parse("f", []byte("filter: [{keep: ["+strings.Join(slices.Sorted(maps.Keys(kept)), ", ")+"]}]"))
		if err != nil {
			t.Fatal(err)
		}
		got := through(t, New(rules).For(call), `{"content":[{"type":"text","text":`+spelt(t, in)+`}],"structuredContent":`+in+`}`)
		var twin wire.Value
		for b := range got.Get("content").Elements() {
			text, _ := b.Get("text").Text()
			if twin, err = wire.ParseValue([]byte(text), wire.DefaultLimits()); err != nil {
				t.Fatal(err)
			}
		}
		for i, v := range []wire.Value{got.Get("structuredContent"), twin} {
			n := 0
			for m, c := range v.Members() {
				if n++; string(c.Raw()) != kept[m.Key] {
					t.Fatalf("%d: %s is %s, was %s", i, m.Key, c.Raw(), kept[m.Key])
				}
			}
			if n != len(kept) && (i == 0 || v.Exists()) {
				t.Fatalf("%d: %d members stay of %d", i, n, len(kept))
			}
		}
	})
}
