package hostile

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/authenticator"
	"ostiary.dev/ostiary/test/doortest"
)

var pageForm = regexp.MustCompile(`name="form" value="([0-9a-f]+)"`)

// decide sends the form of a call's page, which must have one.
func decide(t *testing.T, b *doortest.Browser, id, decision string) doortest.Shown {
	t.Helper()
	page := b.Open("/approvals/" + id)
	m := pageForm.FindStringSubmatch(page.Body)
	if m == nil {
		t.Fatalf("the page has no form: %d %s", page.Status, page.Body)
	}
	return b.Send("/approvals/"+id, url.Values{"form": {m[1]}, "decision": {decision}, "reason": {"as the page says"}})
}

// noForm checks that a page says why there is nothing to decide.
func noForm(t *testing.T, b *doortest.Browser, id, says string) {
	t.Helper()
	if page := b.Open("/approvals/" + id); page.Status != http.StatusOK || pageForm.MatchString(page.Body) || !strings.Contains(page.Body, says) {
		t.Errorf("the page does not say %q: %d %s", says, page.Status, page.Body)
	}
}

// only is the only call that waits.
func (w *people) only() string {
	w.t.Helper()
	waiting := w.list("pending")
	if len(waiting) != 1 {
		w.t.Fatalf("%d calls wait: %+v", len(waiting), waiting)
	}
	return waiting[0].ID
}

// api calls a method of the operators' functions as somebody in a browser.
func api(b *doortest.Browser, method string, body any) doortest.Shown {
	return b.Ask("/api/v1/"+method, body)
}

type yes struct {
	ID      string `json:"id"`
	Approve bool   `json:"approve"`
	Reason  string `json:"reason"`
}

// TestP04PersonApprovesOnThePage: a policy demands a person; the call waits; an
// approver signs in with a password and a code and approves on the page; the
// call passes once, and the next one is another question. The operator at the
// socket approves no more, and nobody decides about a call of their own.
func TestP04PersonApprovesOnThePage(t *testing.T) {
	w := newPeople(t, asking)
	app, other := w.client("app", doortest.ModernVersion, ""), w.client("other", doortest.LegacyVersion, `{}`)
	host := "127.0.0.1"
	pat := w.door.Enrol(w.door.Browser(host), "pat", "--role", "approver")
	sam := w.door.Enrol(w.door.Browser(host), "sam", "--role", "approver", "--agent", "other")
	w.waits("a call", app.Tool("1", "echo", `{"text":"the-argument"}`))
	id := w.only()
	if page := pat.Open("/approvals/" + id); page.Status != 200 || strings.Contains(page.Body, "the-argument") || pageForm.MatchString(page.Body) {
		t.Errorf("not signed in: %d %s", page.Status, page.Body)
	}
	if r := w.door.Try("approval", "approve", id, "--reason", "me"); r.Code == 0 || !strings.Contains(r.Stderr, "/approvals") {
		t.Errorf("the socket approves beside people: exit %d %s", r.Code, r.Stderr)
	}
	pat.SignIn("/approvals/" + id)
	if page := pat.Open("/approvals/" + id); !strings.Contains(page.Body, "the-argument") {
		t.Errorf("the approver sees %s", page.Body)
	}
	w.waits("not approved yet", app.Tool("2", "echo", `{"text":"the-argument"}`))
	if page := decide(t, pat.Browser, id, "approve"); page.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	noForm(t, pat.Browser, id, "approved")
	w.passes("approved", app.Tool("3", "echo", `{"text":"the-argument"}`))
	w.waits("once", app.Tool("4", "echo", `{"text":"the-argument"}`))
	if next := w.only(); next == id {
		t.Error("the second call has the first one's approval")
	}
	r := w.door.AwaitRecord("the approval", func(r doortest.Record) bool { return r.Kind == "approval.granted" })
	if line := string(r.Line); !strings.Contains(line, "password and code") || !strings.Contains(line, "as the page says") {
		t.Errorf("the record says %s", line)
	}

	// Sam is whom the agent may act for: its calls are Sam's.
	w.door.Must("approval", "list")
	if page := decide(t, pat.Browser, w.only(), "deny"); page.Status != http.StatusSeeOther {
		t.Errorf("deny: %d", page.Status)
	}
	if r := app.Tool("5", "echo", `{"text":"the-argument"}`); kindOf(r) != "denied" {
		t.Errorf("denied: %s", r.Body)
	}
	w.waits("sam's", other.Tool("1", "echo", `{"text":"y"}`))
	id = w.only()
	sam.SignIn("/approvals")
	noForm(t, sam.Browser, id, "You are behind this call")
	if page := decide(t, pat.Browser, id, "approve"); page.Status != http.StatusSeeOther {
		t.Errorf("pat about sam's: %d", page.Status)
	}
	w.passes("sam's, approved by pat", other.Tool("2", "echo", `{"text":"y"}`))
}

