package wire_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// accept parses a message that must pass and keep its bytes.
func accept(t *testing.T, from wire.Side, raw string) *wire.Message {
	t.Helper()
	m, err := wire.Parse([]byte(raw), wire.DefaultLimits(), from)
	if err != nil {
		t.Fatalf("Parse of %.200s: %v", raw, err)
	}
	if string(m.Raw()) != raw {
		t.Fatalf("Raw changed the bytes of %.200s", raw)
	}
	return m
}

func TestAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		from wire.Side
		raw  string
		kind wire.Kind
	}{
		"request":                 {wire.FromClient, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, wire.Request},
		"J06 escaped method":      {wire.FromClient, `{"jsonrpc":"2.0","id":1,"\u006dethod":"tools\/list"}`, wire.Request},
		"escaped version":         {wire.FromClient, `{"jsonrpc":"\u0032.0","id":1,"method":"tools/list"}`, wire.Request},
		"white space":             {wire.FromClient, " \t\r\n{ \"jsonrpc\" :\"2.0\" , \"id\":1,\n\"method\":\"tools/list\" } \n", wire.Request},
		"notification":            {wire.FromClient, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, wire.Notification},
		"unknown request":         {wire.FromClient, `{"jsonrpc":"2.0","id":"x","method":"foo/bar","params":{"other":null}}`, wire.Request},
		"unknown notification":    {wire.FromClient, `{"jsonrpc":"2.0","method":"foo/bar"}`, wire.Notification},
		"unknown member":          {wire.FromClient, `{"jsonrpc":"2.0","id":1,"method":"tools/list","extra":{"Method":1,"method":2}}`, wire.Request},
		"J19 proto":               {wire.FromClient, tool(`{"__proto__":{"x":1},"constructor":1,"$ref":"#","$schema":"x"}`), wire.Request},
		"variants in arguments":   {wire.FromClient, tool(`{"name":1,"Name":2,"NAME":3,"Method":4}`), wire.Request},
		"variants in data":        {wire.FromServer, `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":{"code":1,"Code":2}}}`, wire.ErrorResponse},
		"variants in structured":  {wire.FromServer, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"Text":1,"text":2}}}`, wire.Response},
		"variants in schema":      {wire.FromServer, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","inputSchema":{"type":"object","properties":{"Name":{},"name":{}}}}]}}`, wire.Response},
		"variants in form":        {wire.FromClient, `{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"Name":"a","name":"b"}}}`, wire.Response},
		"variants in form reply":  {wire.FromClient, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","inputResponses":{"Name":{"action":"accept","content":{"Text":"a","text":"b"}}}}}`, wire.Request},
		"sampling reply":          {wire.FromClient, `{"jsonrpc":"2.0","id":1,"result":{"role":"assistant","content":{"type":"text","text":"x"},"model":"m"}}`, wire.Response},
		"own meta key":            {wire.FromClient, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"example.com/Name":1,"name":1}}}`, wire.Request},
		"error null id":           {wire.FromServer, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}`, wire.ErrorResponse},
		"error without id":        {wire.FromServer, `{"jsonrpc":"2.0","error":{"code":-32700,"message":"m"}}`, wire.ErrorResponse},
		"NUL in a value":          {wire.FromClient, tool(`{"a":"\u0000"}`), wire.Request},
		"surrogate pair":          {wire.FromClient, tool(`{"a":"\ud83d\uDE00"}`), wire.Request},
		"noncharacters":           {wire.FromClient, tool("{\"a\":\"\uffff\U0010FFFF\"}"), wire.Request},
		"integer id of 64 digits": {wire.FromClient, `{"jsonrpc":"2.0","id":-` + strings.Repeat("9", 64) + `,"method":"tools/list"}`, wire.Request},
		"empty id":                {wire.FromClient, `{"jsonrpc":"2.0","id":"","method":"tools/list"}`, wire.Request},
		"null cursor of a server": {wire.FromServer, `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":null}}`, wire.Response},
		"64 KiB state":            {wire.FromServer, `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"` + strings.Repeat("s", 64<<10) + `"}}`, wire.Response},
	} {
		t.Run(name, func(t *testing.T) {
			if m := accept(t, c.from, c.raw); m.Kind() != c.kind {
				t.Errorf("kind %s, want %s", m.Kind(), c.kind)
			}
		})
	}
}

