package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

func TestEveryMethodHasARule(t *testing.T) {
	for _, name := range Methods() {
		if _, ok := rules[name]; !ok {
			t.Errorf("%s has no rule: say in roles.go who may call it", name)
		}
	}
	for name := range rules {
		if methods[name] == nil {
			t.Errorf("there is a rule for %s, which does not exist", name)
		}
	}
}

// TestRolesMatrix asks for every method as every role and as nobody: what the
// table does not say is refused, before the request is looked at.
func TestRolesMatrix(t *testing.T) {
	w := newWorld(t)
	refusals := 0
	for _, name := range Methods() {
		for _, role := range append(registry.Roles(), "") {
			c := Caller{Name: "pat", Strength: identity.Passkey, HasKey: true, AuthTime: w.now}
			if role != "" {
				c.Roles = []registry.Role{role}
			}
			want := role == registry.RoleAdmin || slices.Contains(rules[name].roles, role)
			_, err := w.admin.Call(t.Context(), c, name, []byte(`{"no such field":1}`))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%s as %q: %v", name, role, err)
			}
			if got := e.Code != Forbidden; got != want {
				t.Errorf("%s as %q: %v, allowed is %t", name, role, err, want)
			}
			if !want {
				refusals++
			}
		}
	}
	if len(w.records.entries) != 0 {
		t.Errorf("refused requests made %d entries", len(w.records.entries))
	}
	t.Logf("%d methods, %d refusals", len(Methods()), refusals)
}

func TestStepUp(t *testing.T) {
	w := newWorld(t)
	admin := Caller{Name: "pat", Roles: []registry.Role{registry.RoleAdmin}, Strength: identity.Passkey, HasKey: true, AuthTime: w.now}
	for _, c := range []struct {
		name   string
		change func(*Caller)
		fresh  bool
	}{
		{"a passkey now", func(*Caller) {}, true},
		{"a passkey six minutes ago", func(c *Caller) { c.AuthTime = w.now.Add(-6 * time.Minute) }, false},
		{"a code, with a passkey at hand", func(c *Caller) { c.Strength = identity.TwoStep }, false},
		{"a code, without any passkey", func(c *Caller) { c.Strength, c.HasKey = identity.TwoStep, false }, true},
		{"one factor", func(c *Caller) { c.Strength, c.HasKey = identity.Bearer, false }, false},
		{"a time to come", func(c *Caller) { c.AuthTime = w.now.Add(time.Hour) }, false},
		{"no time", func(c *Caller) { c.AuthTime = time.Time{} }, false},
	} {
		caller := admin
		c.change(&caller)
		for name, r := range rules {
			if err := w.admin.may(caller, name); (err == nil) != (c.fresh || !r.fresh) {
				t.Errorf("%s: %s: %v", c.name, name, err)
			}
		}
	}
}

func remoteRequest(change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://gw:8444/api/v1/user.list", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(csrfHeader, "1")
	r.Header.Set("Origin", "https://gw:8444")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r)
	}
	return r
}

func TestK02RemoteCSRF(t *testing.T) {
	w := newWorld(t)
	signed := func(*http.Request) (Caller, bool) {
		return Caller{Name: "pat", Roles: []registry.Role{registry.RoleAuditor}}, true
	}
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"our page", nil, 200},
		{"another site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"another origin", func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil") }, 403},
		{"another port", func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://gw:8443") }, 403},
		{"a form", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 403},
		{"no header", func(r *http.Request) { r.Header.Del(csrfHeader) }, 403},
		{"a link", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		{"no such method", func(r *http.Request) { r.URL.Path = "/api/v1/nothing" }, 404},
		{"a role too few", func(r *http.Request) { r.URL.Path = "/api/v1/user.invite" }, 403},
	} {
		out := httptest.NewRecorder()
		w.admin.Remote(signed).ServeHTTP(out, remoteRequest(c.change))
		if out.Code != c.status {
			t.Errorf("%s: %d %s", c.name, out.Code, out.Body)
		}
	}
	out := httptest.NewRecorder()
	w.admin.Remote(func(*http.Request) (Caller, bool) { return Caller{}, false }).ServeHTTP(out, remoteRequest(nil))
	if out.Code != 401 {
		t.Errorf("nobody: %d", out.Code)
	}
}

