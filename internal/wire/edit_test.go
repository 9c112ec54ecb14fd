package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
	"pgregory.net/rapid"
)

// value draws a JSON value in one of many spellings.
func value(depth int) *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{`null`, `true`, `false`, `0`, `-0`, `1e400`, `9007199254740993`, `1.0`, `""`, `"a"`, `"\u0041\n"`, `"é😀"`, `"\ud83d\ude00"`, `{}`, `[ ]`})
	if depth == 0 {
		return leaf
	}
	return rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 2).Draw(t, "shape") {
		case 0:
			return leaf.Draw(t, "leaf")
		case 1:
			return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 5).Draw(t, "elements"), rapid.SampledFrom([]string{",", " ,\n"}).Draw(t, "comma")) + "]"
		}
		var b strings.Builder
		b.WriteString("{ ")
		for i, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(strings.Fields("a b c d é Name name x.y")), 0, 6, rapid.ID).Draw(t, "keys") {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%s: %s", wire.Quote(key), value(depth-1).Draw(t, "member"))
		}
		return b.String() + "}"
	})
}

// message draws a tools/call with drawn arguments.
func message(t *rapid.T) *wire.Message {
	raw := fmt.Sprintf("{\"jsonrpc\":\"2.0\",\r\n\"id\":%s,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":{\"list\":%s,\"object\":%s}}}\n",
		rapid.SampledFrom([]string{"1", `"x"`, "-0", `"\u0041"`}).Draw(t, "id"),
		"["+strings.Join(rapid.SliceOfN(value(2), 0, 6).Draw(t, "list"), " , ")+"]", value(2).Filter(func(s string) bool { return s[0] == '{' }).Draw(t, "object"))
	m, err := wire.Parse([]byte(raw), wire.DefaultLimits(), wire.FromClient)
	if err != nil {
		t.Fatalf("Parse of %s: %v", raw, err)
	}
	return m
}

// TestRewriteProperties holds that an edit changes its range and nothing else.
func TestRewriteProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := message(t)
		text := value(1).Draw(t, "text")
		key := rapid.SampledFrom([]string{"a", "name", "é", "new", `q"uote`}).Draw(t, "key")
		edit := wire.SetMember(m.Params().At("arguments", "object"), key, []byte(text))
		n, err := m.Rewrite(edit, wire.Replace(m.Root().Get("id"), []byte(`77`)))
		if err != nil {
			t.Fatalf("Rewrite: %v", err)
		}
		if got := n.Params().At("arguments", "object").Get(key); string(got.Raw()) != text || n.ID() != wire.IntID(77) {
			t.Fatalf("%s is %s in %s", key, got.Raw(), n.Raw())
		}
		// Undo the two splices by hand; the old bytes must be all there.
		start, end := m.Root().Get("id").Range()
		grown := len("77") - (end - start)
		tail := n.Raw()[edit.Start+grown+len(edit.Text):]
		if !bytes.Equal(tail, m.Raw()[edit.End:]) || !bytes.Equal(n.Raw()[:start], m.Raw()[:start]) ||
			!bytes.Equal(n.Raw()[start+2:edit.Start+grown], m.Raw()[end:edit.Start]) {
			t.Fatalf("bytes outside the edits changed: %s to %s", m.Raw(), n.Raw())
		}
	})
}

