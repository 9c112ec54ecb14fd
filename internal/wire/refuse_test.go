package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// refusal is a text that Parse must refuse with a kind; id is what the refused
// message may still say of its id, "" for nothing.
type refusal struct {
	name, raw string
	kind      fault.Kind
	id        string
}

// refuse runs the cases as messages of one side.
func refuse(t *testing.T, from wire.Side, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.Parse([]byte(c.raw), wire.DefaultLimits(), from)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != c.kind {
				t.Fatalf("Parse: %v, want kind %s", err, c.kind)
			}
			if f.Public == "" {
				t.Error("the refusal has no sentence for the caller")
			}
			got := ""
			if m != nil {
				got = m.ID().Raw()
			}
			if got != c.id {
				t.Errorf("id %q, want %q", got, c.id)
			}
		})
	}
}

// tool is a tools/call with the given text as its arguments member's value.
func tool(arguments string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":` + arguments + `}}`
}

// nest wraps inner into depth objects {"k":...}.
func nest(depth int, inner string) string {
	return strings.Repeat(`{"k":`, depth) + inner + strings.Repeat("}", depth)
}

func TestJ01DuplicateTopLevelKeys(t *testing.T) {
	refuse(t, wire.FromClient, []refusal{
		{"J01 method list then call", `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"t"}}`, fault.BadMessage, "1"},
		{"J01 method call then list", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"},"method":"tools/list"}`, fault.BadMessage, "1"},
		{"J01 id", `{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}`, fault.BadMessage, ""},
		{"J01 id escaped", `{"jsonrpc":"2.0","id":1,"\u0069d":2,"method":"tools/list"}`, fault.BadMessage, ""},
		{"J01 jsonrpc", `{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"tools/list"}`, fault.BadMessage, "1"},
		{"J01 unknown", `{"x":1,"jsonrpc":"2.0","id":1,"method":"tools/list","x":1}`, fault.BadMessage, "1"},
	})
}

func TestJ02DuplicateDeepKeys(t *testing.T) {
	cases := []refusal{
		{"J02 params", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"},"params":{"name":"u"}}`, fault.BadMessage, "1"},
		{"J02 name", `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"t","name":"u"}}`, fault.BadMessage, `"a"`},
		{"J02 empty key", tool(`{"":1,"":2}`), fault.BadMessage, "1"},
		{"J02 in array", tool(`{"l":[{"a":1,"b":2,"a":3}]}`), fault.BadMessage, "1"},
		{"J02 many members", tool(`{` + members(40) + `,"k7":0}`), fault.BadMessage, "1"},
		{"J02 many members escaped", tool(`{` + members(40) + `,"\u006b7":0}`), fault.BadMessage, "1"},
		{"J02 17 members", tool(`{` + members(16) + `,"k0":0}`), fault.BadMessage, "1"},
		{"J02 16 members", tool(`{` + members(15) + `,"k14":0}`), fault.BadMessage, "1"},
	}
	for _, depth := range []int{1, 5, 50} {
		cases = append(cases, refusal{fmt.Sprintf("J02 depth %d", depth), tool(nest(depth, `{"a":1,"a":2}`)), fault.BadMessage, "1"})
	}
	refuse(t, wire.FromClient, cases)
}

// members returns n different members.
func members(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"k%d":%d`, i, i)
	}
	return b.String()
}

func TestJ05NULInKeys(t *testing.T) {
	refuse(t, wire.FromClient, []refusal{
		{"J05 name beside name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","name\u0000":"u"}}`, fault.BadMessage, "1"},
		{"J05 name alone", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name\u0000":"u"}}`, fault.BadMessage, "1"},
		{"J05 method", `{"jsonrpc":"2.0","id":1,"method\u0000x":"a","method":"tools/list"}`, fault.BadMessage, "1"},
		{"J05 in arguments", tool(`{"a":{"\u0000":1}}`), fault.BadMessage, "1"},
		{"J05 upper case escape", tool(`{"a\u0000b":1}`), fault.BadMessage, "1"},
	})
}

