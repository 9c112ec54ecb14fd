package authorize

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// over returns a step whose only tool "t" has this input schema.
func over(t *testing.T, schema string) *Step {
	t.Helper()
	return world(t, func(srv *registry.Server) {
		srv.Tools = []registry.Tool{tool(t, "t", registry.Read, `{"name":"t","inputSchema":`+schema+`}`)}
	})
}

func callOf(t *testing.T, arguments string) *exchange.Exchange {
	t.Helper()
	members := `{"name":"t"}`
	if arguments != "" {
		members = `{"name":"t","arguments":` + arguments + `}`
	}
	return legacy(t, "reader", "files", "tools/call", members)
}

// TestArguments is M22: what is there must fit; what is missing is for the
// server to say.
func TestArguments(t *testing.T) {
	const schema = `{"type":"object","properties":{"n":{"type":"integer","minimum":1},"s":{"type":"string","maxLength":3},"e":{"enum":["a","b"]}},"required":["n"],"additionalProperties":false}`
	s := over(t, schema)
	for _, c := range []struct {
		arguments, keyword string
	}{
		{`{"n":1}`, ""}, {`{"n":1,"s":"abc","e":"a"}`, ""}, {`{"n":1.0}`, ""}, {`{"n":9007199254740993}`, ""}, {`{}`, ""}, {"", ""}, {`{"s":"abc"}`, ""},
		{`{"n":0}`, "minimum"}, {`{"n":"1"}`, "type"}, {`{"n":1.5}`, "type"}, {`{"n":null}`, "type"}, {`{"n":1,"s":"abcd"}`, "maxLength"},
		{`{"n":1,"e":"c"}`, "enum"}, {`{"n":1,"x":0}`, "additionalProperties"}, {`{"x":0}`, ""},
	} {
		err := s.Call(context.Background(), callOf(t, c.arguments))
		if c.keyword == "" && c.arguments != `{"x":0}` {
			wantKind(t, c.arguments, err, "")
			continue
		}
		wantKind(t, c.arguments, err, fault.BadParams)
		if !strings.Contains(fault.As(err).Public, c.keyword) {
			t.Errorf("%s: %q does not name %s", c.arguments, fault.As(err).Public, c.keyword)
		}
	}
}

// TestRefusalHoldsNoValue: the sentence and the cause name keywords of the
// schema, never what the caller sent (X01).
func TestRefusalHoldsNoValue(t *testing.T) {
	s := over(t, `{"type":"object","properties":{"a":{"type":"integer"},"b":{"pattern":"^x$"}},"additionalProperties":false}`)
	for _, arguments := range []string{`{"a":"canary"}`, `{"b":"canary"}`, `{"canary":1}`} {
		err := s.Call(context.Background(), callOf(t, arguments))
		wantKind(t, arguments, err, fault.BadParams)
		if f := fault.As(err); strings.Contains(f.Public+f.Error(), "canary") {
			t.Errorf("%s: %q, %v", arguments, f.Public, f)
		}
	}
}

