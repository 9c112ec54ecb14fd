package filter

import (
	"strings"
	"testing"
)

// object is an output schema with two required members.
const object = `{"type":"object","required":["id","name"],"properties":{"id":{"type":"integer"},"name":{"type":"string"},"note":{"type":"string"}},"additionalProperties":false}`

// TestRequiredMembersAreReplaced tells what stands in the place of members that
// the output schema does not let go.
func TestRequiredMembersAreReplaced(t *testing.T) {
	member := func(schema string) string {
		return `{"type":"object","required":["m"],"properties":{"m":` + schema + `}}`
	}
	for _, c := range []struct{ name, schema, in, want string }{
		{"optional goes", `{"type":"object","properties":{"m":{"type":"string"}}}`, `{"m":"x"}`, `{}`},
		{"a text", member(`{"type":"string"}`), `{"m":"x"}`, `{"m":""}`},
		{"a text of a length", member(`{"type":"string","minLength":3}`), `{"m":"xyzw"}`, `{"m":"---"}`},
		{"a date", member(`{"type":"string","format":"date"}`), `{"m":"2020-02-02"}`, `{"m":"1970-01-01"}`},
		{"an address", member(`{"type":"string","format":"email"}`), `{"m":"a@b.example"}`, `{"m":"withheld@example.invalid"}`},
		{"a number", member(`{"type":"number"}`), `{"m":1.5}`, `{"m":0}`},
		{"a number from a bound", member(`{"type":"integer","minimum":10}`), `{"m":15}`, `{"m":10}`},
		{"a number below a bound", member(`{"type":"integer","exclusiveMaximum":-1}`), `{"m":-15}`, `{"m":-2}`},
		{"a boolean", member(`{"type":"boolean"}`), `{"m":true}`, `{"m":false}`},
		{"null where it may be", member(`{"type":["string","null"]}`), `{"m":"x"}`, `{"m":null}`},
		{"anything", member(`{}`), `{"m":"x"}`, `{"m":null}`},
		{"anything at all", member(`true`), `{"m":"x"}`, `{"m":null}`},
		{"a list", member(`{"type":"array","items":{"type":"string"}}`), `{"m":["x"]}`, `{"m":[]}`},
		{"a list of a length", member(`{"type":"array","items":{"type":"string"},"minItems":2}`), `{"m":["x","y","z"]}`, `{"m":["",""]}`},
		{"an object", member(object), `{"m":{"id":1,"name":"x","note":"y"}}`, `{"m":{"id":0,"name":""}}`},
		{"a choice", member(`{"enum":["gold","silver"]}`), `{"m":"silver"}`, `{"m":"gold"}`},
		{"a choice with nothing in it", member(`{"enum":["gold","",null]}`), `{"m":"gold"}`, `{"m":null}`},
		{"what the schema tells anyway", member(`{"const":"v1"}`), `{"m":"v1"}`, `{"m":"v1"}`},
		{"a reference", `{"type":"object","required":["m"],"properties":{"m":{"$ref":"#/$defs/t"}},"$defs":{"t":{"type":"string","format":"date"}}}`, `{"m":"2020-02-02"}`, `{"m":"1970-01-01"}`},
		{"parts", `{"type":"object","allOf":[{"required":["m"]},{"properties":{"m":{"type":"integer"}}}]}`, `{"m":4}`, `{"m":0}`},
		{"required by an alternative", `{"type":"object","properties":{"m":{"type":"integer"}},"anyOf":[{"required":["m"]},{"required":["n"]}]}`, `{"m":4}`, `{"m":0}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, r := apply(t, `filter: [{drop: [m]}]`, `{"content":[],"structuredContent":`+c.in+`}`, schemaOf(t, c.schema))
			if want := `{"content":[],"structuredContent":` + c.want + `}`; got != want || r.Unfit != "" {
				t.Errorf("got %s (%s), want %s", got, r.Unfit, want)
			}
			if same := c.in == c.want; (r.Fields == 0) != same {
				t.Errorf("%d fields are said to be withheld", r.Fields)
			}
		})
	}
}

// TestRequiredInLists tells that members of rows are replaced, and rows go.
func TestRequiredInLists(t *testing.T) {
	s := schemaOf(t, `{"type":"object","required":["l"],"properties":{"l":{"type":"array","items":`+object+`}}}`)
	in := `{"l":[{"id":1,"name":"a","note":"x"},{"id":2,"name":"b"}]}`
	got, _ := apply(t, `filter: [{keep: ["l[*].id"], rows: {path: l, max: 1}}]`,
		`{"content":[{"type":"text","text":"`+strings.ReplaceAll(in, `"`, `\"`)+`"}],"structuredContent":`+in+`}`, s)
	want := `{"l":[{"id":1,"name":""}]}`
	if w := `{"content":[{"type":"text","text":"` + strings.ReplaceAll(want, `"`, `\"`) + `"}],"structuredContent":` + want + `}`; got != w {
		t.Errorf("got %s, want %s", got, w)
	}
	// The list itself cannot go.
	if got, _ := apply(t, `filter: [{drop: [l]}]`, `{"content":[],"structuredContent":`+in+`}`, s); got != `{"content":[],"structuredContent":{"l":[]}}` {
		t.Error(got)
	}
}

// TestUnfitResultsAreSaid tells that a result which cannot fit is not passed on
// with a hole in it.
func TestUnfitResultsAreSaid(t *testing.T) {
	for name, c := range map[string]struct {
		rule, schema, in string
	}{
		"a pattern":           {`drop: [m]`, `{"type":"object","required":["m"],"properties":{"m":{"type":"string","pattern":"^[A-Z]{3}$"}}}`, `{"m":"ABC"}`},
		"too few rows":        {`rows: {path: m, max: 1}`, `{"type":"object","properties":{"m":{"type":"array","minItems":2}}}`, `{"m":[1,2,3]}`},
		"too short a text":    {`cap: {path: m, length: 1}`, `{"type":"object","properties":{"m":{"type":"string","minLength":2}}}`, `{"m":"abc"}`},
		"too few members":     {`drop: [m]`, `{"type":"object","minProperties":1}`, `{"m":"abc"}`},
		"depends on another":  {`drop: [n]`, `{"type":"object","dependentRequired":{"m":["n"]}}`, `{"m":"abc","n":1}`},
		"requires itself":     {`drop: [m]`, `{"type":"object","required":["m"],"properties":{"m":{"$ref":"#"}}}`, `{"m":{"m":{}}}`},
		"an unknown format":   {`drop: [m]`, `{"type":"object","required":["m"],"properties":{"m":{"type":"string","format":"date","pattern":"^2"}}}`, `{"m":"2020-02-02"}`},
		"a false member":      {`keep: [n]`, `{"type":"object","required":["m"],"properties":{"m":{"type":"integer","multipleOf":7,"minimum":1}}}`, `{"m":7}`},
		"a list of something": {`drop: [m]`, `{"type":"object","required":["m"],"properties":{"m":{"type":"array","minItems":2000}}}`, `{"m":[` + strings.Repeat("0,", 2000) + `0]}`},
	} {
		s := schemaOf(t, c.schema)
		if err := s.Validate([]byte(c.in)); err != nil && name != "requires itself" {
			t.Fatalf("%s: the case is wrong: %v", name, err)
		}
		m := answer(t, `{"content":[],"structuredContent":`+c.in+`}`)
		edits, r, err := parse(t, `filter: [{`+c.rule+`}]`).For(call).Apply(m.Result(), s)
		if err != nil || r.Unfit == "" || edits != nil {
			t.Errorf("%s: %d edits, %+v, %v", name, len(edits), r, err)
		}
		if r.Fields+r.Rows+r.Bytes != 0 {
			t.Errorf("%s: what is not passed on is counted: %+v", name, r)
		}
	}
	// A schema that shows no text can only be asked afterwards.
	m := answer(t, `{"content":[],"structuredContent":{"id":1,"name":"x"}}`)
	_, r, err := parse(t, `filter: [{drop: [name]}]`).For(call).Apply(m.Result(), unshaped{schemaOf(t, object)})
	if err != nil || r.Unfit == "" {
		t.Errorf("unshaped: %+v, %v", r, err)
	}
	// A failure has no promised shape.
	if got, _ := apply(t, `filter: [{drop: [name]}]`, `{"isError":true,"content":[],"structuredContent":{"id":1,"name":"x"}}`, schemaOf(t, object)); strings.Contains(got, "name") {
		t.Error(got)
	}
}

// TestUndeclared tells that members which the schema does not name go, where a
// rule says so, and nothing else does.
func TestUndeclared(t *testing.T) {
	const rule = `filter: [{undeclared: drop}]`
	for _, c := range []struct{ name, schema, in, want string }{
		{"named members stay", `{"type":"object","properties":{"a":{"type":"object","properties":{"b":{}}}}}`, `{"a":{"b":1,"c":2},"d":3}`, `{"a":{"b":1}}`},
		{"in lists", `{"type":"object","properties":{"l":{"type":"array","items":{"properties":{"b":{}}}}}}`, `{"l":[{"b":1,"c":2}]}`, `{"l":[{"b":1}]}`},
		{"described members stay", `{"type":"object","properties":{"a":{}},"additionalProperties":{"type":"integer"}}`, `{"a":1,"d":3}`, `{"a":1,"d":3}`},
		{"by a pattern", `{"type":"object","properties":{"a":{}},"patternProperties":{"^d":{}}}`, `{"a":1,"d":3}`, `{"a":1,"d":3}`},
		{"a schema without members names all", `{"type":"object"}`, `{"a":1}`, `{"a":1}`},
	} {
		if got, _ := apply(t, rule, `{"content":[],"structuredContent":`+c.in+`}`, schemaOf(t, c.schema)); got != `{"content":[],"structuredContent":`+c.want+`}` {
			t.Errorf("%s: got %s", c.name, got)
		}
	}
	if got, _ := apply(t, rule, `{"content":[],"structuredContent":{"a":1}}`, nil); got != `{"content":[],"structuredContent":{"a":1}}` {
		t.Errorf("without a schema: %s", got)
	}
}

// TestShapesAreBounded tells that schemas which refer to themselves, or are too
// large, end.
func TestShapesAreBounded(t *testing.T) {
	deep := strings.Repeat(`{"type":"object","properties":{"a":`, 31) + `{}` + strings.Repeat(`}}`, 31)
	for name, text := range map[string]string{
		"itself":    `{"$ref":"#"}`,
		"a ring":    `{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#"}]}}}`,
		"a tree":    `{"type":"object","required":["l"],"properties":{"l":{"$ref":"#"},"r":{"$ref":"#"}}}`,
		"nowhere":   `{"allOf":[{"$ref":"#/x/y"},{"$ref":"https://example.com/s"},{"$ref":"#/allOf/7"}]}`,
		"deep":      deep,
		"no schema": `[]`,
	} {
		ShapeOf(value(t, text)) // ends
		if s := ShapeOf(value(t, text)); s != nil && len(s.root.neutral) > maxNeutral+64 {
			t.Errorf("%s: the neutral value has %d bytes", name, len(s.root.neutral))
		}
	}
}
