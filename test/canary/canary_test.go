package canary

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
	"ostiary.dev/ostiary/test/pgtest"
)

// TestNoByteTells plants values everywhere, drives a gateway busily, and looks
// for them in every byte that it leaves, again after a kill and after the
// erasure of an agent.
func TestNoByteTells(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { run(t, nil) })
	t.Run("postgres", func(t *testing.T) { run(t, pgtest.Need(t)) })
}

// world is one gateway with planted values.
type world struct {
	*flock
	t       *testing.T
	door    *doortest.Door
	temp    string // the gateway's temporary folder
	up      *doortest.Upstream
	stdio   *doortest.Stdio
	traces  *collector
	cluster *pgtest.Cluster
	log     []byte // what earlier processes wrote
	secrets map[string]string
}

func run(t *testing.T, cluster *pgtest.Cluster) {
	w := build(t, cluster)
	w.drive()
	w.look("a busy run", w.Door())
	w.door.Process().Kill()
	w.log = append(w.log, w.door.Process().Output()...)
	w.look("a kill", w.Door())
	w.door.Up()
	w.drive()
	w.export("before the erasure")
	w.erase()
	w.look("an erasure", w.Door())
	if err := w.door.Process().Stop(); err != nil {
		t.Error(err)
	}
	w.look("the end", w.Door())
	w.control()
}

// Door returns the folders that belong to the gateway.
func (w *world) Door() []string {
	all := []string{w.door.Dir, w.temp}
	if w.cluster != nil {
		all = append(all, w.cluster.Dir)
	}
	return all
}

func build(t *testing.T, cluster *pgtest.Cluster) *world {
	w := &world{flock: newFlock(), t: t, temp: t.TempDir(), traces: newCollector(t), cluster: cluster, secrets: map[string]string{}}
	w.up = doortest.NewUpstream(t, doortest.Config{Path: "/" + w.plant("url") + "/mcp"})
	w.answers()
	w.stdio = doortest.NewStdio(t, doortest.Script{})
	env := []string{"TMPDIR=" + w.temp}
	options := doortest.Options{Env: env, Down: true, Config: func(yaml string) string {
		return yaml + "telemetry:\n  otlp_endpoint: " + w.traces.URL + "\n  private: true\nlogs:\n  level: debug\n"
	}}
	if cluster != nil {
		database := cluster.Database(t, "")
		options.Env = append(env, fmt.Sprintf("CANARY_DSN=postgres://postgres@127.0.0.1:%d/%s", cluster.Port, database))
		options.Init = []string{"--store", "postgres", "--dsn", "env:CANARY_DSN"}
	}
	w.door = doortest.Gateway(t, options)
	header := filepath.Join(t.TempDir(), "header")
	if err := os.WriteFile(header, []byte("Bearer "+w.plant("credential")), 0o600); err != nil {
		t.Fatal(err)
	}
	w.onboard(doortest.Server{Name: "web", URL: w.up.URL(), Flags: []string{"--header", "Authorization=file:" + header}})
	w.onboard(doortest.Server{Name: "local", Command: append(w.stdio.Command, w.plant("command")),
		Env: append(w.stdio.Env, "CANARY_KEY="+w.plant("variable"))})
	for _, name := range []string{"agent-one", "agent-two"} {
		a := w.door.Register(w.plant(name))
		w.secrets["the token of "+name] = a.Token
		key, err := os.ReadFile(filepath.Join(a.Dir, "client.key"))
		if err != nil {
			t.Fatal(err)
		}
		w.secrets["the key of "+name] = strings.Split(string(key), "\n")[1]
		for _, server := range []string{"web", "local"} {
			w.door.Must("access", "grant", a.Name, server, "--access", "modify", "--reason", "because "+w.plant("why-grant"))
		}
	}
	w.door.Up()
	return w
}

func (w *world) onboard(s doortest.Server) {
	w.door.Onboard(s)
	w.door.Must("server", "suspend", s.Name, "--reason", "look at "+w.plant("why-suspend"))
	w.door.Must("server", "resume", s.Name, "--reason", "fine: "+w.plant("why-resume"))
}

// answers makes the HTTP server answer with values.
func (w *world) answers() {
	result := func(text string) string { return `{"resultType":"complete",` + text + `}` }
	w.up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) {
		m := r.Message()
		switch {
		case bytes.Contains(m.Params, []byte("fail-in-result")):
			c.Result(result(`"content":[{"type":"text","text":"failed: ` + w.plant("tool-error") + `"}],"isError":true`))
		case bytes.Contains(m.Params, []byte("fail-in-protocol")):
			c.Fail(http.StatusOK, -32603, "broken: "+w.plant("rpc-error"))
		default:
			c.Result(result(`"content":[{"type":"text","text":"` + w.plant("result") + `"}]`))
		}
	})
	w.up.On("resources/read", func(c *doortest.Conn, r *doortest.Request) {
		c.Result(result(`"contents":[{"uri":"test://` + w.plant("uri") + `","text":"` + w.plant("content") + `"}],"ttlMs":0,"cacheScope":"private"`))
	})
	w.up.On("prompts/get", func(c *doortest.Conn, r *doortest.Request) {
		c.Result(result(`"messages":[{"role":"user","content":{"type":"text","text":"` + w.plant("prompt") + `"}}]`))
	})
}

