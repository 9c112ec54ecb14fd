package wire_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// TestHeaderValues holds the examples of the specification (2026-07-28,
// streamable HTTP, "Value Encoding") and their neighbours.
func TestHeaderValues(t *testing.T) {
	for text, want := range map[string]string{
		"us-west1": "us-west1", "Hello, 世界": "=?base64?SGVsbG8sIOS4lueVjA==?=", " padded ": "=?base64?IHBhZGRlZCA=?=",
		"=?base64?literal?=": "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "": "", "a b\tc": "a b\tc", "\ta": "=?base64?CWE=?=",
		"=?base64?open": "=?base64?open", "=?BASE64?eA==?=": "=?BASE64?eA==?=", "=?base64?=": "=?base64?=", "\x7f": "=?base64?fw==?=",
	} {
		if got := wire.EncodeHeader(text); got != want {
			t.Errorf("EncodeHeader(%q) is %q, want %q", text, got, want)
		}
		if got, err := wire.DecodeHeader(want); err != nil || got != text {
			t.Errorf("DecodeHeader(%q) is %q, %v, want %q", want, got, err, text)
		}
	}
	if got := wire.EncodeHeader("line1\nline2"); got != "=?base64?bGluZTEKbGluZTI=?=" {
		t.Errorf("a line break is encoded as %q", got)
	}
}

func TestM02MalformedHeaderValues(t *testing.T) {
	for name, value := range map[string]string{
		"M02 invalid UTF-8": "=?base64?/w==?=", "M02 CR": "=?base64?YQ1i?=", "M02 LF": "=?base64?YQpi?=", "M02 NUL": "=?base64?YQBi?=",
		"M02 no padding": "=?base64?YQ?=", "M02 trailing bits": "=?base64?YR==?=", "M02 url alphabet": "=?base64?_w==?=",
		"M02 space within": "=?base64?YQ ==?=", "M02 not base64": "=?base64?!?=", "M02 too much padding": "=?base64?YQ===?=",
		"M02 raw non-ASCII": "caf\xc3\xa9", "M02 raw control": "a\x01", "M02 raw CR": "a\rb", "M02 DEL": "a\x7f",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := wire.DecodeHeader(value); err == nil || got != "" {
				t.Errorf("decoded to %q", got)
			}
		})
	}
}

// schema parses a tool's inputSchema.
func schema(t *testing.T, text string) wire.Value {
	t.Helper()
	v, ok := wire.InputSchema([]byte(`{"name":"t","inputSchema":` + text + `}`))
	if !ok {
		t.Fatalf("no schema in %s", text)
	}
	return v
}

const annotated = `{"type":"object","properties":{
	"region":{"type":"string","x-mcp-header":"Region"},
	"count":{"type":"integer","x-mcp-header":"Count"},
	"dry":{"x-mcp-header":"Dry-Run","type":"boolean"},
	"where":{"type":"object","properties":{"x-mcp-header":{"type":"string"},"zone":{"type":"string","x-mcp-header":"zone"}}},
	"free":{"type":"object","default":{"x-mcp-header":"not an annotation"},"enum":[{"x-mcp-header":1}]}}}`

