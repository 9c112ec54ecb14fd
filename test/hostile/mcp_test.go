package hostile

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// mainTools are what the main server offers: each has a trait that a case needs.
const mainTools = `[{"name":"echo","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}},` +
	`{"name":"add","inputSchema":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}}}},` +
	`{"name":"routed","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}},` +
	`{"name":"count","inputSchema":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"Count"},"on":{"type":"boolean","x-mcp-header":"On"}}}},` +
	`{"name":"strict","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"mode":{"enum":["r","w"]}},"required":["path"],"additionalProperties":false}},` +
	`{"name":"slowly","inputSchema":{"type":"object","properties":{"s":{"type":"string","pattern":"^(a+)+$"}}}},` +
	`{"name":"nested","inputSchema":{"type":"object","properties":{"child":{"$ref":"#"}},"additionalProperties":false}},` +
	`{"name":"shaped","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}}]`

// legacyVersions are the protocol versions with a handshake.
var legacyVersions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}

// TestHostileCalls puts the cases about requests: headers that disagree with the
// body (M02, M03), versions (M04), what the caller may not see (M05), arguments
// and schemas (M22, M23), results and caching (M20, M24), unknown methods (M27).
func TestHostileCalls(t *testing.T) {
	main, hidden, canary := doortest.NewUpstream(t, doortest.Config{}), doortest.NewUpstream(t, doortest.Config{}), doortest.NewUpstream(t, doortest.Config{})
	offers(main, mainTools)
	schemas := doortest.NewUpstream(t, doortest.Config{})
	offers(schemas, wildSchemas(canary.URL()))
	w := &site{up: main, Door: doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{{Name: "main", URL: main.URL()}, {Name: "schemas", URL: schemas.URL()}},
		Agents:  []string{"app"},
	})}
	w.Onboard(doortest.Server{Name: "hidden", URL: hidden.URL()})
	w.Register("narrow")
	w.Grant("narrow", "main", "modify", "echo")
	t.Run("M02", w.m02Names)
	t.Run("M03", w.m03Params)
	t.Run("M04", w.m04Versions)
	t.Run("M05", func(t *testing.T) { w.m05Hidden(t, hidden) })
	t.Run("M20", w.m20Caching)
	t.Run("M22", w.m22Arguments)
	t.Run("M23", func(t *testing.T) { w.m23Schemas(t, schemas, canary) })
	t.Run("M24", w.m24Results)
	t.Run("M27", w.m27Methods)
}

