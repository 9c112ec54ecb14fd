package forward

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// asks sends a request over the pipe and returns the call and the line that
// the server sees.
func asks(t *testing.T, p *pipe, c *tape, text string) (*call, string) {
	t.Helper()
	k, err := p.ask(legacy(t, p.owner.srv, text))
	if err != nil {
		t.Fatal(err)
	}
	return k, <-c.written
}

// reads returns what the call yields, up to its answer.
func reads(ctx context.Context, p *pipe, k *call) (texts []string, err error) {
	k.yield(ctx, p, func(a exchange.Answer, e error) bool {
		if err = e; e == nil && a.Message != nil {
			texts = append(texts, string(a.Message.Raw()))
		}
		return err == nil && !isAnswer(a.Message)
	})
	return texts, err
}

const list = `,"method":"tools/list","params":{}`

// TestPipeIDs: each call has an id of its own on the pipe; the caller gets back
// what it sent, by type and by digits, whatever the order of the answers (M12).
func TestPipeIDs(t *testing.T) {
	p, c, _ := piping(t, false)
	ids := []string{`7`, `"7"`, `9007199254740993`, `7`, `"\u0061"`}
	var calls []*call
	for i, id := range ids {
		k, line := asks(t, p, c, `"id":`+id+list)
		if want := `{"jsonrpc":"2.0","id":` + string(rune('1'+i)) + list + `}`; line != want {
			t.Errorf("%s\nwant %s", line, want)
		}
		calls = append(calls, k)
	}
	for i := len(ids) - 1; i >= 0; i-- {
		c.lines <- `{"jsonrpc":"2.0","id":` + string(rune('1'+i)) + `,"result":{"tools":[],"n":1.0}}`
	}
	for i, id := range ids {
		got, err := reads(t.Context(), p, calls[i])
		if want := `{"jsonrpc":"2.0","id":` + id + `,"result":{"tools":[],"n":1.0}}`; err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
}

// TestPipeDropsAnswers: an answer that nobody waits for, a second one, and one
// under another spelling go nowhere.
func TestPipeDropsAnswers(t *testing.T) {
	p, c, h := piping(t, false)
	k, _ := asks(t, p, c, `"id":1`+list)
	for _, id := range []string{`2`, `"1"`, `-1`, `99999999999999999999`} {
		c.lines <- `{"jsonrpc":"2.0","id":` + id + `,"result":{"tools":[{"name":"stray"}]}}`
	}
	c.lines <- `{"jsonrpc":"2.0","error":{"code":-32000,"message":"whose?"}}`
	c.lines <- ``
	c.lines <- `{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`
	c.lines <- `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"second"}]}}`
	got, err := reads(t.Context(), p, k)
	if err != nil || len(got) != 1 || strings.Contains(got[0], "name") {
		t.Errorf("%s, %v", got, err)
	}
	k, _ = asks(t, p, c, `"id":2`+list)
	c.lines <- `{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}`
	if got, err := reads(t.Context(), p, k); err != nil || len(got) != 1 {
		t.Errorf("%s, %v", got, err)
	}
	if len(k.frames) != 0 || !h.logged(errNoCall.Error()) {
		t.Error("a stray answer was queued or went unnoticed")
	}
	gone, _ := asks(t, p, c, `"id":3`+list)
	p.drop(gone)
	c.lines <- `{"jsonrpc":"2.0","id":3,"result":{"tools":[]}}`
	k, _ = asks(t, p, c, `"id":4`+list)
	c.lines <- `{"jsonrpc":"2.0","id":4,"result":{"tools":[]}}`
	if _, err := reads(t.Context(), p, k); err != nil || len(gone.frames) != 0 {
		t.Errorf("a late answer was queued: %v", err)
	}
}

// TestPipeProgress is M15: tokens are the pipe's own, restored for the caller
// that asked, and unknown ones go nowhere.
func TestPipeProgress(t *testing.T) {
	p, c, _ := piping(t, false)
	note := func(token string) string {
		return `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":0.50}}`
	}
	a, line := asks(t, p, c, `"id":"a","method":"tools/call","params":{"name":"t","_meta":{"progressToken":"same"}}`)
	if !strings.Contains(line, `"progressToken":1}`) {
		t.Error(line)
	}
	b, _ := asks(t, p, c, `"id":"b","method":"tools/call","params":{"name":"t","_meta":{"progressToken":"same"}}`)
	none, _ := asks(t, p, c, `"id":"c","method":"tools/call","params":{"name":"t"}`)
	for _, token := range []string{`"same"`, `"1"`, `3`, `4`, `2`, `1`} {
		c.lines <- note(token)
	}
	for i, k := range []*call{a, b, none} {
		c.lines <- `{"jsonrpc":"2.0","id":` + string(rune('1'+i)) + `,"result":{"content":[]}}`
		got, err := reads(t.Context(), p, k)
		switch {
		case err != nil:
			t.Error(err)
		case k == none && len(got) != 1:
			t.Errorf("progress without a token: %s", got)
		case k != none && (len(got) != 2 || got[0] != note(`"same"`)):
			t.Errorf("%s", got)
		}
	}
}

// TestPipeCancel is M14: a cancellation names a call of this pipe or goes
// nowhere; initialize cannot be cancelled.
func TestPipeCancel(t *testing.T) {
	p, c, _ := piping(t, false)
	cancelled := func(id string) *wire.Message {
		return parsed(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+id+`,"reason":"r"}}`, wire.FromClient)
	}
	asks(t, p, c, `"id":"q"`+list)
	quiet, _ := asks(t, p, c, `"id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"n","version":"1"}}`)
	for _, id := range []string{`1`, `"other"`, `"i"`, `"q"`} {
		if err := p.notify(cancelled(id)); err != nil {
			t.Error(err)
		}
	}
	if line := <-c.written; line != string(cancelled("1").Raw()) || len(c.written) != 0 {
		t.Errorf("%s and %d more", line, len(c.written))
	}
	p.cancel(quiet)
	if len(c.written) != 0 {
		t.Error("initialize was cancelled")
	}
	k, _ := asks(t, p, c, `"id":"left"`+list)
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(fault.New(fault.ClientGone))
	_, err := reads(ctx, p, k)
	wantKind(t, "who left", err, fault.ClientGone)
	if line := <-c.written; line != `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}` {
		t.Error(line)
	}
}

// TestPipeEndsOnJunk is U08: after a line that is no message nothing is framed
// any more.
func TestPipeEndsOnJunk(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		kind fault.Kind
	}{
		"text": {"listening on port 1", fault.UpstreamBad}, "half": {`{"jsonrpc":"2.0","id":1`, fault.UpstreamBad}, "two": {`{"jsonrpc":"2.0","id":1,"result":{}}{}`, fault.UpstreamBad},
		"twice": {`{"jsonrpc":"2.0","id":1,"result":{},"result":{}}`, fault.UpstreamBad}, "invalid text": {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xff\"}}", fault.UpstreamBad},
		"escapes": {"\x1b[31m{}", fault.UpstreamBad}, "large": {`{"jsonrpc":"2.0","id":1,"result":{"a":"` + strings.Repeat("x", 2000) + `"}}`, fault.UpstreamTooLarge},
	} {
		p, tape, h := piping(t, false)
		p.owner.wire.Bytes = 1000
		k, _ := asks(t, p, tape, `"id":1`+list)
		tape.lines <- c.line
		_, err := reads(t.Context(), p, k)
		wantKind(t, name, err, c.kind)
		<-tape.stopped // the server is ended
		_, err = p.ask(legacy(t, p.owner.srv, `"id":2`+list))
		wantKind(t, name+", later", err, c.kind)
		if !h.logged("malformed") {
			t.Errorf("%s: no log", name)
		}
	}
}