func TestJ06EscapedKeys(t *testing.T) {
	refuse(t, wire.FromClient, []refusal{
		{"J06 method together", `{"jsonrpc":"2.0","id":1,"method":"tools/list","\u006dethod":"tools/call"}`, fault.BadMessage, "1"},
		{"J06 name together", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"n\u0061me":"t","name":"u"}}`, fault.BadMessage, "1"},
		{"J06 both escaped", tool(`{"\u0061":1,"\u0061":2}`), fault.BadMessage, "1"},
		{"J06 surrogate pair and raw", tool(`{"\ud83d\ude00":1,"` + "\U0001F600" + `":2}`), fault.BadMessage, "1"},
		{"J06 solidus", tool(`{"a\/b":1,"a/b":2}`), fault.BadMessage, "1"},
		{"J06 escaped array arguments", `{"jsonrpc":"2.0","id":1,"\u006dethod":"tools/call","params":[]}`, fault.BadParams, "1"},
	})
}

func TestJ07Encoding(t *testing.T) {
	const head, tail = `{"jsonrpc":"2.0","id":1,"method":"tools/list","x":"`, `"}`
	var cases []refusal
	for name, text := range map[string]string{
		"lone continuation": "\x80", "overlong slash": "\xc0\xaf", "overlong three": "\xe0\x80\xaf",
		"overlong four": "\xf0\x80\x80\xaf", "raw surrogate": "\xed\xa0\x80", "above range": "\xf4\x90\x80\x80",
		"cut short": "abcdefgh\xe2\x82", "latin1": "\xe9t\xe9", "FE": "\xfe", "after long ASCII": strings.Repeat("a", 40) + "\xff",
		"lone high": `\ud800`, "lone low": `\udc00`, "swapped": `\udc00\ud800`, "high high": `\ud800\ud800`,
		"high then letter": `\ud800a`, "high then escape": `\ud800\n`, "high at end": `abc\udbff`, "half escape": `\ud800\udc0`,
	} {
		cases = append(cases,
			refusal{"J07 value " + name, head + text + tail, fault.NotJSON, ""},
			refusal{"J07 key " + name, `{"` + text + `":1,"jsonrpc":"2.0","id":1,"method":"tools/list"}`, fault.NotJSON, ""},
			refusal{"J07 tool name " + name, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + text + `"}}`, fault.NotJSON, ""})
	}
	body := head + tail
	utf16 := make([]byte, 0, 2*len(body))
	utf32 := make([]byte, 0, 4*len(body))
	for _, c := range []byte(body) {
		utf16 = append(utf16, c, 0)
		utf32 = append(utf32, 0, 0, 0, c)
	}
	cases = append(cases,
		refusal{"J07 BOM", "\xef\xbb\xbf" + body, fault.NotJSON, ""},
		refusal{"J07 UTF-16LE", string(utf16), fault.NotJSON, ""},
		refusal{"J07 UTF-16LE BOM", "\xff\xfe" + string(utf16), fault.NotJSON, ""},
		refusal{"J07 UTF-32BE", string(utf32), fault.NotJSON, ""})
	refuse(t, wire.FromClient, cases)
}

