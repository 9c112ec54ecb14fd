package hostile

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// questions are what a server may ask of a client, with what the client must
// have declared.
var questions = []struct{ method, params, capability, answer string }{
	{"sampling/createMessage", `{"messages":[],"maxTokens":1}`, `{"sampling":{}}`, `{"role":"assistant","model":"m","content":{"type":"text","text":"yes"}}`},
	{"elicitation/create", `{"message":"Which?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}`, `{"elicitation":{}}`, `{"action":"decline"}`},
	{"roots/list", `{}`, `{"roots":{}}`, `{"roots":[]}`},
}

// asks makes the main server ask within a call; what it is told comes on the
// channel, and the call ends after it.
func (w *site) asks(method, params string) <-chan doortest.Message {
	told := make(chan doortest.Message, 1)
	w.up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) {
		answer, ok := c.Ask(`"q"`, method, params)
		if !ok {
			c.Close()
			return
		}
		told <- answer
		done(c, r)
	})
	return told
}

func (w *site) m16Questions(t *testing.T) {
	defer w.up.On("tools/call", nil)
	for _, q := range questions {
		t.Run(q.method+" undeclared", func(t *testing.T) {
			told := w.asks(q.method, q.params)
			c := w.legacy(t, "a", "main", `{}`)
			w.blocked(t, c, told, "capability_missing")
		})
		t.Run(q.method+" declared", func(t *testing.T) { w.m16Answered(t, q.method, q.params, q.capability, q.answer) })
	}
	t.Run("modern", func(t *testing.T) { // there a server asks in its result, never by a request
		const answer = `{"jsonrpc":"2.0","id":%ID%,"result":{"resultType":"complete","content":[]}}`
		w.up.On("tools/call", doortest.Events(`{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`, answer))
		n := len(w.Exchanges())
		r := w.client(t, "a", "main").Post(withCaps("1", "tools/call", wants, `"name":"echo","arguments":{}`))
		if strings.Contains(string(r.Body), "sampling") || r.Message().Method != "" {
			t.Errorf("the client saw %q", r.Messages)
		}
		if rec := w.last(t, n); rec.Dropped != 1 && rec.Outcome != "failed" {
			t.Errorf("record %s", rec.Line)
		}
	})
	for _, method := range []string{"tools/call", "foo/bar", "initialize"} {
		t.Run(method, func(t *testing.T) {
			told := w.asks(method, `{"name":"echo"}`)
			c := w.legacy(t, "a", "main", `{"sampling":{},"elicitation":{},"roots":{}}`)
			w.blocked(t, c, told, "method_unknown")
		})
	}
}

// blocked calls a tool whose server asks what is not allowed: the caller sees
// the answer alone, the server an error, the record what was withheld.
func (w *site) blocked(t *testing.T, c *doortest.Client, told <-chan doortest.Message, reason string) {
	t.Helper()
	n := len(w.Exchanges())
	r := c.Tool("1", "echo", `{}`)
	if len(r.Messages) != 1 || r.Message().Result == nil {
		t.Errorf("the caller saw %q", r.Messages)
	}
	if answer := <-told; answer.Error == nil || string(answer.ID) != `"q"` {
		t.Errorf("the server was told %+v", answer)
	}
	if rec := w.last(t, n); rec.Dropped != 1 || !strings.Contains(string(rec.Line), `"drop_reason":"`+reason+`"`) {
		t.Errorf("record %s", rec.Line)
	}
}