func TestHeaderParams(t *testing.T) {
	got, err := wire.HeaderParams(schema(t, annotated))
	want := []wire.HeaderParam{
		{Header: "Mcp-Param-Region", Path: []string{"region"}, Type: "string"}, {Header: "Mcp-Param-Count", Path: []string{"count"}, Type: "integer"},
		{Header: "Mcp-Param-Dry-Run", Path: []string{"dry"}, Type: "boolean"}, {Header: "Mcp-Param-zone", Path: []string{"where", "zone"}, Type: "string"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got, err := wire.HeaderParams(wire.Value{}); err != nil || got != nil {
		t.Errorf("no schema gives %v, %v", got, err)
	}
}

func TestHeaderParamsRefuse(t *testing.T) {
	const one = `{"type":"string","x-mcp-header":"A"}`
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf(`"p%d":{"type":"string","x-mcp-header":"h%d"}`, i, i))
	}
	for name, text := range map[string]string{
		"empty": `{"properties":{"a":{"type":"string","x-mcp-header":""}}}`, "no token": `{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}`,
		"CRLF": `{"properties":{"a":{"type":"string","x-mcp-header":"a\r\nX: y"}}}`, "number": `{"properties":{"a":{"type":"string","x-mcp-header":1}}}`,
		"twice": `{"properties":{"a":` + one + `,"b":{"type":"string","x-mcp-header":"a"}}}`, "on number": `{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}`,
		"on object": `{"properties":{"a":{"type":"object","x-mcp-header":"A"}}}`, "on a union": `{"properties":{"a":{"type":["string","null"],"x-mcp-header":"A"}}}`,
		"no type": `{"properties":{"a":{"x-mcp-header":"A"}}}`, "on the root": `{"type":"object","x-mcp-header":"A"}`,
		"items": `{"properties":{"a":{"type":"array","items":` + one + `}}}`, "prefixItems": `{"properties":{"a":{"prefixItems":[` + one + `]}}}`,
		"oneOf": `{"oneOf":[{"properties":{"a":` + one + `}}]}`, "anyOf in property": `{"properties":{"a":{"anyOf":[` + one + `]}}}`,
		"allOf": `{"allOf":[{"properties":{"a":` + one + `}}]}`, "not": `{"not":` + one + `}`, "if": `{"if":{"properties":{"a":` + one + `}}}`,
		"then": `{"then":{"properties":{"a":` + one + `}}}`, "else": `{"else":{"properties":{"a":` + one + `}}}`, "$defs": `{"$defs":{"a":` + one + `}}`,
		"definitions": `{"definitions":{"a":{"properties":{"b":` + one + `}}}}`, "patternProperties": `{"patternProperties":{"a":` + one + `}}`,
		"additionalProperties": `{"additionalProperties":` + one + `}`, "dependentSchemas": `{"dependentSchemas":{"a":{"properties":{"b":` + one + `}}}}`,
		"unknown keyword": `{"x-unknown":{"deep":[` + one + `]}}`, "more than 64": `{"properties":{` + strings.Join(many, ",") + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := wire.HeaderParams(schema(t, text)); err == nil || got != nil {
				t.Errorf("accepted as %+v", got)
			}
		})
	}
}

// modern is a 2026-07-28 request with the given other params.
func modern(method, params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{}}` + params + `}}`
}

func TestMirrorHeaders(t *testing.T) {
	params, err := wire.HeaderParams(schema(t, annotated))
	if err != nil {
		t.Fatal(err)
	}
	version := wire.Field{Name: "MCP-Protocol-Version", Value: "2026-07-28"}
	method := func(m string) wire.Field { return wire.Field{Name: "Mcp-Method", Value: m} }
	for raw, want := range map[string][]wire.Field{
		modern("tools/list", ""):                       {version, method("tools/list")},
		modern("prompts/get", `,"name":"é"`):           {version, method("prompts/get"), {Name: "Mcp-Name", Value: "=?base64?w6k=?="}},
		modern("resources/read", `,"uri":"file:///a"`): {version, method("resources/read"), {Name: "Mcp-Name", Value: "file:///a"}},
		modern("tasks/get", `,"taskId":"7"`):           {version, method("tasks/get"), {Name: "Mcp-Name", Value: "7"}},
		modern("tools/call", `,"name":"t"`):            {version, method("tools/call"), {Name: "Mcp-Name", Value: "t"}},
		modern("tools/call", `,"name":"t","arguments":{"region":"a\nb","count":4.20e1,"dry":false,"where":{"zone":null}}`): {version, method("tools/call"),
			{Name: "Mcp-Name", Value: "t"}, {Name: "Mcp-Param-Region", Value: "=?base64?YQpi?="}, {Name: "Mcp-Param-Count", Value: "42"}, {Name: "Mcp-Param-Dry-Run", Value: "false"}},
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`: {version, method("notifications/cancelled")},
		`{"jsonrpc":"2.0","id":1,"result":{}}`:                                          {version},
	} {
		got, err := wire.MirrorHeaders(accept(t, wire.FromClient, raw), wire.V20260728, params)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v, want %v", raw, got, err, want)
		}
	}
	for _, args := range []string{`{"region":1}`, `{"count":"1"}`, `{"count":1.5}`, `{"count":9007199254740992}`, `{"count":-1e999999999}`, `{"dry":"true"}`, `{"region":{}}`} {
		m := accept(t, wire.FromClient, modern("tools/call", `,"name":"t","arguments":`+args))
		if got, err := wire.MirrorHeaders(m, wire.V20260728, params); !fault.Is(err, fault.BadParams) || got != nil {
			t.Errorf("%s: %v, %v, want bad_params", args, got, err)
		}
	}
}