// TestPipeAnswerBeforeEnd: an answer that came counts, although the server
// ended right after it.
func TestPipeAnswerBeforeEnd(t *testing.T) {
	for range 50 {
		p, c, _ := piping(t, false)
		k, _ := asks(t, p, c, `"id":1`+list)
		go func() {
			c.lines <- `{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`
			close(c.lines)
		}()
		if got, err := reads(t.Context(), p, k); err != nil || len(got) != 1 {
			t.Fatalf("%s, %v", got, err)
		}
		<-p.done
		k = &call{own: 9, frames: make(chan exchange.Answer), cut: make(chan struct{})}
		_, err := reads(t.Context(), p, k)
		wantKind(t, "who waits after the end", err, fault.UpstreamGone)
	}
}

// TestPipeCutsTheSlow: a call whose caller does not read is cut when its queue
// is full; others go on.
func TestPipeCutsTheSlow(t *testing.T) {
	p, c, _ := piping(t, false, func(c *Config) { c.Limits.Queue = 2 })
	slow, _ := asks(t, p, c, `"id":"slow","method":"tools/call","params":{"name":"t","_meta":{"progressToken":1}}`)
	for range 4 {
		c.lines <- `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`
	}
	<-slow.cut
	other, _ := asks(t, p, c, `"id":"other"`+list)
	c.lines <- `{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}`
	if got, err := reads(t.Context(), p, other); err != nil || len(got) != 1 {
		t.Errorf("%s, %v", got, err)
	}
	got, err := reads(t.Context(), p, slow)
	wantKind(t, "the slow caller", err, fault.Busy)
	if len(got) != 2 {
		t.Errorf("%d frames", len(got))
	}
}