func (w *site) m02Names(t *testing.T) {
	c := w.client(t, "app", "main")
	for name, value := range map[string]string{
		"another name":               "=?base64?YWRk?=",
		"another name, plain":        "add",
		"invalid UTF-8":              "=?base64?/w==?=",
		"CR and LF":                  "=?base64?ZWNobw0KWDogeQ==?=",
		"NUL":                        "=?base64?ZWNobwA=?=",
		"padding bits that are set":  "=?base64?ZWNobx==?=",
		"no padding":                 "=?base64?ZWNobw?=",
		"URL alphabet":               "=?base64?_-8=?=",
		"upper-case markers":         "=?BASE64?ZWNobw==?=",
		"no end":                     "=?base64?ZWNobw==",
		"another case":               "Echo",
		"the sentinel as plain text": "=?base64?PT9iYXNlNjQ/ZWNobz89?=",
	} {
		t.Run(name, func(t *testing.T) {
			r := w.quiet(t, "header_mismatch", 400, -32020, func() doortest.Reply {
				return c.Tool(`"n"`, "echo", `{"text":"x"}`, doortest.Header{Name: "Mcp-Name", Value: value})
			})
			if string(r.Message().ID) != `"n"` || strings.Contains(string(r.Body), value) {
				t.Errorf("%s", r.Body)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		w.quiet(t, "header_mismatch", 400, -32020, func() doortest.Reply {
			return c.Tool("1", "echo", `{}`, doortest.Header{Name: "Mcp-Name"})
		})
	})
	for method, k := range map[string]struct{ params, other string }{
		"resources/read": {`{"uri":"test://one"}`, "test://two"}, "prompts/get": {`{"name":"greet","arguments":{"who":"x"}}`, "other"},
	} {
		t.Run(method, func(t *testing.T) {
			w.quiet(t, "header_mismatch", 400, -32020, func() doortest.Reply {
				return c.Call("1", method, k.params, doortest.Header{Name: "Mcp-Name", Value: k.other})
			})
			w.quiet(t, "header_mismatch", 400, -32020, func() doortest.Reply {
				return c.Call("1", method, k.params, doortest.Header{Name: "Mcp-Method", Value: "tools/list"})
			})
			w.passes(t, method, func() doortest.Reply { return c.Call("1", method, k.params) })
		})
	}
	t.Run("canonical", func(t *testing.T) {
		_, req := w.passes(t, "tools/call", func() doortest.Reply {
			return c.Tool("1", "echo", `{"text":"x"}`, doortest.Header{Name: "Mcp-Name", Value: "=?base64?ZWNobw==?="})
		})
		if got := req.Get("Mcp-Name"); got != "echo" {
			t.Errorf("the server saw Mcp-Name %q", got)
		}
	})
}

func (w *site) m03Params(t *testing.T) {
	c := w.client(t, "app", "main")
	refused := map[string]struct{ tool, arguments, header, value string }{
		"another value":       {"routed", `{"region":"eu"}`, "Mcp-Param-Region", "us"},
		"another case":        {"routed", `{"region":"eu"}`, "Mcp-Param-Region", "EU"},
		"argument is null":    {"routed", `{"region":null}`, "Mcp-Param-Region", "null"},
		"no argument":         {"routed", `{}`, "Mcp-Param-Region", "eu"},
		"header is missing":   {"routed", `{"region":"eu"}`, "", ""},
		"another number":      {"count", `{"n":42}`, "Mcp-Param-Count", "43"},
		"not a number":        {"count", `{"n":42}`, "Mcp-Param-Count", "0x2a"},
		"a fraction":          {"count", `{"n":42}`, "Mcp-Param-Count", "42.5"},
		"another boolean":     {"count", `{"on":true}`, "Mcp-Param-On", "false"},
		"boolean in capitals": {"count", `{"on":true}`, "Mcp-Param-On", "True"},
	}
	for name, k := range refused {
		t.Run(name, func(t *testing.T) {
			w.quiet(t, "header_mismatch", 400, -32020, func() doortest.Reply {
				if k.header == "" {
					return c.Tool("1", k.tool, k.arguments)
				}
				return c.Tool("1", k.tool, k.arguments, doortest.Header{Name: k.header, Value: k.value})
			})
		})
	}
	w.up.On("tools/call", done)
	defer w.up.On("tools/call", nil)
	for _, k := range []struct{ tool, arguments, header, value, seen string }{
		{"count", `{"n":42}`, "Mcp-Param-Count", "42", "42"},
		{"count", `{"n":42.0}`, "Mcp-Param-Count", "42", "42"},
		{"count", `{"n":42}`, "Mcp-Param-Count", "42.0", "42"},
		{"routed", `{"region":"Zürich"}`, "Mcp-Param-Region", "=?base64?WsO8cmljaA==?=", "=?base64?WsO8cmljaA==?="},
	} {
		_, req := w.passes(t, "tools/call", func() doortest.Reply {
			return c.Tool("1", k.tool, k.arguments, doortest.Header{Name: k.header, Value: k.value})
		})
		if got := req.Get(k.header); got != k.seen || !strings.Contains(string(req.Body), k.arguments) {
			t.Errorf("%s %q: the server saw %q and %s", k.arguments, k.value, got, req.Body)
		}
	}
}

func (w *site) m04Versions(t *testing.T) {
	c := w.client(t, "narrow", "main")
	body := c.Request("1", "tools/call", `{"name":"echo","arguments":{}}`)
	for name, k := range map[string]struct {
		header, body, reason string
		code                 int
	}{
		"legacy header, modern body":  {"2025-11-25", body, "header_mismatch", -32020},
		"unknown header, modern body": {"2031-01-01", body, "header_mismatch", -32020},
		"unknown in both":             {"2031-01-01", strings.Replace(body, doortest.ModernVersion, "2031-01-01", 1), "version_unsupported", -32022},
		"modern header, no version":   {doortest.ModernVersion, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`, "bad_params", -32602},
		"unknown header, no version":  {"1", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`, "version_unsupported", -32022},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.quiet(t, k.reason, 400, k.code, func() doortest.Reply {
				return c.Post(k.body, doortest.Header{Name: "MCP-Protocol-Version", Value: k.header})
			})
			if k.code == -32022 && !strings.Contains(string(r.Body), `"supported":["2026-07-28"`) {
				t.Errorf("no list of versions: %s", r.Body)
			}
		})
	}
	// Every version gets the same decisions: one tool is allowed, another is not.
	for _, version := range append([]string{doortest.ModernVersion}, legacyVersions...) {
		t.Run(version, func(t *testing.T) {
			c := w.client(t, "narrow", "main")
			if version != doortest.ModernVersion {
				c.Initialize(version, `{}`)
			}
			w.passes(t, "tools/call", func() doortest.Reply { return c.Tool("1", "echo", `{"text":"x"}`) })
			w.quiet(t, "denied", 200, -32602, func() doortest.Reply { return c.Tool("2", "add", `{"a":1,"b":2}`) })
			if version == doortest.ModernVersion {
				return
			}
			for _, other := range append(legacyVersions, "") { // an older header dodges nothing
				w.quiet(t, "denied", 200, -32602, func() doortest.Reply {
					return c.Tool("3", "add", `{"a":1,"b":2}`, doortest.Header{Name: "MCP-Protocol-Version", Value: other})
				})
			}
		})
	}
}

