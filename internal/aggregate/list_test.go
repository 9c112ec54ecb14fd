package aggregate

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// TestListJoins: the items of all servers in the order of their ids, each byte
// for byte its server's but for the name.
func TestListJoins(t *testing.T) {
	s := world(t)
	up := &servers{says: map[string]func(context.Context, *exchange.Exchange){
		"one":   answers(t, `{"tools":[{ "title":"name","name" : "a" ,"n":1.0},{"name":"b c"},{"title":"none"}]}`),
		"two":   answers(t, `{"tools":[{"name":"a","inputSchema":{"properties":{"name":{"x":9007199254740993}}}}]}`),
		"three": answers(t, `{"tools":[{"name":"\u0062"}]}`),
		"old":   answers(t, "error -32601"),
	}}
	m := only(t, split(t, s, legacy(t, "tools/list", "")), up)
	const want = `{"jsonrpc":"2.0","id":"r-1","result":{"tools":[{ "title":"name","name" : "one__a" ,"n":1.0},{"name":"three__b"},{"name":"two__a","inputSchema":{"properties":{"name":{"x":9007199254740993}}}}]}}`
	if string(m.Raw()) != want {
		t.Errorf("%s\nwant %s", m.Raw(), want)
	}
	if len(up.saw["hidden"]) != 0 {
		t.Error("a server without a grant was asked")
	}
	for _, c := range []struct{ method, key, in, out string }{
		{"resources/list", "resources", `{"uri":"file:///a","name":"n"}`, `{"uri":"ostiary://one/file:///a","name":"n"}`},
		{"resources/templates/list", "resourceTemplates", `{"uriTemplate":"file:///{p}","name":"n"}`, `{"uriTemplate":"ostiary://one/file:///{p}","name":"n"}`},
		{"prompts/list", "prompts", `{"name":"p"}`, `{"name":"one__p"}`},
	} {
		up := &servers{other: answers(t, "error -32601"), says: map[string]func(context.Context, *exchange.Exchange){"one": answers(t, `{"`+c.key+`":[`+c.in+`]}`)}}
		m := only(t, split(t, s, legacy(t, c.method, "{}")), up)
		if want := `"result":{"` + c.key + `":[` + c.out + `]}}`; !strings.HasSuffix(string(m.Raw()), want) {
			t.Errorf("%s\nwant %s", m.Raw(), want)
		}
	}
}

// TestListPartial: a server that fails is left out and named; a list of the
// modern era then may not be kept.
func TestListPartial(t *testing.T) {
	s := world(t)
	up := &servers{says: map[string]func(context.Context, *exchange.Exchange){
		"one": answers(t, `{"resultType":"complete","ttlMs":9000,"cacheScope":"public","tools":[{"name":"a"}]}`),
		"two": answers(t, "error -32603"),
	}}
	m := only(t, split(t, s, modern(t, "tools/list", "")), up)
	const want = `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{"name":"one__a"}],"_meta":{"dev.ostiary/partial":["three","two"]}}}`
	if string(m.Raw()) != want {
		t.Errorf("%s\nwant %s", m.Raw(), want)
	}
	if len(up.saw["old"]) != 0 {
		t.Error("a server of the other era was asked")
	}
	up.other = answers(t, `{"resultType":"complete","ttlMs":4000,"cacheScope":"private","tools":[]}`)
	up.says["two"] = nil
	m = only(t, split(t, s, modern(t, "tools/list", "")), up)
	if ttl, _ := m.Result().Get("ttlMs").Int(); ttl != 4000 || !m.Result().Get("cacheScope").Is("private") {
		t.Errorf("%s", m.Raw())
	}
	up = &servers{}
	m = only(t, split(t, s, legacy(t, "tools/list", "")), up)
	if m.Result().Get("tools").Len() != 0 || m.Result().At("_meta", "dev.ostiary/partial").Len() != 4 {
		t.Errorf("every server failed: %s", m.Raw())
	}
}