// TestPipeBytes: what waits for one caller is bounded in bytes too.
func TestPipeBytes(t *testing.T) {
	p, c, _ := piping(t, false)
	large := `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"` + strings.Repeat("x", queueBytes*2/5) + `"}}`
	k, _ := asks(t, p, c, `"id":1`+list)
	for range 3 {
		c.lines <- large
	}
	<-k.cut
	got, err := reads(t.Context(), p, k)
	wantKind(t, "the slow caller", err, fault.Busy)
	if len(got) != 2 || k.held.Load() != 0 {
		t.Errorf("%d frames, %d bytes held", len(got), k.held.Load())
	}
	k, _ = asks(t, p, c, `"id":2`+list)
	c.lines <- large
	c.lines <- large
	c.lines <- `{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}`
	if got, err := reads(t.Context(), p, k); err != nil || len(got) != 3 || k.held.Load() != 0 {
		t.Errorf("%d frames, %v, %d bytes held", len(got), err, k.held.Load())
	}
	p.owner.wire.Bytes = queueBytes
	if n := p.queueLimit(); n != 2*queueBytes {
		t.Errorf("%d bytes of room for larger messages", n)
	}
}

// TestPipePace: a flood of notifications is thinned, requests are not (M15).
func TestPipePace(t *testing.T) {
	p, c, _ := piping(t, false, func(c *Config) { c.Limits.PerSecond, c.Clock = 3, noon() })
	k, _ := asks(t, p, c, `"id":1`+list)
	for range 20 {
		c.lines <- `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`
	}
	c.lines <- `{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`
	if got, err := reads(t.Context(), p, k); err != nil || len(got) != 4 {
		t.Errorf("%d frames, %v", len(got), err)
	}
}