// m05Hidden calls what no list shows: the answers must not differ from those for
// what does not exist, but for ids.
func (w *site) m05Hidden(t *testing.T, hidden *doortest.Upstream) {
	for _, version := range append([]string{doortest.ModernVersion}, legacyVersions...) {
		t.Run(version, func(t *testing.T) {
			open := func(server string) *doortest.Client {
				c := w.client(t, "narrow", server)
				if version != doortest.ModernVersion {
					c.Initialize(version, `{}`)
				}
				return c
			}
			c := open("main")
			list := c.Call("1", "tools/list", "{}")
			if !strings.Contains(list.Final(), `"echo"`) || strings.Contains(list.Final(), `"add"`) {
				t.Errorf("the list is %s", list.Body)
			}
			var seen []string
			for tool, reason := range map[string]string{"add": "denied", "no-such-tool": "tool_unknown"} {
				r := w.quiet(t, reason, 200, -32602, func() doortest.Reply { return c.Tool("1", tool, `{}`) })
				seen = append(seen, sameButID(r))
			}
			all := open("")
			for _, tool := range []string{"main__add", "main__no-such-tool", "hidden__echo", "nowhere__echo", "echo"} {
				hidden.Forget()
				w.up.Forget()
				seen = append(seen, sameButID(all.Tool("1", tool, `{}`)))
				if n := hidden.Bytes() + w.up.Bytes(); n != 0 {
					t.Errorf("%s: %d bytes reached a server", tool, n)
				}
			}
			for _, s := range seen[1:] {
				if s != seen[0] {
					t.Errorf("answers differ: %q and %q", seen[0], s)
				}
			}
		})
	}
	// A server without a grant is a path that does not exist.
	one := sameButID(w.client(t, "narrow", "hidden").Tool("1", "echo", `{}`))
	two := sameButID(w.client(t, "narrow", "nowhere").Tool("1", "echo", `{}`))
	if one != two || !strings.HasPrefix(one, "404 ") {
		t.Errorf("%q and %q", one, two)
	}
}

// sameButID is an answer without the exchange's id, which is always new.
func sameButID(r doortest.Reply) string {
	body := string(r.Body)
	if at := strings.Index(body, `"data":`); at >= 0 {
		body = body[:at]
	}
	return fmt.Sprintf("%d %s %s", r.Status, r.Header.Get("Content-Type"), body)
}

