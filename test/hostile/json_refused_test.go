package hostile

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"ostiary.dev/ostiary/test/doortest"
)

// jsonWorld has the limits that a new gateway has.
var jsonWorld = shared("")

// refusedText is a body that is refused in every protocol version. %M% stands
// for the _meta member of the version, with a comma before it.
type refusedText struct {
	name, body string
	want       refusal
}

func notJSON() refusal             { return refusal{400, -32700, "", "not_json"} }
func badMessage(id string) refusal { return refusal{400, -32600, id, "bad_message"} }
func badParams(id string) refusal  { return refusal{400, -32602, id, "bad_params"} }
func tooLarge() refusal            { return refusal{413, 31001, "", "too_large"} }

// tool is a call of echo whose arguments are the given text.
func tool(arguments string) string {
	return `{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","arguments":` + arguments + `%M%}}`
}

// inVersion fills in what a version demands.
func inVersion(version, body string) string {
	meta := ""
	if version == doortest.ModernVersion {
		meta = "," + doortest.Meta
	}
	return strings.ReplaceAll(body, "%M%", meta)
}

// unnamed is the id of a refusal that answers nothing which could be read.
func unnamed(version string, r refusal) refusal {
	if r.id == "" && version < "2025-11-25" {
		r.id = "null"
	}
	return r
}

// refuse sends each text in every protocol version, or in those given.
func refuse(t *testing.T, cases []refusedText, in ...string) {
	t.Helper()
	if len(in) == 0 {
		in = versions
	}
	for _, version := range in {
		w := jsonWorld(t)
		c := w.client(t, version)
		big := w.client(t, version)
		big.HTTP2 = true // takes an answer that comes before all was sent
		for _, k := range cases {
			by := c
			if len(k.body) > 1<<20 {
				by = big
			}
			w.holds(t, version+"/"+k.name, unnamed(version, k.want), by.Post(inVersion(version, k.body)))
		}
	}
}