// drive sends values in every place that a caller fills.
func (w *world) drive() {
	w.t.Helper()
	for _, a := range w.door.Agents {
		web, local := w.door.Client(a, "web"), w.door.CertClient(a, "local")
		answered := func(what string, r doortest.Reply, canary string) {
			w.t.Helper()
			if !strings.Contains(string(r.Body), w.plant(canary)) {
				w.t.Errorf("%s: the value never came: %d %s", what, r.Status, r.Body)
			}
		}
		for i := range 5 {
			argument := fmt.Sprintf(`{"text":"%s"}`, w.plant("argument"))
			answered("a call", web.Tool(fmt.Sprint(i+1), "echo", argument), "result")
			answered("a call over stdio", local.Tool(fmt.Sprint(i+1), "echo", argument), "argument")
		}
		answered("a tool's error", web.Tool("21", "echo", `{"text":"fail-in-result"}`), "tool-error")
		answered("a protocol error", web.Tool("22", "echo", `{"text":"fail-in-protocol"}`), "rpc-error")
		answered("a resource", web.Call("23", "resources/read", `{"uri":"test://`+w.plant("uri")+`"}`), "content")
		answered("a prompt", web.Call("24", "prompts/get", `{"name":"greet","arguments":{"who":"`+w.plant("prompt-arg")+`"}}`), "prompt")
		w.refused(web, a)
	}
}

// refused sends what the gateway refuses: the values must not stick to it.
func (w *world) refused(web *doortest.Client, a *doortest.Agent) {
	web.Tool("31", w.plant("no-tool"), `{"text":"x"}`)
	web.Call("32", w.plant("no-method"), `{"x":"`+w.plant("refused")+`"}`)
	web.Post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","` + w.plant("garbage") + `":`)
	web.Post(`{"jsonrpc":"2.0","id":"` + w.plant("id") + `","method":"tools/list","params":{"a":1,"a":2}}`)
	web.Send(http.MethodGet, "", doortest.Header{Name: "X-Canary", Value: w.plant("header")})
	nobody := w.door.Client(a, "web")
	nobody.Token = "ost_" + w.plant("token")
	nobody.Tool("1", "echo", `{"text":"`+w.plant("unknown")+`"}`)
	nowhere := w.door.Client(a, w.plant("no-server"))
	nowhere.Tool("1", "echo", `{}`)
}

// look asserts that no value stands in the folders, in what the processes
// wrote, in metrics or in traces.
func (w *world) look(when string, folders []string, allowed ...string) {
	w.t.Helper()
	s := w.scanner(w.secrets)
	for _, what := range allowed {
		s.Allow(w.plant(what))
	}
	var hits []Hit
	for _, dir := range folders {
		found, seen, err := s.Tree(dir)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Logf("after %s: %d bytes in %s", when, seen, dir)
		hits = append(hits, found...)
	}
	hits = append(hits, s.Bytes("the gateway's output", append(w.log, w.door.Process().Output()...))...)
	hits = append(hits, s.Bytes("traces", w.traces.bytes())...)
	select {
	case <-w.door.Process().Done():
	default:
		for _, page := range []string{"/metrics", "/readyz", "/livez"} {
			_, body := w.door.AdminGet(page)
			hits = append(hits, s.Bytes(page, []byte(body))...)
		}
	}
	for _, h := range hits {
		w.t.Errorf("after %s: %v", when, h)
	}
}

// export writes what may leave the machine, and looks through it.
func (w *world) export(when string) {
	w.t.Helper()
	out := filepath.Join(w.t.TempDir(), "out")
	w.door.Must("audit", "export", "--out", out)
	backup := filepath.Join(w.t.TempDir(), "backup")
	w.door.Must("backup", "--to", backup, "--recipient", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")
	// An export is read by people: it holds why operators did something, in
	// their words, and the names of what a caller asked for.
	w.look(when, []string{out}, "why-suspend", "why-resume", "why-grant", "no-tool", "no-method", "no-server")
	w.look(when, []string{filepath.Dir(backup)})
}

// erase destroys the key of an agent; nothing brings its name back.
func (w *world) erase() {
	w.t.Helper()
	name := w.plant("agent-two")
	w.door.Must("privacy", "subject", "erase", name, "--reason", "asked by "+w.plant("why-erase"))
	for _, command := range [][]string{
		{"agent", "list"}, {"access", "list"}, {"token", "list"}, {"status"}, {"server", "list"}, {"audit", "query", "-o", "jsonl"},
		{"key", "list"}, {"agent", "list", "-o", "json"}, {"access", "list", "-o", "json"},
	} {
		if out := w.door.Must(command...); strings.Contains(out, name) {
			w.t.Errorf("after the erasure ostiary %s says:\n%s", strings.Join(command, " "), out)
		}
	}
	if r := w.door.Try("agent", "show", name); r.Code == 0 {
		w.t.Errorf("after the erasure it is shown: %s", r.Stdout)
	}
	if out := w.door.Must("audit", "query", "-o", "jsonl"); !strings.Contains(out, w.plant("agent-one")) {
		w.t.Error("the other agent's name is gone, too")
	}
	delete(w.door.Agents, name)
}

// control asserts that what was looked through was there at all.
func (w *world) control() {
	w.t.Helper()
	s := w.scanner(nil)
	if len(s.Bytes("server", w.up.Received())) == 0 {
		w.t.Error("the server never saw a value")
	}
	for _, what := range []string{"credential", "argument", "prompt-arg", "uri"} {
		if !bytes.Contains(w.up.Received(), []byte(w.plant(what))) {
			w.t.Errorf("the server never saw the %s", what)
		}
	}
	if len(w.traces.bytes()) == 0 {
		w.t.Error("the collector got no traces")
	}
	if len(w.log) == 0 {
		w.t.Error("the gateway wrote no log")
	}
	planted := filepath.Join(w.door.Dir, "run", "control")
	if err := os.WriteFile(planted, []byte(w.plant("control")), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if hits, _, err := s.Tree(w.door.Dir); err != nil || len(hits) == 0 {
		w.t.Errorf("the control is not found (%v)", err)
	}
}
