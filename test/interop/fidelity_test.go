package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// sample is one case of the corpus: what the client sends and what the server
// answers, byte for byte. %ID% in the answer stands for the request's id.
type sample struct{ name, send, answer string }

// corpus reads testdata/fidelity/ERA: NAME.send.json and NAME.answer.json,
// each without its last line feed. The files are not text to git.
func corpus(t *testing.T, era string) []sample {
	t.Helper()
	paths, err := filepath.Glob("testdata/fidelity/" + era + "/*.send.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no corpus for %s: %v", era, err)
	}
	var out []sample
	for _, p := range paths {
		base := strings.TrimSuffix(p, ".send.json")
		out = append(out, sample{filepath.Base(base), readCase(t, p), readCase(t, base+".answer.json")})
	}
	return out
}

func readCase(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func (s sample) method() string { return doortest.Envelope([]byte(s.send)).Method }

func (s sample) answered() string {
	return strings.ReplaceAll(s.answer, "%ID%", string(doortest.Envelope([]byte(s.send)).ID))
}

// oneLine is what framing may do to a message: line ends between tokens become
// spaces.
func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

// carved cuts the value of the top-level id out of a message, and returns the
// rest around a mark.
func carved(t *testing.T, message string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(message))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		t.Fatalf("%v in %q", err, message)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %q", err, message)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatalf("%v in %q", err, message)
		}
		if key == "id" {
			end := int(d.InputOffset())
			return message[:end-len(value)] + "<id>" + message[end:]
		}
	}
	return message
}

// fidelityServers are fake servers that answer one era each, as JSON and as
// events, behind one gateway.
type fidelityServers struct {
	door *doortest.Door
	ups  map[string]*doortest.Upstream // by name: ERA-FRAME
}

func startFidelity(t *testing.T) fidelityServers {
	t.Helper()
	f := fidelityServers{ups: map[string]*doortest.Upstream{}}
	var servers []doortest.Server
	for _, era := range []string{"legacy", "modern"} {
		for _, frame := range []string{"json", "events"} {
			up := doortest.NewUpstream(t, doortest.Config{Modern: era == "modern", Legacy: era == "legacy", SSE: frame == "events"})
			for _, s := range corpus(t, era) {
				// Lists must be in place when the server is examined: what is
				// listed later is held against what was approved.
				if strings.HasSuffix(s.method(), "/list") {
					up.On(s.method(), doortest.Exactly(s.answer))
				}
			}
			f.ups[era+"-"+frame] = up
			servers = append(servers, doortest.Server{Name: era + "-" + frame, URL: up.URL()})
		}
	}
	f.door = doortest.Gateway(t, doortest.Options{Servers: servers, Agents: []string{"app"}})
	return f
}

// The corpus and the fake server are sound: without a gateway every byte
// arrives.
func TestEveryByteArrivesDirectly(t *testing.T) {
	for _, era := range []string{"legacy", "modern"} {
		up := doortest.NewUpstream(t, doortest.Config{Modern: era == "modern", Legacy: era == "legacy"})
		c := doortest.NewClient(t, up.URL())
		if era == "legacy" {
			c.Initialize(doortest.LegacyVersion, `{}`)
		}
		for _, s := range corpus(t, era) {
			t.Run(era+"/"+s.name, func(t *testing.T) { s.passes(t, c, up) })
		}
	}
}

// What nobody changes arrives byte for byte: requests at the server and
// answers at the client, in both eras, from JSON and from event streams.
func TestEveryByteArrives(t *testing.T) {
	f := startFidelity(t)
	for name, up := range f.ups {
		t.Run(name, func(t *testing.T) {
			era, frame, _ := strings.Cut(name, "-")
			c := f.door.Client(f.door.Agents["app"], name)
			if era == "legacy" {
				c.Initialize(doortest.LegacyVersion, `{"sampling":{},"elicitation":{}}`)
			}
			for _, s := range corpus(t, era) {
				if frame == "events" && strings.ContainsAny(s.answer, "\r\n") {
					continue // an event of one line cannot carry it
				}
				t.Run(s.name, func(t *testing.T) { s.passes(t, c, up) })
			}
		})
	}
}