// TestJ11ByteFidelity holds that numbers, escapes and order leave as they came,
// also when another part of the message changes.
func TestJ11ByteFidelity(t *testing.T) {
	for name, args := range map[string]string{
		"J11 1e400": `{"a":1e400}`, "J11 minus zero": `{"a":-0}`, "J11 1.0": `{"a":1.0,"b":1}`, "J11 2^53+1": `{"a":9007199254740993}`,
		"J11 4000 digits": `{"a":` + strings.Repeat("7", 4000) + `}`, "J11 exponent forms": `{"a":[1E5,1e+5,1e-5,0.10,-0.0]}`,
		"escapes": `{"a":"\u0041\/\b\f\n\r\t\\\"\u00e9\ud83d\ude00"}`, "key order": `{"z":1,"a":2,"m":3}`, "white space": "{ \"a\" :\t1 ,\n\"b\":[ ] }",
		"raw unicode": "{\"a\":\"\u2028\u00e9\U0001F600\"}", "unknown members": `{"a":{"b":{"c":[null,true,false]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			m := accept(t, wire.FromClient, tool(args))
			got := m.Params().Get("arguments")
			if string(got.Raw()) != args {
				t.Errorf("arguments read as %s", got.Raw())
			}
			n, err := m.Rewrite(wire.Replace(m.Params().Get("name"), wire.Quote("another")))
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(tool(args), `"t"`, `"another"`, 1); string(n.Raw()) != want {
				t.Errorf("rewritten to %s, want %s", n.Raw(), want)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	id := func(text string) wire.ID {
		return accept(t, wire.FromClient, `{"jsonrpc":"2.0","id":`+text+`,"method":"tools/list"}`).ID()
	}
	if id("7") == id(`"7"`) {
		t.Error("M12: 7 equals \"7\"")
	}
	if id(`"\u0061"`) != id(`"a"`) || id("7") != wire.IntID(7) || id(`"a"`) != wire.StringID("a") || id("-0") == id("0") {
		t.Error("ids do not compare by type and value")
	}
	for _, raw := range []string{"9007199254740993", "-0", `"a\"b"`, `"é"`, `""`} {
		if got := id(raw).Raw(); got != raw {
			t.Errorf("Raw of %s is %s", raw, got)
		}
		if wire.ParseID(raw) != id(raw) {
			t.Errorf("ParseID of %s differs", raw)
		}
	}
	if !wire.ParseID("").IsZero() || !wire.ParseID("1.5").IsZero() || !wire.ParseID("{}").IsZero() || wire.ParseID("null") != wire.NullID {
		t.Error("ParseID takes what is no id")
	}
	if (wire.ID{}).Raw() != "" || wire.NullID.IsZero() || wire.NullID.Raw() != "null" {
		t.Error("the zero id and the null id are not told apart")
	}
}

func TestAccessors(t *testing.T) {
	m := accept(t, wire.FromClient, `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"t\u00e9","arguments":{"s":"x\ny","n":12,"f":1.5,"b":true,"l":[1,[2],{"a":{}}],"o":{"p":{"q":"deep"}}},"_meta":{"progressToken":9,"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`)
	args := m.Params().Get("arguments")
	if v, ok := m.ProtocolVersion(); !ok || v != "2026-07-28" || m.Name() != "té" || m.ProgressToken() != wire.IntID(9) {
		t.Errorf("version %q, name %q, token %s", v, m.Name(), m.ProgressToken())
	}
	if s, ok := args.Get("s").Text(); !ok || s != "x\ny" || !args.Get("s").Is("x\ny") {
		t.Errorf("text %q", s)
	}
	if n, ok := args.Get("n").Int(); !ok || n != 12 {
		t.Errorf("int %d", n)
	}
	if _, ok := args.Get("f").Int(); ok {
		t.Error("a fraction is an int")
	}
	if b, ok := args.Get("b").Bool(); !ok || !b {
		t.Error("true is not true")
	}
	if q, _ := args.At("o", "p", "q").Text(); q != "deep" || args.At("o", "x", "q").Exists() {
		t.Error("At does not follow the path")
	}
	if args.Len() != 6 || args.Get("l").Len() != 3 || args.Get("s").Len() != 0 {
		t.Error("Len does not count")
	}
	if args.Depth() != 4 || args.Get("l").Depth() != 3 || args.Get("n").Depth() != 0 || args.At("o", "p").Depth() != 1 {
		t.Errorf("depths %d %d", args.Depth(), args.Get("l").Depth())
	}
	var keys, elements []string
	for k, v := range args.Members() {
		if !bytes.Equal(m.Raw()[k.Start:k.End], wire.Quote(k.Key)) {
			t.Errorf("key range of %s is wrong", k.Key)
		}
		start, end := v.Range()
		if !bytes.Equal(m.Raw()[start:end], v.Raw()) {
			t.Errorf("value range of %s is wrong", k.Key)
		}
		keys = append(keys, k.Key)
	}
	for v := range args.Get("l").Elements() {
		elements = append(elements, string(v.Raw()))
	}
	if !slices.Equal(keys, []string{"s", "n", "f", "b", "l", "o"}) || !slices.Equal(elements, []string{"1", "[2]", `{"a":{}}`}) {
		t.Errorf("members %v, elements %v", keys, elements)
	}
	if b, ok := args.Get("s").AppendText([]byte(">")); !ok || string(b) != ">x\ny" {
		t.Errorf("AppendText %q", b)
	}
}

// TestAbsentValues holds that the zero Value and wrong kinds are harmless.
func TestAbsentValues(t *testing.T) {
	m := accept(t, wire.FromServer, `{"jsonrpc":"2.0","error":{"code":1,"message":"m"}}`)
	for _, v := range []wire.Value{{}, m.Params(), m.Result(), m.Meta(), m.ErrorObject().Get("data")} {
		_, isText := v.Text()
		_, isInt := v.Int()
		_, isBool := v.Bool()
		_, appended := v.AppendText(nil)
		start, end := v.Range()
		if v.Exists() || v.Kind() != wire.Absent || v.Raw() != nil || v.Len() != 0 || v.Depth() != 0 || isText || isInt || isBool ||
			appended || start+end != 0 || v.Get("x").Exists() || v.At("x", "y").Exists() || !v.ID().IsZero() || v.Is("") {
			t.Errorf("an absent value claims something: %v", v)
		}
		for range v.Members() {
			t.Error("an absent value has members")
		}
		for range v.Elements() {
			t.Error("an absent value has elements")
		}
	}
	refused, err := wire.Parse([]byte(`{"jsonrpc":"1.0","id":3,"method":"tools/list","params":{}}`), wire.DefaultLimits(), wire.FromClient)
	if err == nil || refused.ID() != wire.IntID(3) || refused.Root().Exists() || refused.Params().Exists() || refused.Kind().String() != "none" {
		t.Errorf("a refused message says more than its id: %v", err)
	}
}

func TestProgressTokenOfNotification(t *testing.T) {
	m := accept(t, wire.FromServer, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":0.5}}`)
	if m.ProgressToken() != wire.StringID("p") || m.Name() != "" {
		t.Errorf("token %s", m.ProgressToken())
	}
	r := accept(t, wire.FromServer, `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"progressToken":"p","io.modelcontextprotocol/protocolVersion":"x"}}}`)
	if _, ok := r.ProtocolVersion(); ok || !r.ProgressToken().IsZero() || !r.Meta().Exists() {
		t.Error("an answer has a version or a progress token")
	}
}
