package admin

import (
	"context"
	"errors"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// oneKey is the example of RFC 7517, appendix A.1, one key of it.
const oneKey = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}]}`

// privateKey is the private half of it (appendix A.2).
const privateKey = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}]}`

func TestOAuthClients(t *testing.T) {
	w := newWorld(t)
	ctx, api := context.Background(), w.admin.As(Self())
	if _, err := api.RegisterAgent(ctx, RegisterAgent{ID: "app"}); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]RegisterOAuthClient{
		"no keys":       {Name: "robot", Agent: "app", JWKS: []byte(`{"keys":[]}`)},
		"a private key": {Name: "robot", Agent: "app", JWKS: []byte(privateKey)},
		"a secret":      {Name: "robot", Agent: "app", JWKS: []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)},
		"no JSON":       {Name: "robot", Agent: "app", JWKS: []byte(`x`)},
		"bad name":      {Name: "Robot!", Agent: "app", JWKS: []byte(oneKey)},
		"no agent":      {Name: "robot", Agent: "nobody", JWKS: []byte(oneKey)},
	} {
		if d, err := api.RegisterOAuthClient(ctx, r); err == nil || d.Applied {
			t.Errorf("%s: registered", name)
		}
	}
	d, err := api.RegisterOAuthClient(ctx, RegisterOAuthClient{Name: "robot", Agent: "app", JWKS: []byte(oneKey)})
	if err != nil || !d.Applied || d.Item.ClientID != "client:robot" || d.Item.Agent != "app" || d.Item.Keys != 1 {
		t.Fatalf("%+v %v", d, err)
	}
	if registry.Get[registry.OAuthClient](w.live.Load(), registry.KindOAuthClient, "client:robot") == nil {
		t.Error("the data path does not see it")
	}
	if _, err := api.RemoveOAuthClient(ctx, RemoveOAuthClient{Name: "robot"}); err != nil {
		t.Fatal(err)
	}
	if registry.Get[registry.OAuthClient](w.live.Load(), registry.KindOAuthClient, "client:robot") != nil {
		t.Error("the data path still sees it")
	}
}

// TestOwnChanges: what the gateway changes by itself is stored, recorded and
// seen as one, or not at all; what the path does not see makes no new view.
func TestOwnChanges(t *testing.T) {
	w := newWorld(t)
	ctx, api, own := context.Background(), w.admin.As(Self()), w.admin.Own()
	if _, err := api.RegisterAgent(ctx, RegisterAgent{ID: "app"}); err != nil {
		t.Fatal(err)
	}
	agent, err := own.Pseudonym("app")
	if err != nil {
		t.Fatal(err)
	}
	person, err := own.Pseudonym("alice")
	if err != nil {
		t.Fatal(err)
	}
	put := func(kind registry.NounKind, id string, v any, fail error) error {
		return own.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
			n, err := registry.NewNoun(kind, id, "alice", v)
			if err == nil {
				err = s.InsertNoun(n)
			}
			return []auditlog.Act{{Kind: auditlog.AuthnSucceeded, Action: "oauth.login", By: "alice", Agent: "app"}}, errors.Join(err, fail)
		})
	}
	login := registry.Login{Client: "c", Name: "App", Agent: agent, Person: person, Resource: "https://x/mcp", Scope: "mcp:read", Created: w.now, Expires: w.now.Add(time.Hour)}
	before := w.live.Load().Version()
	if err := put(registry.KindRefresh, "l-1", registry.Refresh{Hash: []byte{1}, Expires: w.now}, nil); err != nil || w.live.Load().Version() != before {
		t.Fatalf("cold: %v, version %d", err, w.live.Load().Version())
	}
	lost := errors.New("lost")
	if err := put(registry.KindLogin, "l-1", login, lost); !errors.Is(err, lost) {
		t.Fatalf("a failure: %v", err)
	}
	if all, err := api.Logins(ctx, LoginQuery{}); err != nil || len(all) != 0 {
		t.Fatalf("it stays: %v %v", all, err)
	}
	if err := put(registry.KindLogin, "l-1", login, nil); err != nil || w.live.Load().Version() == before {
		t.Fatalf("live: %v, version %d", err, w.live.Load().Version())
	}
	all, err := api.Logins(ctx, LoginQuery{Person: "alice"})
	if err != nil || len(all) != 1 || all[0].Person != "alice" || all[0].Agent != "app" {
		t.Fatalf("%+v %v", all, err)
	}
	if other, err := api.Logins(ctx, LoginQuery{Person: "bob"}); err != nil || len(other) != 0 {
		t.Errorf("%+v %v", other, err)
	}
	if d, err := api.EndLogin(ctx, EndLogin{ID: "l-1", Change: Change{DryRun: true}}); err != nil || d.Applied {
		t.Errorf("dry run: %+v %v", d, err)
	}
	if _, err := api.EndLogin(ctx, EndLogin{ID: "l-1"}); err != nil {
		t.Fatal(err)
	}
	if registry.Get[registry.Login](w.live.Load(), registry.KindLogin, "l-1") != nil {
		t.Error("the data path still sees the login")
	}
	if _, err := own.Noun(registry.KindRefresh, "l-1"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the refresh token is still there: %v", err)
	}
}

func oauthStory(t *testing.T, api API, note func(string, any, error)) {
	t.Helper()
	ctx, why := context.Background(), Change{Reason: "story"}
	o1, err := api.RegisterOAuthClient(ctx, RegisterOAuthClient{Name: "robot", Agent: "app", JWKS: []byte(`{"keys":[]}`), Change: why})
	note("RegisterOAuthClient", o1, err)
	o2, err := api.OAuthClients(ctx, None{})
	note("OAuthClients", o2, err)
	o3, err := api.RemoveOAuthClient(ctx, RemoveOAuthClient{Name: "robot", Change: why})
	note("RemoveOAuthClient", o3, err)
	o4, err := api.Logins(ctx, LoginQuery{})
	note("Logins", o4, err)
	o5, err := api.EndLogin(ctx, EndLogin{ID: "none", Change: why})
	note("EndLogin", o5, err)
}