// sent is what a client sent beside a body; the zero value is a tools/call of
// tool t with all headers right.
type sent struct {
	version, method, name string
	noMethod, noName      bool
	args                  string
	got                   []wire.Field
	unknown               bool
}

func (s sent) check(t *testing.T, params []wire.HeaderParam) error {
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	m := accept(t, wire.FromClient, modern("tools/call", `,"name":"t","arguments":`+or(s.args, "{}")))
	return wire.CheckMirrors(m, or(s.version, "2026-07-28"), or(s.method, "tools/call"), !s.noMethod, or(s.name, "t"), !s.noName, s.got, params, !s.unknown)
}

func param(name, value string) wire.Field { return wire.Field{Name: "Mcp-Param-" + name, Value: value} }

func TestM03Mirrors(t *testing.T) {
	params, err := wire.HeaderParams(schema(t, annotated))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]sent{
		"plain": {}, "white space": {version: " 2026-07-28\t", method: " tools/call", name: "\tt "}, "encoded name": {name: "=?base64?dA==?="},
		"M03 42 and 42.0": {args: `{"count":42.0}`, got: []wire.Field{param("Count", "42")}}, "M03 42.0 and 42": {args: `{"count":42}`, got: []wire.Field{param("Count", "42.0")}},
		"M03 4.2e1": {args: `{"count":42}`, got: []wire.Field{param("Count", "4.2e1")}}, "M03 zeros": {args: `{"count":-0}`, got: []wire.Field{param("Count", "0")}},
		"M03 string": {args: `{"region":"a"}`, got: []wire.Field{param("region", " a ")}}, "M03 boolean": {args: `{"dry":true}`, got: []wire.Field{param("Dry-Run", "true")}},
		"M03 nested": {args: `{"where":{"zone":"z"}}`, got: []wire.Field{param("Zone", "z")}}, "M03 null is absent": {args: `{"region":null}`},
		"M03 line break":     {args: `{"region":"line1\nline2"}`, got: []wire.Field{param("Region", "=?base64?bGluZTEKbGluZTI=?=")}},
		"M03 empty string":   {args: `{"region":""}`, got: []wire.Field{param("Region", "")}},
		"M03 unknown header": {got: []wire.Field{param("Other", "x")}}, "M03 unknown schema": {got: []wire.Field{param("Region", "x")}, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.check(t, params); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
	for name, s := range map[string]sent{
		"M04 version": {version: "2025-11-25"}, "method": {method: "tools/list"}, "method case": {method: "Tools/call"}, "no method": {noMethod: true},
		"encoded method": {method: wire.EncodeHeader("tools/cäll")}, "name": {name: "u"}, "name case": {name: "T"}, "no name": {noName: true},
		"M02 other name": {name: "=?base64?dQ==?="}, "M02 not canonical": {name: "=?base64?dA?="}, "M02 CRLF": {name: "=?base64?dA0K?="}, "M02 invalid UTF-8": {name: "=?base64?/w==?="},
		"M03 value": {args: `{"region":"a"}`, got: []wire.Field{param("Region", "b")}}, "M03 missing": {args: `{"region":"a"}`},
		"M03 absent argument": {got: []wire.Field{param("Region", "a")}}, "M03 absent argument, empty": {got: []wire.Field{param("Region", "")}},
		"M03 null argument": {args: `{"region":null}`, got: []wire.Field{param("Region", "null")}},
		"M03 number":        {args: `{"count":42}`, got: []wire.Field{param("Count", "43")}}, "M03 no number": {args: `{"count":42}`, got: []wire.Field{param("Count", "0x2a")}},
		"M03 empty number": {args: `{"count":42}`, got: []wire.Field{param("Count", "")}}, "M03 fraction": {args: `{"count":42}`, got: []wire.Field{param("Count", "42.5")}},
		"M03 rounding":     {args: `{"count":9007199254740991}`, got: []wire.Field{param("Count", "9007199254740991.4")}},
		"M03 boolean case": {args: `{"dry":true}`, got: []wire.Field{param("Dry-Run", "True")}}, "M03 twice": {args: `{"region":"a"}`, got: []wire.Field{param("Region", "a"), param("REGION", "a")}},
		"M03 unknown schema malformed": {got: []wire.Field{param("X", "=?base64?YQ?=")}, unknown: true}, "M03 raw bytes": {got: []wire.Field{param("X", "\xff")}},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.check(t, params)
			if !fault.Is(err, fault.HeaderMismatch) {
				t.Fatalf("%v, want header_mismatch", err)
			}
			if public := fault.As(err).Public; !strings.Contains(public, "Mcp-") && !strings.Contains(public, "MCP-") {
				t.Errorf("the sentence names no header: %s", public)
			}
		})
	}
	if err := (sent{args: `{"count":"x"}`, got: []wire.Field{param("Count", "x")}}).check(t, params); !fault.Is(err, fault.BadParams) {
		t.Errorf("an argument of another type: %v, want bad_params", err)
	}
}

