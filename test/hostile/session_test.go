package hostile

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

var (
	sessionWorld = shared("")
	briefWorld   = shared("limits:\n  session_age: 2s\n")
)

var sessionUnknown = refusal{404, 31009, `"x"`, "session_unknown"}

// legacy begins a session of agent "app" with server "s" for one test.
func (w *world) legacy(t *testing.T, version string, headers ...doortest.Header) *doortest.Client {
	t.Helper()
	c := w.clientOf(t, "app", version)
	got := c.Call("0", "initialize", `{"protocolVersion":"`+version+`","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`, headers...)
	if got.Status != 200 || got.Message().Result == nil {
		t.Fatalf("initialize: %d %s", got.Status, got.Body)
	}
	c.Session = got.Header.Get("Mcp-Session-Id")
	w.mark()
	return c
}

// unsaid is a refusal to a request without a body, in no session: the header
// alone tells its version.
func unsaid(version string, r refusal) refusal {
	if version == "2025-06-18" {
		r.id = "null"
	}
	return r
}

// works checks that a session still carries calls.
func (w *world) works(t *testing.T, what string, c *doortest.Client) {
	t.Helper()
	if got := c.Post(good(c.Version)); got.Status != 200 || got.Text() != "x" {
		t.Errorf("%s: %d %s", what, got.Status, got.Body)
	}
	w.served(t, what)
}

// TestS02ForeignSessions holds that a session id that we did not give to this
// caller at this address is no session, whatever is asked with it.
func TestS02ForeignSessions(t *testing.T) {
	w := sessionWorld(t)
	for _, version := range versions[1:] {
		c := w.legacy(t, version, field("Mcp-Session-Id", "chosen-by-the-client"))
		if c.Session == "chosen-by-the-client" || c.Session == "" {
			t.Fatalf("%s: the session is %q", version, c.Session)
		}
		w.works(t, version, c)
		if got := c.Post(good(version)); got.Status != 200 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		theirs := w.up.Calls("tools/call")[0].Get("Mcp-Session-Id")
		if strings.Contains(string(w.up.Received()), "chosen-by") || strings.Contains(string(w.up.Received()), c.Session) || theirs == "" {
			t.Errorf("%s: the server got the client's session id", version)
		}
		w.mark()
		flipped := []byte(c.Session)
		flipped[len(flipped)/2] ^= 1
		for name, id := range map[string]string{
			"chosen": "chosen-by-the-client", "the server's": theirs, "one bit changed": string(flipped), "cut": c.Session[:len(c.Session)-1],
			"twice": c.Session + c.Session, "longer": c.Session + "A", "a path": "../../" + c.Session, "a kibibyte": strings.Repeat("A", 1<<10),
		} {
			other := w.clientOf(t, "app", version)
			other.Session = id
			what := version + "/" + name
			w.holds(t, what, sessionUnknown, other.Post(good(version)))
			for _, method := range []string{http.MethodGet, http.MethodDelete} {
				got := other.Send(method, "")
				w.holds(t, what+" "+method, unsaid(version, refusal{404, 31009, "", "session_unknown"}), got)
			}
		}
		foreign := w.clientOf(t, "other", version)
		foreign.Session = c.Session
		w.holds(t, version+"/another agent's", sessionUnknown, foreign.Post(good(version)))
		w.holds(t, version+"/another agent's end", unsaid(version, refusal{404, 31009, "", "session_unknown"}), foreign.Send(http.MethodDelete, ""))
		foreign = doortest.NewClient(t, w.door.PlainURL("s"))
		foreign.Version, foreign.Session = version, c.Session
		w.holds(t, version+"/the local agent's", sessionUnknown, foreign.Post(good(version)))
		whole := w.clientOf(t, "app", version)
		whole.URL, whole.Session = w.door.URL(""), c.Session
		w.holds(t, version+"/another address", sessionUnknown, whole.Post(good(version)))
		whole.URL, whole.Session = w.door.URL("s"), ""
		w.holds(t, version+"/none", refusal{400, 31008, `"x"`, "session_missing"}, whole.Post(good(version)))
		w.works(t, version+" in the end", c)
	}
}