func (w *site) m20Caching(t *testing.T) {
	for name, k := range map[string]struct{ members, scope, ttl string }{
		"public":        {`"ttlMs":1000,"cacheScope":"public"`, `"private"`, "1000"},
		"ten years":     {`"ttlMs":315360000000,"cacheScope":"private"`, `"private"`, "3600000"},
		"huge":          {`"ttlMs":1e400,"cacheScope":"public"`, `"private"`, "3600000"},
		"unknown scope": {`"ttlMs":0,"cacheScope":"tenant"`, `"private"`, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			w.up.On("resources/read", doortest.Answer(`{"resultType":"complete","contents":[{"uri":"test://one","text":"secret of one"}],`+k.members+`}`))
			defer w.up.On("resources/read", nil)
			for range 2 { // each caller's request goes to the server: nothing is shared
				r, _ := w.passes(t, "resources/read", func() doortest.Reply {
					return w.client(t, "app", "main").Call("1", "resources/read", `{"uri":"test://one"}`)
				})
				if !strings.Contains(r.Final(), `"cacheScope":`+k.scope) || !strings.Contains(r.Final(), `"ttlMs":`+k.ttl) {
					t.Errorf("%s", r.Body)
				}
			}
		})
	}
}

func (w *site) m22Arguments(t *testing.T) {
	for era, c := range map[string]*doortest.Client{"modern": w.client(t, "app", "main"), "legacy": w.legacy(t, "app", "main", `{}`)} {
		for name, arguments := range map[string]string{
			"extra member":                 `{"path":"/a","admin":true}`,
			"wrong type":                   `{"path":7}`,
			"not allowed":                  `{"path":"/a","mode":"rw"}`,
			"null":                         `{"path":null}`,
			"extra beside what is missing": `{"admin":true}`,
		} {
			t.Run(era+" "+name, func(t *testing.T) {
				r := w.quiet(t, "bad_params", 200, -32602, func() doortest.Reply { return c.Tool(`"k"`, "strict", arguments) })
				if string(r.Message().ID) != `"k"` || strings.Contains(string(r.Body), "admin") {
					t.Errorf("%s", r.Body)
				}
			})
		}
		w.up.On("tools/call", done)
		w.passes(t, "tools/call", func() doortest.Reply { return c.Tool("1", "strict", `{"path":"/a","mode":"r"}`) })
		w.up.On("tools/call", nil)
	}
}

// wildSchemas are tools whose schemas must neither be fetched nor cost time.
func wildSchemas(canary string) string {
	any := strings.TrimSuffix(strings.Repeat(`{"required":["a"],"maxProperties":0},`, 5000), ",")
	deep := strings.Repeat(`{"properties":{"a":`, 20) + `{}` + strings.Repeat(`}}`, 20)
	return `[{"name":"fetch","inputSchema":{"type":"object","$ref":"` + canary + `"}},` +
		`{"name":"file","inputSchema":{"type":"object","properties":{"a":{"$ref":"file:///etc/passwd"}}}},` +
		`{"name":"loop","inputSchema":{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}},` +
		`{"name":"any","inputSchema":{"type":"object","anyOf":[` + any + `]}},` +
		`{"name":"deep","inputSchema":` + deep + `},` +
		`{"name":"nonsense","inputSchema":{"type":"objekt","pattern":"("}},` +
		`{"name":"outside","inputSchema":{"type":"object"},"outputSchema":{"$ref":"` + canary + `"}},` +
		`{"name":"plain","inputSchema":{"type":"object"}}]`
}