// m16Answered lets the right client answer, once, and nobody else.
func (w *site) m16Answered(t *testing.T, method, params, capability, result string) {
	told := w.asks(method, params)
	c, other := w.legacy(t, "a", "main", capability), w.legacy(t, "b", "main", capability)
	s := c.Open("POST", c.Request("1", "tools/call", `{"name":"echo","arguments":{}}`))
	e, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	asked := doortest.Envelope([]byte(e.Data))
	if asked.Method != method || string(asked.ID) == `"q"` || len(asked.ID) < 24 {
		t.Fatalf("the client was asked %s", e.Data)
	}
	answer := func(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,"result":` + result + `}` }
	for _, id := range []string{`"q"`, "1", string(asked.ID)} { // by another, or under another id
		w.quiet(t, "bad_message", 400, -32600, func() doortest.Reply { return other.Post(answer(id)) })
	}
	w.quiet(t, "bad_message", 400, -32600, func() doortest.Reply { return c.Post(answer(`"q"`)) })
	if r := c.Post(answer(string(asked.ID))); r.Status != 202 {
		t.Errorf("the answer got %d %s", r.Status, r.Body)
	}
	if got := <-told; string(got.ID) != `"q"` || string(got.Result) != result {
		t.Errorf("the server was told %+v", got)
	}
	if e, err = s.Next(); err != nil || !strings.Contains(e.Data, `"result"`) {
		t.Errorf("%q %v", e.Data, err)
	}
	w.quiet(t, "bad_message", 400, -32600, func() doortest.Reply { return c.Post(answer(string(asked.ID))) })
}

const wants = `{"elicitation":{"form":{},"url":{}},"sampling":{}}`

func (w *site) m17State(t *testing.T) {
	const state = `server state/+é\u0041 1`
	inner := `{"resultType":"input_required","requestState":"` + state + `"}`
	defer w.up.On("tools/call", nil)
	w.up.On("tools/call", doortest.Answer(inner))
	a, b := w.client(t, "a", "main"), w.client(t, "b", "main")
	first := a.Post(withCaps("1", "tools/call", wants, `"name":"echo","arguments":{"x":1}`))
	_, sealed, ok := strings.Cut(string(first.Message().Result), `"requestState":"`)
	sealed, _, end := strings.Cut(sealed, `"`)
	if !ok || !end || strings.Contains(sealed, "server state") {
		t.Fatalf("%d %s", first.Status, first.Body)
	}
	again := func(tool, arguments, state string) string {
		return withCaps("2", "tools/call", wants, `"name":"`+tool+`","arguments":`+arguments+`,"inputResponses":{},"requestState":"`+state+`"`)
	}
	flipped := sealed[:len(sealed)/2] + map[bool]string{true: "B", false: "A"}[sealed[len(sealed)/2] == 'A'] + sealed[len(sealed)/2+1:]
	for name, k := range map[string]struct {
		c    *doortest.Client
		body string
	}{
		"another principal": {b, again("echo", `{"x":1}`, sealed)},
		"another tool":      {a, again("other", `{"x":1}`, sealed)},
		"other arguments":   {a, again("echo", `{"x":2}`, sealed)},
		"a flipped bit":     {a, again("echo", `{"x":1}`, flipped)},
		"cut short":         {a, again("echo", `{"x":1}`, sealed[:len(sealed)-4])},
		"the server's own":  {a, again("echo", `{"x":1}`, "server state")},
		"empty":             {a, again("echo", `{"x":1}`, "")},
		"another server":    {w.client(t, "a", "two"), again("echo", `{"x":1}`, sealed)},
		"through /mcp":      {w.client(t, "a", ""), again("main__echo", `{"x":1}`, sealed)},
	} {
		t.Run(name, func(t *testing.T) {
			w.quiet(t, "state_invalid", 200, -32602, func() doortest.Reply { return k.c.Post(k.body) })
		})
	}
	t.Run("its own", func(t *testing.T) {
		w.up.On("tools/call", done)
		_, req := w.passes(t, "tools/call", func() doortest.Reply { return a.Post(again("echo", `{"x":1}`, sealed)) })
		if !strings.Contains(string(req.Body), `"requestState":"`+state+`"`) {
			t.Errorf("the server got %s", req.Body)
		}
	})
	for _, bad := range []string{`"` + strings.Repeat("s", 1<<20) + `"`, `7`, `{"a":1}`} {
		w.up.On("tools/call", doortest.Answer(`{"resultType":"input_required","requestState":`+bad+`}`))
		if r := a.Post(withCaps("1", "tools/call", wants, `"name":"echo","arguments":{}`)); r.Status != 502 || r.Code() != 31051 {
			t.Errorf("a state of %d bytes: %d %s", len(bad), r.Status, r.Body[:min(len(r.Body), 200)])
		}
	}
}