func TestJ08Grammar(t *testing.T) {
	const ok = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	var cases []refusal
	for name, raw := range map[string]string{
		"empty": "", "spaces": " \n", "two objects": ok + ok, "bracket after": ok + "]", "object on next line": ok + "\n" + ok,
		"NUL after": ok + "\x00", "line comment": ok + "// x", "block comment": "/* x */" + ok, "trailing comma": `{"jsonrpc":"2.0",}`,
		"array trailing comma": tool(`{"a":[1,]}`), "leading comma": `{,"a":1}`, "single quotes": `{'a':1}`, "unquoted key": `{a:1}`,
		"NaN": tool(`{"a":NaN}`), "Infinity": tool(`{"a":Infinity}`), "minus Infinity": tool(`{"a":-Infinity}`),
		"leading zero": tool(`{"a":01}`), "minus leading zero": tool(`{"a":-01}`), "plus": tool(`{"a":+1}`), "dot first": tool(`{"a":.5}`),
		"dot last": tool(`{"a":1.}`), "minus alone": tool(`{"a":-}`), "exponent empty": tool(`{"a":1e}`), "exponent sign": tool(`{"a":1e+}`),
		"hex": tool(`{"a":0x10}`), "underscore": tool(`{"a":1_0}`), "True": tool(`{"a":True}`), "nul": tool(`{"a":nul}`), "truex": tool(`{"a":truex}`),
		"raw tab": tool("{\"a\":\"\t\"}"), "raw newline": tool("{\"a\":\"\n\"}"), "raw NUL": tool("{\"a\":\"\x00\"}"), "raw 1F": tool("{\"a\":\"0123456789\x1f\"}"),
		"escape x": tool(`{"a":"\x41"}`), "escape quote": tool(`{"a":"\'"}`), "escape short": tool(`{"a":"\u12"}`), "escape nondigit": tool(`{"a":"\u12g4"}`),
		"escape upper U": tool(`{"a":"\U0041"}`), "no colon": `{"a" 1}`, "no value": `{"a":}`, "no comma": `{"a":1 "b":2}`, "open object": `{"a":1`,
		"open array": tool(`{"a":[1`), "open string": `{"a`, "mismatched": tool(`{"a":[1}`), "vertical tab": "\v" + ok, "no-break space": "\u00a0" + ok,
		"line separator": ok + "\u2028", "form feed": ok + "\f", "escape at end": `{"a":"\`, "key without value": `{"a"`, "number key": `{1:2}`,
	} {
		cases = append(cases, refusal{"J08 " + name, raw, fault.NotJSON, ""})
	}
	refuse(t, wire.FromClient, cases)
}

func TestJ09Depth(t *testing.T) {
	var cases []refusal
	for _, depth := range []int{100, 1000, 100_000} {
		open := strings.Repeat("[", depth)
		cases = append(cases,
			refusal{fmt.Sprintf("J09 arrays open %d", depth), tool(`{"a":` + open), fault.TooLarge, ""},
			refusal{fmt.Sprintf("J09 arrays %d", depth), tool(`{"a":` + open + strings.Repeat("]", depth) + `}`), fault.TooLarge, ""},
			refusal{fmt.Sprintf("J09 objects %d", depth), tool(nest(depth, "1")), fault.TooLarge, ""},
			refusal{fmt.Sprintf("J09 meta %d", depth), `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":` + nest(depth, "1") + `}}`, fault.TooLarge, ""})
	}
	// The message, params and 62 more make 64.
	cases = append(cases, refusal{"J09 65", tool(nest(63, "1")), fault.TooLarge, ""})
	refuse(t, wire.FromClient, cases)
	accept(t, wire.FromClient, tool(nest(62, "1")))
}

func TestJ10Size(t *testing.T) {
	big := wire.DefaultLimits()
	big.Bytes = 64 << 20
	var object, colliding strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&object, `"%d":0,`, i)
	}
	for i := range 9_000 { // names that collide under 31-based string hashes
		fmt.Fprintf(&colliding, `"%s":0,`, strings.NewReplacer("0", "Aa", "1", "BB").Replace(fmt.Sprintf("%014b", i)))
	}
	for name, c := range map[string]struct {
		raw  string
		lim  wire.Limits
		kind fault.Kind
	}{
		"J10 million keys":              {tool(`{` + object.String() + `"x":0}`), big, fault.TooLarge},
		"J10 million elements":          {tool(`{"a":[` + strings.Repeat("0,", 1_000_000) + `0]}`), big, fault.TooLarge},
		"J10 string of 10 MiB":          {tool(`{"a":"` + strings.Repeat("a", 10<<20) + `"}`), wire.DefaultLimits(), fault.TooLarge},
		"J10 tokens":                    {tool(`{"a":[` + strings.Repeat("[0],", 99_999) + `0],` + `"b":[` + strings.Repeat("[0,0,0,0,0,0,0,0,0,0],", 99_999) + `0]}`), big, fault.TooLarge},
		"J10 long key":                  {tool(`{"` + strings.Repeat("k", 1025) + `":0}`), big, fault.TooLarge},
		"J10 long number":               {tool(`{"a":` + strings.Repeat("1", 8193) + `}`), big, fault.TooLarge},
		"J10 duplicate among colliding": {tool(`{` + colliding.String() + `"AaAaAaAaAaAaAaAaAaAaAaAaAaAa":0}`), big, fault.BadMessage},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := wire.Parse([]byte(c.raw), c.lim, wire.FromClient); !fault.Is(err, c.kind) {
				t.Fatalf("Parse: %v, want kind %s", err, c.kind)
			}
		})
	}
	t.Run("J10 colliding keys are data", func(t *testing.T) {
		accept(t, wire.FromClient, tool(`{`+colliding.String()+`"x":0}`))
	})
	t.Run("J10 content blocks", func(t *testing.T) {
		blocks := strings.Repeat(`{},`, 10_000)
		raw := `{"jsonrpc":"2.0","id":1,"result":{"content":[` + blocks + `{}]}}`
		if _, err := wire.Parse([]byte(raw), big, wire.FromServer); !fault.Is(err, fault.TooLarge) {
			t.Fatalf("Parse: %v, want too_large", err)
		}
	})
}