func (w *site) m23Schemas(t *testing.T, schemas, canary *doortest.Upstream) {
	c := w.client(t, "app", "schemas")
	for _, tool := range []string{"fetch", "file", "loop", "any", "deep", "nonsense", "outside"} {
		t.Run(tool, func(t *testing.T) {
			schemas.Forget()
			n := len(w.Exchanges())
			r := c.Tool("1", tool, `{"a":"x"}`)
			if r.Message().Error == nil || len(schemas.Calls("tools/call")) != 0 {
				t.Errorf("answered %d %s", r.Status, r.Body)
			}
			if rec := w.last(t, n); rec.Outcome != "refused" || rec.Sent {
				t.Errorf("record %s", rec.Line)
			}
		})
	}
	if r := c.Tool("1", "plain", `{}`); len(schemas.Calls("tools/call")) != 1 {
		t.Errorf("the tool beside them: %d %s", r.Status, r.Body)
	}
	if canary.Accepted() != 0 {
		t.Errorf("a reference was fetched %d times", canary.Accepted())
	}
	main := w.client(t, "app", "main")
	w.quiet(t, "bad_params", 200, -32602, func() doortest.Reply {
		return main.Tool("1", "slowly", `{"s":"`+strings.Repeat("a", 30000)+`!"}`)
	})
	w.quiet(t, "bad_params", 200, -32602, func() doortest.Reply {
		return main.Tool("1", "nested", strings.Repeat(`{"child":`, 40)+`{"x":1}`+strings.Repeat(`}`, 40))
	})
	w.up.On("tools/call", done)
	defer w.up.On("tools/call", nil)
	w.passes(t, "tools/call", func() doortest.Reply { return main.Tool("1", "slowly", `{"s":"`+strings.Repeat("a", 30000)+`"}`) })
}

func (w *site) m24Results(t *testing.T) {
	defer w.up.On("tools/call", nil)
	for era, c := range map[string]*doortest.Client{"modern": w.client(t, "app", "main"), "legacy": w.legacy(t, "app", "main", `{}`)} {
		kind := ""
		if era == "modern" {
			kind = `"resultType":"complete",`
		}
		for name, content := range map[string]string{
			"wrong type":    `"structuredContent":{"n":"seven"}`,
			"extra member":  `"structuredContent":{"n":7,"more":1}`,
			"member absent": `"structuredContent":{}`,
			"not an object": `"structuredContent":[7]`,
		} {
			t.Run(era+" "+name, func(t *testing.T) {
				w.up.On("tools/call", doortest.Answer(`{`+kind+`"content":[{"type":"text","text":"leak"}],`+content+`}`))
				n := len(w.Exchanges())
				r := c.Tool("1", "shaped", `{}`)
				if r.Status != 502 || r.Code() != 31051 || strings.Contains(string(r.Body), "leak") {
					t.Errorf("answered %d %s", r.Status, r.Body)
				}
				if rec := w.last(t, n); rec.Outcome != "failed" || rec.Reason != "upstream_bad_answer" || !rec.Sent {
					t.Errorf("record %s", rec.Line)
				}
			})
		}
		for name, result := range map[string]string{
			"as promised":          `"content":[],"structuredContent":{"n":7}`,
			"a tool's own failure": `"content":[{"type":"text","text":"sorry"}],"isError":true`,
		} {
			t.Run(era+" "+name, func(t *testing.T) {
				w.up.On("tools/call", doortest.Answer(`{`+kind+result+`}`))
				if r := c.Tool("1", "shaped", `{}`); string(r.Message().Result) != `{`+kind+result+`}` {
					t.Errorf("answered %d %s", r.Status, r.Body)
				}
			})
		}
	}
}

func (w *site) m27Methods(t *testing.T) {
	modern, legacy := w.client(t, "app", "main"), w.legacy(t, "app", "main", `{}`)
	for _, method := range []string{"foo/bar", "ping", "logging/setLevel", "resources/subscribe", "initialized", "tasks/list", "tasks/result", "tools/Call", "rpc.discover", "notifications/initialized", "sampling/createMessage"} {
		t.Run("modern "+method, func(t *testing.T) {
			if method == "notifications/initialized" { // a notification with an id is no message at all
				w.quiet(t, "bad_message", 400, -32600, func() doortest.Reply { return modern.Call("1", method, `{}`) })
				return
			}
			w.quiet(t, "method_unknown", 404, -32601, func() doortest.Reply { return modern.Call("1", method, `{}`) })
		})
	}
	for _, method := range []string{"foo/bar", "server/discover", "subscriptions/listen", "sampling/createMessage", "roots/list", "elicitation/create"} {
		t.Run("legacy "+method, func(t *testing.T) {
			w.quiet(t, "method_unknown", 200, -32601, func() doortest.Reply { return legacy.Call("1", method, `{}`) })
		})
	}
}