// TestS02EndedSessions holds that an id is dead for good once its session was
// ended or has grown too old.
func TestS02EndedSessions(t *testing.T) {
	w := sessionWorld(t)
	for _, version := range versions[1:] {
		c := w.legacy(t, version)
		dead := c.Session
		if got := c.Send(http.MethodDelete, ""); got.Status != 204 {
			t.Fatalf("%s: DELETE got %d %s", version, got.Status, got.Body)
		}
		w.up.AwaitCalls("", 1) // the server's session ends too
		w.mark()
		w.holds(t, version+"/ended", sessionUnknown, c.Post(good(version)))
		w.holds(t, version+"/ended twice", unsaid(version, refusal{404, 31009, "", "session_unknown"}), c.Send(http.MethodDelete, ""))
		if again := w.legacy(t, version, field("Mcp-Session-Id", dead)); again.Session == dead {
			t.Errorf("%s: a dead id lives again", version)
		}
	}
	w = briefWorld(t)
	for _, version := range versions[1:2] {
		c := w.legacy(t, version)
		doortest.Poll(t, "the session to grow too old", func() bool { return c.Post(good(version)).Status == 404 })
		w.mark()
		w.holds(t, version+"/too old", sessionUnknown, c.Post(good(version)))
	}
}

// TestS04SecondStream holds that a session has one stream of its own, and that
// nobody takes it over.
func TestS04SecondStream(t *testing.T) {
	w := sessionWorld(t)
	for i, version := range versions[1:] {
		c := w.legacy(t, version)
		first := c.Open(http.MethodGet, "")
		if first.Status != 200 {
			t.Fatalf("%s: the first stream got %d", version, first.Status)
		}
		w.up.AwaitStreams(1)
		w.mark()
		w.holds(t, version+"/second", unnamed(version, refusal{409, 31010, "", "stream_taken"}), c.Send(http.MethodGet, ""))
		foreign := w.clientOf(t, "other", version)
		foreign.Session = c.Session
		w.holds(t, version+"/foreign", unsaid(version, refusal{404, 31009, "", "session_unknown"}), foreign.Send(http.MethodGet, ""))

		pushed := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"%d"}}`, i)
		if n := w.up.Push(pushed); n != 1 {
			t.Fatalf("%s: pushed on %d streams", version, n)
		}
		for {
			e, err := first.Next()
			if err != nil {
				t.Fatalf("%s: the first stream ended: %v", version, err)
			}
			if e.Data == pushed {
				break
			}
			if e.Data != "" {
				t.Fatalf("%s: got %s", version, e.Data)
			}
		}
		first.Close()
		streams := 1
		doortest.Poll(t, "the place to be free", func() bool {
			s := c.Open(http.MethodGet, "")
			s.Close()
			streams++
			return s.Status == 200
		})
		w.up.AwaitStreams(0)
		doortest.Poll(t, "the records of all streams", func() bool { return len(w.exchanges()) == w.seen+streams })
		w.mark()
	}
}

// TestS05Downgrade holds that a session carries no rights: each call is decided
// on what the agent and its token may do now.
func TestS05Downgrade(t *testing.T) {
	w := sessionWorld(t)
	for _, version := range versions[1:] {
		c := w.legacy(t, version)
		w.works(t, version, c)
		old := c.Token
		c.Token = strings.TrimSpace(w.door.Must("token", "create", "app"))
		w.mark()
		if got := c.Post(good(version)); got.Status != 200 || c.Token == old {
			t.Errorf("%s: a new token of the same agent got %d %s", version, got.Status, got.Body)
		}
		fresh := w.served(t, version+"/new token")
		w.door.Revoke("app", "s")
		w.door.Grant("app", "s", "modify", "add")
		w.mark()
		got := c.Post(good(version))
		w.holds(t, version+"/fewer rights", refusal{200, -32602, `"x"`, "denied"}, got)
		unknown := c.Post(strings.Replace(good(version), `"echo"`, `"nothing"`, 1))
		w.holds(t, version+"/unknown", refusal{200, -32602, `"x"`, "tool_unknown"}, unknown)
		if a, b := got.Message().Error, unknown.Message().Error; errorText(t, a) != errorText(t, b) {
			t.Errorf("%s: forbidden and unknown differ:\n%s\n%s", version, a, b)
		}
		w.door.Grant("app", "s", "modify")
		w.door.Must("token", "revoke", tokenID(t, fresh), "--yes")
		w.mark()
		w.holds(t, version+"/revoked token", refusal{401, 31020, "", "unauthenticated"}, c.Post(good(version)))
		c.Token = old
		w.works(t, version+" with the old token", c)
	}
}

// errorText is what a caller is told, without the number of its exchange.
func errorText(t *testing.T, text []byte) string {
	t.Helper()
	var e struct {
		Code    int
		Message string
		Data    struct{ Kind string }
	}
	decode(t, text, &e)
	return fmt.Sprint(e)
}

// tokenID is the id of the token with which a recorded call came.
func tokenID(t *testing.T, r doortest.Record) string {
	t.Helper()
	var line struct {
		Token string `json:"token"`
	}
	decode(t, r.Line, &line)
	return line.Token
}

// TestS08PooledConnections holds that a connection which carried one server's
// credential never carries another's, though both are at the same address.
func TestS08PooledConnections(t *testing.T) {
	w := sessionWorld(t)
	dir := t.TempDir()
	for _, name := range []string{"red", "blue"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("Bearer secret-"+name), 0o600); err != nil {
			t.Fatal(err)
		}
		w.onboard(doortest.Server{Name: name, URL: w.up.URL(), Flags: []string{"--header", "Authorization=file:" + path}})
		w.door.Grant("app", name, "modify")
		w.door.Grant("other", name, "modify")
	}
	for _, version := range eras {
		var clients []*doortest.Client
		for _, agent := range []string{"app", "other"} {
			for _, name := range []string{"red", "blue"} {
				c := w.clientOf(t, agent, version)
				c.URL = w.door.URL(name)
				if version != doortest.ModernVersion {
					c.Initialize(version, `{}`)
				}
				clients = append(clients, c)
			}
		}
		w.mark()
		for i := range 40 {
			c := clients[i*7%len(clients)]
			name := strings.Split(c.URL, "/")[4]
			text := fmt.Sprintf(`"for %s"`, name)
			if got := c.Post(inVersion(version, tool(`{"text":`+text+`}`))); got.Status != 200 || got.Text() != "for "+name {
				t.Fatalf("%s %s: %d %s", version, name, got.Status, got.Body)
			}
		}
		carried := map[int]string{}
		calls := w.up.Calls("tools/call")
		for _, r := range calls {
			credential := r.Get("Authorization")
			name := strings.TrimPrefix(credential, "Bearer secret-")
			if !strings.Contains(string(r.Body), `"for `+name+`"`) {
				t.Errorf("%s: %s came with %q", version, r.Body, credential)
			}
			if before := carried[r.Conn]; before != "" && before != credential {
				t.Errorf("%s: connection %d carried %s and %s", version, r.Conn, before, credential)
			}
			carried[r.Conn] = credential
		}
		if len(calls) != 40 || len(carried) < 2 {
			t.Errorf("%s: %d calls on %d connections", version, len(calls), len(carried))
		}
	}
}

// TestS09NothingIsShared holds that equal calls of two agents are two calls,
// also when the server invites everybody to cache the answer.
func TestS09NothingIsShared(t *testing.T) {
	w := sessionWorld(t)
	for _, version := range eras {
		var clients []*doortest.Client
		for _, agent := range []string{"app", "other"} {
			c := w.clientOf(t, agent, version)
			if version != doortest.ModernVersion {
				c.Initialize(version, `{}`)
			}
			clients = append(clients, c)
		}
		w.mark()
		for _, method := range []string{"tools/call", "resources/read"} {
			n := 0
			w.up.On(method, func(conn *doortest.Conn, _ *doortest.Request) {
				n++
				text := fmt.Sprintf(`"answer %d"`, n)
				content := `"content":[{"type":"text","text":` + text + `}]`
				if method == "resources/read" {
					content = `"contents":[{"uri":"test://one","text":` + text + `}],"ttlMs":3600000,"cacheScope":"public"`
				}
				conn.Result(`{"resultType":"complete",`+content+`}`, field("Cache-Control", "public, max-age=3600"), field("ETag", `"e"`), field("Vary", "Accept"))
			})
			params := `{"name":"echo","arguments":{"text":"same"}}`
			if method == "resources/read" {
				params = `{"uri":"test://one"}`
			}
			for i, c := range append(clients, clients...) {
				got := c.Call("1", method, params)
				want := fmt.Sprintf(`"answer %d"`, i+1)
				if got.Status != 200 || !strings.Contains(string(got.Body), want) || got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("ETag") != "" {
					t.Errorf("%s %s: want %s, got %d %v %s", version, method, want, got.Status, got.Header, got.Body)
				}
				if version == doortest.ModernVersion && strings.Contains(string(got.Body), `"public"`) {
					t.Errorf("%s %s: passed on as public: %s", version, method, got.Body)
				}
			}
			if calls := w.up.Calls(method); len(calls) != 4 {
				t.Errorf("%s: %d of 4 equal %s reached the server", version, len(calls), method)
			}
			w.up.On(method, nil)
		}
	}
}
