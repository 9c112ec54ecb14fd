package authorize

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// TestListFilter: what an agent may not call is cut out; every other byte is
// the server's own.
func TestListFilter(t *testing.T) {
	s := world(t)
	const head, tail = `{ "x":1.0, "tools" : [ `, ` ] ,"_meta":{"k":9007199254740993} }`
	x := called(t, s, legacy(t, "reader", "files", "tools/list", "{}"))
	if err := answered(t, s, x, result(head+putDef+` , `+listDef+`,{"name":"unknown"} , `+plainDef+tail)); err != nil {
		t.Fatal(err)
	}
	got := string(x.Message.Raw())
	for _, want := range []string{head, tail, listDef, plainDef} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
	for _, hidden := range []string{`"put"`, "unknown"} {
		if strings.Contains(got, hidden) {
			t.Errorf("%s\nshows %s", got, hidden)
		}
	}
}

func TestListUntouched(t *testing.T) {
	s := world(t)
	x := called(t, s, legacy(t, "owner", "files", "tools/list", "{}"))
	text := result(`{"tools":[` + listDef + ` ,` + putDef + `]}`)
	if err := answered(t, s, x, text); err != nil || string(x.Message.Raw()) != text {
		t.Errorf("%v, %s", err, x.Message.Raw())
	}
	x = called(t, s, legacy(t, "reader", "files", "resources/list", "{}"))
	text = result(`{"resources":[{"uri":"file:///a","name":"put"}]}`)
	if err := answered(t, s, x, text); err != nil || string(x.Message.Raw()) != text {
		t.Errorf("%v, %s", err, x.Message.Raw())
	}
	text = `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}`
	if err := answered(t, s, x, text); err != nil || string(x.Message.Raw()) != text {
		t.Errorf("an error of the server's own: %v, %s", err, x.Message.Raw())
	}
}

