package wrapper

import (
	"net/http"
	"strings"
	"testing"
)

// list is the answer to tools/list of a tool that wants its argument "region"
// in a header, and one whose annotation breaks the rules.
func list(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[` +
		`{"name":"query","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}},` +
		`{"name":"odd","inputSchema":{"type":"object","properties":{"a":{"type":"object","x-mcp-header":"A b"}}}}]}}`
}

func complete(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"resultType":"complete","content":[]}}`
}

const mismatchError = `{"jsonrpc":"2.0","id":2,"error":{"code":-32020,"message":"Mcp-Param-Region is missing; repeat the value of the body in it."}}`

func TestModernHeadersRepeatTheBody(t *testing.T) {
	a := open(t, func(w http.ResponseWriter, r *http.Request, body string) {
		switch methodOf(body) {
		case "tools/list":
			jsonAnswer(w, 200, list("1"))
		default:
			jsonAnswer(w, 200, complete("2"))
		}
	}, nil)
	a.send(modernLine("1", "tools/list", ""))
	a.want(list("1"))
	call := modernLine("2", "tools/call", `,"name":"query","arguments":{"region":"caf\u00e9"}`)
	a.send(call)
	a.want(complete("2"))
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	all := a.requests()
	if len(all) != 2 || all[1].body != call {
		t.Fatalf("requests %q", a.methods())
	}
	for name, want := range map[string]string{
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "query",
		"Mcp-Param-Region": "=?base64?Y2Fmw6k=?=", "Mcp-Session-Id": "",
	} {
		if got := all[1].head.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(a.log.String(), `"odd"`) {
		t.Errorf("log %s", a.log)
	}
}

// An app may know a tool from an earlier run, so that no list passed by.
func TestMismatchedCallLearnsTheToolAndIsSentAgain(t *testing.T) {
	a := open(t, func(w http.ResponseWriter, r *http.Request, body string) {
		switch {
		case methodOf(body) == "tools/list":
			events(w)("data: " + list(`"ostiary-wrap-0"`) + "\n\n")
		case r.Header.Get("Mcp-Param-Region") == "":
			jsonAnswer(w, 400, mismatchError)
		default:
			jsonAnswer(w, 200, complete("2"))
		}
	}, nil)
	a.send(modernLine("2", "tools/call", `,"name":"query","arguments":{"region":"eu"}`))
	a.want(complete("2"))
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	all := a.requests()
	if len(all) != 3 || all[2].head.Get("Mcp-Param-Region") != "eu" {
		t.Fatalf("requests %q", a.methods())
	}
	if strings.Contains(all[1].body, "progressToken") || !strings.Contains(all[1].body, `"io.modelcontextprotocol/clientCapabilities":{}`) {
		t.Errorf("the list asks with %s", all[1].body)
	}
}

func TestMismatchThatStaysIsTheAnswer(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"list does not help": func(w http.ResponseWriter) {
			jsonAnswer(w, 200, strings.Replace(list(`"ostiary-wrap-0"`), "query", "other", 1))
		},
		"list refused":     func(w http.ResponseWriter) { w.WriteHeader(429) },
		"list of another":  func(w http.ResponseWriter) { jsonAnswer(w, 200, list("8")) },
		"still mismatched": func(w http.ResponseWriter) { jsonAnswer(w, 200, list(`"ostiary-wrap-0"`)) },
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, func(w http.ResponseWriter, r *http.Request, body string) {
				if methodOf(body) == "tools/list" {
					answer(w)
					return
				}
				jsonAnswer(w, 400, mismatchError)
			}, nil)
			a.send(modernLine("2", "tools/call", `,"name":"query","arguments":{"region":"eu"}`))
			a.want(mismatchError)
			if err := a.end(); err != nil {
				t.Fatal(err)
			}
			if n := len(a.requests()); n > 3 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestModernErrorsPass(t *testing.T) {
	unsupported := `{"jsonrpc":"2.0","id":2,"error":{"code":-32022,"message":"The protocol version is not supported.","data":{"supported":["2026-07-28"],"requested":"2026-07-28"}}}`
	a := open(t, func(w http.ResponseWriter, _ *http.Request, _ string) { jsonAnswer(w, 400, unsupported) }, nil)
	a.send(modernLine("2", "tools/call", `,"name":"t"`))
	a.want(unsupported)
	a.send(modernLine("2", "server/discover", ""))
	a.want(unsupported)
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
}

func TestModernCancelClosesTheStream(t *testing.T) {
	gone, begun := make(chan bool), make(chan bool)
	note := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}`
	a := open(t, func(w http.ResponseWriter, r *http.Request, body string) {
		events(w)("data: " + note + "\n\n")
		close(begun)
		<-r.Context().Done()
		close(gone)
	}, nil)
	a.send(modernLine(`"x"`, "tools/call", `,"name":"t"`))
	<-begun
	a.want(note)
	a.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}`)
	<-gone
	if err := a.end(); err != nil { // also wants that no answer came
		t.Fatal(err)
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests; a modern cancellation is not posted", n)
	}
}

func TestBrokenModernStreamIsNotResumed(t *testing.T) {
	a := open(t, func(w http.ResponseWriter, _ *http.Request, _ string) { events(w)("id: a\ndata:\n\n") }, nil)
	a.send(modernLine("1", "tools/call", `,"name":"t"`))
	a.wantLike(`"id":1,`, "ended before the answer", "upstream_gone")
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestListenStreamPassesAndEndsWithTheInput(t *testing.T) {
	ack := `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1},"notifications":{"toolsListChanged":true}}}`
	change := `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`
	a := open(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		events(w)("data: " + ack + "\n\n:\n\ndata: " + change + "\n\n")
		<-r.Context().Done()
	}, nil)
	a.send(modernLine("1", "subscriptions/listen", `,"notifications":{"toolsListChanged":true}`))
	a.want(ack)
	a.want(change)
	if err := a.in.Close(); err != nil {
		t.Fatal(err)
	}
	a.wantLike(`"id":1,"error"`) // at once, although the grace is a minute
	if err := <-a.ended; err != nil {
		t.Fatal(err)
	}
}

func TestModernNotificationCarriesTheVersion(t *testing.T) {
	a := open(t, func(w http.ResponseWriter, _ *http.Request, body string) {
		if methodOf(body) == "server/discover" {
			jsonAnswer(w, 200, complete("1"))
			return
		}
		w.WriteHeader(202)
	}, nil)
	a.send(modernLine("1", "server/discover", ""))
	a.want(complete("1"))
	a.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	all := a.requests()
	if h := all[len(all)-1].head; h.Get("MCP-Protocol-Version") != "2026-07-28" || h.Get("Mcp-Method") != "notifications/progress" {
		t.Errorf("notification with %v", h)
	}
}
