package hostile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/test/doortest"
)

// asking is a policy by which calls of echo need a person.
const asking = `@id("ask") @needs("approval") forbid (principal, action == Ostiary::Action::"call:s/echo", resource);`

// people is a gateway with a policy, and what its operator does.
type people struct {
	t    *testing.T
	up   *doortest.Upstream
	door *doortest.Door
}

func newPeople(t *testing.T, policy string) *people {
	t.Helper()
	w := &people{t: t, up: doortest.NewUpstream(t, doortest.Config{})}
	w.door = doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: w.up.URL()}}, Agents: []string{"app", "other"}})
	w.policy(policy)
	return w
}

func (w *people) policy(text string) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "p.cedar")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.door.Must("policy", "apply", path, "--reason", "test")
	w.up.Forget()
}

// client is a client of an era that declared capabilities.
func (w *people) client(agent, version, capabilities string) *doortest.Client {
	w.t.Helper()
	c := w.door.Client(w.door.Agents[agent], "s")
	c.Version = version
	if version != doortest.ModernVersion {
		c.Initialize(version, capabilities)
	}
	w.up.Forget()
	return c
}

// list returns the approvals in a state.
func (w *people) list(state string) []admin.ApprovalView {
	w.t.Helper()
	var page struct{ Items []admin.ApprovalView }
	if err := json.Unmarshal([]byte(w.door.Must("approval", "list", "--state", state, "-o", "json")), &page); err != nil {
		w.t.Fatal(err)
	}
	return page.Items
}

// approve approves the only call that waits.
func (w *people) approve() admin.ApprovalView {
	w.t.Helper()
	waiting := w.list("pending")
	if len(waiting) != 1 {
		w.t.Fatalf("%d calls wait: %+v", len(waiting), waiting)
	}
	w.door.Must("approval", "approve", waiting[0].ID, "--reason", "looks right")
	return waiting[0]
}

func kindOf(r doortest.Reply) string {
	var e struct {
		Data struct{ Kind string }
	}
	_ = json.Unmarshal(r.Message().Error, &e) // no error: no kind
	return e.Data.Kind
}

func (w *people) waits(what string, r doortest.Reply) {
	w.t.Helper()
	if kindOf(r) != "approval_required" || w.up.Bytes() != 0 {
		w.t.Fatalf("%s: %d %s; the server got %d bytes", what, r.Status, r.Body, w.up.Bytes())
	}
}

func (w *people) passes(what string, r doortest.Reply) {
	w.t.Helper()
	if r.Text() == "" {
		w.t.Fatalf("%s: %d %s", what, r.Status, r.Body)
	}
	w.up.Forget()
}

// TestP04PolicyChangesWhileApprovalWaits: an approval counts for exactly one
// call of exactly these arguments by exactly this agent, and on the policy at
// the moment of the call.
func TestP04PolicyChangesWhileApprovalWaits(t *testing.T) {
	for _, version := range eras {
		t.Run(version, func(t *testing.T) {
			w := newPeople(t, asking)
			app, other := w.client("app", version, `{}`), w.client("other", version, `{}`)
			w.waits("a call", app.Tool("1", "echo", `{"text":"x"}`))
			w.waits("the same call", app.Tool("2", "echo", `{ "text" : "x" }`))
			a := w.approve()
			if a.Agent != "app" || a.Name != "echo" || !strings.Contains(string(a.Arguments), `"x"`) || a.Definition == "" {
				t.Errorf("the approver sees %+v", a)
			}
			w.waits("other arguments", app.Tool("3", "echo", `{"text":"y"}`))
			w.waits("another agent", other.Tool("4", "echo", `{"text":"x"}`))
			w.policy(asking + `@id("never") forbid (principal, action == Ostiary::Action::"call:s/echo", resource);`)
			if r := app.Tool("5", "echo", `{"text":"x"}`); kindOf(r) != "denied" || w.up.Bytes() != 0 {
				t.Errorf("forbidden meanwhile: %d %s", r.Status, r.Body)
			}
			w.policy(asking)
			w.passes("the approved call", app.Tool("6", "echo", `{"text":"x"}`))
			w.waits("a second use", app.Tool("7", "echo", `{"text":"x"}`))
			found := w.door.AwaitRecord("the approved call", func(r doortest.Record) bool { return strings.Contains(r.Detail, a.ID) })
			if found.Outcome == "refused" {
				t.Errorf("the record says %+v", found)
			}
			r := w.door.Try("approval", "approve", a.ID, "--reason", "again")
			if r.Code == 0 {
				t.Error("a used approval was approved again")
			}
			w.door.Must("approval", "deny", w.list("pending")[0].ID, "--reason", "no")
		})
	}
}