// TestP04NobodyApprovesTheirOwnOverTheAPI: what the page does not offer, the
// functions behind it refuse: to the requester, to other roles, to forms without
// their marks, and everything on the listener of clients.
func TestP04NobodyApprovesTheirOwnOverTheAPI(t *testing.T) {
	w := newPeople(t, asking)
	app := w.client("app", doortest.ModernVersion, "")
	w.waits("a call", app.Tool("1", "echo", `{"text":"x"}`))
	id := w.only()
	for _, c := range []struct {
		name  string
		flags []string
		code  int
		says  string
	}{
		{"own", []string{"--role", "approver", "--agent", "app"}, 403, "call of their own"},
		{"op", []string{"--role", "operator"}, 403, "roles do not allow"},
		{"nobody", nil, 403, "roles do not allow"},
	} {
		p := w.door.Enrol(w.door.AdminBrowser(), c.name, c.flags...)
		if page := api(p.Browser, "approval.decide", yes{id, true, "r"}); page.Status != 401 {
			t.Errorf("%s, not signed in: %d", c.name, page.Status)
		}
		p.SignIn("/login/account")
		if page := api(p.Browser, "approval.decide", yes{id, true, "r"}); page.Status != c.code || !strings.Contains(page.Body, c.says) {
			t.Errorf("%s: %d %s", c.name, page.Status, page.Body)
		}
		if page := p.Send("/api/v1/approval.decide", url.Values{"id": {id}}); page.Status != 403 {
			t.Errorf("%s, as a form: %d", c.name, page.Status)
		}
		w.door.Must("user", "remove", c.name, "--reason", "test")
		if page := api(p.Browser, "approval.decide", yes{id, true, "r"}); page.Status != 401 {
			t.Errorf("%s, removed: %d", c.name, page.Status)
		}
	}
	w.waits("still", app.Tool("2", "echo", `{"text":"x"}`))
	b := w.door.Browser("127.0.0.1")
	if page := api(b, "approval.decide", yes{id, true, "r"}); page.Status != 404 {
		t.Errorf("the API on the listener of clients: %d", page.Status)
	}
}

// TestP04RequesterThroughLogin: the person that an OAuth login names is behind
// the call, sees it without any role, and cannot approve it even with one.
func TestP04RequesterThroughLogin(t *testing.T) {
	w := newPeople(t, asking)
	pat := w.door.Enrol(w.door.Browser("127.0.0.1"), "pat", "--role", "approver", "--agent", "app")
	sam := w.door.Enrol(w.door.Browser("127.0.0.1"), "sam", "--role", "approver", "--agent", "app")
	pat.SignIn("/login/account")
	c := w.client("app", doortest.ModernVersion, "")
	c.Token = loginToken(t, pat.Browser, "app", c.URL)
	w.waits("pat's call", c.Tool("1", "echo", `{"text":"mine"}`))
	id := w.only()
	noForm(t, pat.Browser, id, "You are behind this call")
	kim := w.door.Enrol(w.door.Browser("127.0.0.1"), "kim", "--agent", "app") // without a role
	kim.SignIn("/login/account")
	noForm(t, kim.Browser, id, "no call with this number that you may see")
	sam.SignIn("/approvals/" + id)
	if page := decide(t, sam.Browser, id, "approve"); page.Status != http.StatusSeeOther {
		t.Fatalf("sam about pat's: %d %s", page.Status, page.Body)
	}
	w.passes("pat's call, approved by sam", c.Tool("2", "echo", `{"text":"mine"}`))
	c.Token = loginToken(t, kim.Browser, "app", c.URL)
	w.waits("kim's call", c.Tool("3", "echo", `{"text":"mine"}`))
	noForm(t, kim.Browser, w.only(), "You are behind this call")
}

// loginToken lets a person allow an agent in the standard login.
func loginToken(t testing.TB, b *doortest.Browser, agent, resource string) string {
	t.Helper()
	const back, verifier = "http://127.0.0.1:45678/callback", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	var client struct {
		ID string `json:"client_id"`
	}
	page := b.Ask("/oauth/register", map[string]any{"client_name": "by hand", "redirect_uris": []string{back}})
	if err := json.Unmarshal([]byte(page.Body), &client); err != nil || client.ID == "" {
		t.Fatalf("register: %d %s", page.Status, page.Body)
	}
	q := url.Values{"client_id": {client.ID}, "redirect_uri": {back}, "response_type": {"code"}, "scope": {"mcp:modify"}, "resource": {resource},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
	page = b.Open("/oauth/authorize?" + q.Encode())
	m := regexp.MustCompile(`name="request" value="([^"]*)"`).FindStringSubmatch(page.Body)
	if m == nil {
		t.Fatalf("consent: %d %s", page.Status, page.Body)
	}
	page = b.Send("/oauth/authorize", url.Values{"request": {m[1]}, "agent": {agent}, "decision": {"allow"}})
	to, err := url.Parse(page.Location)
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("consent: %d %s %s", page.Status, page.Location, page.Body)
	}
	page = b.Send("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {client.ID}, "code": {to.Query().Get("code")}, "code_verifier": {verifier}})
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(page.Body), &token); err != nil || token.Access == "" {
		t.Fatalf("token: %d %s", page.Status, page.Body)
	}
	return token.Access
}