func TestJ13Version(t *testing.T) {
	refuse(t, wire.FromClient, []refusal{
		{"J13 missing", `{"id":1,"method":"tools/list"}`, fault.BadMessage, "1"},
		{"J13 1.0", `{"jsonrpc":"1.0","id":1,"method":"tools/list"}`, fault.BadMessage, "1"},
		{"J13 number", `{"jsonrpc":2.0,"id":1,"method":"tools/list"}`, fault.BadMessage, "1"},
		{"J13 space", `{"jsonrpc":"2.0 ","id":1,"method":"tools/list"}`, fault.BadMessage, "1"},
		{"J13 null", `{"jsonrpc":null,"id":1,"method":"tools/list"}`, fault.BadMessage, "1"},
		{"J13 array", `{"jsonrpc":["2.0"],"id":1,"method":"tools/list"}`, fault.BadMessage, "1"},
	})
}

func TestJ14Roots(t *testing.T) {
	refuse(t, wire.FromClient, []refusal{
		{"J14 batch", `[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`, fault.BadMessage, ""},
		{"J14 empty batch", `[]`, fault.BadMessage, ""},
		{"J14 string", `"tools/list"`, fault.BadMessage, ""},
		{"J14 number", `1`, fault.BadMessage, ""},
		{"J14 null", `null`, fault.BadMessage, ""},
		{"J14 empty object", `{}`, fault.BadMessage, ""},
	})
	const list, call = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t"}}`
	for name, c := range map[string]struct {
		raw  string
		kind fault.Kind
	}{
		"J14 ParseBatch empty": {`[]`, fault.BadMessage}, "J14 ParseBatch object": {list, fault.BadMessage},
		"J14 ParseBatch nested": {`[[` + list + `]]`, fault.BadMessage}, "J14 ParseBatch scalar": {`[1]`, fault.BadMessage},
		"J14 ParseBatch mixed":     {`[` + list + `,1]`, fault.BadMessage},
		"J14 ParseBatch 101":       {`[` + strings.Repeat(list+",", 100) + list + `]`, fault.TooLarge},
		"J14 ParseBatch 10000":     {`[` + strings.Repeat("{},", 9_999) + `{}]`, fault.TooLarge},
		"J14 ParseBatch duplicate": {`[` + list + `,` + tool(`{"a":1,"a":2}`) + `]`, fault.BadMessage},
		"J14 ParseBatch grammar":   {`[` + list + `,]`, fault.NotJSON},
	} {
		t.Run(name, func(t *testing.T) {
			if batch, err := wire.ParseBatch([]byte(c.raw), wire.DefaultLimits(), 100); !fault.Is(err, c.kind) || batch != nil {
				t.Fatalf("ParseBatch: %v, want kind %s", err, c.kind)
			}
		})
	}
	batch, err := wire.ParseBatch([]byte(" [ "+list+" , "+call+"]"), wire.DefaultLimits(), 100)
	if err != nil || len(batch) != 2 || string(batch[0].Raw()) != list || batch[1].Name() != "t" {
		t.Fatalf("ParseBatch of two: %v, %v", batch, err)
	}
	if !wire.IsBatch([]byte("\n [")) || wire.IsBatch([]byte(list)) || wire.IsBatch(nil) {
		t.Error("IsBatch does not tell arrays from objects")
	}
}