// TestP04ApprovalIsUsedOnce: of many calls at once, one gets the approval.
func TestP04ApprovalIsUsedOnce(t *testing.T) {
	w := newPeople(t, asking)
	c := w.client("app", doortest.ModernVersion, `{}`)
	w.waits("a call", c.Tool("1", "echo", `{"text":"x"}`))
	w.approve()
	var passed, asked atomic.Int32
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			r, err := c.Attempt(c.Request(`"n"`, "tools/call", `{"name":"echo","arguments":{"text":"x"}}`))
			switch {
			case err != nil:
			case r.Text() != "":
				passed.Add(1)
			case kindOf(r) == "approval_required":
				asked.Add(1)
			}
		})
	}
	wait.Wait()
	if passed.Load() != 1 || asked.Load() != 19 {
		t.Errorf("%d passed, %d were asked", passed.Load(), asked.Load())
	}
}

const urlCapable = `{"elicitation":{"url":{},"form":{}}}`

// TestM17ApprovalStateIsNotInTheClient: a modern client is sent to a page and
// calls again; what it answers decides nothing and reaches no server.
func TestM17ApprovalStateIsNotInTheClient(t *testing.T) {
	w := newPeople(t, asking)
	c := w.client("app", doortest.ModernVersion, "")
	call := func(more string) doortest.Reply {
		t.Helper()
		body := c.Request(`"1"`, "tools/call", `{"name":"echo","arguments":{"text":"x"}`+more+`}`)
		return c.Post(strings.Replace(body, `"io.modelcontextprotocol/clientCapabilities":{}`, `"io.modelcontextprotocol/clientCapabilities":`+urlCapable, 1))
	}
	r := call("")
	var asked struct {
		ResultType    string
		InputRequests map[string]struct {
			Method string
			Params struct{ Mode, URL, Message string }
		}
	}
	if err := json.Unmarshal(r.Message().Result, &asked); err != nil || asked.ResultType != "input_required" || len(asked.InputRequests) != 1 || w.up.Bytes() != 0 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for key, q := range asked.InputRequests {
		if q.Method != "elicitation/create" || q.Params.Mode != "url" || !strings.HasPrefix(q.Params.URL, "https://"+w.door.Data+"/approvals/") {
			t.Errorf("asked %+v", q)
		}
		page := doortest.NewClient(t, q.Params.URL)
		page.TLS = c.TLS
		if got := page.Send("GET", ""); got.Status != 200 || strings.Contains(string(got.Body), "text") && strings.Contains(string(got.Body), `"x"`) {
			t.Errorf("the page: %d %s", got.Status, got.Body)
		}
		answer := `,"inputResponses":{"` + key + `":{"action":"accept"}}`
		if r := call(answer); !strings.Contains(string(r.Body), "input_required") || w.up.Bytes() != 0 {
			t.Errorf("an answer of the client's own: %s", r.Body)
		}
		w.approve()
		if r := call(answer); r.Text() == "" {
			t.Errorf("approved: %s", r.Body)
		}
	}
	if got := string(w.up.Received()); strings.Contains(got, "ostiary-approval") || strings.Contains(got, "inputResponses") {
		t.Errorf("the server got %s", got)
	}
}

// TestM18ApprovalAsURLElicitation: a legacy client that declared it is sent to
// the page by the error of its version; one that did not gets a plain error.
func TestM18ApprovalAsURLElicitation(t *testing.T) {
	w := newPeople(t, asking)
	c := w.client("app", doortest.LegacyVersion, urlCapable)
	r := c.Tool("1", "echo", `{"text":"x"}`)
	var e struct {
		Code int
		Data struct {
			Elicitations []struct{ Mode, URL, ElicitationID, Message string }
		}
	}
	if err := json.Unmarshal(r.Message().Error, &e); err != nil || e.Code != -32042 || len(e.Data.Elicitations) != 1 {
		t.Fatalf("%s", r.Body)
	}
	if one := e.Data.Elicitations[0]; one.Mode != "url" || !strings.HasSuffix(one.URL, "/approvals/"+one.ElicitationID) || one.Message == "" {
		t.Errorf("%+v", one)
	}
	w.approve()
	w.passes("approved", c.Tool("2", "echo", `{"text":"x"}`))
	for _, version := range []string{"2025-06-18", doortest.LegacyVersion} {
		c := w.client("other", version, `{"elicitation":{}}`)
		if r := c.Tool("1", "echo", `{"text":"x"}`); r.Code() != 31022 {
			t.Errorf("%s: %s", version, r.Body)
		}
	}
}

