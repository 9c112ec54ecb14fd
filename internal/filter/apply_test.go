package filter

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// TestPaths tells what rules of paths leave of one JSON value, the same in
// structuredContent and in a text.
func TestPaths(t *testing.T) {
	for _, c := range []struct{ name, rule, in, want string }{
		{"keep names", `keep: [a, b.c]`, `{"a":1,"b":{"c":2,"d":3},"e":4}`, `{"a":1,"b":{"c":2}}`},
		{"keep takes all beneath", `keep: a`, `{"a":{"x":[1,{"y":2}]},"b":1}`, `{"a":{"x":[1,{"y":2}]}}`},
		{"keep in lists", `keep: "l[*].id"`, `{"l":[{"id":1,"n":"x"},{"id":2,"n":"y"}],"n":3}`, `{"l":[{"id":1},{"id":2}]}`},
		{"keep in a list at the root", `keep: "[*].id"`, `[{"id":1,"n":"x"},{"n":"y"}]`, `[{"id":1},{}]`},
		{"keep nothing", `keep: []`, `{"a":1,"b":[2]}`, `{}`},
		{"keep all", `keep: $`, `{"a":1,"b":[2]}`, `{"a":1,"b":[2]}`},
		{"keep of a value that is no object", `keep: a.b`, `{"a":"text","c":1}`, `{}`},
		{"keep anywhere", `keep: "**.id"`, `{"id":1,"x":{"id":2,"y":[{"id":3,"z":4}]},"w":5}`, `{"id":1,"x":{"id":2,"y":[{"id":3}]}}`},
		{"keep any member", `keep: "*.id"`, `{"a":{"id":1,"n":2},"b":{"id":3},"c":4}`, `{"a":{"id":1},"b":{"id":3}}`},
		{"quoted names", `keep: 'a."e.mail [x]"."q\"\\"'`, `{"a":{"e.mail [x]":{"q\"\\":1,"r":2},"e":3}}`, `{"a":{"e.mail [x]":{"q\"\\":1}}}`},
		{"names that are escaped", `drop: ssn`, `{"\u0073sn":1,"b":2}`, `{"b":2}`},
		{"names of other scripts", `drop: straße`, `{"stra\u00dfe":1,"strasse":2}`, `{"strasse":2}`},
		{"drop names", `drop: [a, b.c]`, `{"a":1,"b":{"c":2,"d":3},"e":4}`, `{"b":{"d":3},"e":4}`},
		{"drop anywhere", `drop: "**.ssn"`, `{"ssn":1,"x":[{"ssn":2,"y":{"ssn":3,"z":4}}]}`, `{"x":[{"y":{"z":4}}]}`},
		{"drop every element", `drop: "a[*]"`, `{"a":[1,2,3],"b":4}`, `{"a":[],"b":4}`},
		{"drop within keep", `{keep: a, drop: a.b}`, `{"a":{"b":1,"c":2},"d":3}`, `{"a":{"c":2}}`},
		{"deep within deep", `drop: "**.a.**.b"`, `{"b":1,"a":{"b":2,"c":[{"b":3,"d":4}]}}`, `{"b":1,"a":{"c":[{"d":4}]}}`},
		{"first, middle and last go", `drop: [a, c, e]`, `{"a":1, "b":2, "c":3, "d":4, "e":5}`, `{"b":2, "d":4}`},
		{"all go", `drop: ["*"]`, `{"a":1, "b":2}`, `{}`},
		{"white space stays", `drop: [b]`, "{ \"a\" : 1.50 ,\n \"b\" : 2,\n \"c\" : \"\\u00e9\" }", "{ \"a\" : 1.50,\n \"c\" : \"\\u00e9\" }"},
		{"JSON inside a string", `drop: "**.ssn"`, `{"body":"{\"ssn\":1,\"x\":\"\\u00e9\"}"}`, `{"body":"{\"x\":\"\\u00e9\"}"}`},
		{"JSON inside JSON inside a string", `keep: a.b.c`, `{"a":"{\"b\":\"{\\\"c\\\":1,\\\"d\\\":2}\",\"e\":3}"}`, `{"a":"{\"b\":\"{\\\"c\\\":1}\"}"}`},
		{"a string that only looks like JSON", `keep: a.b`, `{"a":"{b: 1"}`, `{}`},
		{"rows", `rows: {path: l, where: n > 1}`, `{"l":[{"n":1},{"n":2},{"n":3}]}`, `{"l":[{"n":2},{"n":3}]}`},
		{"rows at most", `rows: {path: l, where: n > 1, max: 1}`, `{"l":[{"n":1},{"n":2},{"n":3}]}`, `{"l":[{"n":2}]}`},
		{"rows of a list at the root", `rows: {path: $, max: 1}`, `[1,2,3]`, `[1]`},
		{"rows by what is dropped", `{keep: "l[*].id", rows: {path: l, where: not secret == true}}`, `{"l":[{"id":1,"secret":true},{"id":2,"secret":false},{"id":3}]}`, `{"l":[{"id":2}]}`},
		{"one object in the place of rows", `rows: {path: l, where: ok == true}`, `{"l":{"ok":false,"n":1},"m":2}`, `{"m":2}`},
		{"rows that are JSON in strings", `rows: {path: l, where: n == 2}`, `{"l":["{\"n\":1}","{\"n\":2}"]}`, `{"l":["{\"n\":2}"]}`},
		{"none is too many", `rows: {path: l, max: 0}`, `{"l":[1,2]}`, `{"l":[]}`},
		{"cap of a list", `cap: {path: "l[*].t", count: 1}`, `{"l":[{"t":[1,2]},{"t":[3]}]}`, `{"l":[{"t":[1]},{"t":[3]}]}`},
		{"cap of a text", `cap: {path: t, length: 3}`, `{"t":"äöüß","u":"long enough"}`, `{"t":"äöü","u":"long enough"}`},
		{"cap of an escaped text", `cap: {path: t, length: 2}`, `{"t":"\u00e4\ud83d\ude00\n"}`, `{"t":"\u00e4\ud83d\ude00"}`},
		{"cap of JSON in a text", `{drop: t.a, cap: {path: t, length: 5}}`, `{"t":"{\"a\":1,\"b\":22222}"}`, `{"t":"{\"b\":"}`},
		{"cap leaves what is shorter", `cap: {path: t, length: 30}`, `{"t":"x"}`, `{"t":"x"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := "filter:\n  - " + c.rule + "\n"
			if strings.HasPrefix(c.rule, "{") {
				rules = "filter: [" + c.rule + "]\n"
			}
			if got, _ := apply(t, rules, `{"content":[],"structuredContent":`+c.in+`}`, nil); got != `{"content":[],"structuredContent":`+c.want+`}` {
				t.Errorf("structure: got  %s\nwant %s", got, c.want)
			}
			got, _ := apply(t, rules, textOf(c.in), nil)
			if c.want == "{}" && got == `{"content":[]}` {
				return // a text of which nothing stays, goes
			}
			if got != textOf(c.want) {
				t.Errorf("text: got  %s\nwant %s", got, textOf(c.want))
			}
		})
	}
}

// TestRulesCombine tells that further rules only ever take away.
func TestRulesCombine(t *testing.T) {
	const in = `{"a":1,"b":2,"c":{"d":3,"e":4},"l":[1,2,3,4]}`
	for _, c := range []struct{ name, rules, want string }{
		{"keeps intersect", "[{keep: [a, b]}, {keep: [b, c]}]", `{"b":2}`},
		{"a keep within a keep", "[{keep: [c]}, {keep: [c.d, a]}]", `{"c":{"d":3}}`},
		{"drops add up", "[{drop: [a]}, {drop: [b, c.e]}]", `{"c":{"d":3},"l":[1,2,3,4]}`},
		{"the least cap counts", "[{cap: {path: l, count: 3}}, {rows: {path: l, max: 2}}]", `{"a":1,"b":2,"c":{"d":3,"e":4},"l":[1,2]}`},
		{"predicates join", `[{rows: {path: l, where: "@ > 1"}}, {rows: {path: l, where: "@ < 4"}}]`, `{"a":1,"b":2,"c":{"d":3,"e":4},"l":[2,3]}`},
		{"rules of others do not count", "[{server: erp, drop: [a]}, {agent: '!bot', drop: [a]}, {tool: get*, drop: [a]}, {drop: [b]}]", `{"a":1,"c":{"d":3,"e":4},"l":[1,2,3,4]}`},
		{"rules of this call count", "[{server: crm, agent: [x, bot], tool: s*h, purpose: '!sales', method: tools/*, drop: [a, b, c]}]", `{"l":[1,2,3,4]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := apply(t, "filter: "+c.rules, `{"structuredContent":`+in+`,"content":[]}`, nil); got != `{"structuredContent":`+c.want+`,"content":[]}` {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestTwinsNeverLeak tells that no part of a result says what another was
// stripped of.
func TestTwinsNeverLeak(t *testing.T) {
	const secret = "078-05-1120"
	inner := `{"ssn":"` + secret + `","id":7}`
	quoted := func(s string) string { return string(wire.Quote(s)) }
	structured := `"structuredContent":` + inner
	block := func(text string) string { return `{"type":"text","text":` + quoted(text) + `}` }
	for name, result := range map[string]string{
		"structure and JSON text":   `{` + structured + `,"content":[` + block(inner) + `]}`,
		"structure and prose":       `{` + structured + `,"content":[` + block("SSN: "+secret) + `]}`,
		"JSON text and prose":       `{"content":[` + block(inner) + `,` + block("SSN: "+secret) + `]}`,
		"prose before JSON text":    `{"content":[` + block("SSN: "+secret) + `,` + block(inner) + `]}`,
		"JSON in white space":       `{"content":[` + block("\r\n\t "+inner+"\n") + `]}`,
		"JSON in JSON text":         `{"content":[` + block(quoted(inner)) + `]}`,
		"JSON in JSON in JSON text": `{"content":[` + block(quoted(quoted(inner))) + `]}`,
		"JSON by the line":          `{"content":[` + block(inner+"\n"+inner+"\n") + `]}`,
		"JSON behind a BOM":         `{"content":[` + block("\ufeff"+inner) + `]}`,
		"duplicate members":         `{"content":[` + block(`{"id":1,"ssn":"x","ssn":"`+secret+`"}`) + `]}`,
		"JSON with a comma":         `{"content":[` + block(`{"ssn":"`+secret+`",}`) + `]}`,
		"JSON behind words":         `{"content":[` + block(`Result: `+inner) + `]}`,
		"JSON in a fence":           `{"content":[` + block("Here:\n```json\n{\n  \"ssn\": \""+secret+"\"\n}\n```") + `]}`,
		"cut JSON":                  `{"content":[` + block(`[{"ssn":"`+secret+`"`) + `]}`,
		"an embedded resource":      `{"content":[{"type":"resource","resource":{"uri":"x:y","text":` + quoted(inner) + `}}]}`,
		"contents of a resource":    `{"contents":[{"uri":"x:y","mimeType":"application/json","text":` + quoted(inner) + `}]}`,
		"a prompt":                  `{"messages":[{"role":"user","content":` + block(inner) + `}]}`,
		"a prompt with a list":      `{"messages":[{"role":"user","content":[` + block(inner) + `]}]}`,
		"a result within a task":    `{"taskId":"t","status":"completed","result":{` + structured + `,"content":[` + block(inner) + `]}}`,
		"a failure":                 `{"isError":true,"content":[` + block(inner) + `]}`,
	} {
		for _, rule := range []string{`drop: ["**.ssn"]`, `keep: ["**.id"]`} {
			got, report := apply(t, "filter: [{"+rule+"}]", result, nil)
			if strings.Contains(got, secret) {
				t.Errorf("%s, %s: %s", name, rule, got)
			}
			if report.Fields+report.Blocks+report.Bytes == 0 {
				t.Errorf("%s, %s: nothing is said to be withheld", name, rule)
			}
		}
	}
}

// TestKeepLeavesNoOtherWay tells what a keep rule does with all that no path
// can reach.
func TestKeepLeavesNoOtherWay(t *testing.T) {
	const canary = "CANARY"
	for name, result := range map[string]string{
		"prose":              textOf(canary),
		"a number":           textOf(`"` + canary + `"`),
		"an image":           `{"content":[{"type":"image","data":"CANARY=","mimeType":"image/png"}]}`,
		"a blob":             `{"content":[{"type":"resource","resource":{"uri":"a:b","blob":"CANARY="}}]}`,
		"a blob beside JSON": `{"content":[{"type":"resource","resource":{"uri":"a:b","blob":"CANARY=","text":"{\"id\":1}"}}]}`,
		"a link":             `{"content":[{"type":"resource_link","uri":"a:b","name":"CANARY"}]}`,
		"an unknown type":    `{"content":[{"type":"new","text":"{\"id\":\"CANARY\"}"}]}`,
		"no type":            `{"content":[{"zip":"CANARY"}]}`,
		"metadata":           `{"content":[],"_meta":{"acme/x":"CANARY"}}`,
		"metadata of ours":   `{"content":[],"_meta":{"dev.ostiary/verdict":"CANARY"}}`,
		"metadata of blocks": `{"content":[{"type":"text","text":"{\"id\":1}","_meta":{"x":"CANARY"}}]}`,
		"annotations":        `{"content":[{"type":"text","text":"{\"id\":1}","annotations":{"audience":["CANARY"]}}]}`,
		"unknown members":    `{"content":[{"type":"text","text":"{\"id\":1}","more":"CANARY"}],"extra":"CANARY"}`,
		"a failure's words":  `{"isError":true,"content":[{"type":"text","text":"CANARY"}]}`,
		"a prompt's words":   `{"description":"CANARY","messages":[{"role":"user","content":{"type":"text","text":"CANARY"}}]}`,
		"structure":          `{"content":[],"structuredContent":"CANARY"}`,
	} {
		if got, _ := apply(t, `filter: [{keep: [id]}]`, result, nil); strings.Contains(got, canary) {
			t.Errorf("%s: %s", name, got)
		}
	}
	// What the rule names, stays.
	for name, c := range map[string][2]string{
		"prose":      {`keep: [id], text: 4`, `{"content":[{"type":"text","text":"words"}]}`},
		"an image":   {`keep: [id], blocks: {keep: image/*}`, `{"content":[{"type":"image","data":"AAAA","mimeType":"image/png"}]}`},
		"a link":     {`keep: [id], blocks: {keep: [resource_link]}`, `{"content":[{"type":"resource_link","uri":"a:b","name":"n"}]}`},
		"metadata":   {`keep: [id], meta: [acme/*]`, `{"content":[],"_meta":{"acme/x":"y"}}`},
		"related":    {`keep: [id]`, `{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}`},
		"a failure":  {`keep: [id], text: 100`, `{"isError":true,"content":[{"type":"text","text":"no such customer"}]}`},
		"a JSON one": {`keep: [id]`, `{"isError":true,"content":[{"type":"text","text":"{\"id\":1}"}]}`},
	} {
		want := strings.Replace(c[1], "words", "word", 1)
		if got, _ := apply(t, "filter: [{"+c[0]+"}]", c[1], nil); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestOtherActions tells of blocks, metadata, links and failures.
func TestOtherActions(t *testing.T) {
	for _, c := range []struct{ name, rule, in, want string }{
		{"blocks by type", `blocks: {drop: [image, audio]}`, `{"content":[{"type":"image","data":"","mimeType":"image/png"},{"type":"text","text":"a"}]}`, `{"content":[{"type":"text","text":"a"}]}`},
		{"blocks by media type", `blocks: {drop: ["application/*"]}`, `{"content":[{"type":"resource","resource":{"uri":"a:b","mimeType":"Application/PDF; v=1","blob":""}}]}`, `{"content":[]}`},
		{"contents by media type", `blocks: {drop: ["image/*"]}`, `{"contents":[{"uri":"a:b","mimeType":"image/png","blob":""},{"uri":"a:c","text":"x"}]}`, `{"contents":[{"uri":"a:c","text":"x"}]}`},
		{"a message goes with its only block", `blocks: {drop: [image]}`, `{"messages":[{"role":"user","content":{"type":"image","data":"","mimeType":"image/png"}}]}`, `{"messages":[]}`},
		{"text is cut", `text: 5`, `{"content":[{"type":"text","text":"h\u00e4tte ich"}]}`, `{"content":[{"type":"text","text":"h\u00e4tt"}]}`},
		{"text is cut between characters", `text: 2`, `{"content":[{"type":"text","text":"hä"}]}`, `{"content":[{"type":"text","text":"h"}]}`},
		{"text is dropped", `text: 0`, `{"content":[{"type":"text","text":"a"},{"type":"text","text":"{\"a\":1}"}]}`, `{"content":[{"type":"text","text":"{\"a\":1}"}]}`},
		{"metadata", `meta: strip`, `{"content":[{"type":"text","text":"a","_meta":{"x":1}}],"_meta":{"progressToken":1,"a":2}}`, `{"content":[{"type":"text","text":"a"}],"_meta":{"progressToken":1}}`},
		{"metadata of a rule", `meta: [acme/*, "b"]`, `{"content":[],"_meta":{"a":0,"acme/x":1,"b":2,"bb":3}}`, `{"content":[],"_meta":{"acme/x":1,"b":2}}`},
		{"annotations", `annotations: strip`, `{"content":[{"type":"text","text":"a","annotations":{"priority":1}}]}`, `{"content":[{"type":"text","text":"a"}]}`},
		{"links", `links: strip`, `{"content":[{"type":"resource_link","name":"n","uri":"https://u:p@h/x?a=1&access_token=t&b=2#id_token=x"}]}`, `{"content":[{"type":"resource_link","name":"n","uri":"https://h/x?a=1&b=2"}]}`},
		{"links of resources", `links: strip`, `{"contents":[{"uri":"https://h/x?X-Amz-Signature=t","text":"x"}]}`, `{"contents":[{"uri":"https://h/x","text":"x"}]}`},
		{"failures", `errors: strip`, `{"isError":true,"content":[{"type":"text","text":"Error: no\n    at run (/srv/app/x.js:1:2)\nin /etc/app/conf.d now"}]}`, `{"isError":true,"content":[{"type":"text","text":"Error: no\nin [path] now"}]}`},
		{"failures in JSON", `errors: strip`, `{"isError":true,"content":[{"type":"text","text":"{\"error\":\"in /a/b/c.go\",\"stack\":\"x\"}"}]}`, `{"isError":true,"content":[{"type":"text","text":"{\"error\":\"in [path]\"}"}]}`},
		{"what did not fail has its paths", `errors: strip`, `{"content":[{"type":"text","text":"/etc/app/conf.d"}]}`, `{"content":[{"type":"text","text":"/etc/app/conf.d"}]}`},
		{"lines of JSON", `rows: {path: $, where: "ok == true"}`, textOf("{\"ok\":true}\n{\"ok\":false}\n\n{\"ok\":true}\n"), textOf("{\"ok\":true}\n\n{\"ok\":true}\n")},
		{"lists are left alone", `drop: [tools]`, `{"content":[],"tools":[{"name":"x"}]}`, `{"content":[],"tools":[{"name":"x"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := apply(t, "filter: [{"+c.rule+"}]", c.in, nil); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestReportCounts tells what of an answer is counted: fields and rows once,
// though the text repeats the structure, bytes wherever they were.
func TestReportCounts(t *testing.T) {
	in := `{"l":[{"id":1,"n":"x"},{"id":2,"n":"y"}],"m":3}`
	result := `{"structuredContent":` + in + `,"content":[{"type":"text","text":` + string(wire.Quote(in)) + `},{"type":"image","data":"","mimeType":"image/png"}]}`
	got, r := apply(t, `filter: [{keep: ["l[*].id"], rows: {path: l, max: 1}}]`, result, nil)
	if want := (Report{Fields: 2, Rows: 1, Blocks: 1, Bytes: len(result) - len(got)}); r != want {
		t.Errorf("got %+v, want %+v: %s", r, want, got)
	}
}
