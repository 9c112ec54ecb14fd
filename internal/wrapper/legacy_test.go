package wrapper

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestLegacySession(t *testing.T) {
	asked := make(chan bool)
	a := open(t, legacy(func(w http.ResponseWriter, r *http.Request, body string) {
		if r.Method == "GET" {
			close(asked)
			w.WriteHeader(405)
			return
		}
		jsonAnswer(w, 200, result("1"))
	}), nil)
	a.shake()
	<-asked
	a.send(callLine("1", "t"))
	a.want(result("1"))
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	for _, r := range a.requests() {
		id, version := r.head.Get("Mcp-Session-Id"), r.head.Get("MCP-Protocol-Version")
		if first := methodOf(r.body) == "initialize"; first != (id == "") || first != (version == "") {
			t.Errorf("%s %s carries session %q and version %q", r.method, r.body, id, version)
		}
		if r.method == "POST" && (r.head.Get("Accept") != "application/json, text/event-stream" || r.head.Get("Content-Type") != "application/json") {
			t.Errorf("POST with Accept %q and Content-Type %q", r.head.Get("Accept"), r.head.Get("Content-Type"))
		}
	}
	methods := a.methods()
	if methods[len(methods)-1] != "DELETE" || methods[0] != "POST initialize" || !slices.Contains(methods, "GET") {
		t.Errorf("requests %q", methods)
	}
}

func TestOlderVersionGetsNoVersionHeader(t *testing.T) {
	a := open(t, func(w http.ResponseWriter, r *http.Request, body string) {
		w.Header().Set("Mcp-Session-Id", "s")
		jsonAnswer(w, 200, strings.ReplaceAll(initResult, "2025-11-25", "2025-03-26"))
	}, nil)
	a.send(initialize)
	a.wantLike(`"2025-03-26"`)
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	last := a.requests()[1]
	if last.method != "DELETE" || last.head.Get("Mcp-Session-Id") != "s" || last.head.Get("MCP-Protocol-Version") != "" {
		t.Errorf("last request %+v", last)
	}
}

// Bytes must not change on the way: number spellings, escapes, key order,
// white space within the line, unknown members.
func TestBytesPassUnchanged(t *testing.T) {
	request := `{ "id" : 12345678901234567890123, "params":{"name":"t","arguments":{"b":1e400,"a":-0,"s":"\u00e9\/"}, "x":null},"method":"tools/call" , "jsonrpc":"2.0"}`
	answer := `{ "result":{"content":[],"n":9007199254740993,"z":1,"a":0.10},  "id":12345678901234567890123,"jsonrpc":"2.0"}`
	broken := strings.Replace(answer, ",  ", ",\r\n", 1)
	for name, h := range map[string]handler{
		"json":  func(w http.ResponseWriter, _ *http.Request, _ string) { jsonAnswer(w, 200, broken) },
		"event": func(w http.ResponseWriter, _ *http.Request, _ string) { events(w)("data: " + answer + "\n\n") },
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, noStream(h), nil)
			a.shake()
			a.send(request)
			a.want(answer)
			if err := a.end(); err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(a.requests(), func(r seen) bool { return r.body == request })
			if !found {
				t.Error("the gateway got other bytes than the app sent")
			}
		})
	}
}