// TestTwoPeopleApprove: where a policy wants two, one is not enough, and the
// same one does not count twice. A denial ends the question for its time.
func TestTwoPeopleApprove(t *testing.T) {
	w := newPeople(t, strings.Replace(asking, `@needs("approval")`, `@needs("approval") @approvers("2")`, 1))
	c := w.client("app", doortest.ModernVersion, "")
	w.waits("a call", c.Tool("1", "echo", `{"text":"x"}`))
	a := w.approve()
	w.waits("one of two approved", c.Tool("2", "echo", `{"text":"x"}`))
	if r := w.door.Try("approval", "approve", a.ID, "--reason", "me again"); r.Code == 0 {
		t.Error("the same operator approved twice")
	}
	w.door.Must("approval", "deny", a.ID, "--reason", "on second thought")
	if r := c.Tool("3", "echo", `{"text":"x"}`); kindOf(r) != "denied" {
		t.Errorf("denied: %s", r.Body)
	}
}

// TestP02ApprovalsAreBounded: an agent cannot bury people under questions.
func TestP02ApprovalsAreBounded(t *testing.T) {
	w := newPeople(t, asking)
	c := w.client("app", doortest.ModernVersion, "")
	refused := 0
	for i := range 20 {
		text, err := json.Marshal(map[string]string{"text": strings.Repeat("x", i)})
		if err != nil {
			t.Fatal(err)
		}
		if kindOf(c.Tool("1", "echo", string(text))) == "busy" {
			refused++
		}
	}
	if n := len(w.list("pending")); n != 16 || refused != 4 {
		t.Errorf("%d wait, %d were refused", n, refused)
	}
}

// TestK08BreakGlass: an opening is short, loud, and in the record of each call;
// it lifts no prohibition.
func TestK08BreakGlass(t *testing.T) {
	w := newPeople(t, asking)
	c := w.client("app", doortest.ModernVersion, "")
	if r := w.door.Try("approval", "bypass", "--agent", "app", "--for", "9h", "--reason", "night"); r.Code == 0 {
		t.Error("an opening of nine hours")
	}
	if r := w.door.Try("approval", "bypass", "--agent", "app", "--for", "1h"); r.Code == 0 {
		t.Error("an opening without a reason")
	}
	var page struct{ Items []admin.BypassView }
	if err := json.Unmarshal([]byte(w.door.Must("approval", "bypass", "--agent", "app", "--server", "s", "--for", "1h", "--reason", "outage", "-o", "json")), &page); err != nil {
		t.Fatal(err)
	}
	id := page.Items[0].ID
	w.passes("under the opening", c.Tool("1", "echo", `{"text":"x"}`))
	w.waits("another agent", w.client("other", doortest.ModernVersion, "").Tool("1", "echo", `{"text":"x"}`))
	w.door.AwaitRecord("the call under it", func(r doortest.Record) bool { return strings.Contains(r.Detail, "break-glass "+id) })
	if s := w.door.Must("status", "-o", "json"); !strings.Contains(s, "break glass") || !strings.Contains(s, id) {
		t.Errorf("status says nothing of it: %s", s)
	}
	if r := w.door.Try("approval", "review", id, "--reason", "too early"); r.Code == 0 {
		t.Error("an open opening was reviewed")
	}
	w.door.Must("approval", "close", id, "--reason", "over")
	w.waits("after it", c.Tool("2", "echo", `{"text":"x"}`))
	w.door.Must("approval", "review", id, "--reason", "one call, as planned")
	for _, kind := range []string{"breakglass.opened", "breakglass.closed", "breakglass.reviewed"} {
		w.door.AwaitRecord(kind, func(r doortest.Record) bool { return r.Kind == kind })
	}
	w.policy(`@id("never") forbid (principal, action == Ostiary::Action::"call:s/echo", resource);`)
	w.door.Must("approval", "bypass", "--agent", "app", "--for", "1h", "--reason", "outage")
	if r := c.Tool("3", "echo", `{"text":"x"}`); kindOf(r) != "denied" {
		t.Errorf("a prohibition was lifted: %s", r.Body)
	}
}
