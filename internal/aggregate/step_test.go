package aggregate

import (
	"context"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// TestRouting: what names one server goes there alone, under the server's own
// name; the answer comes back under ours.
func TestRouting(t *testing.T) {
	s := world(t)
	for _, c := range []struct{ method, params, server, sent string }{
		{"tools/call", `{ "name":"two__a__b" ,"arguments":{"name":"two__a"}}`, "two", `{ "name":"a__b" ,"arguments":{"name":"two__a"}}`},
		{"prompts/get", `{"name":"one___p"}`, "one", `{"name":"_p"}`},
		{"resources/read", `{"uri":"ostiary://one/file:///a"}`, "one", `{"uri":"file:///a"}`},
		{"resources/subscribe", `{"uri":"ostiary://one/a:b"}`, "one", `{"uri":"a:b"}`},
		{"resources/unsubscribe", `{"uri":"ostiary://one/a:b"}`, "one", `{"uri":"a:b"}`},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"one__p"},"argument":{"name":"one__x","value":""}}`, "one", `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"one__x","value":""}}`},
		{"completion/complete", `{"ref":{"type":"ref/resource","uri":"ostiary://two/f:///{x}"},"argument":{"name":"x","value":""}}`, "two", `{"ref":{"type":"ref/resource","uri":"f:///{x}"},"argument":{"name":"x","value":""}}`},
	} {
		up := &servers{other: answers(t, `{"content":[{"type":"resource_link","uri":"u:1"}],"contents":[]}`)}
		x := split(t, s, legacy(t, c.method, c.params))
		m := only(t, x, up)
		if got := up.asked(c.server, 0); !strings.HasSuffix(got, `"params":`+c.sent+`}`) || len(up.saw) != 1 {
			t.Errorf("%s %s: %s was sent to %d servers", c.method, c.params, got, len(up.saw))
		}
		if !strings.Contains(string(m.Raw()), `"uri":"ostiary://`+c.server+`/u:1"`) {
			t.Errorf("%s: the caller sees %s", c.method, m.Raw())
		}
		if x.Source != c.server || !x.Sent {
			t.Errorf("%s: source %q, sent %v", c.method, x.Source, x.Sent)
		}
	}
}

// TestRefusedRoutes: a name without a server, of an unknown one and of a hidden
// one look the same (H21).
func TestRefusedRoutes(t *testing.T) {
	s := world(t)
	for _, c := range []struct {
		method, params string
		kind           fault.Kind
	}{
		{"tools/call", `{"name":"a"}`, fault.Denied}, {"tools/call", `{"name":"hidden__a"}`, fault.Denied}, {"tools/call", `{"name":"nowhere__a"}`, fault.Denied},
		{"tools/call", `{"name":"One__a"}`, fault.Denied}, {"tools/call", `{"name":"one__"}`, fault.Denied}, {"prompts/get", `{"name":"__a"}`, fault.Denied},
		{"resources/read", `{"uri":"file:///a"}`, fault.ResourceUnknown}, {"resources/read", `{"uri":"ostiary://hidden/a"}`, fault.ResourceUnknown},
		{"resources/read", `{"uri":"ostiary://one"}`, fault.ResourceUnknown}, {"resources/subscribe", `{"uri":"ostiary://nowhere/a"}`, fault.ResourceUnknown},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":""}}`, fault.Denied},
		{"completion/complete", `{"ref":{"type":"ref/resource","uri":"f:///"},"argument":{"name":"a","value":""}}`, fault.ResourceUnknown},
		{"tasks/get", `{"taskId":"1"}`, fault.MethodUnknown}, {"tasks/list", `{}`, fault.MethodUnknown},
	} {
		x := legacy(t, c.method, c.params)
		wantKind(t, c.method+" "+c.params, s.Split(context.Background(), x), c.kind)
		if x.Join != nil {
			t.Errorf("%s: split all the same", c.params)
		}
	}
	x := modern(t, "tools/call", `,"name":"old__a"`)
	wantKind(t, "a server of the other era", s.Split(context.Background(), x), fault.Denied)
}

// TestNothingToSplit: exchanges of one server pass as they are.
func TestNothingToSplit(t *testing.T) {
	s := world(t)
	x := legacy(t, "tools/call", `{"name":"one__a"}`)
	x.Endpoint = "one"
	if err := s.Split(context.Background(), x); err != nil || x.Join != nil || !x.Request.Params().Get("name").Is("one__a") {
		t.Errorf("%v, %v", err, x.Join)
	}
	x = legacy(t, "ping", "{}")
	x.Join = static{x, "{}"}
	if err := s.Split(context.Background(), x); err != nil || x.Join.(static).x != x {
		t.Errorf("a batch was split again: %v", err)
	}
}