func TestStreamedAnswerWithServerRequest(t *testing.T) {
	reply := make(chan string, 1)
	ask := `{"jsonrpc":"2.0","id":"srv","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}`
	note := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`
	a := open(t, noStream(func(w http.ResponseWriter, r *http.Request, body string) {
		if methodOf(body) == "" {
			reply <- body
			w.WriteHeader(202)
			return
		}
		send := events(w)
		send(": keep-alive\n\nevent: message\ndata: " + note + "\n\ndata: " + ask + "\n\n")
		<-reply
		send("data: " + result("1") + "\n\n")
	}), nil)
	a.shake()
	a.send(callLine("1", "t"))
	a.want(note)
	a.want(ask)
	answer := `{"jsonrpc":"2.0","id":"srv","result":{"action":"decline"}}`
	a.send(answer)
	a.want(result("1"))
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	if all := a.requests(); !slices.ContainsFunc(all, func(r seen) bool {
		return r.body == answer && r.head.Get("Mcp-Session-Id") == sessionID
	}) {
		t.Error("the app's answer did not arrive as it was")
	}
}

func TestRequestsRunSideBySide(t *testing.T) {
	const n = 32
	var all sync.WaitGroup
	all.Add(n)
	a := open(t, noStream(func(w http.ResponseWriter, r *http.Request, body string) {
		all.Done()
		all.Wait() // each waits until the gateway has every one
		_, rest, _ := strings.Cut(body, `"id":`)
		id, _, _ := strings.Cut(rest, ",")
		jsonAnswer(w, 200, result(id))
	}), nil)
	a.shake()
	want := map[string]bool{}
	for i := range n {
		id := fmt.Sprint(i + 1)
		want[result(id)] = true
		a.send(callLine(id, "t"))
	}
	for range n {
		line := a.read()
		if !want[line] {
			t.Fatalf("line %s", line)
		}
		delete(want, line)
	}
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingOvertakesInitialize(t *testing.T) {
	a := open(t, noStream(func(w http.ResponseWriter, r *http.Request, body string) {
		jsonAnswer(w, 200, result("1"))
	}), nil)
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(a.in, initialize+"\n"+initDone+"\n"+callLine("1", "t")+"\n")
		written <- err
	}()
	a.want(initResult)
	a.want(result("1"))
	if err := errors.Join(<-written, a.end()); err != nil {
		t.Fatal(err)
	}
	var posts []string
	for _, m := range a.methods() {
		if strings.HasPrefix(m, "POST") {
			posts = append(posts, m)
		}
	}
	want := []string{"POST initialize", "POST notifications/initialized", "POST tools/call"}
	if !slices.Equal(posts, want) {
		t.Errorf("order %q", posts)
	}
}

func TestSecondInitializeEndsTheFirstSession(t *testing.T) {
	a := open(t, noStream(nil), nil)
	a.shake()
	a.shake()
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	deleted := 0
	for _, m := range a.methods() {
		if m == "DELETE" {
			deleted++
		}
	}
	if deleted != 2 {
		t.Errorf("%d of 2 sessions were ended: %q", deleted, a.methods())
	}
}

func TestEndedSessionIsToldAndNotReplaced(t *testing.T) {
	theirs := `{"jsonrpc":"2.0","id":1,"error":{"code":31009,"message":"The session is unknown or has ended; send initialize again."}}`
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   []string
	}{
		"the gateway's error": {func(w http.ResponseWriter) { jsonAnswer(w, 404, theirs) }, []string{theirs}},
		"error without id": {func(w http.ResponseWriter) { jsonAnswer(w, 404, strings.Replace(theirs, `"id":1,`, "", 1)) },
			[]string{`"id":1`, `"code":31009`}},
		"bare 404": {func(w http.ResponseWriter) { w.WriteHeader(404) }, []string{`"id":1,`, `31009`, "restart"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) { tc.answer(w) }), nil)
			a.shake()
			a.send(callLine("1", "t"))
			a.wantLike(tc.want...)
			if err := a.end(); err != nil {
				t.Fatal(err)
			}
			count := 0
			for _, m := range a.methods() {
				if m == "POST initialize" {
					count++
				}
			}
			if count != 1 || !strings.Contains(a.log.String(), "session has ended") {
				t.Errorf("%d initialize; log %s", count, a.log)
			}
		})
	}
}

func TestLegacyCancelIsForwardedAndUnanswered(t *testing.T) {
	begun, cancelled := make(chan bool), make(chan bool)
	a := open(t, noStream(func(w http.ResponseWriter, r *http.Request, body string) {
		switch methodOf(body) {
		case "notifications/cancelled":
			w.WriteHeader(202)
			close(cancelled)
		default:
			events(w)
			close(begun)
			<-cancelled // then the stream ends without an answer
		}
	}), nil)
	a.shake()
	a.send(callLine("1", "t"))
	<-begun
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"r"}}`
	a.send(cancel)
	<-cancelled
	if err := a.end(); err != nil { // also wants that no line came
		t.Fatal(err)
	}
	if !slices.ContainsFunc(a.requests(), func(r seen) bool { return r.body == cancel }) {
		t.Error("the cancellation was not forwarded as it was")
	}
}

