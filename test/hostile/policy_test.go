package hostile

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// closing forbids what asking only asks a person about.
const closing = `@id("never") forbid (principal, action == Ostiary::Action::"call:s/echo", resource);`

const echoX = `{"text":"x"}`

// withoutRules is a gateway whose policies come from dir, not started yet.
func withoutRules(t *testing.T, dir string) (*doortest.Upstream, *doortest.Door) {
	t.Helper()
	up := doortest.NewUpstream(t, doortest.Config{})
	return up, doortest.Gateway(t, doortest.Options{Down: true, Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"},
		Config: func(yaml string) string { return yaml + "\npolicy:\n  dir: " + dir + "\n" }})
}

// TestP01NoPolicyNoStart: a gateway that is told to take its policies from a
// directory does not start without them: no reading of the mistake makes it
// allow what the policies would have forbidden.
func TestP01NoPolicyNoStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	_, door := withoutRules(t, dir)
	file := filepath.Join(dir, "p.cedar")
	refused := func(what string) {
		t.Helper()
		if r := door.Try("up"); r.Code == 0 || !strings.Contains(r.Stderr, "polic") || strings.Contains(r.Stderr, "goroutine ") {
			t.Errorf("%s: exit %d\n%s", what, r.Code, r.Stderr)
		}
	}
	refused("no directory")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	refused("empty directory")
	for what, text := range map[string]string{
		"syntax error":   `forbid (principal, action, resource`,
		"unknown action": `forbid (principal, action == Ostiary::Action::"call:s/no-such-tool", resource);`,
		"unknown member": `permit (principal, action, resource) when { context.call.no_such };`,
		"unknown note":   `@need("approval") forbid (principal, action, resource);`,
		"not text":       "\xff\xfe\x00",
	} {
		write(t, file, text)
		refused(what)
	}
	if os.Getuid() != 0 {
		write(t, file, closing)
		if err := os.Chmod(file, 0); err != nil {
			t.Fatal(err)
		}
		refused("unreadable file")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestP01BrokenFilesKeepThePolicies: policies that were in force stay so when
// their files break, at a reload and at a restart.
func TestP01BrokenFilesKeepThePolicies(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.cedar")
	write(t, file, closing)
	up, door := withoutRules(t, dir)
	door.Up()
	up.Forget()
	forbidden := func(when string) {
		t.Helper()
		if r := door.Client(door.Agents["app"], "s").Tool("1", "echo", echoX); kindOf(r) != "denied" || up.Bytes() != 0 {
			t.Errorf("%s: %d %s; the server got %d bytes", when, r.Status, r.Body, up.Bytes())
		}
	}
	said := func(n int) {
		t.Helper()
		doortest.Poll(t, "the gateway to say that the files are not valid", func() bool {
			return strings.Count(door.Process().Output(), "policy files are not valid") >= n
		})
	}
	forbidden("by the files")
	write(t, file, "forbid (")
	door.Process().Signal(syscall.SIGHUP)
	said(1)
	forbidden("after a syntax error")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	door.Process().Signal(syscall.SIGHUP)
	said(2)
	forbidden("after the last file went")
	door.Restart()
	up.Forget()
	forbidden("after a restart without a file")
	if r := door.Try("policy", "rollback", "0", "--reason", "test"); r.Code == 0 {
		t.Errorf("a command took away what the files say: %s", r.Stdout)
	}
	forbidden("after a rollback that was refused")
}

// TestP04PolicyChangesAfterTheList: what a list showed is no promise. The call is
// decided by what is in force when it comes, and the next list says so too.
func TestP04PolicyChangesAfterTheList(t *testing.T) {
	for _, version := range eras {
		t.Run(version, func(t *testing.T) {
			w := newPeople(t, `@id("nothing") forbid (principal, action, resource is Ostiary::Prompt);`)
			app := w.client("app", version, `{}`)
			shows := func(want bool) {
				t.Helper()
				r := app.Call("1", "tools/list", `{}`)
				if got := strings.Contains(r.Final(), `"echo"`); got != want || r.Status != http.StatusOK {
					t.Errorf("the list shows echo: %t, want %t: %d %s", got, want, r.Status, r.Body)
				}
			}
			refused := func(what, kind string) {
				t.Helper()
				w.up.Forget()
				if r := app.Tool("2", "echo", echoX); kindOf(r) != kind || len(w.up.Calls("tools/call")) != 0 {
					t.Errorf("%s: %d %s", what, r.Status, r.Body)
				}
			}
			shows(true)
			w.policy(closing)
			refused("forbidden after the list", "denied")
			shows(false)
			w.door.Must("policy", "rollback", "0", "--reason", "test")
			shows(true)
			w.passes("allowed again", app.Tool("3", "echo", echoX))
			w.door.Revoke("app", "s")
			w.up.Forget()
			if r := app.Tool("4", "echo", echoX); r.Text() != "" || r.Status < 400 || w.up.Bytes() != 0 {
				t.Errorf("without a grant: %d %s", r.Status, r.Body)
			}
		})
	}
}

// TestP04GrantRevokedWhileACallWaits: a call whose server has not answered when
// the grant is taken back ends by that, not by the server. The server holds its
// answer until the test is over.
func TestP04GrantRevokedWhileACallWaits(t *testing.T) {
	w := newPeople(t, `@id("nothing") forbid (principal, action, resource is Ostiary::Prompt);`)
	w.up.On("tools/call", doortest.Hang)
	app := w.client("app", doortest.ModernVersion, `{}`)
	answer := make(chan doortest.Reply, 1)
	go func() {
		r, _ := app.Attempt(app.Request("1", "tools/call", `{"name":"echo","arguments":{"text":"x"}}`)) // no reply is an answer too
		answer <- r
	}()
	w.up.AwaitCalls("tools/call", 1)
	w.door.Revoke("app", "s")
	if r := <-answer; r.Text() != "" || kindOf(r) != "server_unknown" {
		t.Errorf("the call ended with %d %s", r.Status, r.Body)
	}
	w.up.Forget()
	if r := app.Tool("2", "echo", echoX); r.Text() != "" || w.up.Bytes() != 0 {
		t.Errorf("a call without a grant: %d %s", r.Status, r.Body)
	}
}

type asked struct {
	Agent  string `json:"agent,omitempty"`
	Server string `json:"server"`
	Tool   string `json:"tool,omitempty"`
}

// TestP18NobodyIsToldAboutOthers: what explains decisions is out of an agent's
// reach, and its refusals do not tell a server that it may not use from one that
// does not exist.
func TestP18NobodyIsToldAboutOthers(t *testing.T) {
	w := newPeople(t, `@id("nothing") forbid (principal, action, resource is Ostiary::Prompt);`)
	w.door.Register("stranger")
	stranger := w.door.Agents["stranger"]
	for _, version := range eras {
		there, gone := w.door.Client(stranger, "s"), w.door.Client(stranger, "none")
		there.Version, gone.Version = version, version
		a, b := there.Tool("1", "echo", echoX), gone.Tool("1", "echo", echoX)
		if a.Status != b.Status || kindOf(a) != kindOf(b) || a.Status == http.StatusOK {
			t.Errorf("%s: a server is told from none: %d %s and %d %s", version, a.Status, a.Body, b.Status, b.Body)
		}
		app := w.client("app", version, `{}`)
		for _, method := range []string{"ostiary/explain", "access/explain", "policy/simulate", "Explain", "WhoCan"} {
			if r := app.Call("1", method, `{"agent":"other","server":"s","tool":"echo"}`); r.Status == http.StatusOK && r.Code() == 0 || w.up.Bytes() != 0 {
				t.Errorf("%s %s: %d %s", version, method, r.Status, r.Body)
			}
		}
	}
	// A person without a role is told as little as a program, and signing in to
	// the operators' pages gives none.
	nobody := w.door.Enrol(w.door.AdminBrowser(), "nobody")
	nobody.SignIn("/login/account")
	for method, body := range map[string]any{"access.explain": asked{"other", "s", "echo"}, "access.who": asked{Server: "s"}, "access.what": map[string]string{"id": "other"},
		"policy.test": map[string]any{}, "policy.check": map[string]any{}, "policy.show": map[string]any{}, "tool.list": map[string]string{"id": "s"}} {
		if page := api(nobody.Browser, method, body); page.Status != http.StatusForbidden || strings.Contains(page.Body, "echo") {
			t.Errorf("%s without a role: %d %s", method, page.Status, page.Body)
		}
	}
	for _, path := range []string{"/api/explain", "/v1/Explain", "/api/v1/access.explain", "/Explain", "/admin/Explain"} {
		c := w.door.Client(stranger, "s")
		c.URL = "https://" + w.door.Data + path
		if r, err := c.Attempt(`{"agent":"other","server":"s"}`); err == nil && r.Status < 400 {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
}

// TestP15ReadThenSendThroughAGateway: what was read through one server keeps the
// agent from sending through another, in both eras, on /mcp and on the servers'
// own paths. On /mcp a legacy client's other session is not concerned.
func TestP15ReadThenSendThroughAGateway(t *testing.T) {
	const flow = `@id("flow") forbid (principal, action, resource in Ostiary::Server::"post") when { context.call.session_labels.contains("secret") };`
	up := doortest.NewUpstream(t, doortest.Config{})
	post := doortest.NewUpstream(t, doortest.Config{})
	door := doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "vault", URL: up.URL()}, {Name: "post", URL: post.URL()}}, Agents: []string{"old", "new", "single"}})
	door.Must("server", "set", "vault", "--label", "secret", "--reason", "test")
	file := filepath.Join(t.TempDir(), "p.cedar")
	write(t, file, flow)
	door.Must("policy", "apply", file, "--reason", "test")
	joined := func(agent, version string) *doortest.Client {
		c := door.Client(door.Agents[agent], "")
		if c.Version = version; version != doortest.ModernVersion {
			c.Initialize(version, "{}")
		}
		return c
	}
	sends := func(what string, c *doortest.Client, tool string, want bool) {
		t.Helper()
		post.Forget()
		r := c.Tool("9", tool, echoX)
		if passed := r.Text() != ""; passed != want || !want && (kindOf(r) != "denied" || post.Bytes() != 0) {
			t.Errorf("%s: passes %t, want %t: %d %s; the server got %d bytes", what, passed, want, r.Status, r.Body, post.Bytes())
		}
	}
	old, other, fresh := joined("old", doortest.LegacyVersion), joined("old", doortest.LegacyVersion), joined("new", doortest.ModernVersion)
	for name, c := range map[string]*doortest.Client{"legacy": old, "modern": fresh} {
		sends(name+", nothing read", c, "post__echo", true)
		if r := c.Call("1", "tools/list", "{}"); !strings.Contains(r.Final(), "vault__echo") {
			t.Fatalf("%s: the list: %d %s", name, r.Status, r.Body)
		}
		sends(name+", after a list", c, "post__echo", true)
		if r := c.Tool("2", "vault__echo", echoX); r.Text() == "" {
			t.Fatalf("%s: the read: %d %s", name, r.Status, r.Body)
		}
		sends(name+", after a read", c, "post__echo", false)
		if r := c.Call("3", "tools/list", "{}"); strings.Contains(r.Final(), "post__echo") {
			t.Errorf("%s: the list shows what is refused: %s", name, r.Body)
		}
	}
	sends("another session", other, "post__echo", true)
	single := door.Client(door.Agents["single"], "vault")
	single.Version = doortest.ModernVersion
	if r := single.Tool("1", "echo", echoX); r.Text() == "" {
		t.Fatalf("the read: %d %s", r.Status, r.Body)
	}
	single.URL = door.URL("post")
	sends("on the servers' own paths", single, "echo", false)
}

