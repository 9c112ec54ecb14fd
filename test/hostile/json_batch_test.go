package hostile

import (
	"strings"
	"testing"
)

const (
	listed    = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	permitted = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}}`
	forbidden = `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"nothing","arguments":{}}}`
)

// Only 2025-03-26 knows batches; whatever else is wrong with one, none of its
// members is carried out (J14).
func TestJ14BatchesAreRefusedWhole(t *testing.T) {
	cases := []refusedText{
		{"mixed", "[" + listed + "," + forbidden + "]", badMessage("")},
		{"one", "[" + permitted + "]", badMessage("")},
		{"empty", "[]", badMessage("")},
		{"nested", "[[" + permitted + "]]", badMessage("")},
		{"with a scalar", "[" + permitted + ",1]", badMessage("")},
	}
	refuse(t, cases, "2026-07-28", "2025-11-25", "2025-06-18", "2024-11-05")
	refuse(t, append(cases[2:],
		refusedText{"10,000", "[" + strings.Repeat(permitted+",", 9_999) + permitted + "]", tooLarge()},
		refusedText{"initialize", "[" + listed + `,{"jsonrpc":"2.0","id":9,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{}}}]`, badMessage("")},
		refusedText{"a broken member", "[" + permitted + `,{"jsonrpc":"2.0","id":2,"id":3,"method":"ping"}]`, badMessage("")},
	), "2025-03-26")
	refuse(t, []refusedText{
		{"string", `"tools/list"`, badMessage("")}, {"number", "1", badMessage("")},
		{"null", "null", badMessage("")}, {"empty object", "{}", badMessage("")},
	})
}

// In 2025-03-26 each member is decided and recorded alone: what one agent may
// not do does not travel with what it may (J14).
func TestJ14MembersAreDecidedAlone(t *testing.T) {
	w := jsonWorld(t)
	c := w.client(t, "2025-03-26")
	got := c.Post("[" + listed + "," + permitted + "," + forbidden + "]")
	if got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	answers := strings.Join(got.Messages, "\n")
	for _, want := range []string{`"id":1`, `"id":2`, `"id":3`} {
		if strings.Count(answers, want) != 1 {
			t.Errorf("%s is answered %d times:\n%s", want, strings.Count(answers, want), answers)
		}
	}
	if calls := w.up.Calls("tools/call"); len(calls) != 1 || string(calls[0].Body) != permitted {
		t.Errorf("the server got %d calls", len(calls))
	}
	outcomes := map[string]string{}
	for _, r := range w.exchanges()[w.seen:] {
		if r.Parent != "" {
			outcomes[r.Method+" "+r.Name] = r.Outcome + " " + r.Reason
		}
	}
	want := map[string]string{"tools/list ": "ok ", "tools/call echo": "ok ", "tools/call nothing": "refused tool_unknown"}
	for k, v := range want {
		if outcomes[k] != v {
			t.Errorf("%s is recorded as %q, want %q", k, outcomes[k], v)
		}
	}
	if len(outcomes) != len(want) {
		t.Errorf("records: %v", outcomes)
	}
}