// TestK04UserMassAssignment sends what no request has.
func TestK04UserMassAssignment(t *testing.T) {
	w := newWorld(t)
	for name, body := range map[string]string{
		"user.invite": `{"id":"eve","state":"active"}`, "user.set": `{"id":"eve","password":"x"}`,
		"user.move": `{"id":"eve","action":"enable","roles":["admin"]}`, "approval.decide": `{"id":"1","approved":true,"by":"root"}`,
		"agent.register": `{"id":"x","tenant_id":"other"}`,
	} {
		_, err := w.admin.Call(t.Context(), Caller{Name: "uid:0", Socket: true}, name, []byte(body))
		refused(t, err, Invalid)
	}
}

// TestK07UserChangesAreRecordedOnce makes every change of people, dry and for
// good: none and one entry, with the digests before and after.
func TestK07UserChangesAreRecordedOnce(t *testing.T) {
	w := newWorld(t)
	api, ctx := w.admin.As("uid:0"), t.Context()
	roles := []registry.Role{registry.RoleOperator}
	for _, step := range []struct {
		name string
		do   func(Change) error
	}{
		{"user.invite", func(c Change) error { _, err := api.InviteUser(ctx, InviteUser{Change: c, ID: "pat"}); return err }},
		{"user.set", func(c Change) error {
			_, err := api.SetUser(ctx, SetUser{Change: c, ID: "pat", Roles: &roles})
			return err
		}},
		{"user.disable", func(c Change) error { _, err := api.MoveUser(ctx, MoveUser{c, "pat", DisableUser}); return err }},
		{"user.enable", func(c Change) error { _, err := api.MoveUser(ctx, MoveUser{c, "pat", EnableUser}); return err }},
		{"user.reset-mfa", func(c Change) error { _, err := api.MoveUser(ctx, MoveUser{c, "pat", ResetMFA}); return err }},
		{"user.remove", func(c Change) error { _, err := api.MoveUser(ctx, MoveUser{c, "pat", RemoveUser}); return err }},
	} {
		before := len(w.records.entries)
		if err := step.do(Change{Reason: "r", DryRun: true}); err != nil || len(w.records.entries) != before {
			t.Fatalf("%s, dry: %v, %d entries", step.name, err, len(w.records.entries)-before)
		}
		if err := step.do(Change{Reason: "r"}); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if len(w.records.entries) != before+1 {
			t.Fatalf("%s: %d entries", step.name, len(w.records.entries)-before)
		}
		e := w.records.entries[before]
		if e.Action != step.name || e.By != "uid:0" || e.Agent != "pat" || e.Reason != "r" || e.Before == e.After ||
			(e.Before == "") != (step.name == "user.invite") || (e.After == "") != (step.name == "user.remove") {
			t.Errorf("%s: %+v", step.name, e)
		}
	}
}

func TestNobodyTakesTheirOwnAdminAway(t *testing.T) {
	w := newWorld(t)
	must[Done[Invitation]](t)(w.admin.As("uid:0").InviteUser(t.Context(), InviteUser{ID: "pat", Roles: []registry.Role{registry.RoleAdmin}}))
	api := w.admin.AsPerson("pat", Proof{})
	_, err := api.MoveUser(t.Context(), MoveUser{ID: "pat", Action: RemoveUser})
	refused(t, err, Forbidden)
	_, err = w.admin.As("uid:0").InviteUser(t.Context(), InviteUser{ID: "eve", Roles: []registry.Role{"root"}})
	refused(t, err, Invalid)
	_, err = w.admin.As("uid:0").InviteUser(t.Context(), InviteUser{ID: "eve", Agents: []string{"nobody"}})
	refused(t, err, NotFound)
}
