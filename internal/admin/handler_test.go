package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
)

// ask sends one request to the handler as the user uid.
func send(w *world, p *peer, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if p != nil {
		r = r.WithContext(context.WithValue(r.Context(), peerKey{}, *p))
	}
	rec := httptest.NewRecorder()
	handler{w.admin}.ServeHTTP(rec, r)
	return rec
}

func self() *peer { return &peer{uid: uint32(os.Geteuid())} }

func TestOnlyTheSameUserOrRootMayOperate(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		p    *peer
		want int
	}{
		"the same user":          {self(), http.StatusOK},
		"root":                   {&peer{uid: 0}, http.StatusOK},
		"another user":           {&peer{uid: uint32(os.Geteuid()) + 4711}, http.StatusForbidden},
		"a peer that is unknown": {&peer{err: os.ErrPermission}, http.StatusForbidden},
		"no peer at all":         {nil, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			if got := send(w, c.p, "POST", "/api/v1/server.list", "{}"); got.Code != c.want {
				t.Fatalf("got %d, want %d: %s", got.Code, c.want, got.Body)
			}
		})
	}
}

func TestSocketIsPrivate(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	s, err := w.admin.Serve(path, func(string, error) {})
	if err != nil {
		t.Skip(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Fatal("the socket stays after Close")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.Serve(path, func(string, error) {}); err == nil {
		t.Fatal("a file in the way was replaced")
	}
}

// TestK04UnknownFieldsAreRefused sends fields that a request does not have: an
// operator's client cannot set what is not its to set.
func TestK04UnknownFieldsAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string][2]string{
		"state of a server":   {"server.submit", `{"id":"x","url":"https://a.example.com","state":"active"}`},
		"approved at once":    {"server.submit", `{"id":"x","url":"https://a.example.com","approved":true}`},
		"another tenant":      {"agent.register", `{"id":"x","tenant_id":"other"}`},
		"a role":              {"agent.register", `{"id":"x","role":"admin"}`},
		"who did it":          {"access.grant", `{"agent":"a","server":"b","access":"read","by":"root"}`},
		"a second object":     {"agent.register", `{"id":"x"}{"id":"y"}`},
		"not an object":       {"agent.register", `["x"]`},
		"nothing":             {"agent.register", ``},
		"a number for a name": {"agent.register", `{"id":1}`},
		"cut off":             {"agent.register", `{"id":"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(w, self(), "POST", prefix+c[0], c[1])
			if got.Code != http.StatusBadRequest {
				t.Fatalf("got %d: %s", got.Code, got.Body)
			}
		})
	}
	if len(w.records.entries) != 0 {
		t.Fatal("a refused request left a trace")
	}
}

func TestHandlerRefusesWhatIsNotAFunction(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", prefix + "server.list", "", http.StatusBadRequest},
		{"POST", prefix + "server.delete", "{}", http.StatusNotFound},
		{"POST", "/", "{}", http.StatusNotFound},
		{"POST", prefix + "server.submit", strings.Repeat(" ", maxRequest+1), http.StatusBadRequest},
	} {
		if got := send(w, self(), c.method, c.path, c.body); got.Code != c.want {
			t.Errorf("%s %s: got %d, want %d", c.method, c.path, got.Code, c.want)
		}
	}
}

// story calls every function of API once and returns each answer as JSON.
func story(t *testing.T, api API) map[string]string {
	t.Helper()
	answers := map[string]string{}
	note := func(name string, v any, err error) {
		t.Helper()
		if err != nil {
			v = err
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		answers[name] = string(text)
	}
	why := Change{Reason: "story"}
	a1, err := api.SubmitServer(ctx, SubmitServer{ID: "wiki", URL: "https://wiki.example.com/mcp", Change: why})
	note("SubmitServer", a1, err)
	a2, err := api.ApproveServer(ctx, ApproveServer{ID: "wiki", Change: why, ToolAccess: map[string]registry.Access{"read-file": "read"}})
	note("ApproveServer", a2, err)
	a3, err := api.ScanServer(ctx, Scan{ID: "wiki"})
	note("ScanServer", a3, err)
	a4, err := api.Tools(ctx, ToolQuery{})
	note("Tools", a4, err)
	a5, err := api.ApproveTool(ctx, ApproveTool{Server: "wiki", Tool: "write-file", Access: "write", Change: why})
	note("ApproveTool", a5, err)
	a6, err := api.RegisterAgent(ctx, RegisterAgent{ID: "app", Change: why})
	note("RegisterAgent", a6, err)
	a7, err := api.IssueCertificate(ctx, IssueCertificate{Agent: "app", Change: Change{DryRun: true}})
	note("IssueCertificate", a7, err)
	a8, err := api.CreateToken(ctx, CreateToken{Agent: "app", Life: Duration(time.Hour), Change: Change{DryRun: true}})
	note("CreateToken", a8, err)
	a9, err := api.Tokens(ctx, TokenQuery{})
	note("Tokens", a9, err)
	b1, err := api.RevokeToken(ctx, RevokeToken{ID: "none"})
	note("RevokeToken", b1, err)
	b0, err := api.ExplainToken(ctx, ExplainToken{Token: "x"})
	note("ExplainToken", b0, err)
	b2, err := api.Grant(ctx, Grant{Agent: "app", Server: "wiki", Access: "read", Change: why})
	note("Grant", b2, err)
	b3, err := api.Grants(ctx, GrantQuery{Agent: "app"})
	note("Grants", b3, err)
	b4, err := api.Explain(ctx, Explain{Agent: "app", Server: "wiki", Tool: "write-file"})
	note("Explain", b4, err)
	b5, err := api.Attach(ctx, Attach{Agent: "app", Server: "other"})
	note("Attach", b5, err)
	b6, err := api.Revoke(ctx, Revoke{Agent: "app", Server: "wiki"})
	note("Revoke", b6, err)
	b7, err := api.MoveServer(ctx, Move{ID: "wiki", Action: Suspend, Change: why})
	note("MoveServer", b7, err)
	b8, err := api.MoveAgent(ctx, Move{ID: "app", Action: Reject})
	note("MoveAgent", b8, err)
	g1, err := api.SetAgent(ctx, SetAgent{ID: "app", Receipts: new(true), Change: why})
	note("SetAgent", g1, err)
	g2, err := api.SetServer(ctx, SetServer{ID: "wiki", Labels: &[]string{"secret"}, Zone: new("intern"), Change: why})
	note("SetServer", g2, err)
	g3, err := api.SetTool(ctx, SetTool{Server: "wiki", Tool: "none", Labels: &[]string{}})
	note("SetTool", g3, err)
	b9, err := api.Servers(ctx, None{})
	note("Servers", b9, err)
	c1, err := api.Server(ctx, ID{"wiki"})
	note("Server", c1, err)
	c2, err := api.Agents(ctx, None{})
	note("Agents", c2, err)
	c3, err := api.Agent(ctx, ID{"nope"})
	note("Agent", c3, err)
	c4, err := api.Status(ctx, None{})
	note("Status", c4, err)
	c5, err := api.AuditQuery(ctx, AuditQuery{})
	note("AuditQuery", c5, err)
	f0, err := api.WitnessList(ctx, None{})
	note("WitnessList", f0, err)
	f1, err := api.ChangeWitness(ctx, WitnessChange{})
	note("ChangeWitness", f1, err)
	e0, err := api.AuditFollow(ctx, AuditQuery{})
	note("AuditFollow", e0, err)
	d0, err := api.AuditLogs(ctx, None{})
	note("AuditLogs", d0, err)
	d1, err := api.AuditShow(ctx, AuditRef{})
	note("AuditShow", d1, err)
	d2, err := api.AuditVerify(ctx, AuditVerify{})
	note("AuditVerify", d2, err)
	d3, err := api.AuditCheckpoint(ctx, AuditSign{})
	note("AuditCheckpoint", d3, err)
	d4, err := api.AuditProve(ctx, AuditRef{})
	note("AuditProve", d4, err)
	d5, err := api.AuditExport(ctx, AuditExport{})
	note("AuditExport", d5, err)
	d6, err := api.AuditEntries(ctx, AuditEntries{})
	note("AuditEntries", d6, err)
	d7, err := api.AuditHashes(ctx, AuditHashes{})
	note("AuditHashes", d7, err)
	e1, err := api.BackupBegin(ctx, BackupBegin{Keep: Duration(time.Hour)})
	note("BackupBegin", e1, err)
	e2, err := api.BackupRead(ctx, ID{"none"})
	note("BackupRead", e2, err)
	e3, err := api.BackupFinish(ctx, BackupFinish{ID: "none"})
	note("BackupFinish", e3, err)
	e4, err := api.BackupList(ctx, None{})
	note("BackupList", e4, err)
	k1, err := api.Keys(ctx, KeyQuery{Purpose: "nothing"}) // ids differ between the two
	note("Keys", k1, err)
	k2, err := api.Key(ctx, ID{"none"})
	note("Key", k2, err)
	k3, err := api.RotateKey(ctx, RotateKey{Name: "row-index", Change: why})
	note("RotateKey", k3, err)
	k4, err := api.DestroyKey(ctx, DestroyKey{ID: "none", Change: why})
	note("DestroyKey", k4, err)
	k5, err := api.ResealKey(ctx, ResealKey{Name: "audit"})
	note("ResealKey", k5, err)
	k6, err := api.EraseSubject(ctx, EraseSubject{ID: "nobody", Change: why})
	note("EraseSubject", k6, err)
	p1, err := api.VaultLookup(ctx, VaultToken{Token: "<EMAIL_0123456789ABCDEF>"})
	note("VaultLookup", p1, err)
	p2, err := api.VaultReveal(ctx, RevealToken{Token: "<EMAIL_0123456789ABCDEF>", Purpose: "p", Change: why})
	note("VaultReveal", p2, err)
	p3, err := api.VaultStats(ctx, None{})
	note("VaultStats", p3, err)
	p6, err := api.RevealRequests(ctx, None{})
	note("RevealRequests", p6, err)
	p7, err := api.DecideReveal(ctx, DecideReveal{ID: "x", Approve: true, Change: why})
	note("DecideReveal", p7, err)
	p4, err := api.ExportData(ctx, DataSubject{Value: "x@example.com"})
	note("ExportData", p4, err)
	p5, err := api.EraseData(ctx, EraseData{DataSubject: DataSubject{Value: "x@example.com"}, Change: why})
	note("EraseData", p5, err)
	login := CredentialRef{Server: "wiki", Agent: "app"}
	u1, err := api.SetCredential(ctx, SetCredential{CredentialRef: login, Settings: oauth.Settings{Grant: oauth.Code}, Change: why})
	note("SetCredential", u1, err)
	u2, err := api.Credentials(ctx, CredentialRef{Server: "wiki"})
	note("Credentials", u2, err)
	u3, err := api.BeginLogin(ctx, BeginLogin{CredentialRef: login, Redirect: "http://127.0.0.1:1/callback"})
	note("BeginLogin", u3, err)
	u4, err := api.FinishLogin(ctx, FinishLogin{CredentialRef: login, Handle: []byte("x"), Change: why})
	note("FinishLogin", u4, err)
	u5, err := api.RemoveCredential(ctx, RemoveCredential{CredentialRef: login, Change: why})
	note("RemoveCredential", u5, err)
	policyStory(t, api, note)
	filterStory(t, api, note)
	approvalStory(t, api, note)
	certStory(t, api, note)
	caStory(t, api, note)
	oauthStory(t, api, note)
	userStory(t, api, note)
	return answers
}

// TestSocketAndProcessAgree calls everything through both faces: an operator
// cannot tell them apart.
func TestSocketAndProcessAgree(t *testing.T) {
	here, there := newWorld(t), newWorld(t)
	there.now = here.now
	a, b := story(t, here.admin.As(Self())), story(t, there.socket(t))
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s:\nprocess %s\nsocket  %s", name, a[name], b[name])
		}
	}
	api := reflect.TypeFor[API]()
	if api.NumMethod() != len(methods) || api.NumMethod() != len(a) {
		t.Fatalf("API has %d functions, the socket %d, this story %d", api.NumMethod(), len(methods), len(a))
	}
	if x, y := len(here.records.entries), len(there.records.entries); x != y {
		t.Fatalf("%d records in the process, %d over the socket", x, y)
	}
}

func FuzzHandler(f *testing.F) {
	f.Add("agent.register", `{"id":"x"}`)
	f.Add("server.submit", `{"id":"x","url":"https://a.example.com","secrets":[{"name":"A","value":"eA=="}]}`)
	f.Add("access.grant", `{"agent":"a","server":"b","access":"read","tools":["\u0000"]}`)
	f.Add("attach", `{"command":["a"]}`)
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, name, body string) {
		m := methods[name]
		if m == nil {
			return
		}
		if _, err := m(ctx, w.admin.As("fuzz"), []byte(body)); err != nil {
			refusedAnyhow(t, err)
		}
	})
}

func refusedAnyhow(t *testing.T, err error) {
	if e, ok := err.(*Error); !ok || e.Code == Failed {
		t.Fatalf("not a refusal: %v", err)
	}
}