// TestRemoveProperties holds that exactly the dropped items go and the rest
// keeps its bytes and order.
func TestRemoveProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := message(t)
		list, object := m.Params().At("arguments", "list"), m.Params().At("arguments", "object")
		drop := rapid.SliceOfN(rapid.Bool(), 6, 6).Draw(t, "drop")
		var want, keys []string
		for v := range list.Elements() {
			want = append(want, string(v.Raw()))
		}
		i := 0
		want = slices.DeleteFunc(want, func(string) bool { i++; return drop[i-1] })
		i = 0
		edits := wire.RemoveElements(list, func(i int, _ wire.Value) bool { return drop[i] })
		edits = append(edits, wire.RemoveMembers(object, func(k wire.Member, v wire.Value) bool {
			if i++; !drop[i-1] {
				keys = append(keys, k.Key+string(v.Raw()))
			}
			return drop[i-1]
		})...)
		n, err := m.Rewrite(edits...)
		if err != nil {
			t.Fatalf("Rewrite of %s: %v", m.Raw(), err)
		}
		var got, kept []string
		for v := range n.Params().At("arguments", "list").Elements() {
			got = append(got, string(v.Raw()))
		}
		for k, v := range n.Params().At("arguments", "object").Members() {
			kept = append(kept, k.Key+string(v.Raw()))
		}
		if !slices.Equal(got, want) || !slices.Equal(kept, keys) {
			t.Fatalf("kept %v and %v, want %v and %v", got, kept, want, keys)
		}
	})
}

func TestRemoveMember(t *testing.T) {
	for args, want := range map[string]string{
		`{"a":1}`: `{}`, `{ "a" : 1 }`: `{  }`, `{"a":1,"b":2}`: `{"b":2}`, `{"b":2 , "a":1 }`: `{"b":2 }`, `{"b":2,"a":1,"c":3}`: `{"b":2,"c":3}`, `{"\u0061":1,"b":2}`: `{"b":2}`,
	} {
		m := accept(t, wire.FromClient, tool(args))
		edit, ok := wire.RemoveMember(m.Params().Get("arguments"), "a")
		if !ok {
			t.Fatalf("%s: no member a", args)
		}
		n, err := m.Rewrite(edit)
		if err != nil || string(n.Params().Get("arguments").Raw()) != want {
			t.Errorf("%s becomes %s, %v, want %s", args, n.Params().Get("arguments").Raw(), err, want)
		}
	}
	m := accept(t, wire.FromClient, tool(`{}`))
	if _, ok := wire.RemoveMember(m.Params().Get("arguments"), "a"); ok {
		t.Error("a member that is not there was removed")
	}
}

func TestSetMember(t *testing.T) {
	for args, want := range map[string]string{
		`{}`: `{"k":1}`, `{ }`: `{"k":1 }`, `{"a":0 }`: `{"a":0,"k":1 }`, `{"k":[2],"a":0}`: `{"k":1,"a":0}`, `{"\u006b":2}`: `{"\u006b":1}`,
	} {
		m := accept(t, wire.FromClient, tool(args))
		n, err := m.Rewrite(wire.SetMember(m.Params().Get("arguments"), "k", []byte("1")))
		if err != nil || string(n.Params().Get("arguments").Raw()) != want {
			t.Errorf("%s becomes %s, %v, want %s", args, n.Params().Get("arguments").Raw(), err, want)
		}
	}
	m := accept(t, wire.FromClient, tool(`{"a":null}`))
	if n, err := m.Rewrite(wire.SetMember(m.Params().At("arguments", "a"), "k", []byte("1"))); err != nil || string(n.Raw()) != tool(`{"a":{"k":1}}`) {
		t.Errorf("a member of null: %v", err)
	}
}

func TestRewriteRefuses(t *testing.T) {
	m := accept(t, wire.FromClient, tool(`{"a":1}`))
	args := m.Params().Get("arguments")
	start, end := args.Range()
	for name, c := range map[string]struct {
		edits []wire.Edit
		kind  fault.Kind
	}{
		"overlap":        {[]wire.Edit{{start, end, []byte("{}")}, {start + 1, end, nil}}, fault.Internal},
		"outside":        {[]wire.Edit{{0, len(m.Raw()) + 1, nil}}, fault.Internal},
		"negative":       {[]wire.Edit{{-1, 2, nil}}, fault.Internal},
		"reversed":       {[]wire.Edit{{5, 3, nil}}, fault.Internal},
		"broken JSON":    {[]wire.Edit{wire.Replace(args, []byte("{"))}, fault.NotJSON},
		"duplicate":      {[]wire.Edit{wire.Replace(args, []byte(`{"a":1,"a":2}`))}, fault.BadMessage},
		"other type":     {[]wire.Edit{wire.Replace(args, []byte(`[]`))}, fault.BadParams},
		"over the limit": {[]wire.Edit{wire.Replace(args, append(wire.Quote(strings.Repeat("a", 4<<20)), ' '))}, fault.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if n, err := m.Rewrite(c.edits...); !fault.Is(err, c.kind) || n != nil {
				t.Errorf("%v, want kind %s", err, c.kind)
			}
		})
	}
	if string(m.Raw()) != tool(`{"a":1}`) {
		t.Error("a refused rewrite changed the message")
	}
}