// TestBackToServer: answers to a server's question and resumed streams belong
// to the server they name.
func TestBackToServer(t *testing.T) {
	s := world(t)
	x := legacy(t, "ping", "{}")
	x.Request = parse(t, `{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}`, wire.FromClient)
	x.Fact = wire.Fact{}
	x.Pending = &exchange.Pending{Server: "two", ID: wire.IntID(4), Method: "roots/list"}
	up := &servers{other: func(context.Context, *exchange.Exchange) {}}
	if got, err := collect(t, split(t, s, x), up); err != nil || len(got) != 0 || len(up.saw["two"]) != 1 || up.saw["two"][0].Pending != x.Pending {
		t.Errorf("%d messages, %v", len(got), err)
	}
	x.Join, x.Pending = nil, &exchange.Pending{Server: "hidden"}
	wantKind(t, "an answer to a hidden server", s.Split(context.Background(), x), fault.Denied)

	x = &exchange.Exchange{ID: "x-1", Verb: exchange.Stream, Era: wire.Legacy, Version: wire.V20251125, Principal: x.Principal, Resume: &exchange.Resume{Server: "one", Event: "e"}}
	if err := s.Split(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	up = &servers{other: func(ctx context.Context, p *exchange.Exchange) {
		p.Message, p.Event = nil, wire.Event{ID: "1", HasID: true}
		if err := p.Face.Reply(ctx, p); err != nil {
			t.Error(err)
		}
		p.Event = wire.Event{}
		if err := p.Face.Reply(ctx, p); err != nil {
			t.Error(err)
		}
	}}
	frames := 0
	for a, err := range x.Join.Answers(context.Background(), up.run) {
		if err != nil || a.Event.ID != "1" {
			t.Errorf("%+v, %v", a, err)
		}
		frames++
	}
	if frames != 1 || len(up.saw["one"]) != 1 {
		t.Errorf("%d frames from %v", frames, up.saw)
	}
}

// TestRouteFailure: a refusal of the part is the caller's; what the server said
// before is passed on first.
func TestRouteFailure(t *testing.T) {
	s := world(t)
	x := split(t, s, legacy(t, "tools/call", `{"name":"one__a"}`))
	up := &servers{other: func(ctx context.Context, p *exchange.Exchange) {
		p.Message = parse(t, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`, wire.FromServer)
		if err := p.Face.Reply(ctx, p); err != nil {
			t.Error(err)
		}
		p.Fault = fault.New(fault.UpstreamLate)
	}}
	got, err := collect(t, x, up)
	wantKind(t, "the part's failure", err, fault.UpstreamLate)
	if len(got) != 1 {
		t.Errorf("%d messages", len(got))
	}
	x = split(t, s, legacy(t, "tools/call", `{"name":"one__a"}`))
	up = &servers{other: func(ctx context.Context, p *exchange.Exchange) {
		p.Final, p.Status = parse(t, `{"jsonrpc":"2.0","id":"r-1","error":{"code":-32601,"message":"m"}}`, wire.FromServer), 404
	}}
	if m := only(t, x, up); m.Kind() != wire.ErrorResponse || x.Status != 404 {
		t.Errorf("%s, status %d", m.Raw(), x.Status)
	}
}

// TestRouteCallerLeaves: the part is told when nobody reads any more.
func TestRouteCallerLeaves(t *testing.T) {
	s := world(t)
	x := split(t, s, legacy(t, "tools/call", `{"name":"one__a"}`))
	told := 0
	up := &servers{other: func(ctx context.Context, p *exchange.Exchange) {
		for range 3 {
			p.Message = parse(t, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`, wire.FromServer)
			if fault.Is(p.Face.Reply(ctx, p), fault.ClientGone) {
				told++
			}
		}
		p.Fault = fault.New(fault.ClientGone)
	}}
	for range x.Join.Answers(context.Background(), up.run) {
		break
	}
	if told != 3 {
		t.Errorf("told %d times", told)
	}
	up.other = answers(t, `{"content":[]}`)
	x = split(t, s, legacy(t, "tools/call", `{"name":"one__a"}`))
	for a, err := range x.Join.Answers(context.Background(), up.run) {
		if a.Message == nil || err != nil {
			t.Errorf("%+v, %v", a, err)
		}
		break
	}
}

func TestToAll(t *testing.T) {
	s := world(t)
	up := &servers{}
	if m := only(t, split(t, s, legacy(t, "ping", "")), up); string(m.Raw()) != `{"jsonrpc":"2.0","id":"r-1","result":{}}` || len(up.saw) != 0 {
		t.Errorf("ping: %s, asked %d", m.Raw(), len(up.saw))
	}
	if m := only(t, split(t, s, legacy(t, "logging/setLevel", `{"level":"info"}`)), up); string(m.Raw()) != `{"jsonrpc":"2.0","id":"r-1","result":{}}` || len(up.saw) != 4 {
		t.Errorf("setLevel: %s, asked %d", m.Raw(), len(up.saw))
	}
	for _, method := range []string{"notifications/initialized", "notifications/roots/list_changed", "notifications/cancelled"} {
		up := &servers{other: func(context.Context, *exchange.Exchange) {}}
		params := "{}"
		if method == "notifications/cancelled" {
			params = `{"requestId":"r-0"}`
		}
		got, err := collect(t, split(t, s, legacy(t, method, params)), up)
		if err != nil || len(got) != 0 || len(up.saw) != 4 {
			t.Errorf("%s: %d messages, %v, asked %d", method, len(got), err, len(up.saw))
		}
	}
}