func TestJ01DuplicateTopLevelKeys(t *testing.T) {
	refuse(t, []refusedText{
		{"list, then call", `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"echo"%M%}}`, badMessage("1")},
		{"call, then list", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"%M%},"method":"tools/list"}`, badMessage("1")},
		{"id", `{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list","params":{"a":1%M%}}`, badMessage("")},
		{"version", `{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"tools/list","params":{"a":1%M%}}`, badMessage("1")},
	})
}

func TestJ02DuplicateDeepKeys(t *testing.T) {
	cases := []refusedText{
		{"params", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"%M%},"params":{"name":"add"%M%}}`, badMessage("1")},
		{"name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"add"%M%}}`, badMessage("1")},
		{"arguments", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{},"arguments":{}%M%}}`, badMessage("1")},
	}
	for _, depth := range []int{1, 5, 50} {
		body := strings.Repeat(`{"k":`, depth-1) + `{"text":"a","text":"b"}` + strings.Repeat("}", depth-1)
		cases = append(cases, refusedText{fmt.Sprintf("depth %d", depth), tool(body), badMessage(`"x"`)})
	}
	refuse(t, cases)
}

func TestJ05NULInKeys(t *testing.T) {
	refuse(t, []refusedText{
		{"name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name\u0000":"add"%M%}}`, badMessage("1")},
		{"name first", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name\u0000":"add","name":"echo"%M%}}`, badMessage("1")},
		{"method", `{"jsonrpc":"2.0","id":1,"method":"tools/list","method\u0000x":"tools/call","params":{"a":1%M%}}`, badMessage("1")},
		{"raw", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"method\x00\":\"tools/call\"}", notJSON()},
		{"arguments", tool(`{"text\u0000":"a"}`), badMessage(`"x"`)},
	})
}

func TestJ06EscapedAndFoldedKeys(t *testing.T) {
	refuse(t, []refusedText{
		{"method twice", `{"jsonrpc":"2.0","id":1,"method":"tools/list","\u006dethod":"tools/call","params":{"name":"echo"%M%}}`, badMessage("1")},
		{"escaped first", `{"jsonrpc":"2.0","id":1,"\u006dethod":"tools/call","method":"tools/list","params":{"name":"echo"%M%}}`, badMessage("1")},
		{"id twice", `{"jsonrpc":"2.0","id":1,"\u0069d":2,"method":"tools/list","params":{"a":1%M%}}`, badMessage("")},
		{"name twice", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","n\u0061me":"add"%M%}}`, badMessage("1")},
		{"in arguments", tool(`{"text":"a","\u0074ext":"b"}`), badMessage(`"x"`)},
		{"other case", `{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call","params":{"a":1%M%}}`, badMessage("1")},
		{"long s", `{"jsonrpc":"2.0","id":1,"method":"tools/list","param\u017f":{"name":"echo"},"params":{"a":1%M%}}`, badMessage("1")},
	})
}

func TestJ07Encodings(t *testing.T) {
	wide := func(big bool, body string) string {
		var out []byte
		for _, u := range utf16.Encode([]rune(body)) {
			if big {
				out = append(out, byte(u>>8), byte(u))
			} else {
				out = append(out, byte(u), byte(u>>8))
			}
		}
		return string(out)
	}
	plain := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	refuse(t, []refusedText{
		{"key", tool("{\"te\xffxt\":\"a\"}"), notJSON()},
		{"tool name", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"ec\xc3ho\"%M%}}", notJSON()},
		{"string", tool("{\"text\":\"\xc3\x28\"}"), notJSON()},
		{"overlong", tool("{\"text\":\"\xc0\xaf\"}"), notJSON()},
		{"surrogate in UTF-8", tool("{\"text\":\"\xed\xa0\x80\"}"), notJSON()},
		{"above the last code point", tool("{\"text\":\"\xf4\x90\x80\x80\"}"), notJSON()},
		{"lone surrogate", tool(`{"text":"\ud800"}`), notJSON()},
		{"lone low surrogate", tool(`{"text":"\udc00x"}`), notJSON()},
		{"swapped surrogates", tool(`{"text":"\udc00\ud800"}`), notJSON()},
		{"BOM", "\ufeff" + plain, notJSON()},
		{"UTF-16", wide(true, plain), notJSON()},
		{"UTF-16 little endian", wide(false, plain), notJSON()},
		{"UTF-16 with BOM", wide(true, "\ufeff"+plain), notJSON()},
	})
}

func TestJ08LaxGrammar(t *testing.T) {
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"a":1%M%}}`
	refuse(t, []refusedText{
		{"two objects", list + list, notJSON()},
		{"two lines", list + "\n" + list, notJSON()},
		{"bracket behind", list + "]", notJSON()},
		{"comment", `{"jsonrpc":"2.0","id":1,/**/"method":"tools/list"}`, notJSON()},
		{"line comment", "// x\n" + list, notJSON()},
		{"trailing comma", `{"jsonrpc":"2.0","id":1,"method":"tools/list",}`, notJSON()},
		{"trailing comma in a list", tool(`{"a":[1,]}`), notJSON()},
		{"NaN", tool(`{"a":NaN}`), notJSON()},
		{"Infinity", tool(`{"a":-Infinity}`), notJSON()},
		{"single quotes", `{'jsonrpc':'2.0','id':1,'method':'tools/list'}`, notJSON()},
		{"leading zero", tool(`{"a":01}`), notJSON()},
		{"no digit behind the point", tool(`{"a":1.}`), notJSON()},
		{"raw control", tool("{\"text\":\"a\x01\"}"), notJSON()},
		{"raw newline", tool("{\"text\":\"a\n\"}"), notJSON()},
		{"form feed between", "\f" + list, notJSON()},
		{"no-break space between", "\u00a0" + list, notJSON()},
		{"cut", `{"jsonrpc":"2.0","id":1,"method":"tools/li`, notJSON()},
		{"blank", "  ", notJSON()},
	})
}

