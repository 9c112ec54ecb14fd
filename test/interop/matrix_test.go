package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// server is one foreign server, as it is reached directly and as the gateway
// is told of it.
type server struct {
	name    string
	eras    []string
	url     string   // Streamable HTTP, or
	command []string // stdio
	steps   func(era string) []step
	expect  map[string]int // what each client must have been asked for, per plan in the legacy era
}

// direct completes a plan so that it reaches the server without a gateway.
func (s server) direct(p plan) plan {
	p.URL, p.Command = s.url, s.command
	return p
}

// foreign starts every server that we did not write.
func foreign(t *testing.T) []server {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "grüße\n", "b.txt": "b"} { // b.txt is written again by each client
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	nodeAt := node(t)
	asked := map[string]int{"sampling": 1, "elicitation": 1}
	return []server{
		{"go-http-legacy", []string{"legacy"}, "http://" + startGoServer(t, false), nil, goSteps, asked},
		{"go-http-modern", []string{"modern"}, "http://" + startGoServer(t, true), nil, goSteps, nil},
		{"go-stdio", []string{"legacy", "modern"}, "", []string{goServer(t)}, goSteps, asked},
		{"everything-http", []string{"legacy"}, "http://" + startEverything(t, "streamableHttp") + "/mcp", nil, everythingSteps, asked},
		{"everything-stdio", []string{"legacy"}, "", []string{nodeAt, need(t, everything), "stdio"}, everythingSteps, asked},
		{"filesystem-stdio", []string{"legacy"}, "", []string{nodeAt, need(t, filesystem), dir}, filesystemSteps(dir), nil},
	}
}

// goSteps exercise the Go SDK's everything-server. What asks the client back
// is a request of the server's in the legacy era, and a round trip (MRTR) in
// the modern one.
func goSteps(era string) []step {
	steps := []step{
		{Do: "tools"}, {Do: "resources"}, {Do: "templates"}, {Do: "prompts"},
		{Do: "call", Name: "test_simple_text"},
		{Do: "call", Name: "test_image_content"},
		{Do: "call", Name: "test_multiple_content_types"},
		{Do: "call", Name: "test_error_handling"},
		{Do: "call", Name: "no_such_tool"},
		// Its text is the progress token, which each client chooses.
		{Do: "call", Name: "test_tool_with_progress", Progress: true, Volatile: true},
		{Do: "read", URI: "test://static-text"},
		{Do: "read", URI: "test://no-such"},
		{Do: "prompt", Name: "test_prompt_with_arguments", Arguments: map[string]any{"arg1": "a", "arg2": "ü"}},
	}
	if era == "modern" {
		steps = append(steps,
			step{Do: "call", Name: "test_input_required_result_sampling"},
			step{Do: "call", Name: "test_input_required_result_elicitation"},
			step{Do: "call", Name: "test_input_required_result_list_roots"},
			step{Do: "call", Name: "test_input_required_result_request_state"},
			step{Do: "call", Name: "test_input_required_result_multi_round"},
			step{Do: "prompt", Name: "test_input_required_result_prompt"},
			step{Do: "call", Name: "test_x_mcp_header", Arguments: map[string]any{"region": "eu"}},
		)
	} else {
		steps = append(steps,
			step{Do: "call", Name: "test_sampling", Arguments: map[string]any{"prompt": "hi"}},
			step{Do: "call", Name: "test_elicitation", Arguments: map[string]any{"message": "hi"}},
		)
	}
	return append(steps, step{Do: "cancel", Name: "test_tool_with_progress"})
}

// everythingSteps exercise npm server-everything.
func everythingSteps(string) []step {
	return []step{
		{Do: "tools"}, {Do: "resources"}, {Do: "templates"}, {Do: "prompts"},
		{Do: "call", Name: "echo", Arguments: map[string]any{"message": "ünï \"quoted\" \u2028"}},
		{Do: "call", Name: "get-sum", Arguments: map[string]any{"a": 1, "b": 2.5}},
		{Do: "call", Name: "get-tiny-image"},
		{Do: "call", Name: "get-structured-content", Arguments: map[string]any{"location": "New York"}},
		{Do: "call", Name: "get-resource-links", Arguments: map[string]any{"count": 2}},
		{Do: "call", Name: "trigger-sampling-request", Arguments: map[string]any{"prompt": "hi", "maxTokens": 10}},
		{Do: "call", Name: "trigger-elicitation-request"},
		{Do: "call", Name: "get-roots-list"},
		{Do: "call", Name: "trigger-long-running-operation", Arguments: map[string]any{"duration": 0.2, "steps": 2}, Progress: true},
		{Do: "read", URI: "demo://resource/static/document/features.md"},
		{Do: "read", URI: "demo://no-such"},
		{Do: "prompt", Name: "args-prompt", Arguments: map[string]any{"city": "Oslo"}},
		{Do: "complete", Ref: map[string]any{"type": "ref/prompt", "name": "completable-prompt"}, Argument: map[string]any{"name": "department", "value": "E"}},
		{Do: "cancel", Name: "trigger-long-running-operation", Arguments: map[string]any{"duration": 5, "steps": 50}},
	}
}