// pages returns a server of n pages; only the last one has an item.
func pages(t *testing.T, n int) func(context.Context, *exchange.Exchange) {
	return func(ctx context.Context, p *exchange.Exchange) {
		page := 1
		if cursor, ok := p.Request.Params().Get("cursor").Text(); ok {
			if _, err := fmt.Sscanf(cursor, "page-%d", &page); err != nil {
				t.Errorf("cursor %q", cursor)
			}
		}
		if page >= n {
			answers(t, `{"tools":[{"name":"last"}]}`)(ctx, p)
			return
		}
		answers(t, fmt.Sprintf(`{"tools":[],"nextCursor":"page-%d"}`, page+1))(ctx, p)
	}
}

// TestEmptyPages: pages that came out empty are followed by the next, up to
// eight, then the caller gets a cursor.
func TestEmptyPages(t *testing.T) {
	s := world(t)
	for _, params := range []string{"", "{}", `{"_meta":{}}`} {
		up := &servers{other: answers(t, "error -32601"), says: map[string]func(context.Context, *exchange.Exchange){"one": pages(t, 3)}}
		m := only(t, split(t, s, legacy(t, "tools/list", params)), up)
		if m.Result().Get("tools").Len() != 1 || m.Result().Get("nextCursor").Exists() || len(up.saw["one"]) != 3 || len(up.saw["two"]) != 1 {
			t.Errorf("params %s: %s after %d pages", params, m.Raw(), len(up.saw["one"]))
		}
	}
	up := &servers{other: answers(t, "error -32601"), says: map[string]func(context.Context, *exchange.Exchange){"one": pages(t, 10)}}
	m := only(t, split(t, s, legacy(t, "tools/list", "")), up)
	cursor, ok := m.Result().Get("nextCursor").Text()
	if m.Result().Get("tools").Len() != 0 || !ok || len(up.saw["one"]) != mostPages {
		t.Fatalf("%s after %d pages", m.Raw(), len(up.saw["one"]))
	}
	m = only(t, split(t, s, legacy(t, "tools/list", `{"cursor":"`+cursor+`"}`)), up)
	if m.Result().Get("tools").Len() != 1 || m.Result().Get("nextCursor").Exists() || len(up.saw["one"]) != 10 {
		t.Errorf("%s after %d pages", m.Raw(), len(up.saw["one"]))
	}
	if len(up.saw["two"]) != 1 {
		t.Errorf("a server at its end was asked %d times", len(up.saw["two"]))
	}
}

// TestEmptyCursor: "" is a cursor like any other, not the first page again.
func TestEmptyCursor(t *testing.T) {
	s := world(t)
	up := &servers{other: answers(t, "error -32601"), says: map[string]func(context.Context, *exchange.Exchange){
		"one": answers(t, `{"tools":[{"name":"a"}],"nextCursor":""}`, `{"tools":[{"name":"b"}]}`),
	}}
	m := only(t, split(t, s, legacy(t, "tools/list", "")), up)
	cursor, _ := m.Result().Get("nextCursor").Text()
	m = only(t, split(t, s, legacy(t, "tools/list", `{"cursor":"`+cursor+`"}`)), up)
	if m.Result().Get("tools").Len() != 1 || m.Result().Get("nextCursor").Exists() || !strings.Contains(up.asked("one", 1), `"cursor":""`) {
		t.Errorf("%s; asked %s", m.Raw(), up.asked("one", 1))
	}
}