func TestJ09Depth(t *testing.T) {
	var cases []refusedText
	for _, n := range []int{100, 1_000, 100_000} {
		arrays := strings.Repeat("[", n) + strings.Repeat("]", n)
		objects := strings.Repeat(`{"k":`, n) + "1" + strings.Repeat("}", n)
		cases = append(cases,
			refusedText{fmt.Sprintf("%d arrays", n), tool(`{"a":` + arrays + `}`), tooLarge()},
			refusedText{fmt.Sprintf("%d objects", n), tool(objects), tooLarge()},
			refusedText{fmt.Sprintf("%d never closed", n), tool(`{"a":` + strings.Repeat("[", n)), tooLarge()},
			refusedText{fmt.Sprintf("%d in _meta", n), `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"a":` + arrays + `}}}`, tooLarge()})
	}
	refuse(t, cases)
}

func TestJ10Size(t *testing.T) {
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":1,`, i)
		}
		return `{` + b.String() + `"z":1}`
	}
	refuse(t, []refusedText{
		{"10,001 keys", tool(keys(10_001)), tooLarge()},
		{"1,000,000 elements", tool(`{"a":[` + strings.Repeat("0,", 1_000_000) + `0]}`), tooLarge()},
		{"a number of 8 KiB", tool(`{"a":1` + strings.Repeat("0", 8<<10) + `}`), tooLarge()},
	})
	refuse(t, []refusedText{
		{"1,000,000 keys", tool(keys(1_000_000)), tooLarge()},
		{"10 MiB string", tool(`{"text":"` + strings.Repeat("a", 10<<20) + `"}`), tooLarge()},
	}, eras...)
}

func TestJ13Version(t *testing.T) {
	refuse(t, []refusedText{
		{"missing", `{"id":1,"method":"tools/list","params":{"a":1%M%}}`, badMessage("1")},
		{"1.0", `{"jsonrpc":"1.0","id":1,"method":"tools/list","params":{"a":1%M%}}`, badMessage("1")},
		{"number", `{"jsonrpc":2.0,"id":1,"method":"tools/list","params":{"a":1%M%}}`, badMessage("1")},
		{"space", `{"jsonrpc":"2.0 ","id":1,"method":"tools/list","params":{"a":1%M%}}`, badMessage("1")},
	})
}

func TestJ15Directions(t *testing.T) {
	refuse(t, []refusedText{
		{"both", `{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{},"params":{"a":1%M%}}`, badMessage("1")},
		{"both, error", `{"jsonrpc":"2.0","id":1,"method":"tools/list","error":{"code":1,"message":""}}`, badMessage("1")},
		{"result and error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`, badMessage("1")},
		{"an answer to nothing", `{"jsonrpc":"2.0","id":1,"result":{}}`, badMessage("1")},
		{"an error to nothing", `{"jsonrpc":"2.0","id":"q1","error":{"code":1,"message":"no"}}`, badMessage(`"q1"`)},
	})
}

func TestJ16FireAndForget(t *testing.T) {
	refuse(t, []refusedText{
		{"call without id", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"%M%}}`, badMessage("")},
		{"escaped", `{"jsonrpc":"2.0","method":"tools\/c\u0061ll","params":{"name":"echo"%M%}}`, badMessage("")},
		{"list without id", `{"jsonrpc":"2.0","method":"tools/list","params":{"a":1%M%}}`, badMessage("")},
		{"null id", `{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"echo"%M%}}`, badMessage("")},
		{"fraction id", `{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"echo"%M%}}`, badMessage("")},
		{"object id", `{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{"name":"echo"%M%}}`, badMessage("")},
		{"notification with id", `{"jsonrpc":"2.0","id":1,"method":"notifications/cancelled","params":{"requestId":9%M%}}`, badMessage("1")},
		{"initialized with id", `{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}`, badMessage("1")},
	})
}

func TestJ17Shapes(t *testing.T) {
	refuse(t, []refusedText{
		{"params array", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["echo"]}`, badParams("1")},
		{"params string", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"echo"}`, badParams("1")},
		{"params null", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}`, badParams("1")},
		{"no params", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, badParams("1")},
		{"arguments array", tool(`["x"]`), badParams(`"x"`)},
		{"name number", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1%M%}}`, badParams("1")},
		{"meta array", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":[]}}`, badParams("1")},
	})
}
