package filter

import (
	"errors"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ostiary.dev/ostiary/internal/wire"
)

// parse reads rules that have to be right.
func parse(t testing.TB, text string) *Set {
	t.Helper()
	rules, err := Parse("rules.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return New(rules)
}

// answer returns a message with a result.
func answer(t testing.TB, result string) *wire.Message {
	t.Helper()
	lim := wire.DefaultLimits()
	m, err := wire.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":`+result+`}`), lim, wire.FromServer)
	if err != nil {
		t.Fatalf("%s: %v", result, err)
	}
	return m
}

// call is what answers of these tests belong to.
var call = Match{Agent: "bot", Server: "crm", Tool: "search", Method: "tools/call", Purpose: "support"}

// apply applies rules and returns the result as it leaves.
func apply(t testing.TB, rules, result string, output Schema) (string, Report) {
	t.Helper()
	m := answer(t, result)
	edits, report, err := parse(t, rules).For(call).Apply(m.Result(), output)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Rewrite(edits...)
	if err != nil {
		t.Fatalf("%s: %v", result, err)
	}
	return string(out.Result().Raw()), report
}

// textOf wraps JSON as the only text of a result.
func textOf(s string) string {
	return `{"content":[{"type":"text","text":` + string(wire.Quote(s)) + `}]}`
}

// schema is a Shaped one with the library that the path uses.
type schema struct {
	compiled *jsonschema.Schema
	shape    *Shape
}

func (s schema) Validate(raw []byte) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	return s.compiled.Validate(v)
}

func (s schema) Shape() *Shape { return s.shape }

func schemaOf(t testing.TB, text string) schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:schema", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("mem:schema")
	if err != nil {
		t.Fatal(err)
	}
	v, err := wire.ParseValue([]byte(text), wire.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return schema{compiled, ShapeOf(v)}
}

// unshaped is a Schema that only validates.
type unshaped struct{ Schema }

// problems returns what is wrong with a file.
func problems(t testing.TB, text string) Problems {
	t.Helper()
	_, err := Parse("f.yaml", []byte(text))
	var ps Problems
	if err != nil && !errors.As(err, &ps) {
		t.Fatalf("%v is no Problems", err)
	}
	return ps
}