func TestCancelOfInitializeAndStrangersGoesNowhere(t *testing.T) {
	a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, body string) {
		t.Errorf("the gateway got %s", body)
	}), nil)
	a.shake()
	a.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}`)
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
}

func TestBatchPassesAsItIs(t *testing.T) {
	batch := `[` + callLine("1", "t") + `, ` + callLine(`"b"`, "t") + `,{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}]`
	answers := `[` + result(`"b"`) + ` ,` + result("1") + `]`
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   []string
	}{
		"one array":  {func(w http.ResponseWriter) { jsonAnswer(w, 200, answers) }, []string{answers}},
		"two events": {func(w http.ResponseWriter) { events(w)("data: " + result("1") + "\n\ndata: " + result(`"b"`) + "\n\n") }, []string{result("1"), result(`"b"`)}},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, body string) {
				if body != batch {
					t.Errorf("the gateway got %s", body)
				}
				tc.answer(w)
			}), nil)
			a.shake()
			a.send(batch)
			for _, line := range tc.want {
				a.want(line)
			}
			if err := a.end(); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) {
			jsonAnswer(w, 400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"No batches here."}}`)
		}), nil)
		a.shake()
		a.send(batch)
		a.wantLike(`[{"jsonrpc":"2.0","id":1,"error":`, `},{"jsonrpc":"2.0","id":"b","error":`, "No batches here.", "]")
		if err := a.end(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBatchWithACancelledMember(t *testing.T) {
	begun, cancelled := make(chan bool), make(chan bool)
	a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, body string) {
		if methodOf(body) == "notifications/cancelled" {
			w.WriteHeader(202)
			close(cancelled)
			return
		}
		close(begun)
		<-cancelled
		jsonAnswer(w, 200, "["+result("1")+",\n"+result("2")+",\n"+result("3")+"]")
	}), nil)
	a.shake()
	a.send("[" + callLine("1", "t") + "," + callLine("2", "t") + "," + callLine("3", "t") + "]")
	<-begun
	a.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`)
	a.want("[" + result("1") + "," + result("3") + "]")
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
}

func TestBatchThatGoesWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		send, answer string
		want         []string
	}{
		"id twice":         {"[" + callLine("1", "t") + "," + callLine("1", "t") + "]", "", []string{"-32600"}},
		"initialize":       {"[" + initialize + "]", "", []string{"-32600"}},
		"bad member":       {"[1]", "", []string{"-32600"}},
		"missing answer":   {"[" + callLine("1", "t") + "," + callLine("2", "t") + "]", "[" + result("2") + "]", []string{"[" + result("2") + "]", `[{"jsonrpc":"2.0","id":1,"error"`}},
		"stranger's":       {"[" + callLine("1", "t") + "," + callLine("2", "t") + "]", "[" + result("2") + "," + result("9") + "]", []string{"[" + result("2") + "]", `[{"jsonrpc":"2.0","id":1,"error"`}},
		"broken answer":    {"[" + callLine("1", "t") + "]", "[{]", []string{`[{"jsonrpc":"2.0","id":1,"error"`}},
		"member no answer": {"[" + callLine("1", "t") + "]", "[7]", []string{`[{"jsonrpc":"2.0","id":1,"error"`}},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) { jsonAnswer(w, 200, tc.answer) }), nil)
			a.shake()
			a.send(tc.send)
			for _, part := range tc.want {
				a.wantLike(part)
			}
			if err := a.end(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBatchOfNotificationsIsPosted(t *testing.T) {
	batch := "[" + `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}` + "]"
	a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(400) }), nil)
	a.shake()
	a.send(batch)
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(a.requests(), func(r seen) bool { return r.body == batch }) {
		t.Error("the batch was not posted")
	}
	if !strings.Contains(a.log.String(), "did not take a batch") {
		t.Errorf("log %s", a.log)
	}
}
