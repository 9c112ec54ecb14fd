package wire_test

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// meta is the _meta of a modern request.
const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{},"url":{}},"extensions":{}},"progressToken":"p-1"}`

// seeds are realistic messages of every method, both eras and directions.
var seeds = []string{
	`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{}},"clientInfo":{"name":"inspector","title":"Inspector","version":"0.16.0"}}}`,
	`{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"logging":{},"prompts":{"listChanged":true},"resources":{"subscribe":true},"tools":{}},"serverInfo":{"name":"everything","version":"1.0.0"},"instructions":"Use the tools."}}`,
	`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
	`{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{` + meta + `}}`,
	`{"jsonrpc":"2.0","id":"d","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":3600000,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"2"}}}}`,
	`{"jsonrpc":"2.0","id":3,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":4,"method":"tools/list","params":{"cursor":"bmV4dA=="}}`,
	`{"jsonrpc":"2.0","id":4,"result":{"tools":[{"name":"get_weather","title":"Weather","description":"Gets \"weather\"\n for a city","inputSchema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"city":{"type":"string","x-mcp-header":"City"},"days":{"type":"integer","minimum":1,"maximum":9007199254740993}},"required":["city"]},"annotations":{"readOnlyHint":true},"execution":{"taskSupport":"optional"}}],"nextCursor":"p2"}}`,
	`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"get_weather","arguments":{"city":"Z\u00fcrich \ud83c\udf26","days":3,"exact":[1.0,-0,1e400,12345678901234567890],"nested":{"Name":1,"name":2}},` + meta + `}}`,
	`{"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"22\u00b0C"},{"type":"image","data":"iVBORw0KGgo=","mimeType":"image/png"},{"type":"resource_link","uri":"file:///a.txt","name":"a"},{"type":"resource","resource":{"uri":"file:///b","mimeType":"text/plain","text":"b"}}],"structuredContent":{"temperature":22.5},"isError":false}}`,
	`{"jsonrpc":"2.0","id":6,"result":{"resultType":"input_required","inputRequests":{"who":{"method":"elicitation/create","params":{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}},"requestState":"b3BhcXVl"}}`,
	`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"greet","arguments":{},"inputResponses":{"who":{"action":"accept","content":{"name":"Ada"}}},"requestState":"b3BhcXVl",` + meta + `}}`,
	`{"jsonrpc":"2.0","id":8,"method":"resources/list"}`,
	`{"jsonrpc":"2.0","id":8,"result":{"resources":[{"uri":"file:///a","name":"a","size":12,"annotations":{"audience":["user"],"priority":0.5}}],"ttlMs":0,"cacheScope":"private"}}`,
	`{"jsonrpc":"2.0","id":9,"method":"resources/templates/list","params":{}}`,
	`{"jsonrpc":"2.0","id":9,"result":{"resourceTemplates":[{"uriTemplate":"file:///{path}","name":"files"}]}}`,
	`{"jsonrpc":"2.0","id":10,"method":"resources/read","params":{"uri":"file:///a%20b"}}`,
	`{"jsonrpc":"2.0","id":10,"result":{"contents":[{"uri":"file:///a","text":"x"},{"uri":"file:///b","blob":"AAEC"}]}}`,
	`{"jsonrpc":"2.0","id":11,"method":"resources/subscribe","params":{"uri":"file:///a"}}`,
	`{"jsonrpc":"2.0","id":12,"method":"resources/unsubscribe","params":{"uri":"file:///a"}}`,
	`{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{` + meta + `,"notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///a"]}}}`,
	`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"},"notifications":{"toolsListChanged":true}}}`,
	`{"jsonrpc":"2.0","id":13,"method":"prompts/list"}`,
	`{"jsonrpc":"2.0","id":13,"result":{"prompts":[{"name":"review","arguments":[{"name":"code","required":true}]}]}}`,
	`{"jsonrpc":"2.0","id":14,"method":"prompts/get","params":{"name":"review","arguments":{"code":"x := 1\n"}}}`,
	`{"jsonrpc":"2.0","id":14,"result":{"description":"d","messages":[{"role":"user","content":{"type":"text","text":"Review"}}]}}`,
	`{"jsonrpc":"2.0","id":15,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"code","value":"x"},"context":{"arguments":{"lang":"go"}}}}`,
	`{"jsonrpc":"2.0","id":15,"result":{"completion":{"values":["x1","x2"],"total":2,"hasMore":false}}}`,
	`{"jsonrpc":"2.0","id":16,"method":"logging/setLevel","params":{"level":"debug"}}`,
	`{"jsonrpc":"2.0","id":17,"method":"tasks/get","params":{"taskId":"786512e2"}}`,
	`{"jsonrpc":"2.0","id":17,"result":{"taskId":"786512e2","status":"working","createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z","ttl":null,"pollInterval":5000}}`,
	`{"jsonrpc":"2.0","id":18,"method":"tasks/result","params":{"taskId":"786512e2"}}`,
	`{"jsonrpc":"2.0","id":19,"method":"tasks/cancel","params":{"taskId":"786512e2"}}`,
	`{"jsonrpc":"2.0","id":20,"method":"tasks/list","params":{}}`,
	`{"jsonrpc":"2.0","id":21,"method":"tasks/update","params":{"taskId":"t","inputResponses":{"a":{"action":"decline"}},` + meta + `}}`,
	`{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"Hi"}}],"modelPreferences":{"hints":[{"name":"m"}],"costPriority":0.3},"systemPrompt":"s","maxTokens":100}}`,
	`{"jsonrpc":"2.0","id":"s1","result":{"role":"assistant","content":{"type":"text","text":"Hello"},"model":"m","stopReason":"endTurn"}}`,
	`{"jsonrpc":"2.0","id":"e1","method":"elicitation/create","params":{"mode":"url","message":"Log in","url":"https://example.com/x","elicitationId":"e"}}`,
	`{"jsonrpc":"2.0","id":"e1","result":{"action":"accept","content":{"Name":"a","age":30}}}`,
	`{"jsonrpc":"2.0","id":"r1","method":"roots/list"}`,
	`{"jsonrpc":"2.0","id":"r1","result":{"roots":[{"uri":"file:///home","name":"home"}]}}`,
	`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"123","reason":"user"}}`,
	`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":0.5,"total":1,"message":"half"}}`,
	`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","logger":"db","data":{"error":"lost","details":[1,2]}}}`,
	`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
	`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`,
	`{"jsonrpc":"2.0","method":"notifications/resources/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}`,
	`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///a"}}`,
	`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`,
	`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e"}}`,
	`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t","status":"completed","createdAt":"x","lastUpdatedAt":"y","ttl":60000}}`,
	`{"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"t","status":"completed","result":{"content":[{"type":"text","text":"x"}]}}}`,
	`{"jsonrpc":"2.0","id":22,"error":{"code":-32602,"message":"Unknown tool: x","data":{"hint":"y"}}}`,
	`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}`,
	"{\r\n  \"jsonrpc\" : \"2.0\",\n\t\"id\": 23,\n  \"method\": \"tools/list\"\n}\n",
}

// TestSeedsAreAccepted holds that realistic messages pass, and that they cover
// the facts table.
func TestSeedsAreAccepted(t *testing.T) {
	all := strings.Join(seeds, "\n")
	for _, s := range seeds {
		accept(t, wire.FromServer, s)
		accept(t, wire.FromClient, s)
	}
	for _, f := range wire.Facts() {
		if !strings.Contains(all, `"method":"`+f.Method+`"`) {
			t.Errorf("no seed has %s", f.Method)
		}
	}
}
