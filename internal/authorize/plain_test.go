package authorize

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/wire"
)

func value(t rapid.TB, raw string) wire.Value {
	t.Helper()
	v, err := wire.ParseValue([]byte(raw), wire.DefaultLimits())
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// The short way must decide like the library, wherever it is sure.
func TestPlainAgreesWithTheFullCheck(t *testing.T) {
	types := rapid.SampledFrom([]string{"string", "boolean", "object", "array", "null", "number", "integer"})
	values := rapid.SampledFrom([]string{`"x"`, `""`, `true`, `false`, `null`, `1`, `-0`, `1.0`, `1.5`, `1e2`, `12345678901234567890`, `{}`, `{"a":1}`, `[]`, `[1,"x"]`})
	rapid.Check(t, func(t *rapid.T) {
		closed := ""
		if rapid.Bool().Draw(t, "closed") {
			closed = `,"additionalProperties":false`
		}
		definition := fmt.Sprintf(`{"name":"t","inputSchema":{"type":"object","properties":{"a":{"type":%q},"b":{"type":%q,"description":"d"},"c":{}},"required":["a"]%s}}`,
			types.Draw(t, "a"), types.Draw(t, "b"), closed)
		c := compile([]byte(definition))
		if c.err != nil || c.plain == nil {
			t.Fatalf("compile %s: plain %v, %v", definition, c.plain, c.err)
		}
		arguments := "{"
		for i, name := range []string{"a", "b", "c", "d"} {
			if rapid.Bool().Draw(t, "has "+name) {
				if arguments != "{" {
					arguments += ","
				}
				arguments += fmt.Sprintf("%q:%s", name, values.Draw(t, fmt.Sprint("value", i)))
			}
		}
		v := value(t, arguments+"}")
		fits, sure := c.plain.check(v)
		if !sure {
			return
		}
		full := c.full(v)
		if (full == nil) != fits {
			t.Fatalf("%s with %s: plain says %t, the library %v", definition, arguments+"}", fits, full)
		}
	})
}

func TestPlainLeavesEverythingElseToTheLibrary(t *testing.T) {
	for _, schema := range []string{
		`{"type":"object","properties":{"a":{"type":"string","minLength":3}}}`,
		`{"type":"object","properties":{"a":{"type":["string","null"]}}}`,
		`{"type":"object","properties":{"a":{"enum":[1]}}}`,
		`{"type":"object","properties":{"a":true}}`,
		`{"type":"object","patternProperties":{"^a":{}}}`,
		`{"type":"object","additionalProperties":{"type":"string"}}`,
		`{"type":"object","minProperties":1}`,
		`{"anyOf":[{"type":"object"}]}`,
		`{"properties":{}}`,
		`{"$ref":"#/$defs/x","type":"object"}`,
	} {
		if plainOf(value(t, schema)) != nil {
			t.Errorf("%s was taken for plain", schema)
		}
	}
}