// filesystemSteps exercise npm server-filesystem on a folder.
func filesystemSteps(dir string) func(string) []step {
	return func(string) []step {
		return []step{
			{Do: "tools"},
			{Do: "call", Name: "list_directory", Arguments: map[string]any{"path": dir}},
			{Do: "call", Name: "read_text_file", Arguments: map[string]any{"path": filepath.Join(dir, "a.txt")}},
			{Do: "call", Name: "read_text_file", Arguments: map[string]any{"path": "/etc/hostname"}},
			{Do: "call", Name: "write_file", Arguments: map[string]any{"path": filepath.Join(dir, "b.txt"), "content": "b"}},
			{Do: "call", Name: "directory_tree", Arguments: map[string]any{"path": dir}},
		}
	}
}

// equal compares two reports step by step, JSON by meaning.
func equal(t *testing.T, steps []step, direct, proxied report) {
	t.Helper()
	// The first TypeScript SDK does not tell the version over stdio.
	if direct.Version != proxied.Version && direct.Version != "" && proxied.Version != "" {
		t.Errorf("protocol version directly %q, through the gateway %q", direct.Version, proxied.Version)
	}
	if len(direct.Steps) != len(steps) || len(proxied.Steps) != len(steps) {
		t.Fatalf("%d steps, %d reported directly, %d through the gateway", len(steps), len(direct.Steps), len(proxied.Steps))
	}
	for i, s := range steps {
		if a, b := canonical(t, direct.Steps[i]), canonical(t, proxied.Steps[i]); !bytes.Equal(a, b) {
			t.Errorf("step %d, %s %s%s\ndirect  %s\nproxied %s", i, s.Do, s.Name, s.URI, a, b)
		}
	}
	for what, n := range direct.Counts {
		// Logs come when they come. server-everything asks for the roots as
		// soon as it is initialized, heard or not: whether the client's stream
		// is open by then is a matter of milliseconds, with and without us.
		if what == "roots" && (n > 0) == (proxied.Counts[what] > 0) {
			continue
		}
		if what != "logs" && proxied.Counts[what] != n {
			t.Errorf("%s: %d directly, %d through the gateway", what, n, proxied.Counts[what])
		}
	}
}

func canonical(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sane holds what must be true of a direct run, so that a comparison never
// compares two failures.
func sane(t *testing.T, s server, c client, r report) {
	t.Helper()
	for i, raw := range r.Steps {
		do := s.steps(c.era)[i]
		if do.Progress && !bytes.Contains(raw, []byte(`"progress":true`)) && !bytes.Contains(raw, []byte(`"progress": true`)) {
			t.Errorf("directly: no progress from %s: %s", do.Name, raw)
		}
		if do.Do == "cancel" && string(raw) != `"cancelled"` {
			t.Errorf("directly: %s was not cancelled: %s", do.Name, raw)
		}
	}
	if c.era == "legacy" {
		for what, n := range s.expect {
			if r.Counts[what] != n {
				t.Errorf("directly: %d of %s, want %d", r.Counts[what], what, n)
			}
		}
	}
}

// Every SDK, in each era that it speaks, sees through the gateway what it sees
// without: over HTTPS with token and CA, and over the stdio shim.
func TestClientsThroughTheGateway(t *testing.T) {
	all := foreign(t)
	door := doortest.Gateway(t, doortest.Options{Servers: registered(all), Agents: []string{"app"}})
	for _, s := range all {
		for _, c := range clients() {
			if !slices.Contains(s.eras, c.era) {
				continue
			}
			steps := s.steps(c.era)
			t.Run(s.name+"/"+c.name, func(t *testing.T) {
				direct := c.run(t, s.direct(plan{Era: c.era, Steps: steps}))
				sane(t, s, c, direct)
				t.Run("https", func(t *testing.T) {
					equal(t, steps, direct, c.run(t, overHTTPS(door, s.name, plan{Era: c.era, Steps: steps})))
				})
				t.Run("wrap", func(t *testing.T) {
					equal(t, steps, direct, c.run(t, overWrap(door, s.name, plan{Era: c.era, Steps: steps})))
				})
			})
		}
	}
}

// A server of the HTTP+SSE transport, which no client here speaks any more, looks
// through the gateway like the same server over Streamable HTTP.
func TestServersOfTheOldTransportThroughTheGateway(t *testing.T) {
	now := server{"now", []string{"legacy"}, "http://" + startEverything(t, "streamableHttp") + "/mcp", nil, everythingSteps, nil}
	old := doortest.Server{Name: "old", URL: "http://" + startEverything(t, "sse") + "/sse", Flags: []string{"--transport", "sse"}}
	door := doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{old}, Agents: []string{"app"}})
	for _, c := range clients() {
		if c.era != "legacy" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			steps := everythingSteps(c.era)
			direct := c.run(t, now.direct(plan{Era: c.era, Steps: steps}))
			equal(t, steps, direct, c.run(t, overHTTPS(door, "old", plan{Era: c.era, Steps: steps})))
		})
	}
}