func (s sample) passes(t *testing.T, c *doortest.Client, up *doortest.Upstream) {
	up.On(s.method(), doortest.Exactly(s.answer))
	up.Forget()
	got := c.Post(s.send)
	calls := up.Calls(s.method())
	if len(calls) != 1 {
		t.Fatalf("%d requests reached the server; the client got %d %s", len(calls), got.Status, got.Body)
	}
	if sent := string(calls[0].Body); sent != s.send {
		t.Errorf("the server got\n%q\nthe client sent\n%q", sent, s.send)
	}
	want := s.answered()
	if strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
		want = oneLine(want)
	}
	if got.Final() != want {
		t.Errorf("the client got %d\n%q\nthe server answered\n%q", got.Status, got.Final(), want)
	}
}

// The same over standard streams, where a gateway numbers requests by itself:
// everything but the id and line ends between tokens arrives.
func TestEveryByteArrivesOverStdio(t *testing.T) {
	var servers []doortest.Server
	fakes := map[string]*doortest.Stdio{}
	for _, era := range []string{"legacy", "modern"} {
		answers := map[string]string{}
		for _, s := range corpus(t, era) {
			if strings.HasSuffix(s.method(), "/list") {
				answers[s.method()] = oneLine(s.answer)
			}
		}
		fake := doortest.NewStdio(t, doortest.Script{Legacy: era == "legacy", Modern: era == "modern", Answers: answers})
		fakes[era] = fake
		servers = append(servers, doortest.Server{Name: era, Command: fake.Command, Env: fake.Env})
	}
	door := doortest.Gateway(t, doortest.Options{Servers: servers, Agents: []string{"app"}})
	for era, fake := range fakes {
		t.Run(era, func(t *testing.T) {
			c := door.Client(door.Agents["app"], era)
			if era == "legacy" {
				c.Initialize(doortest.LegacyVersion, `{}`)
			}
			for _, s := range corpus(t, era) {
				t.Run(s.name, func(t *testing.T) {
					got := c.Post(s.send)
					if got.Status != 200 && got.Status != 404 {
						t.Fatalf("%d %s", got.Status, got.Body)
					}
					want := carved(t, oneLine(s.send))
					var last string
					for _, l := range fake.Received() {
						if doortest.Envelope(l).Method == s.method() {
							last = carved(t, string(l))
							if last == want {
								break
							}
						}
					}
					if last != want {
						t.Errorf("the server got\n%q\nthe client sent\n%q", last, want)
					}
					if id := doortest.Envelope([]byte(s.send)).ID; !bytes.Equal(got.Message().ID, id) {
						t.Errorf("the answer's id is %s, the request's %s", got.Message().ID, id)
					}
					if strings.HasSuffix(s.method(), "/list") && carved(t, got.Final()) != carved(t, oneLine(s.answered())) {
						t.Errorf("the client got\n%q\nthe server answered\n%q", got.Final(), oneLine(s.answered()))
					}
				})
			}
		})
	}
}