func TestMirrorsOfOtherMessages(t *testing.T) {
	note := accept(t, wire.FromClient, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	if err := wire.CheckMirrors(note, "2026-07-28", "", false, "", false, nil, nil, true); err != nil {
		t.Errorf("a notification needs no mirrors: %v", err)
	}
	if err := wire.CheckMirrors(note, "2026-07-28", "tools/call", true, "", false, nil, nil, true); !fault.Is(err, fault.HeaderMismatch) {
		t.Errorf("a notification under another method: %v", err)
	}
	gone := accept(t, wire.FromClient, modern("resources/subscribe", `,"uri":"file:///a"`))
	if err := wire.CheckMirrors(gone, "2026-07-28", "resources/subscribe", true, "", false, nil, nil, true); err != nil {
		t.Errorf("a method that this version removed has no name to mirror: %v", err)
	}
	bare := accept(t, wire.FromClient, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	if err := wire.CheckMirrors(bare, "2026-07-28", "tools/list", true, "", false, nil, nil, true); !fault.Is(err, fault.BadParams) {
		t.Errorf("a request without a version in _meta: %v, want bad_params", err)
	}
}

// TestMirrorsAgree holds that what MirrorHeaders writes, CheckMirrors takes.
func TestMirrorsAgree(t *testing.T) {
	params, err := wire.HeaderParams(schema(t, annotated))
	if err != nil {
		t.Fatal(err)
	}
	m := accept(t, wire.FromClient, modern("tools/call", `,"name":" ü ","arguments":{"region":"=?base64?x?=","count":-7.0,"dry":true}`))
	fields, err := wire.MirrorHeaders(m, wire.V20260728, params)
	if err != nil || len(fields) != 6 {
		t.Fatal(fields, err)
	}
	if err := wire.CheckMirrors(m, fields[0].Value, fields[1].Value, true, fields[2].Value, true, fields[3:], params, true); err != nil {
		t.Errorf("%v refused: %v", fields, err)
	}
}
