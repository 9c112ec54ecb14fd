package admin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/registry"
)

// TestSubjectsOfAgents: a subject of an issuer stands for one agent at most, is
// given whole or not at all, and is free again when its agent has retired.
func TestSubjectsOfAgents(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As(Self())
	register := func(agent, issuer, subject string) error {
		_, err := api.RegisterAgent(ctx, RegisterAgent{ID: agent, JWTIssuer: issuer, JWTSubject: subject, Change: Change{Reason: "x"}})
		return err
	}
	const issuer = "https://idp.example"
	if err := register("one", issuer, "s-1"); err != nil {
		t.Fatal(err)
	}
	if got := w.live.Load().ForeignHolder(issuer, ForeignName(w.ring, issuer, "s-1")); got != "one" {
		t.Errorf("the subject is %q's", got)
	}
	for name, err := range map[string]error{
		"a second agent": register("two", issuer, "s-1"), "no subject": register("two", issuer, ""), "no issuer": register("two", "", "s-2"),
		"no URL": register("two", "idp", "s-2"), "a fragment": register("two", issuer+"#x", "s-2"),
	} {
		if err == nil {
			t.Errorf("%s is registered", name)
		}
	}
	if w.live.Load().Agent("two") != nil {
		t.Error("a refused registration left its agent")
	}
	if _, err := api.MoveAgent(ctx, Move{ID: "one", Action: Retire, Change: Change{Reason: "x"}}); err != nil {
		t.Fatal(err)
	}
	if got := w.live.Load().ForeignHolder(issuer, ForeignName(w.ring, issuer, "s-1")); got != "" {
		t.Errorf("the subject is still %q's", got)
	}
	if err := register("two", issuer, "s-1"); err != nil {
		t.Errorf("the subject is not free: %v", err)
	}
}

// TestRevokedJTIsAreForgotten: an entry is dropped by the first revocation after
// no token can need it any more, and not before.
func TestRevokedJTIsAreForgotten(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As(Self())
	revoke := func(jti string) {
		t.Helper()
		if _, err := api.RevokeToken(ctx, RevokeToken{ID: jti, JWT: true, Change: Change{Reason: "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(jti string) bool { return !w.live.Load().JWTRevoked("https://idp.example", jti) }
	revoke("a")
	w.now = w.now.Add(jtiKept - time.Second)
	if revoke("b"); gone("a") || gone("b") {
		t.Error("an entry is forgotten too early")
	}
	w.now = w.now.Add(time.Second)
	if revoke("c"); !gone("a") || gone("b") || gone("c") {
		t.Error("the wrong entries are kept")
	}
	if n, err := w.admin.Own().Noun(registry.KindRevokedJWT, registry.ForeignID("", "a")); err == nil {
		t.Errorf("%v is still stored", n.ID)
	}
}

// TestSubjectsAreNotKept: no row says who the subject of an outside issuer is,
// not even by a hash that a list of guesses would find, and erasing the agent
// leaves none.
func TestSubjectsAreNotKept(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As(Self())
	const issuer, subject = "https://idp.example", "anna@example.com"
	if _, err := api.RegisterAgent(ctx, RegisterAgent{ID: "one", JWTIssuer: issuer, JWTSubject: subject, Change: Change{Reason: "x"}}); err != nil {
		t.Fatal(err)
	}
	rows, err := w.store.Nouns(registry.KindForeign)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if text := rows[0].ID + string(rows[0].Body); strings.Contains(text, "anna") || strings.Contains(text, registry.ForeignID(issuer, subject)) {
		t.Errorf("a row names the subject: %s", text)
	}
	if _, err := api.EraseSubject(ctx, EraseSubject{ID: "one", Change: Change{Reason: "x"}}); err != nil {
		t.Fatal(err)
	}
	if rows, err = w.store.Nouns(registry.KindForeign); err != nil || len(rows) != 0 {
		t.Errorf("%d rows are left, %v", len(rows), err)
	}
	if got := w.live.Load().ForeignHolder(issuer, ForeignName(w.ring, issuer, subject)); got != "" {
		t.Errorf("the subject is still %q's", got)
	}
}

// TestRevokeWhat: whoever gives something else than an API token's id is told
// what to give, and a whole token is not repeated.
func TestRevokeWhat(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As(Self())
	whole, _, _ := w.ring.NewToken()
	for id, want := range map[string]struct {
		code Code
		fix  string
	}{
		"token-1": {NotFound, "ostiary token revoke token-1 --jwt"},
		whole:     {Invalid, "ostiary token list"}, "eyJhbGciOiJFUzI1NiJ9.e30.c2ln": {Invalid, "--jwt the jti"},
	} {
		for _, jwt := range []bool{false, want.code == Invalid} {
			_, err := api.RevokeToken(ctx, RevokeToken{ID: id, JWT: jwt, Change: Change{Reason: "x"}})
			var e *Error
			if !errors.As(err, &e) || e.Code != want.code || !strings.Contains(e.Fix, want.fix) || want.code == Invalid && strings.Contains(e.Message+e.Fix, id) {
				t.Errorf("%.8s: %v", id, err)
			}
		}
	}
}