func TestWithID(t *testing.T) {
	for _, c := range []struct {
		raw  string
		id   wire.ID
		want string
	}{
		{`{"jsonrpc":"2.0","id": 1 ,"result":{}}`, wire.StringID("a b"), `{"jsonrpc":"2.0","id": "a b" ,"result":{}}`},
		{`{"jsonrpc":"2.0","error":{"code":1,"message":"m"}}`, wire.IntID(3), `{"jsonrpc":"2.0","error":{"code":1,"message":"m"},"id":3}`},
		{`{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}`, wire.IntID(3), `{"jsonrpc":"2.0","id":3,"error":{"code":1,"message":"m"}}`},
		{`{"jsonrpc":"2.0","id":4,"error":{"code":1,"message":"m"}}`, wire.ID{}, `{"jsonrpc":"2.0","error":{"code":1,"message":"m"}}`},
		{`{"jsonrpc":"2.0","error":{"code":1,"message":"m"}}`, wire.ID{}, `{"jsonrpc":"2.0","error":{"code":1,"message":"m"}}`},
		{`{"jsonrpc":"2.0","id":"\u0061","result":{}}`, wire.StringID("a"), `{"jsonrpc":"2.0","id":"\u0061","result":{}}`},
	} {
		n, err := accept(t, wire.FromServer, c.raw).WithID(c.id)
		if err != nil || string(n.Raw()) != c.want || n.ID() != c.id {
			t.Errorf("%s becomes %s, %v, want %s", c.raw, n.Raw(), err, c.want)
		}
	}
	if _, err := accept(t, wire.FromServer, `{"jsonrpc":"2.0","id":1,"result":{}}`).WithID(wire.NullID); !fault.Is(err, fault.BadMessage) {
		t.Errorf("a result under null: %v", err)
	}
}

func TestOneLine(t *testing.T) {
	raw := "{\r\n\t\"jsonrpc\": \"2.0\",\n\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a b\",\n\"arguments\":{\"t\":\"x\\ny\"}}\r}\n"
	m := accept(t, wire.FromClient, raw)
	one := m.OneLine()
	want := strings.NewReplacer("\r", " ", "\n", " ").Replace(raw)
	if string(one.Raw()) != want || string(m.Raw()) != raw {
		t.Errorf("%q becomes %q", raw, one.Raw())
	}
	if text, _ := one.Params().At("arguments", "t").Text(); text != "x\ny" || one.Name() != "a b" {
		t.Errorf("the parsed form differs: %q", text)
	}
	if again := one.OneLine(); again != one {
		t.Error("a message on one line was copied")
	}
}

func TestClone(t *testing.T) {
	raw := []byte(tool(`{"a":"x"}`))
	m, err := wire.Parse(raw, wire.DefaultLimits(), wire.FromClient)
	if err != nil {
		t.Fatal(err)
	}
	n := m.Clone()
	clear(raw)
	if string(n.Raw()) != tool(`{"a":"x"}`) || n.Name() != "t" || !n.Params().At("arguments", "a").Is("x") {
		t.Errorf("the clone shares the buffer: %q", n.Raw())
	}
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"": `""`, "a/é\u2028😀": "\"a/é\u2028😀\"", "\"\\": `"\"\\"`, "\n\r\t\b\x00\x1f": `"\n\r\t\u0008\u0000\u001f"`, "\x7f": "\"\x7f\"", "\xff": "\"\ufffd\"",
	} {
		if got := string(wire.Quote(s)); got != want || !json.Valid([]byte(got)) {
			t.Errorf("Quote(%q) is %s, want %s", s, got, want)
		}
	}
}

