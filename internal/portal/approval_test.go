package portal

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// desk shows what it has to approvers and to whoever is behind a call, and
// keeps what was decided.
type desk struct {
	calls   map[string]Call
	decided []Decision
	glass   []Opening
	found   []string
	err     error
}

func (d *desk) Waiting(_ context.Context, who Person) (all []Call, err error) {
	if len(who.Roles) == 0 {
		return nil, &Refusal{"Your roles do not allow this."}
	}
	for _, c := range d.calls {
		all = append(all, c)
	}
	return all, d.err
}

func (d *desk) Call(_ context.Context, who Person, id string) (Call, error) {
	c, ok := d.calls[id]
	if d.err != nil {
		return Call{}, d.err
	}
	if !ok || len(who.Roles) == 0 && c.Person != who.Name {
		return Call{}, &Refusal{"There is no such call."}
	}
	return c, nil
}

func (d *desk) Decide(_ context.Context, _ Person, x Decision) (Call, error) {
	if d.err != nil {
		return Call{}, d.err
	}
	d.decided = append(d.decided, x)
	return d.calls[x.ID], nil
}

func (d *desk) Openings(context.Context, Person) ([]Opening, error) {
	return append([]Opening(nil), d.glass...), nil
}

func (d *desk) Review(_ context.Context, _ Person, id, finding string) error {
	if d.err != nil {
		return d.err
	}
	d.found = append(d.found, id+" "+finding)
	return nil
}

const callID = "0123456789abcdef"

// asks puts a call on the desk.
func (w *world) asks(change func(*Call)) {
	c := Call{ID: callID, State: "pending", Agent: "helper", Server: "crm", Method: "tools/call", Name: "export", Access: "modify", Definition: "sha256:1",
		Exchange: "x-1", Arguments: []byte(`{"to":"secret-place"}`), Policies: []string{"big-exports"}, Needed: 1, Created: w.now, Expires: w.now.Add(10 * time.Minute)}
	if change != nil {
		change(&c)
	}
	w.desk.calls[c.ID] = c
}

// approver is somebody who signed in just now.
func (w *world) approver(name string, roles ...registry.Role) *http.Cookie {
	w.t.Helper()
	w.set(name, func(p *registry.Person) { p.State, p.Roles = registry.PersonActive, roles })
	out := httptest.NewRecorder()
	w.portal.start(out, httptest.NewRequest("GET", origin, nil), session{name: name, strength: identity.TwoStep})
	return sessionCookie(out)
}

