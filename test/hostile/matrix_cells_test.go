package hostile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
	"ostiary.dev/ostiary/test/doortest"
)

// check sends one cell and compares.
func (w *grid) check(t *testing.T, c *shown, one cell) {
	t.Helper()
	want := expected(t, one)
	got := one.send(t, c, want)
	l := looks[want]
	if l.reason != "" {
		w.reasons[l.reason]++
	}
	name := fmt.Sprintf("%s: %s %s%s on %q in %s", one.who.name, one.method, one.target, one.tool, one.server, one.version)
	if got.Status != want.statusIn(one.version) || got.Code() != l.code {
		t.Errorf("%s: answered %d, %d, want %q (%d, %d): %.200s", name, got.Status, got.Code(), want, want.statusIn(one.version), l.code, got.Body)
		return
	}
	if challenge := got.Header.Get("WWW-Authenticate"); (challenge != "") != (want == stranger || want == tooNarrow) {
		t.Errorf("%s: the challenge is %q", name, challenge)
	}
	if one.method == "tools/list" && !want.refused() {
		w.listed(t, name, one, got)
	}
}

// listed holds a list of tools to what calls of them would get.
func (w *grid) listed(t *testing.T, name string, one cell, got doortest.Reply) {
	t.Helper()
	var list struct {
		Tools []struct{ Name string }
	}
	if err := json.Unmarshal(got.Message().Result, &list); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var shown, want []string
	for _, tool := range list.Tools {
		shown = append(shown, tool.Name)
	}
	for _, b := range w.servers {
		for tool := range toolNeeds {
			call := one
			call.method, call.tool, call.target = "tools/call", tool, b.name
			full := tool
			if one.server == "" {
				call.legacy, full = b.legacy, b.name+"__"+tool
			} else if b.name != one.server {
				continue
			}
			if expected(t, call) == passes {
				want = append(want, full)
			}
		}
	}
	slices.Sort(shown)
	slices.Sort(want)
	if !slices.Equal(shown, want) {
		t.Errorf("%s: lists %v, and calls allow %v", name, shown, want)
	}
}

// send makes the request of a cell.
func (one cell) send(t *testing.T, c *shown, want verdict) doortest.Reply {
	t.Helper()
	switch {
	case want == opened:
		s := c.Open("GET", "")
		defer s.Close()
		return doortest.Reply{Status: s.Status, Header: s.Header}
	case one.method == "GET" || one.method == "DELETE":
		return c.Send(one.method, "")
	case one.notification:
		return c.Post(strings.Replace(c.Request("0", one.method, one.params()), `"id":0,`, "", 1))
	case one.method == "subscriptions/listen" && !want.refused():
		s := c.Open("POST", c.Request("7", one.method, one.params()))
		defer s.Close()
		e, err := s.Next()
		if err != nil {
			t.Errorf("a listen stream: %v", err)
		}
		return doortest.Reply{Status: s.Status, Header: s.Header, Messages: []string{e.Data}}
	}
	var name []doortest.Header // of what 2026-07-28 routes by a header
	if strings.HasPrefix(one.method, "tasks/") && one.version.Era() == wire.Modern {
		name = []doortest.Header{{Name: "Mcp-Name", Value: "t"}}
	}
	return c.Call("7", one.method, one.params(), name...)
}

// params are good for every method at once.
func (one cell) params() string {
	name, prompt, uri := one.tool, "greet", "test://one"
	if name == "" {
		name = prompt
	}
	if one.server == "" {
		name, prompt, uri = one.target+"__"+name, one.target+"__"+prompt, "ostiary://"+one.target+"/"+uri
	}
	arguments := map[string]string{"echo": `{"text":"x"}`, "add": `{"a":1,"b":2}`}[one.tool]
	if arguments == "" {
		arguments = "{}"
	}
	return fmt.Sprintf(`{"name":%q,"uri":%q,"arguments":%s,"ref":{"type":"ref/prompt","name":%q},"argument":{"name":"who","value":"a"},"taskId":"t","level":"info",`+
		`"notifications":{"toolsListChanged":true},"requestId":"none","progressToken":"none","progress":1,"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"m","version":"1"}}`,
		name, uri, arguments, prompt, one.version)
}