// A client that probes must find the era of the server behind the gateway, on
// the same listener for both.
func TestClientsFindTheEraThroughTheGateway(t *testing.T) {
	all := []server{
		{"legacy", []string{"legacy"}, "http://" + startEverything(t, "streamableHttp") + "/mcp", nil, nil, nil},
		{"modern", []string{"modern"}, "http://" + startGoServer(t, true), nil, nil, nil},
	}
	door := doortest.Gateway(t, doortest.Options{Servers: registered(all), Agents: []string{"app"}})
	want := map[string]string{"legacy": doortest.LegacyVersion, "modern": doortest.ModernVersion}
	for _, c := range autoClients() {
		for _, s := range all {
			t.Run(c.name+"/"+s.name, func(t *testing.T) {
				steps := []step{{Do: "tools"}}
				direct := c.run(t, s.direct(plan{Era: "auto", Steps: steps}))
				proxied := c.run(t, overHTTPS(door, s.name, plan{Era: "auto", Steps: steps}))
				equal(t, steps, direct, proxied)
				if proxied.Version != want[s.name] {
					t.Errorf("agreed on %q", proxied.Version)
				}
			})
		}
	}
}

// On /mcp the servers appear together, their names prefixed.
func TestClientsSeeAllServersAtOneAddress(t *testing.T) {
	all := foreign(t)
	door := doortest.Gateway(t, doortest.Options{Servers: registered(all), Agents: []string{"app"}})
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			steps := []step{
				{Do: "tools"},
				{Do: "call", Name: "go-stdio__test_simple_text"},
				{Do: "call", Name: "go-stdio__no_such_tool"},
				{Do: "read", URI: "ostiary://go-stdio/test://static-text"},
				{Do: "prompt", Name: "go-stdio__test_simple_prompt"},
			}
			r := c.run(t, overHTTPS(door, "", plan{Era: c.era, Steps: steps}))
			var tools []string
			if err := json.Unmarshal(r.Steps[0], &tools); err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				if s.name == "go-http-modern" {
					continue // without sessions it speaks the other era too
				}
				some := slices.ContainsFunc(tools, func(n string) bool { return len(n) > len(s.name) && n[:len(s.name)+2] == s.name+"__" })
				if some != slices.Contains(s.eras, c.era) {
					t.Errorf("tools of %s are listed: %v, in the era %s", s.name, some, c.era)
				}
			}
			for i, part := range map[int]string{1: "This is a simple text response", 2: "-32602", 3: "content of the static text resource", 4: "simple prompt"} {
				if !bytes.Contains(r.Steps[i], []byte(part)) {
					t.Errorf("step %d lacks %q: %s", i, part, r.Steps[i])
				}
			}
		})
	}
}

func registered(all []server) []doortest.Server {
	var out []doortest.Server
	for _, s := range all {
		out = append(out, doortest.Server{Name: s.name, URL: s.url, Command: s.command})
	}
	return out
}

func overHTTPS(d *doortest.Door, server string, p plan) plan {
	a := d.Agents["app"]
	p.URL, p.Token, p.CA = d.URL(server), a.Token, filepath.Join(a.Dir, "ca.pem")
	return p
}

func overWrap(d *doortest.Door, server string, p plan) plan {
	p.Command = d.Command("wrap", "--agent", "app", "--server", server).Args
	p.Env = map[string]string{"HOME": filepath.Dir(d.Dir), "PATH": os.Getenv("PATH")}
	return p
}