func (w *site) m18Elicitation(t *testing.T) {
	form := func(field string) string {
		return `{"mode":"form","message":"Sign in","requestedSchema":{"type":"object","properties":{"` + field + `":{"type":"string"}}}}`
	}
	address := func(url string) string {
		return `{"mode":"url","message":"Sign in","elicitationId":"e","url":"` + url + `"}`
	}
	cases := map[string]string{
		"password": form("password"), "API key": form("API-Key"), "token": form("access_token"), "secret": form("clientSecret"), "PIN": form("pin"),
		"javascript": address("javascript:alert(1)"), "http": address("http://example.com/"), "data": address("data:text/html,x"), "file": address("file:///etc/passwd"),
		"look-alike": address("https://xn--exmple-cua.com/"), "Cyrillic": address("https://ex\\u0430mple.com/"), "user in front": address("https://example.com@evil.example/"),
		"no host": address("https:///x"), "none": `{"mode":"url","message":"m","elicitationId":"e"}`, "upper case scheme": address("JAVASCRIPT:alert(1)"),
	}
	defer w.up.On("tools/call", nil)
	modern := func(params string) string {
		return `{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":` + params + `}}}`
	}
	c := w.client(t, "a", "main")
	call := withCaps("1", "tools/call", wants, `"name":"echo","arguments":{}`)
	for name, params := range cases {
		t.Run("modern "+name, func(t *testing.T) {
			w.up.On("tools/call", doortest.Answer(modern(params)))
			n := len(w.Exchanges())
			r := c.Post(call)
			if r.Code() != 31025 || strings.Contains(string(r.Body), "Sign in") {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if rec := w.last(t, n); rec.Reason != "elicitation_blocked" || rec.Outcome != "failed" {
				t.Errorf("record %s", rec.Line)
			}
		})
		t.Run("legacy "+name, func(t *testing.T) {
			told := w.asks("elicitation/create", params)
			w.blocked(t, w.legacy(t, "a", "main", wants), told, "elicitation_blocked")
		})
	}
	for name, params := range map[string]string{"form": form("name"), "url": address("https://example.com/login")} {
		w.up.On("tools/call", doortest.Answer(modern(params)))
		if r := c.Post(call); string(r.Message().Result) != modern(params) {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
		r := c.Post(withCaps("1", "tools/call", `{}`, `"name":"echo","arguments":{}`))
		if r.Code() != 31025 {
			t.Errorf("%s, undeclared: %d %s", name, r.Status, r.Body)
		}
	}
}

// listenTo is a listen request for these notifications, a JSON object.
func listenTo(c *doortest.Client, id, notifications string) string {
	return c.Request(id, "subscriptions/listen", `{"notifications":`+notifications+`}`)
}

func (w *site) m19Subscriptions(t *testing.T) {
	a := w.client(t, "a", "main")
	for name, server := range map[string]string{"no grant": "main", "no server": "nowhere"} {
		t.Run(name, func(t *testing.T) {
			c := w.client(t, "none", server)
			w.quiet(t, "server_unknown", 404, 31007, func() doortest.Reply {
				return c.Post(listenTo(c, "1", `{"toolsListChanged":true,"resourceSubscriptions":["test://one"]}`))
			})
		})
	}
	t.Run("too many URIs", func(t *testing.T) {
		uris := strings.TrimSuffix(strings.Repeat(`"test://one",`, 10_000), ",")
		w.quiet(t, "busy", 429, 31031, func() doortest.Reply { return a.Post(listenTo(a, "1", `{"resourceSubscriptions":[`+uris+`]}`)) })
	})
	t.Run("only what was asked for", func(t *testing.T) {
		b := w.client(t, "b", "main")
		one := a.Open("POST", listenTo(a, `"sub"`, `{"resourceSubscriptions":["test://one"]}`))
		two := b.Open("POST", listenTo(b, `7`, `{"resourceSubscriptions":["test://two"]}`))
		for _, s := range []*doortest.Stream{one, two} {
			if e, err := s.Next(); err != nil || !strings.Contains(e.Data, "acknowledged") {
				t.Fatalf("%q %v", e.Data, err)
			}
		}
		w.up.AwaitStreams(1)
		for _, uri := range []string{"test://two", "test://other", "test://one"} {
			w.up.Push(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"` + uri + `"}}`)
		}
		if e, err := one.Next(); err != nil || !strings.Contains(e.Data, "test://one") || !strings.Contains(e.Data, `subscriptionId":"sub"`) {
			t.Errorf("%q %v", e.Data, err)
		}
		if e, err := two.Next(); err != nil || !strings.Contains(e.Data, "test://two") || !strings.Contains(e.Data, `subscriptionId":7`) {
			t.Errorf("%q %v", e.Data, err)
		}
		one.Close()
		two.Close()
		w.up.AwaitStreams(0)
	})
	t.Run("revoked", w.m19Revoked)
	t.Run("too many streams", func(t *testing.T) {
		const most = 64
		for i := range most {
			s := a.Open("POST", listenTo(a, fmt.Sprint(i), `{"toolsListChanged":true}`))
			if e, err := s.Next(); err != nil || !strings.Contains(e.Data, "acknowledged") {
				t.Fatalf("stream %d: %d %q %v", i, s.Status, e.Data, err)
			}
		}
		w.quiet(t, "busy", 429, 31031, func() doortest.Reply { return a.Post(listenTo(a, "99", `{"toolsListChanged":true}`)) })
	})
}

// m19Revoked takes away what streams live on, while they are open (A10).
func (w *site) m19Revoked(t *testing.T) {
	w.Register("guest")
	for name, take := range map[string]func(){
		"grant": func() { w.Revoke("guest", "main") },
		"agent": func() { w.Must("agent", "suspend", "guest", "--reason", "test", "--yes") },
		"token": func() {
			for _, l := range strings.Split(w.Must("token", "list", "guest", "-o", "csv"), "\n")[1:] {
				if id, _, ok := strings.Cut(l, ","); ok {
					w.Must("token", "revoke", id, "--reason", "test", "--yes")
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.Grant("guest", "main", "read")
			out := t.TempDir() + "/guest"
			w.Must("agent", "renew", "guest", "--out", out)
			fresh, err := doortest.LoadAgent("guest", out)
			if err != nil {
				t.Fatal(err)
			}
			w.Agents["guest"] = fresh
			c := w.client(t, "guest", "main")
			listen := c.Open("POST", listenTo(c, "1", `{"toolsListChanged":true}`))
			if e, err := listen.Next(); err != nil || !strings.Contains(e.Data, "acknowledged") {
				t.Fatalf("%d %q %v", listen.Status, e.Data, err)
			}
			session := w.legacy(t, "guest", "main", `{}`)
			get := session.Open("GET", "")
			n := len(w.Exchanges())
			take()
			for name, s := range map[string]*doortest.Stream{"listen": listen, "GET": get} {
				for {
					e, err := s.Next()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil || strings.Contains(e.Data, "list_changed") {
						t.Fatalf("%s: %q %v", name, e.Data, err)
					}
				}
			}
			w.up.AwaitStreams(0)
			w.up.Forget()
			if r := c.Call("2", "tools/list", "{}"); r.Status != 401 && r.Status != 404 {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if w.up.Bytes() != 0 {
				t.Error("a call went on after the revocation")
			}
			var ended int
			for _, r := range w.since(n) {
				if (r.Method == "subscriptions/listen" || r.Method == "GET") && r.Reason != "" {
					ended++
				}
			}
			if ended != 2 {
				t.Errorf("records %s", listing(w.since(n)))
			}
			if name == "agent" {
				w.Must("agent", "resume", "guest", "--reason", "test", "--yes")
			}
		})
	}
}