func TestNewError(t *testing.T) {
	refusal := fault.Newf(fault.VersionUnknown, "Speak \"another\" version.")
	refusal.Data = `{"supported":["2026-07-28"],"requested":"1","kind":"x"}`
	const body = `,"error":{"code":-32022,"message":"Speak \"another\" version.","data":{"kind":"version_unsupported","exchange":"x1","supported":["2026-07-28"],"requested":"1"}}}`
	for _, c := range []struct {
		id   wire.ID
		v    wire.Version
		head string
	}{
		{wire.IntID(7), wire.V20260728, `{"jsonrpc":"2.0","id":7`}, {wire.StringID("é"), wire.V20241105, `{"jsonrpc":"2.0","id":"é"`},
		{wire.StringID("no\nid"), wire.V20260728, `{"jsonrpc":"2.0"`},
		{wire.ID{}, wire.V20260728, `{"jsonrpc":"2.0"`}, {wire.ID{}, wire.V20251125, `{"jsonrpc":"2.0"`}, {wire.ID{}, "", `{"jsonrpc":"2.0"`},
		{wire.ID{}, wire.V20250618, `{"jsonrpc":"2.0","id":null`}, {wire.NullID, wire.V20241105, `{"jsonrpc":"2.0","id":null`}, {wire.NullID, wire.V20260728, `{"jsonrpc":"2.0"`},
	} {
		if m := wire.NewError(c.id, c.v, refusal, "x1"); string(m.Raw()) != c.head+body || m.Kind() != wire.ErrorResponse {
			t.Errorf("%s, want %s", m.Raw(), c.head+body)
		}
	}
	for _, data := range []string{`[1]`, `{`, `{"a":1,"a":2}`, `"x"`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)} {
		f := fault.New(fault.Busy)
		f.Data = data
		if got := wire.NewError(wire.IntID(1), wire.V20260728, f, "").ErrorObject().Get("data"); string(got.Raw()) != `{"kind":"busy"}` {
			t.Errorf("data %.20s gives %s", data, got.Raw())
		}
	}
	for _, k := range fault.Kinds() {
		m := wire.NewError(wire.IntID(1), wire.V20251125, fault.New(k), "x")
		if code, _ := m.ErrorObject().Get("code").Int(); int(code) != fault.New(k).Code() {
			t.Errorf("%s has code %d", k, code)
		}
	}
}

func TestBuilt(t *testing.T) {
	r, err := wire.NewRequest(wire.IntID(2), "tools/call", []byte(`{"name":"t"}`))
	if err != nil || string(r.Raw()) != `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t"}}` || r.Name() != "t" {
		t.Errorf("%v, %v", r, err)
	}
	n, err := wire.NewNotification("notifications/initialized", nil)
	if err != nil || string(n.Raw()) != `{"jsonrpc":"2.0","method":"notifications/initialized"}` || n.Kind() != wire.Notification {
		t.Errorf("%v, %v", n, err)
	}
	a, err := wire.NewResult(wire.StringID("x"), []byte(`{}`))
	if err != nil || string(a.Raw()) != `{"jsonrpc":"2.0","id":"x","result":{}}` || a.Kind() != wire.Response {
		t.Errorf("%v, %v", a, err)
	}
	if m, err := wire.NewResult(wire.ID{}, []byte(`{}`)); err == nil || m != nil {
		t.Error("a result without an id was built")
	}
	if m, err := wire.NewRequest(wire.IntID(1), "tools/list", []byte(`[]`)); !fault.Is(err, fault.BadParams) || m != nil {
		t.Errorf("a request with array params was built: %v", err)
	}
	if m, err := wire.NewNotification("tools/call", []byte(`{"name":"t"}`)); !fault.Is(err, fault.BadMessage) || m != nil {
		t.Errorf("a call without an id was built: %v", err)
	}
}