// A stream's messages arrive byte for byte and in order; so do a server's
// request and the client's answer to it, but for the id, which is the
// gateway's own towards the client.
func TestEveryByteOfAStreamArrives(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{Legacy: true})
	door := doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"}})
	c := door.Client(door.Agents["app"], "s")
	c.Initialize(doortest.LegacyVersion, `{"sampling":{}}`)
	const (
		progress = `{"params":{"progress":1.0,"total":1e400,"message":"\u0041","progressToken":"t-9007199254740993","future":-0},"method":"notifications/progress","jsonrpc":"2.0"}`
		logged   = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"z":1.0,"a":[12345678901234567890]},"future":1}}`
		asked    = `{"messages":[{"role":"user","content":{"type":"text","text":"\u0041"}}],"maxTokens":9007199254740993,"future":1.0}`
		reply    = `"result":{"role":"assistant","model":"m","content":{"type":"text","text":"\u00e9"},"future":[1e400,-0]}`
		final    = `"content":[{"type":"text","text":"\u0041"}],"future":1.0`
	)
	up.On("tools/call", func(w *doortest.Conn, r *doortest.Request) {
		w.Event("", progress)
		w.Event("", logged)
		if _, ok := w.Ask(`"server-1"`, "sampling/createMessage", asked); !ok {
			return
		}
		w.Result("{" + final + "}")
	})
	s := c.Open("POST", c.Request("1", "tools/call", `{"name":"echo","arguments":{},"_meta":{"progressToken":"t-9007199254740993"}}`))
	for _, want := range []string{progress, logged} {
		if got := nextData(t, s); got != want {
			t.Fatalf("the client got\n%s\nthe server sent\n%s", got, want)
		}
	}
	request := nextData(t, s)
	if want := carved(t, `{"jsonrpc":"2.0","id":"server-1","method":"sampling/createMessage","params":`+asked+`}`); carved(t, request) != want {
		t.Fatalf("the client got\n%s\nthe server sent\n%s", request, want)
	}
	answer := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, doortest.Envelope([]byte(request)).ID, reply)
	if r := c.Post(answer); r.Status != 202 || len(r.Body) != 0 {
		t.Fatalf("the answer got %d %s", r.Status, r.Body)
	}
	if got, want := nextData(t, s), `{"jsonrpc":"2.0","id":1,"result":{`+final+`}}`; got != want {
		t.Fatalf("the client got\n%s\nthe server sent\n%s", got, want)
	}
	requests := up.Requests()
	want := `{"jsonrpc":"2.0","id":"server-1",` + reply + `}`
	for _, r := range requests {
		if doortest.Envelope(r.Body).Result != nil {
			if string(r.Body) != want {
				t.Fatalf("the server got\n%s\nwant\n%s", r.Body, want)
			}
			return
		}
	}
	t.Fatal("the client's answer did not reach the server")
}

// nextData returns the data of the next event that has some.
func nextData(t *testing.T, s *doortest.Stream) string {
	t.Helper()
	for {
		e, err := s.Next()
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		if e.Data != "" {
			return e.Data
		}
	}
}

// Headers that mirror arguments and trace context reach the server; the
// client's own credentials and unknown headers do not.
func TestHeadersThatArriveAndHeadersThatDoNot(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{Modern: true})
	door := doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"}})
	c := door.Client(door.Agents["app"], "s")
	up.Forget()
	r := c.Tool("1", "routed", `{"region":"é"}`,
		doortest.Header{Name: "Mcp-Param-Region", Value: doortest.Sentinel("é")},
		doortest.Header{Name: "Mcp-Param-Unknown", Value: "kept"},
		doortest.Header{Name: "Cookie", Value: "canary=cookie"},
		doortest.Header{Name: "X-Forwarded-For", Value: "canary-address"},
		doortest.Header{Name: "X-Own", Value: "canary-own"})
	if r.Status != 200 || r.Text() != "é" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	got := up.AwaitCalls("tools/call", 1)[0]
	for name, want := range map[string]string{
		"Mcp-Param-Region": doortest.Sentinel("é"), "Mcp-Param-Unknown": "kept", "Mcp-Method": "tools/call",
		"Mcp-Name": "routed", "MCP-Protocol-Version": doortest.ModernVersion, "Content-Type": "application/json",
	} {
		if got.Get(name) != want {
			t.Errorf("%s at the server is %q, want %q", name, got.Get(name), want)
		}
	}
	for _, canary := range []string{"canary", door.Agents["app"].Token} {
		if bytes.Contains(up.Received(), []byte(canary)) {
			t.Errorf("%q reached the server", canary)
		}
	}
}
