package filter

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// TestLearner tells what is learned of results, and of what comes back later.
func TestLearner(t *testing.T) {
	l := NewLearner()
	m := Match{Server: "crm", Tool: "find", Caller: "s1"}
	l.Observe(m, value(t, `{"structuredContent":{"list":[{"id":"c-100","name":"Ann"},{"id":"c-101","name":"Bob"}],"total":2},"content":[{"type":"text","text":"{\"other\":1}"}]}`), wire.Value{})
	l.Observe(m, value(t, `{"content":[{"type":"text","text":"{\"list\":[],\"total\":4711}"}]}`), wire.Value{})
	l.Observe(m, value(t, `{"isError":true,"content":[{"type":"text","text":"{\"why\":\"secret\"}"}]}`), wire.Value{})
	// One that comes back in two places of one call counts once; values of
	// another session do not come back.
	l.Observe(Match{Server: "erp", Tool: "get", Caller: "s1"}, wire.Value{}, value(t, `{"customer":"c-101","also":["c-100"],"n":"4711"}`))
	l.Observe(Match{Server: "erp", Tool: "get", Caller: "s2"}, wire.Value{}, value(t, `{"customer":"c-101"}`))
	l.Observe(Match{Server: "erp", Tool: "get", Caller: "s1"}, wire.Value{}, value(t, `{"customer":"c-100"}`))
	l.Observe(Match{Server: "erp", Tool: "get", Caller: "s1"}, wire.Value{}, value(t, `{"customer":"Eve","n":2}`))
	want := []Learned{{"crm", "find", 2, []Seen{{"list[*].id", 1, 2}, {"list[*].name", 1, 0}, {"total", 2, 1}}}}
	if got := l.Learned("crm", ""); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := l.Learned("crm", "other"); got != nil {
		t.Errorf("learned of a tool that nobody called: %+v", got)
	}
	var none *Learner
	none.Observe(m, value(t, `{}`), wire.Value{})
	if none.Learned("crm", "") != nil {
		t.Error("a nil Learner knows something")
	}
}

// TestLearnerKeepsNoValue tells that nothing of an answer but paths is held.
func TestLearnerKeepsNoValue(t *testing.T) {
	l := NewLearner()
	m := Match{Server: "crm", Tool: "find", Caller: "s"}
	l.Observe(m, value(t, `{"structuredContent":{"a":"CANARY-1","b":[4111111111111111,"CANARY-2"]}}`), value(t, `{"x":"CANARY-1"}`))
	if text := fmt.Sprintf("%+v %+v %#v", l, l.sessions["s"], l.Learned("crm", "")); strings.Contains(text, "CANARY") || strings.Contains(text, "4111111111111111") {
		t.Error(text)
	}
}

// TestLearnerIsBounded tells that no traffic makes it grow for ever.
func TestLearnerIsBounded(t *testing.T) {
	l := NewLearner()
	var b strings.Builder
	for i := range 2 * maxSeen {
		fmt.Fprintf(&b, `"m%d":"value %d",`, i, i)
	}
	many := value(t, "{"+strings.TrimSuffix(b.String(), ",")+"}")
	l.Observe(Match{Server: "s", Tool: "t", Caller: "x"}, many, wire.Value{})
	if n := len(l.Learned("s", "t")[0].Members); n != maxSeen {
		t.Errorf("%d members are learned", n)
	}
	if n := len(l.sessions["x"].marks); n > maxMarks {
		t.Errorf("%d values are remembered", n)
	}
	one := value(t, `{"a":"some value"}`)
	for i := range 2 * maxSessions { // 600 is more tools than are learned about
		l.Observe(Match{Server: "s", Tool: fmt.Sprint("t", i%600), Caller: fmt.Sprint("x", i)}, one, wire.Value{})
	}
	if len(l.sessions) > maxSessions || len(l.tools) > maxTools {
		t.Errorf("%d sessions, %d tools", len(l.sessions), len(l.tools))
	}
	if l.sessions[fmt.Sprint("x", 2*maxSessions-1)] == nil && (2*maxSessions-1)%600 < maxTools-1 {
		t.Error("the newest session is not remembered")
	}
}

// TestSuggest tells what is proposed, and that it can be applied.
func TestSuggest(t *testing.T) {
	all := []Learned{
		{"crm", "find", 3, []Seen{{"list[*].id", 3, 2}, {"list[*].name", 3, 0}, {`"x\" # y"`, 1, 0}, {"state", 3, 0}}},
		{"crm", "note", 1, []Seen{{"text", 1, 0}}},
		{"crm", "none", 1, nil},
	}
	text := Suggest(all, func(tool string) wire.Value {
		if tool != "find" {
			return wire.Value{}
		}
		return value(t, `{"type":"object","required":["state","list"],"properties":{"state":{"type":"string"},"list":{"type":"array","items":{"type":"object","required":["id"]}}}}`)
	})
	rules, err := ParseFor("crm", "proposal", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var got []string
	for _, r := range rules {
		for _, p := range r.keep {
			got = append(got, r.tool[0]+" "+p.String())
		}
	}
	if want := []string{"find list[*].id", "find state"}; !reflect.DeepEqual(got, want) || len(rules) != 2 || !rules[1].keeps {
		t.Errorf("got %v of %d rules\n%s", got, len(rules), text)
	}
	// Names come from servers: none begins a rule of its own.
	evil := Suggest([]Learned{{"s", "t\n  - drop: x", 1, []Seen{{"\"a\u2028\n    drop: [b]\"", 1, 0}, {"c", 1, 1}}}}, func(string) wire.Value { return wire.Value{} })
	if rules, err := Parse("evil", []byte(evil)); err != nil || len(rules) != 1 || len(rules[0].drop) != 0 {
		t.Errorf("%v: %s", err, evil)
	}
	if got := Suggest(nil, nil); !strings.Contains(got, "filter: []") {
		t.Error(got)
	}
}

// TestUnknownRequestsMeetEveryRule tells that an answer to a request which is not
// known is held to the rules of all tools, and that a list passes.
func TestUnknownRequestsMeetEveryRule(t *testing.T) {
	s := parse(t, `filter: [{server: crm, tool: find, keep: [id]}, {server: erp, drop: [id]}]`)
	for _, method := range []string{"", "GET", "subscriptions/listen"} {
		p := s.For(Match{Server: "crm", Method: method})
		m := answer(t, `{"content":[],"structuredContent":{"id":1,"x":2}}`)
		edits, _, err := p.Apply(m.Result(), nil)
		if err != nil || len(edits) == 0 {
			t.Errorf("%q: %d edits, %v", method, len(edits), err)
		}
		if edits, r, err := p.Apply(answer(t, `{"tools":[]}`).Result(), nil); err != nil || len(edits) > 0 || r != (Report{}) {
			t.Errorf("%q: a list: %v, %+v, %v", method, edits, r, err)
		}
	}
	for _, m := range []Match{{Server: "crm", Method: "tools/list"}, {Server: "crm", Method: "tools/call", Tool: "get"}, {Server: "x", Method: "tools/call", Tool: "find"}} {
		if s.For(m) != nil {
			t.Errorf("%+v has a plan", m)
		}
	}
	var none *Set
	if none.For(call) != nil {
		t.Error("no rules make a plan")
	}
}