// TestPipeStream: what belongs to no call waits, bounded, for the session's
// stream; there is one stream at a time.
func TestPipeStream(t *testing.T) {
	noted := make(chan error, 16)
	p, c, _ := piping(t, false, func(c *Config) {
		c.Limits.Queue, c.Log = 2, func(_, _ string, err error) { noted <- err }
	})
	log := func(n string) string {
		return `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":` + n + `}}`
	}
	for _, n := range []string{"1", "2", "3"} {
		c.lines <- log(n)
	}
	if err := <-noted; err != errNobody { // all three were read
		t.Fatal(err)
	}
	x := &exchange.Exchange{Verb: exchange.Stream}
	if err := p.attach(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a second stream", p.attach(t.Context(), &exchange.Exchange{}), fault.StreamTaken)
	var got []string
	for a, err := range x.Answers {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, string(a.Message.Raw())); len(got) == 2 {
			break
		}
	}
	if got[0] != log("1") || got[1] != log("2") {
		t.Errorf("%s", got)
	}
	if err := p.attach(t.Context(), x); err != nil {
		t.Errorf("a stream after the first one ended: %v", err)
	}
	// A list change goes on the stream even while a call is under way; a log
	// goes with the call; a question goes to the latest call.
	first, _ := asks(t, p, c, `"id":8`+list)
	latest, _ := asks(t, p, c, `"id":9`+list)
	c.lines <- toolsChanged
	c.lines <- `{"jsonrpc":"2.0","id":"q","method":"roots/list"}`
	c.lines <- `{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`
	c.lines <- `{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}`
	if got, err := reads(t.Context(), p, first); err != nil || len(got) != 1 {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := reads(t.Context(), p, latest); err != nil || len(got) != 2 || !strings.Contains(got[0], "roots/list") {
		t.Errorf("%s, %v", got, err)
	}
	c.lines <- log("4")
	close(c.lines)
	got = nil
	var last error
	for a, err := range x.Answers {
		if last = err; err == nil {
			got = append(got, string(a.Message.Raw()))
		}
	}
	wantKind(t, "the server ended", last, fault.UpstreamGone)
	if len(got) != 2 || got[0] != toolsChanged || got[1] != log("4") {
		t.Errorf("%s", got)
	}
}

// TestPipeStreamEndsInOrder: a stream ends without an error when its session
// ends here.
func TestPipeStreamEndsInOrder(t *testing.T) {
	p, _, _ := piping(t, false)
	x := &exchange.Exchange{}
	if err := p.attach(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	p.stop()
	for a, err := range x.Answers {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestPipeOfSeveral: on a pipe that carried calls of several principals, what
// names no call is nobody's, and the server may ask nobody (S08).
func TestPipeOfSeveral(t *testing.T) {
	p, c, _ := piping(t, false)
	as := func(id, agent string) *call {
		x := modern(t, p.owner.srv, `"id":`+id+`,"method":"tools/call","params":{"name":"t",`+modernMeta+`}`)
		x.Principal.ID = agent
		k, err := p.ask(x)
		if err != nil {
			t.Fatal(err)
		}
		<-c.written
		return k
	}
	const log = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"of a"}}`
	a := as("1", "a")
	c.lines <- log
	c.lines <- `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`
	if got, err := reads(t.Context(), p, a); err != nil || len(got) != 2 {
		t.Errorf("%s, %v", got, err)
	}
	b := as("2", "b")
	c.lines <- log
	c.lines <- `{"jsonrpc":"2.0","id":"q","method":"roots/list"}`
	if line := <-c.written; !strings.Contains(line, `"id":"q"`) || !strings.Contains(line, "-32601") {
		t.Errorf("the server is told %s", line)
	}
	c.lines <- `{"jsonrpc":"2.0","id":2,"result":{"content":[]}}`
	if got, err := reads(t.Context(), p, b); err != nil || len(got) != 1 {
		t.Errorf("%s, %v", got, err)
	}
}

// TestPipeAlone: an examination has no client, so it declines questions.
func TestPipeAlone(t *testing.T) {
	p, c, _ := piping(t, true)
	got := make(chan error, 1)
	go func() {
		_, err := p.request(context.Background(), "tools/list", []byte("{}"))
		got <- err
	}()
	<-c.written
	c.lines <- `{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`
	if line := <-c.written; !strings.Contains(line, `"id":"q"`) || !strings.Contains(line, "-32601") {
		t.Errorf("the server is told %s", line)
	}
	c.lines <- `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m"}}`
	if err := <-got; err != nil {
		t.Error(err)
	}
	p.stop()
	_, err := p.request(t.Context(), "tools/list", nil)
	wantKind(t, "after the end", err, fault.UpstreamGone)
}

// TestPipeHandshake: the client is introduced with what it declared.
func TestPipeHandshake(t *testing.T) {
	session := &exchange.Session{Version: wire.V20250618, Capabilities: `{"roots":{}}`, ClientInfo: `{"name":"c","version":"2"}`}
	for name, c := range map[string]struct {
		answer string
		kind   fault.Kind
	}{
		"accepted": {`"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`, ""},
		"refused":  {`"error":{"code":-32600,"message":"m"}`, fault.UpstreamBad},
	} {
		p, tape, h := piping(t, false)
		done := make(chan error, 1)
		go func() { done <- p.handshake(context.Background(), session, h.limits.Start) }()
		line := <-tape.written
		if !strings.Contains(line, `"params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"2"}}`) {
			t.Errorf("%s", line)
		}
		tape.lines <- `{"jsonrpc":"2.0","id":1,` + c.answer + `}`
		wantKind(t, name, <-done, c.kind)
		if c.kind == "" {
			if line := <-tape.written; !strings.Contains(line, "notifications/initialized") {
				t.Error(line)
			}
		}
	}
	if !strings.Contains(string(initializeParams(&exchange.Session{Version: wire.V20241105, Capabilities: "{}"})), `"name":"ostiary"`) {
		t.Error("no name for an unnamed client")
	}
}

// TestPipeListen: the hub's stream on a shared pipe gets what names its own
// request, and is cancelled when nobody listens any more.
func TestPipeListen(t *testing.T) {
	p, c, _ := piping(t, false)
	p.owner.shared = p
	l := listen(t, p.owner.hub, `"l"`, `{"toolsListChanged":true}`)
	if line := <-c.written; !strings.Contains(line, `"id":1,"method":"subscriptions/listen"`) || !strings.Contains(line, `"toolsListChanged":true`) {
		t.Error(line)
	}
	c.lines <- acked("9", `{"promptsListChanged":true}`) // of no stream
	c.lines <- acked("1", `{"toolsListChanged":true}`)
	l.next(t, acked(`"l"`, `{"toolsListChanged":true}`))
	c.lines <- `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`
	l.next(t, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}`)
	l.cancel(fault.New(fault.ClientGone))
	<-l.ended
	if line := <-c.written; line != `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}` {
		t.Error(line)
	}
}

// TestPipeListenRefused: a server on a pipe that does not know the method ends
// the wait of everybody who would listen, and is asked again by the next one.
func TestPipeListenRefused(t *testing.T) {
	p, c, _ := piping(t, false)
	p.owner.shared = p
	for id := 1; id <= 2; id++ {
		l := listen(t, p.owner.hub, `"l"`, `{"toolsListChanged":true}`)
		if line := <-c.written; !strings.Contains(line, fmt.Sprintf(`"id":%d,"method":"subscriptions/listen"`, id)) {
			t.Error(line)
		}
		c.lines <- fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"Method not found"}}`, id)
		<-l.ended
		if !fault.Is(l.err, fault.MethodUnknown) {
			t.Errorf("ended with %v", l.err)
		}
	}
}