func with(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) {
		if c != nil {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}

var formField = regexp.MustCompile(`name="form" value="([0-9a-f]+)"`)

// form returns the token of the form on a call's page, "" when it has no form.
func (w *world) form(c *http.Cookie) (string, *httptest.ResponseRecorder) {
	out := w.send("GET", "/approvals/"+callID, nil, with(c))
	m := formField.FindStringSubmatch(out.Body.String())
	if m == nil {
		return "", out
	}
	return html.UnescapeString(m[1]), out
}

func TestApprovalPage(t *testing.T) {
	w := newWorld(t)
	pat := w.approver("pat", registry.RoleApprover)
	w.asks(nil)
	token, out := w.form(pat)
	body := out.Body.String()
	if token == "" || strings.Count(body, "<script") != 1 || strings.Contains(body, " style=") || strings.Contains(body, " on") && regexp.MustCompile(`<[^>]* on[a-z]+=`).MatchString(body) {
		t.Fatalf("%d %s", out.Code, body)
	}
	for _, want := range []string{"helper", "crm", "export", "secret-place", "big-exports", "sha256:1", "x-1", "nobody who signed in", `<textarea name="reason"`, `value="approve"`, `value="deny"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if out := w.send("GET", "/approvals", nil, with(pat)); !strings.Contains(out.Body.String(), `href="/approvals/`+callID+`"`) || strings.Contains(out.Body.String(), "secret-place") {
		t.Errorf("the list: %s", out.Body)
	}
	for name, c := range map[string]struct {
		form url.Values
		code int
	}{
		"no reason":   {url.Values{"decision": {"approve"}, "reason": {" "}}, 422},
		"no decision": {url.Values{"reason": {"r"}}, 422},
		"a third one": {url.Values{"decision": {"bypass"}, "reason": {"r"}}, 422},
		"a long one":  {url.Values{"decision": {"approve"}, "reason": {strings.Repeat("x", maxReason+1)}}, 422},
		"yes":         {url.Values{"decision": {"approve"}, "reason": {" looks right "}}, 303},
		"no":          {url.Values{"decision": {"deny"}, "reason": {"never"}}, 303},
	} {
		w.desk.decided = nil
		c.form.Set("form", token)
		out := w.send("POST", "/approvals/"+callID, c.form, with(pat))
		if out.Code != c.code || (len(w.desk.decided) == 1) != (c.code == 303) {
			t.Errorf("%s: %d, decided %v", name, out.Code, w.desk.decided)
		}
		if c.code == 303 && (w.desk.decided[0] != Decision{callID, c.form.Get("decision") == "approve", strings.TrimSpace(c.form.Get("reason"))} || out.Header().Get("Location") != "/approvals/"+callID) {
			t.Errorf("%s: %+v %v", name, w.desk.decided, out.Header())
		}
	}
	w.desk.err = &Refusal{"Nobody decides about a call of their own."}
	if out := w.send("POST", "/approvals/"+callID, url.Values{"form": {token}, "decision": {"approve"}, "reason": {"r"}}, with(pat)); out.Code != http.StatusForbidden {
		t.Errorf("refused by the desk: %d", out.Code)
	}
	w.desk.err = errors.New("the disk is full of secret-place")
	if out := w.send("POST", "/approvals/"+callID, url.Values{"form": {token}, "decision": {"approve"}, "reason": {"r"}}, with(pat)); out.Code != http.StatusInternalServerError || strings.Contains(out.Body.String(), "secret-place") {
		t.Errorf("broken: %d %s", out.Code, out.Body)
	}
}

// TestApprovalPageTellsStrangersNothing: whether there is such a call, and what
// it is, learns only who may see it.
func TestApprovalPageTellsStrangersNothing(t *testing.T) {
	w := newWorld(t)
	nobody := w.approver("pat") // signed in, without a role
	w.asks(nil)
	there := map[*http.Cookie]string{}
	for _, c := range []*http.Cookie{nil, nobody} {
		out := w.send("GET", "/approvals/"+callID, nil, with(c))
		there[c] = strings.ReplaceAll(out.Body.String(), callID, "ID")
		if out.Code != http.StatusOK || strings.Contains(out.Body.String(), "secret-place") || strings.Contains(out.Body.String(), "helper") || formField.MatchString(out.Body.String()) {
			t.Errorf("%v sees %d %s", c, out.Code, out.Body)
		}
	}
	delete(w.desk.calls, callID)
	for c, want := range there {
		if out := w.send("GET", "/approvals/"+callID, nil, with(c)); strings.ReplaceAll(out.Body.String(), callID, "ID") != want {
			t.Error("the page tells whether there is such a call")
		}
	}
	for _, id := range []string{"", "x", strings.ToUpper(callID), callID + "0", "../login", "%2e%2e%2flogin0000", callID[:15] + "g"} {
		if out := w.send("GET", "/approvals/"+id, nil, with(nobody)); out.Code < 300 || strings.Contains(out.Body.String(), "Approval <code>") {
			t.Errorf("%q: %d", id, out.Code)
		}
	}
	if out := w.send("GET", "/approvals", nil, nil); out.Code != http.StatusSeeOther || out.Header().Get("Location") != "/login?next=%2Fapprovals" {
		t.Errorf("the list, not signed in: %d %v", out.Code, out.Header())
	}
	if out := w.send("GET", "/approvals", nil, with(nobody)); out.Code != http.StatusForbidden {
		t.Errorf("the list, without a role: %d", out.Code)
	}
}

// TestWhoGetsAForm: the form is there only for somebody whose yes would count.
func TestWhoGetsAForm(t *testing.T) {
	for name, c := range map[string]struct {
		roles []registry.Role
		key   bool
		age   time.Duration
		call  func(*Call)
		form  bool
		says  string
	}{
		"an approver":               {roles: []registry.Role{registry.RoleApprover}, form: true},
		"an admin":                  {roles: []registry.Role{registry.RoleAdmin}, form: true},
		"an auditor":                {roles: []registry.Role{registry.RoleAuditor}, says: "Your roles let you see"},
		"behind the call":           {roles: []registry.Role{registry.RoleApprover}, call: func(c *Call) { c.Person = "pat" }, says: "You are behind this call"},
		"behind it, without a role": {call: func(c *Call) { c.Person = "pat" }, says: "You are behind this call"},
		"signed in long ago":        {roles: []registry.Role{registry.RoleApprover}, age: tryLife, says: "Sign in again"},
		"a passkey at hand":         {roles: []registry.Role{registry.RoleApprover}, key: true, says: "Sign in again"},
		"a passkey is demanded":     {roles: []registry.Role{registry.RoleApprover}, call: func(c *Call) { c.Passkey = true }, says: "needs a passkey"},
		"approved already": {roles: []registry.Role{registry.RoleApprover}, call: func(c *Call) { c.Needed, c.Approvers = 2, []Approver{{"pat", "passkey"}} },
			says: "Another person must approve it too"},
		"decided":  {roles: []registry.Role{registry.RoleApprover}, call: func(c *Call) { c.State = "denied" }, says: "denied"},
		"too late": {roles: []registry.Role{registry.RoleApprover}, call: func(c *Call) { c.State = "expired" }, says: "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pat := w.approver("pat", c.roles...)
			if c.key {
				w.set("pat", func(p *registry.Person) { p.Passkeys = []registry.Passkey{{Name: "phone", Credential: []byte("{}")}} })
			}
			w.now = w.now.Add(c.age)
			w.asks(c.call)
			token, out := w.form(pat)
			if (token != "") != c.form || !strings.Contains(out.Body.String(), c.says) {
				t.Errorf("%d %s", out.Code, out.Body)
			}
		})
	}
}

// TestK08ReviewPage: broken glass waits on the list for somebody else than who
// broke it, and the form counts from the page of the same session only.
func TestK08ReviewPage(t *testing.T) {
	w := newWorld(t)
	w.desk.glass = []Opening{{ID: callID, Agent: "helper", Server: "crm", By: "uid:7", Reason: "<b>outage", Opened: w.now, Until: w.now}}
	pat, reader := w.approver("pat", registry.RoleApprover), w.approver("sam", registry.RoleAuditor)
	list := func(c *http.Cookie) (string, string) {
		body := w.send("GET", "/approvals", nil, with(c)).Body.String()
		if m := formField.FindStringSubmatch(body); m != nil {
			return m[1], body
		}
		return "", body
	}
	if token, body := list(reader); token != "" || !strings.Contains(body, "helper") || strings.Contains(body, "<b>") {
		t.Errorf("an auditor sees %s", body)
	}
	token, body := list(pat)
	if token == "" {
		t.Fatalf("no form: %s", body)
	}
	for name, c := range map[string]struct {
		form url.Values
		code int
	}{
		"no token":      {url.Values{"reason": {"r"}}, 403},
		"another token": {url.Values{"reason": {"r"}, "form": {strings.Repeat("0", len(token))}}, 403},
		"no finding":    {url.Values{"reason": {" "}, "form": {token}}, 403},
		"a long one":    {url.Values{"reason": {strings.Repeat("x", maxReason+1)}, "form": {token}}, 403},
	} {
		if out := w.send("POST", glassAt+callID, c.form, with(pat)); out.Code != c.code || len(w.desk.found) != 0 {
			t.Errorf("%s: %d, found %v", name, out.Code, w.desk.found)
		}
	}
	good := url.Values{"reason": {"one call, as planned"}, "form": {token}}
	if out := w.send("POST", glassAt+callID, good, with(reader)); out.Code != http.StatusForbidden {
		t.Errorf("with another's token: %d", out.Code)
	}
	if out := w.send("POST", glassAt+callID, good, nil); out.Code != http.StatusSeeOther || len(w.desk.found) != 0 {
		t.Errorf("not signed in: %d", out.Code)
	}
	w.desk.err = &Refusal{"Another person reviews it."}
	if out := w.send("POST", glassAt+callID, good, with(pat)); out.Code != http.StatusForbidden {
		t.Errorf("refused: %d", out.Code)
	}
	w.desk.err = nil
	if out := w.send("POST", glassAt+callID, good, with(pat)); out.Code != http.StatusSeeOther || len(w.desk.found) != 1 {
		t.Errorf("%d, found %v", out.Code, w.desk.found)
	}
	w.desk.glass[0].By = "pat"
	if token, _ := list(pat); token != "" {
		t.Error("who broke the glass gets the form")
	}
	w.desk.glass[0].By, w.now = "uid:7", w.now.Add(tryLife)
	if token, body := list(pat); token != "" || !strings.Contains(body, "Sign in again") {
		t.Errorf("signed in long ago: %s", body)
	}
}

// TestK02ApprovalCSRF: no form but the one on the page of this very session
// decides, whatever the browser says about where it comes from.
func TestK02ApprovalCSRF(t *testing.T) {
	w := newWorld(t)
	pat := w.approver("pat", registry.RoleApprover)
	w.peer = "192.0.2.9:5"
	sam := w.approver("sam", registry.RoleApprover)
	w.now = w.now.Add(time.Minute)
	w.asks(nil)
	mine, _ := w.form(pat)
	theirs, _ := w.form(sam)
	if mine == "" || mine == theirs {
		t.Fatalf("%q %q", mine, theirs)
	}
	other := Call{ID: "fedcba9876543210", State: "pending"}
	w.desk.calls[other.ID] = other
	send := func(id, token string, change func(*http.Request)) int {
		form := url.Values{"decision": {"approve"}, "reason": {"r"}}
		if token != "" {
			form.Set("form", token)
		}
		return w.send("POST", "/approvals/"+id, form, func(r *http.Request) {
			with(pat)(r)
			if change != nil {
				change(r)
			}
		}).Code
	}
	for name, c := range map[string]struct {
		id, token string
		change    func(*http.Request)
	}{
		"no token":         {callID, "", nil},
		"another session":  {callID, theirs, nil},
		"another call":     {other.ID, mine, nil},
		"a changed one":    {callID, mine[:len(mine)-2] + "00", nil},
		"not hex":          {callID, "zz", nil},
		"another site":     {callID, mine, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }},
		"a sister site":    {callID, mine, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }},
		"another origin":   {callID, mine, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.test") }},
		"a token in a URL": {callID, "", func(r *http.Request) { r.URL.RawQuery = "form=" + mine + "&decision=approve&reason=r" }},
	} {
		if code := send(c.id, c.token, c.change); code != http.StatusForbidden || len(w.desk.decided) != 0 {
			t.Errorf("%s: %d, decided %v", name, code, w.desk.decided)
		}
	}
	if out := w.send("POST", "/approvals/"+callID, url.Values{"form": {mine}, "decision": {"approve"}, "reason": {"r"}}, nil); out.Code != http.StatusSeeOther || !strings.HasPrefix(out.Header().Get("Location"), "/login?") || len(w.desk.decided) != 0 {
		t.Errorf("without a session: %d", out.Code)
	}
	if code := send(callID, mine, nil); code != http.StatusSeeOther || len(w.desk.decided) != 1 {
		t.Errorf("the page's own form: %d", code)
	}
	w.send("POST", "/login/logout", url.Values{}, with(pat))
	if code := send(callID, mine, nil); code != http.StatusSeeOther || len(w.desk.decided) != 1 {
		t.Errorf("signed out: %d, decided %v", code, w.desk.decided)
	}
}

// TestK02ArgumentsAreShownAsTheyAre: nothing of a call is markup on the page,
// and nothing that a reader cannot see hides in what they approve.
func TestK02ArgumentsAreShownAsTheyAre(t *testing.T) {
	for raw, want := range map[string]string{
		`{"a":1}`:                                         "{\n  \"a\": 1\n}",
		"{\"a\":\"x\u202egpj.exe\"}":                      `\u202e`,
		"{\"a\":\"pay\u200bpal\"}":                        `pay\u200bpal`,
		"{\"a\":\"x\u00a0y\u3000z\"}":                     `x\u00a0y\u3000z`,
		"{\"a\":\"\u3164\u2800\ufe0f\u034f\"}":            `\u3164\u2800\ufe0f\u034f`,
		"{\"a\":\"\U000e0041\"}":                          `\udb40\udc41`,
		"{\"a\":\"\u2028x\ufeff\"}":                       `\u2028x\ufeff`,
		"{\"a\":\"caf\u00e9 \u65e5\u672c \u0928\u093f\"}": "caf\u00e9 \u65e5\u672c \u0928\u093f",
		"not json": "not json",
	} {
		if got := shown([]byte(raw)); !strings.Contains(got, want) {
			t.Errorf("%q is shown as %q", raw, got)
		}
	}
	w := newWorld(t)
	pat := w.approver("pat", registry.RoleApprover)
	w.asks(func(c *Call) {
		c.Name, c.Server, c.Reason, c.Policies = "\u202e<b>", "<i>", "<s>", []string{"<u>"}
		c.Arguments = []byte(`{"x":"</pre><script>alert(1)</script>"}`)
	})
	_, out := w.form(pat)
	for _, bad := range []string{"<script>alert", "<b>", "<i>", "<s>", "<u>", "\u202e", "</pre><"} {
		if strings.Contains(out.Body.String(), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(out.Body.String(), `\u202e&lt;b&gt;`) {
		t.Error("the tool's name is not shown as it is")
	}
}

func FuzzShown(f *testing.F) {
	for _, s := range []string{`{"a":"\u202e"}`, "{\"a\":\"\u202e\U000e0041\"}", "\xff\xfe", "", "{"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, c := range shown(raw) {
			if c == 0x202e || c == 0x200b || c == 0xfeff || c == '\r' || c == '\t' || c < ' ' && c != '\n' || hidden(c) {
				t.Errorf("%q shows %U", raw, c)
			}
		}
	})
}