func TestJ15Envelope(t *testing.T) {
	refuse(t, wire.FromClient, []refusal{
		{"J15 method and result", `{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}`, fault.BadMessage, "1"},
		{"J15 method and error", `{"jsonrpc":"2.0","id":1,"method":"tools/list","error":{"code":1,"message":""}}`, fault.BadMessage, "1"},
		{"J15 result and error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`, fault.BadMessage, "1"},
		{"J15 none", `{"jsonrpc":"2.0","id":1}`, fault.BadMessage, "1"},
		{"J15 result without id", `{"jsonrpc":"2.0","result":{}}`, fault.BadMessage, ""},
		{"J15 result with null id", `{"jsonrpc":"2.0","id":null,"result":{}}`, fault.BadMessage, ""},
		{"J15 result scalar", `{"jsonrpc":"2.0","id":1,"result":1}`, fault.BadMessage, "1"},
		{"J15 result null", `{"jsonrpc":"2.0","id":1,"result":null}`, fault.BadMessage, "1"},
		{"J15 result with params", `{"jsonrpc":"2.0","id":1,"result":{},"params":{}}`, fault.BadMessage, "1"},
		{"J15 error with params", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""},"params":{}}`, fault.BadMessage, "1"},
		{"J15 error string", `{"jsonrpc":"2.0","id":1,"error":"x"}`, fault.BadMessage, "1"},
		{"J15 error without code", `{"jsonrpc":"2.0","id":1,"error":{"message":""}}`, fault.BadMessage, "1"},
		{"J15 error code fraction", `{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":""}}`, fault.BadMessage, "1"},
		{"J15 error code of 65 bits", `{"jsonrpc":"2.0","id":1,"error":{"code":9223372036854775808,"message":""}}`, fault.BadMessage, "1"},
		{"J15 error code string", `{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":""}}`, fault.BadMessage, "1"},
		{"J15 error without message", `{"jsonrpc":"2.0","id":1,"error":{"code":1}}`, fault.BadMessage, "1"},
		{"J15 method number", `{"jsonrpc":"2.0","id":1,"method":1}`, fault.BadMessage, "1"},
		{"J15 method empty", `{"jsonrpc":"2.0","id":1,"method":""}`, fault.BadMessage, "1"},
		{"J15 method long", `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("m", 129) + `"}`, fault.BadMessage, "1"},
		{"J15 method control", `{"jsonrpc":"2.0","id":1,"method":"a\u0007"}`, fault.BadMessage, "1"},
		{"J15 method C1 control", `{"jsonrpc":"2.0","id":1,"method":"a` + "\u0085" + `"}`, fault.BadMessage, "1"},
	})
}

func TestIDForms(t *testing.T) {
	var cases []refusal
	for name, id := range map[string]string{
		"null": "null", "true": "true", "object": "{}", "array": "[1]", "fraction": "1.0", "exponent": "1e2", "upper exponent": "1E2",
		"65 digits": strings.Repeat("1", 65), "long string": `"` + strings.Repeat("i", 257) + `"`, "control": `"a\u0000"`, "DEL": "\"\x7f\"",
		"newline": `"a\nb"`,
	} {
		cases = append(cases, refusal{name, `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/list"}`, fault.BadMessage, ""})
	}
	refuse(t, wire.FromClient, cases)
}

func TestJ16RequestsAndNotifications(t *testing.T) {
	refuse(t, wire.FromClient, []refusal{
		{"J16 call without id", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"t"}}`, fault.BadMessage, ""},
		{"J16 escaped call without id", `{"jsonrpc":"2.0","method":"tools\/c\u0061ll","params":{"name":"t"}}`, fault.BadMessage, ""},
		{"J16 list without id", `{"jsonrpc":"2.0","method":"tools/list"}`, fault.BadMessage, ""},
		{"J16 listen without id", `{"jsonrpc":"2.0","method":"subscriptions/listen","params":{}}`, fault.BadMessage, ""},
		{"J16 sampling without id", `{"jsonrpc":"2.0","method":"sampling/createMessage","params":{}}`, fault.BadMessage, ""},
		{"J16 initialized with id", `{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}`, fault.BadMessage, "1"},
		{"J16 cancelled with id", `{"jsonrpc":"2.0","id":1,"method":"notifications/cancelled","params":{"requestId":1}}`, fault.BadMessage, "1"},
	})
	for _, f := range wire.Facts() {
		id := ""
		if f.Notification {
			id = `"id":1,`
		}
		raw := `{"jsonrpc":"2.0",` + id + `"method":"` + f.Method + `","params":{"name":"a","uri":"a:","taskId":"a"}}`
		if _, err := wire.Parse([]byte(raw), wire.DefaultLimits(), wire.FromClient); !fault.Is(err, fault.BadMessage) {
			t.Errorf("J16 %s, notification %v: %v, want bad_message", f.Method, f.Notification, err)
		}
	}
}

func TestJ17Shapes(t *testing.T) {
	var cases []refusal
	for name, c := range map[string]struct{ method, params string }{
		"params array": {"tools/call", `["t"]`}, "params string": {"tools/call", `"t"`}, "params null": {"tools/list", `null`},
		"params of an unknown method": {"x/y", `[1]`},
		"meta null":                   {"tools/list", `{"_meta":null}`}, "meta array": {"tools/list", `{"_meta":[]}`},
		"arguments string": {"tools/call", `{"name":"t","arguments":"{}"}`}, "arguments null": {"tools/call", `{"name":"t","arguments":null}`},
		"name number": {"tools/call", `{"name":1}`}, "name missing": {"tools/call", `{}`}, "name object": {"prompts/get", `{"name":{}}`},
		"uri array": {"resources/read", `{"uri":["a"]}`}, "uri missing": {"resources/read", `{"name":"x"}`}, "taskId number": {"tasks/get", `{"taskId":1}`},
		"cursor number": {"tools/list", `{"cursor":1}`}, "cursor null": {"tools/list", `{"cursor":null}`}, "task array": {"tools/call", `{"name":"t","task":[]}`},
		"ref string": {"completion/complete", `{"ref":"x"}`}, "ref name": {"completion/complete", `{"ref":{"type":"ref/prompt","name":1}}`},
		"argument": {"completion/complete", `{"argument":{"name":"a","value":1}}`}, "level": {"logging/setLevel", `{"level":1}`},
		"requestState": {"tools/call", `{"name":"t","requestState":{}}`}, "inputResponses": {"tools/call", `{"name":"t","inputResponses":[]}`},
		"inputResponses entry": {"tools/call", `{"name":"t","inputResponses":{"a":1}}`},
		"version":              {"tools/list", `{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}`},
		"capabilities":         {"tools/list", `{"_meta":{"io.modelcontextprotocol/clientCapabilities":[]}}`},
		"sampling":             {"initialize", `{"capabilities":{"sampling":true}}`},
		"logLevel":             {"tools/list", `{"_meta":{"io.modelcontextprotocol/logLevel":7}}`},
		"token fraction":       {"tools/list", `{"_meta":{"progressToken":1.5}}`}, "token object": {"tools/list", `{"_meta":{"progressToken":{}}}`},
		"token long": {"tools/list", `{"_meta":{"progressToken":"` + strings.Repeat("p", 257) + `"}}`},
		"filter":     {"subscriptions/listen", `{"notifications":{"toolsListChanged":1}}`}, "filter list": {"subscriptions/listen", `{"notifications":{"resourceSubscriptions":[1]}}`},
		"filter string": {"subscriptions/listen", `{"notifications":{"resourceSubscriptions":"a"}}`},
		"name long":     {"tools/call", `{"name":"` + strings.Repeat("n", 257) + `"}`}, "uri long": {"resources/read", `{"uri":"` + strings.Repeat("u", 8193) + `"}`},
		"cursor long":  {"tools/list", `{"cursor":"` + strings.Repeat("c", 128<<10+1) + `"}`},
		"name newline": {"tools/call", `{"name":"a\nb"}`}, "name NUL": {"tools/call", `{"name":"a\u0000"}`}, "name DEL": {"tools/call", "{\"name\":\"a\x7f\"}"},
		"uri CR": {"resources/read", `{"uri":"a\r"}`}, "uri C1": {"resources/read", "{\"uri\":\"a:\u0080\"}"}, "cursor control": {"tools/list", `{"cursor":"\u0001"}`},
		"token control": {"tools/list", `{"_meta":{"progressToken":"\u001b"}}`}, "task control": {"tasks/get", `{"taskId":"\n"}`},
		"uris control": {"subscriptions/listen", `{"notifications":{"resourceSubscriptions":["a:","b\n"]}}`},
	} {
		cases = append(cases, refusal{"J17 " + name, `{"jsonrpc":"2.0","id":1,"method":"` + c.method + `","params":` + c.params + `}`, fault.BadParams, "1"})
	}
	refuse(t, wire.FromClient, cases)
}

// TestServerShapes holds the same for answers, where a fault is a bad message.
func TestServerShapes(t *testing.T) {
	var cases []refusal
	for name, result := range map[string]string{
		"content string": `{"content":"x"}`, "isError string": `{"content":[],"isError":"true"}`, "meta": `{"_meta":1}`, "tools object": `{"tools":{}}`,
		"definition name": `{"tools":[{"name":1}]}`, "definition schema": `{"tools":[{"name":"a","inputSchema":[]}]}`,
		"definition name control": `{"tools":[{"name":"a\u001b[0m"}]}`, "uri control": `{"resources":[{"uri":"a:\n","name":"x"}]}`,
		"cursor number": `{"tools":[],"nextCursor":1}`, "cursor long": `{"tools":[],"nextCursor":"` + strings.Repeat("c", 4097) + `"}`,
		"state long": `{"resultType":"input_required","requestState":"` + strings.Repeat("c", 64<<10+1) + `"}`,
		"resultType": `{"resultType":1}`, "inputRequests": `{"inputRequests":[]}`, "block text": `{"content":[{"type":"text","text":1}]}`,
		"block resource": `{"content":[{"type":"resource","resource":"x"}]}`, "contents": `{"contents":{}}`, "input": `{"content":[{"type":"tool_use","input":"x"}]}`,
		"subscription": `{"_meta":{"io.modelcontextprotocol/subscriptionId":null}}`, "ttl": `{"ttlMs":"1"}`,
	} {
		cases = append(cases, refusal{name, `{"jsonrpc":"2.0","id":1,"result":` + result + `}`, fault.BadMessage, "1"})
	}
	refuse(t, wire.FromServer, cases)
}

func TestCaseVariants(t *testing.T) {
	var cases []refusal
	for name, raw := range map[string]string{
		"Method beside":  `{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}`,
		"METHOD alone":   `{"jsonrpc":"2.0","id":1,"METHOD":"tools/list"}`,
		"params":         `{"jsonrpc":"2.0","id":1,"method":"tools/list","Params":{}}`,
		"long s":         `{"j` + "\u017f" + `onrpc":"2.0","jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		"long s escaped": `{"param\u017f":{},"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		"Kelvin":         `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a","tas` + "\u212a" + `Id":"b"}}`,
		"Kelvin escaped": `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a","ta\u017f\u212aid":"b"}}`,
		"Name":           `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","Name":"u"}}`,
		"Name escaped":   `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","\u004eame":"u"}}`,
		"ARGUMENTS":      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","ARGUMENTS":{}}}`,
		"Uri":            `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:","Uri":"b:"}}`,
		"_Meta":          `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_Meta":{}}}`,
		"meta version":   `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolversion":"x"}}}`,
		"meta token":     `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progresstoken":1}}}`,
		"ref":            `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","NAME":"b"}}}`,
		"argument":       `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"argument":{"name":"a","Value":"b"}}}`,
		"task":           `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","task":{"TTL":1}}}`,
		"capabilities":   `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{"Sampling":{}}}}`,
		"clientInfo":     `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{"name":"a","Version":"1"}}}`,
		"inputResponses": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","inputResponses":{"k":{"Action":"accept"}}}}`,
		"messages":       `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","Text":"x"}}]}}`,
	} {
		cases = append(cases, refusal{name, raw, fault.BadMessage, "1"})
	}
	refuse(t, wire.FromClient, cases)
	cases = nil
	for name, result := range map[string]string{
		"result":          `{"content":[],"IsError":true}`,
		"block":           `{"content":[{"type":"text","text":"a","TEXT":"b"}]}`,
		"embedded":        `{"content":[{"type":"resource","resource":{"uri":"a:","Text":"b"}}]}`,
		"nested block":    `{"content":[{"type":"tool_result","content":[{"Type":"text"}]}]}`,
		"definition":      `{"tools":[{"name":"a","InputSchema":{}}]}`,
		"annotations":     `{"tools":[{"name":"a","annotations":{"ReadOnlyHint":true}}]}`,
		"prompt argument": `{"prompts":[{"name":"a","arguments":[{"Name":"b"}]}]}`,
		"contents":        `{"contents":[{"uri":"a:","URI":"b:"}]}`,
		"prompt message":  `{"messages":[{"role":"user","content":{"type":"text","Text":"x"}}]}`,
		"input request":   `{"inputRequests":{"k":{"method":"roots/list","Params":{}}}}`,
		"input params":    `{"inputRequests":{"k":{"method":"elicitation/create","params":{"message":"m","Url":"x"}}}}`,
		"sampling reply":  `{"role":"assistant","action":"accept","content":{"type":"text","Text":"x"}}`,
		"completion":      `{"completion":{"values":[],"Values":[]}}`,
	} {
		cases = append(cases, refusal{"result " + name, `{"jsonrpc":"2.0","id":1,"result":` + result + `}`, fault.BadMessage, "1"})
	}
	cases = append(cases, refusal{"error", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","Code":2}}`, fault.BadMessage, "1"})
	refuse(t, wire.FromServer, cases)
}