// TestUnusableSchema is M23: a schema that cannot be judged makes the tool
// unavailable, for calls and in lists.
func TestUnusableSchema(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fetched := make(chan struct{})
	go func() {
		defer close(fetched)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Error("a reference was fetched")
			c.Close()
		}
	}()
	for name, schema := range map[string]string{
		"external reference":    `{"$ref":"http://` + l.Addr().String() + `/s.json"}`,
		"nested reference":      `{"properties":{"a":{"items":{"$ref":"http://` + l.Addr().String() + `/s.json#/x"}}}}`,
		"file":                  `{"$ref":"file:///etc/passwd"}`,
		"foreign meta schema":   `{"$schema":"http://` + l.Addr().String() + `/meta","type":"object"}`,
		"reference to nothing":  `{"$ref":"#/$defs/absent"}`,
		"relative document":     `{"$ref":"other.json"}`,
		"wrong type of keyword": `{"type":7}`,
		"broken pattern":        `{"properties":{"a":{"pattern":"("}}}`,
		"lookahead":             `{"properties":{"a":{"pattern":"(?=a)"}}}`,
		"too large":             `{"description":"` + strings.Repeat("x", schemaBytes) + `"}`,
		"too deep":              strings.Repeat(`{"not":`, schemaDepth) + `{}` + strings.Repeat(`}`, schemaDepth),
	} {
		s := over(t, schema)
		x := callOf(t, `{}`)
		wantKind(t, name, s.Call(context.Background(), x), fault.ToolUnknown)
		if !strings.Contains(x.Decision.Reason, "schema cannot be used") {
			t.Errorf("%s: the record says %q", name, x.Decision.Reason)
		}
		list := called(t, s, legacy(t, "reader", "files", "tools/list", "{}"))
		if err := answered(t, s, list, result(`{"tools":[{"name":"t","inputSchema":`+schema+`}]}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := list.Message.Result().Get("tools").Len(); n != 0 {
			t.Errorf("%s: the tool is still on the list", name)
		}
	}
	l.Close()
	<-fetched
}

func TestRecursiveReference(t *testing.T) {
	s := over(t, `{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"},"v":{"type":"integer"}}}}}`)
	wantKind(t, "a list of three", s.Call(context.Background(), callOf(t, `{"next":{"next":{"v":1}}}`)), "")
	wantKind(t, "a bad leaf", s.Call(context.Background(), callOf(t, `{"next":{"next":{"v":"x"}}}`)), fault.BadParams)
	s = over(t, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`)
	if err := s.Call(context.Background(), callOf(t, `{}`)); err == nil {
		t.Error("a cycle without an end accepts everything")
	}
}

// TestLinearPatterns: a pattern that other engines run for ages on is refused
// or matched in linear time.
func TestLinearPatterns(t *testing.T) {
	s := over(t, `{"properties":{"a":{"pattern":"^(a+)+$"}}}`)
	long := strings.Repeat("a", 100_000)
	wantKind(t, "a match", s.Call(context.Background(), callOf(t, `{"a":"`+long+`"}`)), "")
	wantKind(t, "no match", s.Call(context.Background(), callOf(t, `{"a":"`+long+`!"}`)), fault.BadParams)
}

// TestBranchingReferencesAreBounded: thirty definitions that each refer twice
// to the next ask for a billion looks at one value (M23).
func TestBranchingReferencesAreBounded(t *testing.T) {
	for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
		var defs []string
		for i := range 30 {
			defs = append(defs, fmt.Sprintf(`"d%d":{%q:[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, keyword, i+1, i+1))
		}
		s := over(t, `{"properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{`+strings.Join(defs, ",")+`,"d30":{"type":"string"}}}`)
		for range 2 { // the gauge is used again
			err := s.Call(context.Background(), callOf(t, `{"a":1}`))
			wantKind(t, keyword, err, fault.BadParams)
		}
		wantKind(t, keyword+" without it", s.Call(context.Background(), callOf(t, `{"b":1}`)), "")
	}
}

func TestValidatesAtOnce(t *testing.T) {
	s := over(t, `{"properties":{"n":{"type":"integer"}}}`)
	var wait sync.WaitGroup
	for i := range 32 {
		good := i%2 == 0
		x := callOf(t, map[bool]string{true: `{"n":1}`, false: `{"n":"x"}`}[good])
		wait.Go(func() {
			if err := s.Call(context.Background(), x); (err == nil) != good {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	wait.Wait()
}

// TestNoDigest: definitions without one never share a schema.
func TestNoDigest(t *testing.T) {
	s := world(t, func(srv *registry.Server) {
		srv.Tools = []registry.Tool{{Name: "t", Access: registry.Read, State: registry.ToolApproved, Definition: `{"name":"t"}`}}
	})
	wantKind(t, "no digest", s.Call(context.Background(), callOf(t, `{}`)), fault.ToolUnknown)
	if c := compile([]byte(`{`)); c.err == nil {
		t.Error("a definition that is no JSON compiles")
	}
}

// TestHeadersOfArguments is M03 at a server of its own and for a part of /mcp.
func TestHeadersOfArguments(t *testing.T) {
	field := func(value string) []wire.Field { return []wire.Field{{Name: "Mcp-Param-Path", Value: value}} }
	for name, c := range map[string]struct {
		arguments string
		fields    []wire.Field
		kind      fault.Kind
	}{
		"equal":          {`{"path":"a"}`, field("a"), ""},
		"differs":        {`{"path":"a"}`, field("b"), fault.HeaderMismatch},
		"missing":        {`{"path":"a"}`, nil, fault.HeaderMismatch},
		"without a body": {`{}`, field("a"), fault.HeaderMismatch},
		"twice":          {`{"path":"a"}`, append(field("a"), field("a")...), fault.HeaderMismatch},
		"wrong type":     {`{"path":1}`, field("1"), fault.BadParams},
	} {
		for _, parent := range []string{"", "x-0"} {
			x := modern(t, "reader", "files", "tools/call", `,"name":"list","arguments":`+c.arguments)
			x.Mirrors.Params, x.Parent = c.fields, parent
			if parent != "" {
				x.Mirrors.Method, x.Mirrors.Name, x.Mirrors.HasMethod, x.Mirrors.HasName = "", "", false, false
			}
			wantKind(t, name+" "+parent, world(t).Call(context.Background(), x), c.kind)
		}
	}
	x := modern(t, "owner", "raw", "tools/call", `,"name":"any"`)
	x.Mirrors.Params = field("=?base64?!?=")
	wantKind(t, "an undecodable header of an unknown tool", world(t).Call(context.Background(), x), fault.HeaderMismatch)
}

// TestOutput is M24: structured content is held to the pinned promise.
func TestOutput(t *testing.T) {
	s := world(t, func(srv *registry.Server) {
		srv.Tools = []registry.Tool{tool(t, "t", registry.Read, `{"name":"t","outputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}`)}
	})
	for body, kind := range map[string]fault.Kind{
		`{"content":[],"structuredContent":{"n":1}}`: "",
		`{"content":[]}`: "",
		`{"content":[],"structuredContent":{"n":"x"}}`:                   fault.UpstreamBad,
		`{"content":[],"structuredContent":{}}`:                          fault.UpstreamBad,
		`{"content":[],"isError":true,"structuredContent":{"canary":1}}`: "",
	} {
		x := called(t, s, callOf(t, `{}`))
		wantKind(t, body, answered(t, s, x, result(body)), kind)
	}
	s = world(t, func(srv *registry.Server) {
		srv.Tools = []registry.Tool{tool(t, "t", registry.Read, `{"name":"t","outputSchema":{"$ref":"http://203.0.113.1/"}}`)}
	})
	wantKind(t, "an output schema elsewhere", s.Call(context.Background(), callOf(t, `{}`)), fault.ToolUnknown)
}