// TestShadowIsCounted: what policies on trial would have refused passes, and is
// counted where operators look.
func TestShadowIsCounted(t *testing.T) {
	w := newPeople(t, `@id("nothing") forbid (principal, action, resource is Ostiary::Prompt);`)
	file := filepath.Join(t.TempDir(), "p.cedar")
	write(t, file, closing)
	w.door.Must("policy", "apply", file, "--shadow", "--reason", "test")
	w.passes("under a shadow that forbids", w.client("app", doortest.ModernVersion, "").Tool("1", "echo", echoX))
	if out := w.door.Must("policy", "shadow"); !strings.Contains(out, "echo") || !strings.Contains(out, "deny") {
		t.Errorf("policy shadow: %s", out)
	}
	if out := w.door.Must("policy", "shadow", "-o", "json"); !strings.Contains(out, `"different": 1`) {
		t.Errorf("policy shadow: %s", out)
	}
	if out := w.door.Must("status", "-o", "json"); !strings.Contains(out, `"different": 1`) {
		t.Errorf("status: %s", out)
	}
	w.door.Must("policy", "shadow", "--end", "--reason", "test")
	if out := w.door.Must("status", "-o", "json"); strings.Contains(out, `"different"`) {
		t.Errorf("status after the end: %s", out)
	}
}