// TestDrift: a tool that is not the approved one stays out, and the gateway is
// told to look again. Order of members alone is no difference (L01).
func TestDrift(t *testing.T) {
	for name, c := range map[string]struct {
		shown  string
		stays  bool
		alarms int
	}{
		"same":          {putDef, true, 0},
		"other order":   {`{"inputSchema":{"type":"object"},"name":"put"}`, true, 0},
		"other text":    {`{"name":"put","description":"x","inputSchema":{"type":"object"}}`, false, 1},
		"unknown":       {`{"name":"fresh"}`, false, 1},
		"without name":  {`{"title":"put"}`, false, 0},
		"name a number": {`{"name":"PUT"}`, false, 1},
	} {
		s := world(t)
		alarms := 0
		s.Drift = func(server string) {
			if server != "files" {
				t.Errorf("alarm about %q", server)
			}
			alarms++
		}
		x := called(t, s, legacy(t, "owner", "files", "tools/list", "{}"))
		if err := answered(t, s, x, result(`{"tools":[`+c.shown+`]}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if stays := x.Message.Result().Get("tools").Len() == 1; stays != c.stays || alarms != c.alarms {
			t.Errorf("%s: stays %v, %d alarms", name, stays, alarms)
		}
	}
	alarms := 0
	s := world(t)
	s.Drift = func(string) { alarms++ }
	x := called(t, s, legacy(t, "owner", "files", "tools/list", "{}"))
	if err := answered(t, s, x, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`); err != nil || x.Drop != "" || alarms != 1 {
		t.Errorf("list_changed: %v, drop %q, %d alarms", err, x.Drop, alarms)
	}
}

// TestResumedList: a list whose answer comes on a resumed stream is filtered
// like any other.
func TestResumedList(t *testing.T) {
	s := world(t)
	x := &exchange.Exchange{Verb: exchange.Stream, Endpoint: "files", Era: wire.Legacy, Version: wire.V20251125, Capable: "{}"}
	x.Principal = legacy(t, "reader", "files", "ping", "{}").Principal
	x.Resume = &exchange.Resume{Server: "files", Request: wire.IntID(1)}
	called(t, s, x)
	if err := answered(t, s, x, result(`{"tools":[`+putDef+`,`+listDef+`]}`)); err != nil {
		t.Fatal(err)
	}
	if got := string(x.Message.Raw()); strings.Contains(got, `"put"`) || !strings.Contains(got, "list") {
		t.Error(got)
	}
	text := result(`{"content":[]}`)
	if err := answered(t, s, x, text); err != nil || string(x.Message.Raw()) != text {
		t.Errorf("%v, %s", err, x.Message.Raw())
	}
}

// TestHiddenHeaders: in the modern era a tool with broken header annotations is
// not offered, pinned or not.
func TestHiddenHeaders(t *testing.T) {
	s := world(t)
	x := called(t, s, modern(t, "owner", "raw", "tools/list", ""))
	if err := answered(t, s, x, result(`{"resultType":"complete","tools":[`+headerDef+`,`+listDef+`]}`)); err != nil || x.Message.Result().Get("tools").Len() != 1 {
		t.Errorf("%v, %s", err, x.Message.Raw())
	}
	x = called(t, s, legacy(t, "owner", "raw", "tools/list", "{}"))
	if err := answered(t, s, x, result(`{"tools":[`+headerDef+`,`+listDef+`]}`)); err != nil || x.Message.Result().Get("tools").Len() != 2 {
		t.Errorf("%v, %s", err, x.Message.Raw())
	}
}

// TestCaching is M20: nothing is shared between callers, nothing is kept for
// longer than an hour.
func TestCaching(t *testing.T) {
	s := world(t)
	for in, out := range map[string]string{
		`"cacheScope":"public","ttlMs":5`:                "\"cacheScope\":\"private\",\"ttlMs\":5",
		`"cacheScope":"private","ttlMs":3600000`:         `"cacheScope":"private","ttlMs":3600000`,
		`"ttlMs" : 315360000000, "cacheScope":"private"`: `"ttlMs" : 3600000, "cacheScope":"private"`,
		`"ttlMs":1e99`:        `"ttlMs":3600000`,
		`"cacheScope":"team"`: `"cacheScope":"private"`,
		`"x":"public"`:        `"x":"public"`,
	} {
		x := called(t, s, modern(t, "reader", "files", "resources/list", ""))
		if err := answered(t, s, x, result(`{"resultType":"complete","resources":[],`+in+`}`)); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if want := result(`{"resultType":"complete","resources":[],` + out + `}`); string(x.Message.Raw()) != want {
			t.Errorf("%s\nwant %s", x.Message.Raw(), want)
		}
	}
	x := called(t, s, legacy(t, "reader", "files", "resources/list", "{}"))
	text := result(`{"resources":[],"cacheScope":"public"}`)
	if err := answered(t, s, x, text); err != nil || string(x.Message.Raw()) != text {
		t.Errorf("a legacy answer changed: %v, %s", err, x.Message.Raw())
	}
}

func TestInitialize(t *testing.T) {
	s := world(t)
	for version, kind := range map[string]fault.Kind{
		"2025-11-25": "", "2024-11-05": "", "2026-07-28": fault.UpstreamBad, "1999-01-01": fault.UpstreamBad, "": fault.UpstreamBad,
	} {
		x := called(t, s, legacy(t, "reader", "files", "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}`))
		err := answered(t, s, x, result(`{"protocolVersion":"`+version+`","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`))
		wantKind(t, "version "+version, err, kind)
	}
	x := called(t, s, legacy(t, "reader", "files", "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}`))
	if err := answered(t, s, x, `{"jsonrpc":"2.0","id":9,"method":"roots/list"}`); err != nil || x.Drop != fault.BadMessage || x.Back != nil {
		t.Errorf("a question before the session began: %v, %q", err, x.Drop)
	}
}

// TestProgress is M15: progress comes with the caller's own token, or not at
// all.
func TestProgress(t *testing.T) {
	s := world(t)
	note := func(token string) string {
		return `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":1}}`
	}
	for _, c := range []struct {
		meta, token string
		passes      bool
	}{
		{`"_meta":{"progressToken":7}`, `7`, true}, {`"_meta":{"progressToken":"7"}`, `"7"`, true}, {`"_meta":{"progressToken":"7"}`, `7`, false},
		{`"_meta":{"progressToken":7}`, `8`, false}, {`"_meta":{}`, `7`, false}, {`"_meta":{"progressToken":9007199254740993}`, `9007199254740992`, false},
	} {
		x := called(t, s, legacy(t, "reader", "files", "tools/call", `{"name":"plain",`+c.meta+`}`))
		if err := answered(t, s, x, note(c.token)); err != nil || (x.Drop == "") != c.passes {
			t.Errorf("%s, %s: %v, drop %q", c.meta, c.token, err, x.Drop)
		}
	}
	x := &exchange.Exchange{Verb: exchange.Stream, Endpoint: "files", Era: wire.Legacy, Version: wire.V20251125}
	if err := answered(t, s, x, note("7")); err != nil || x.Drop == "" {
		t.Errorf("progress on a session's stream: %v", err)
	}
	x.Resume = &exchange.Resume{Request: wire.IntID(1), Progress: wire.IntID(7)}
	if err := answered(t, s, x, note("7")); err != nil || x.Drop != "" {
		t.Errorf("progress on a resumed stream: %v, %q", err, x.Drop)
	}
	if err := answered(t, s, x, note("8")); err != nil || x.Drop == "" {
		t.Errorf("another's progress on a resumed stream: %v", err)
	}
}

func TestNotifications(t *testing.T) {
	s := world(t)
	log := `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`
	x := called(t, s, modern(t, "reader", "files", "tools/call", `,"name":"plain"`))
	if err := answered(t, s, x, log); err != nil || x.Drop == "" {
		t.Errorf("a log that nobody asked for: %v", err)
	}
	text := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"plain",` + strings.TrimSuffix(modernMeta, "}") + `,"io.modelcontextprotocol/logLevel":"info"}}}`
	x = request(t, "reader", "files", wire.V20260728, text)
	if err := answered(t, s, x, log); err != nil || x.Drop != "" {
		t.Errorf("a log that was asked for: %v, %q", err, x.Drop)
	}
	for _, method := range []string{"notifications/invented", "notifications/initialized", "notifications/elicitation/complete"} {
		if err := answered(t, s, x, `{"jsonrpc":"2.0","method":"`+method+`"}`); err != nil || x.Drop != fault.MethodUnknown || x.Back != nil {
			t.Errorf("%s: %v, %q", method, err, x.Drop)
		}
	}
}

// TestUnexaminedList: the list of a server that was never examined
// still loses what policy does not allow.
func TestUnexaminedList(t *testing.T) {
	s := world(t)
	x := called(t, s, legacy(t, "reader", "raw", "tools/list", "{}"))
	if err := answered(t, s, x, result(`{"tools":[{"name":"look"},{"name":"other"}]}`)); err != nil {
		t.Fatal(err)
	}
	if got := string(x.Message.Raw()); strings.Contains(got, "other") || !strings.Contains(got, "look") {
		t.Error(got)
	}
}
