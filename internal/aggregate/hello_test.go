package aggregate

import (
	"context"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
)

const initialize = `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`

// TestHello: the union of what can be joined, the instructions under their
// server's heading, and nothing of a server that failed or is hidden.
func TestHello(t *testing.T) {
	s := world(t)
	up := &servers{says: map[string]func(context.Context, *exchange.Exchange){
		"one":   answers(t, `{"protocolVersion":"2025-11-25","serverInfo":{"name":"S1","version":"9"},"capabilities":{"tools":{"listChanged":true},"experimental":{"x":{}},"resources":{"subscribe":false}},"instructions":"Use \"it\"."}`),
		"two":   answers(t, `{"protocolVersion":"2025-11-25","serverInfo":{"name":"S2","version":"9"},"capabilities":{"tools":{},"resources":{"subscribe":true,"listChanged":false},"logging":{},"tasks":{}},"instructions":"Second."}`),
		"three": answers(t, "error -32603"),
	}}
	x := split(t, s, legacy(t, "initialize", initialize))
	m := only(t, x, up)
	const want = `{"jsonrpc":"2.0","id":"r-1","result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"ostiary","version":"1.2.3"},` +
		`"capabilities":{"logging":{},"resources":{"subscribe":true},"tools":{"listChanged":true}},` +
		`"instructions":"## one\nUse \"it\".\n\n## two\nSecond."}}`
	if string(m.Raw()) != want {
		t.Errorf("%s\nwant %s", m.Raw(), want)
	}
	if !x.Sent || len(up.saw["hidden"]) != 0 || up.saw["one"][0].Deadline != s.Patience {
		t.Errorf("sent %v, deadline %v", x.Sent, up.saw["one"][0].Deadline)
	}
}

// TestHelloAlone: without any server that answers, the gateway still is there.
func TestHelloAlone(t *testing.T) {
	s := world(t)
	m := only(t, split(t, s, modern(t, "server/discover", "")), &servers{})
	const want = `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"ttlMs":0,"cacheScope":"private",` +
		`"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"ostiary","version":"1.2.3"}},"capabilities":{}}}`
	if string(m.Raw()) != want {
		t.Errorf("%s\nwant %s", m.Raw(), want)
	}
	up := &servers{other: answers(t, `{"capabilities":{"prompts":{"listChanged":true},"completions":{}}}`)}
	m = only(t, split(t, s, modern(t, "server/discover", "")), up)
	if got := string(m.Result().Get("capabilities").Raw()); got != `{"completions":{},"prompts":{"listChanged":true}}` || len(up.saw["old"]) != 0 {
		t.Errorf("%s, asked old %d times", got, len(up.saw["old"]))
	}
}