// TestP04TwoPeopleWithPasskeys: a policy wants two people with passkeys. A code
// is not enough, the same person is not two, and what was wrong with an answer
// signs nobody in.
func TestP04TwoPeopleWithPasskeys(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{})
	w := &people{t: t, up: up, door: doortest.Gateway(t, doortest.Options{Config: doortest.Named,
		Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"}})}
	w.policy(strings.Replace(asking, `@needs("approval")`, `@needs("approval") @approvers("2 passkey")`, 1))
	c := w.client("app", doortest.ModernVersion, "")
	w.waits("a call", c.Tool("1", "echo", `{"text":"x"}`))
	id := w.only()
	var all []*doortest.Person
	for _, name := range []string{"pat", "sam"} {
		p := w.door.Enrol(w.door.Browser("localhost"), name, "--role", "approver")
		p.SignIn("/approvals/" + id)
		noForm(t, p.Browser, id, "needs a passkey")
		p.AddPasskey()
		noForm(t, p.Browser, id, "Sign in again")
		if page := p.UsePasskey(func(a *authenticator.Answer) { a.Origin = "https://localhost.evil.test" }); page.Status != 401 {
			t.Errorf("another origin: %d", page.Status)
		}
		noForm(t, p.Browser, id, "Sign in again")
		if page := p.UsePasskey(nil); page.Status != 200 {
			t.Fatalf("%s: %d %s", name, page.Status, page.Body)
		}
		all = append(all, p)
	}
	if page := decide(t, all[0].Browser, id, "approve"); page.Status != http.StatusSeeOther {
		t.Fatalf("the first: %d %s", page.Status, page.Body)
	}
	w.waits("one of two", c.Tool("2", "echo", `{"text":"x"}`))
	noForm(t, all[0].Browser, id, "Another person must approve it too")
	if page := decide(t, all[1].Browser, id, "approve"); page.Status != http.StatusSeeOther {
		t.Fatalf("the second: %d %s", page.Status, page.Body)
	}
	w.passes("two people", c.Tool("3", "echo", `{"text":"x"}`))
	w.waits("once", c.Tool("4", "echo", `{"text":"x"}`))
	w.door.AwaitRecord("both", func(r doortest.Record) bool {
		return r.Kind == "approval.granted" && strings.Contains(string(r.Line), `"passkey"`) && strings.Contains(string(r.Line), `"given":2`)
	})
}

// TestK08ReviewByAnotherPerson: beside people the glass can still be broken at
// the socket, and is reviewed by a person.
func TestK08ReviewByAnotherPerson(t *testing.T) {
	w := newPeople(t, asking)
	pat := w.door.Enrol(w.door.AdminBrowser(), "pat", "--role", "approver")
	c := w.client("app", doortest.ModernVersion, "")
	var page struct{ Items []struct{ ID string } }
	if err := json.Unmarshal([]byte(w.door.Must("approval", "bypass", "--agent", "app", "--for", "1h", "--reason", "outage", "-o", "json")), &page); err != nil || len(page.Items) != 1 {
		t.Fatal(err)
	}
	id := page.Items[0].ID
	w.passes("under the opening", c.Tool("1", "echo", `{"text":"x"}`))
	w.door.Must("approval", "close", id, "--reason", "over")
	if r := w.door.Try("approval", "review", id, "--reason", "all well"); r.Code == 0 || !strings.Contains(r.Stderr, "another person") {
		t.Errorf("whoever broke it reviews it: exit %d %s", r.Code, r.Stderr)
	}
	pat.SignIn("/approvals")
	m := pageForm.FindStringSubmatch(pat.Open("/approvals").Body)
	if m == nil {
		t.Fatal("the list has no form for the review")
	}
	if out := pat.Send("/approvals/glass/"+id, url.Values{"form": {m[1]}, "reason": {"one call, as planned"}}); out.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", out.Status, out.Body)
	}
	w.door.AwaitRecord("the review", func(r doortest.Record) bool { return r.Kind == "breakglass.reviewed" })
}