// TestCursors: a cursor of ours is for one caller, one list, one policy and one
// hour; what is in it is not to be read.
func TestCursors(t *testing.T) {
	s := world(t)
	up := &servers{other: answers(t, `{"tools":[{"name":"a"}],"nextCursor":"secret-cursor"}`)}
	m := only(t, split(t, s, legacy(t, "tools/list", "")), up)
	cursor, ok := m.Result().Get("nextCursor").Text()
	if !ok || strings.Contains(cursor, "secret") {
		t.Fatalf("cursor %q", cursor)
	}
	with := func(method, cursor string, change func(*exchange.Exchange)) error {
		x := legacy(t, method, `{"cursor":`+cursor+`}`)
		change(x)
		return s.Split(context.Background(), x)
	}
	keep := func(*exchange.Exchange) {}
	quoted := `"` + cursor + `"`
	wantKind(t, "its own", with("tools/list", quoted, keep), "")
	wantKind(t, "another principal's", with("tools/list", quoted, func(x *exchange.Exchange) { x.Principal.ID = "b" }), fault.CursorInvalid)
	wantKind(t, "another method's", with("prompts/list", quoted, keep), fault.CursorInvalid)
	wantKind(t, "expired", with("tools/list", quoted, func(x *exchange.Exchange) { x.Start = start.Add(cursorLife + time.Second) }), fault.CursorInvalid)
	for _, bad := range []string{`""`, `"x"`, `"secret-cursor"`, `"` + cursor + `A"`, `"` + cursor[1:] + `"`} {
		wantKind(t, bad, with("tools/list", bad, keep), fault.CursorInvalid)
	}
	odd := s.Handles.Seal("cursor", "a", "tools/list 3", []byte(`[]`), start.Add(time.Hour))
	wantKind(t, "another shape", with("tools/list", `"`+odd+`"`, keep), fault.CursorInvalid)
	s.Live.Swap(snapshot(4, "one"))
	wantKind(t, "of an earlier policy", with("tools/list", quoted, keep), fault.CursorInvalid)
}

// TestCursorOfHiddenServer: what is no longer granted is not asked, whatever
// the cursor says.
func TestCursorOfHiddenServer(t *testing.T) {
	s := world(t)
	handle := s.Handles.Seal("cursor", "a", "tools/list 3", []byte(`{"hidden":"c","one":null}`), start.Add(time.Hour))
	up := &servers{other: answers(t, `{"tools":[{"name":"a"}]}`)}
	m := only(t, split(t, s, legacy(t, "tools/list", `{"cursor":"`+handle+`"}`)), up)
	if len(up.saw["hidden"]) != 0 || len(up.saw["one"]) != 1 || len(up.saw["two"]) != 0 || strings.Contains(up.asked("one", 0), "cursor") {
		t.Errorf("%s; asked %q", m.Raw(), up.asked("one", 0))
	}
}

// TestListParts: each part has the list's patience as its limit, and gives
// what it holds to its parent, which reads its answer later.
func TestListParts(t *testing.T) {
	s := world(t)
	released := 0
	up := &servers{other: func(ctx context.Context, p *exchange.Exchange) {
		if deadline, ok := ctx.Deadline(); p.Deadline != s.Patience || !ok || deadline.IsZero() {
			t.Errorf("deadline %v", p.Deadline)
		}
		p.Held, p.Release = 10, []func(){func() { released++ }}
		answers(t, `{"tools":[]}`)(ctx, p)
	}}
	x := split(t, s, legacy(t, "tools/list", ""))
	only(t, x, up)
	if x.Held != 40 || len(x.Release) != 4 || released != 0 || !x.Sent {
		t.Errorf("held %d, %d releases, sent %v", x.Held, len(x.Release), x.Sent)
	}
	for server, parts := range up.saw {
		p := parts[0]
		if p.Parent != "x-1" || p.ID == "x-1" || p.Endpoint != server || p.Principal.ID != "a" || p.Mirrors.HasMethod || p.Held != 0 {
			t.Errorf("part of %s: %+v", server, p)
		}
		if p.Session == x.Session || p.Session.ID != "s-1" {
			t.Error("parts share the session value")
		}
	}
}

func TestWithCursor(t *testing.T) {
	c := "c"
	for in, out := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`:                              `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"c"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`:                  `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"c"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"} }`:     `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"c"} }`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"a":1.0}}}`: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"a":1.0},"cursor":"c"}}`,
	} {
		m, err := withCursor(parse(t, in, wire.FromClient), &c)
		if err != nil || string(m.Raw()) != out {
			t.Errorf("%s: %v, %s", in, err, m.Raw())
		}
	}
	m, err := withCursor(parse(t, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}`, wire.FromClient), nil)
	if err != nil || m.Params().Get("cursor").Exists() {
		t.Errorf("%v, %s", err, m.Raw())
	}
}
