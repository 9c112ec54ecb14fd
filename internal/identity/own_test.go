package identity

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

// ownAt verifies a token that is its own claims.
func ownAt(now time.Time) *Own {
	return &Own{Issuer: func() string { return "https://gate.example" },
		Claims: func(token string, _ time.Time) ([]byte, error) {
			if token == "a.b.c" {
				return nil, errors.New("not signed by us")
			}
			return []byte(token), nil
		},
		Audience: func(aud, endpoint string) bool {
			return aud == "https://gate.example/mcp" || aud == "https://gate.example/s/"+endpoint+"/mcp"
		},
		Login: func(p Principal) bool {
			return p.Session == "l-1" && p.Person == "p-1" && p.Client == "c" || p.Session == "" && p.Client == "robot"
		},
	}
}

// TestA08OwnTokens: a token of the built-in issuer is good for its endpoint,
// its time and its login, and for nothing that is nearly the same.
func TestA08OwnTokens(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	o := ownAt(now)
	good := map[string]any{"iss": "https://gate.example", "sub": "p-1", "aud": "https://gate.example/mcp", "client_id": "c", "agent": "helper", "scope": ScopeRead,
		"jti": "j", "sid": "l-1", "auth_time": now.Unix() - 5, "acr": TwoStep.ACR(), "amr": []string{"pwd", "otp"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Unix() + 600}
	token := func(change map[string]any) string {
		c := maps.Clone(good)
		for k, v := range change {
			if c[k] = v; v == nil {
				delete(c, k)
			}
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	p, err := o.verify(token(nil), "crm", now)
	if err != nil || p.ID != "helper" || p.Person != "p-1" || p.Strength != TwoStep || p.Scopes != ScopeRead || p.JTI != "j" || p.Method != ByIssuer || !o.Still(p, now) {
		t.Fatalf("%+v %v", p, err)
	}
	if o.Still(p, now.Add(10*time.Minute)) {
		t.Error("it goes on after it has expired")
	}
	if _, err := o.verify(token(map[string]any{"sid": nil, "sub": "robot", "client_id": "robot"}), "", now); err != nil {
		t.Errorf("a registered client: %v", err)
	}
	for name, change := range map[string]map[string]any{
		"issuer":               {"iss": "https://gate.example/"},
		"other endpoint":       {"aud": "https://gate.example/s/hr/mcp"},
		"audience prefix":      {"aud": "https://gate.example/mcp/"},
		"audience case":        {"aud": "https://GATE.example/mcp"},
		"audience list":        {"aud": []string{"https://gate.example/mcp", "https://evil.example"}},
		"no audience":          {"aud": nil},
		"expired":              {"exp": now.Unix()},
		"no expiry":            {"exp": nil},
		"expiry as text":       {"exp": "2000000000"},
		"expiry as fraction":   {"exp": 1e20},
		"too long a life":      {"exp": now.Unix() + 3600},
		"not yet":              {"nbf": now.Unix() + 3600},
		"no agent":             {"agent": nil},
		"no jti":               {"jti": nil},
		"another person":       {"sub": "p-2"},
		"another client":       {"client_id": "d"},
		"another login":        {"sid": "l-2"},
		"no login":             {"sid": nil},
		"a claim of no issuer": {"admin": true},
	} {
		if _, err := o.verify(token(change), "crm", now); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	v := NewVerifier(func(string, []byte) bool { return false }, "x")
	v.Own = o
	if _, err := v.Verify(context.Background(), Credential{Token: "a.b.c"}, nil, now); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("not ours: %v", err)
	}
}

func TestReaches(t *testing.T) {
	for scopes, reach := range map[string]string{"": "rwm", ScopeRead: "r", ScopeWrite: "rw", ScopeModify: "rwm", ScopeRead + " " + ScopeWrite: "rw", "other": "", "mcp:": "", "MCP:READ": ""} {
		got := ""
		for _, access := range []string{"read", "write", "modify"} {
			if Reaches(scopes, access) {
				got += access[:1]
			}
		}
		if got != reach {
			t.Errorf("%q reaches %q, want %q", scopes, got, reach)
		}
	}
	if Reaches(ScopeWrite, "") || Reaches(ScopeWrite, "invented") || ScopesFor("write") != ScopeRead+" "+ScopeWrite {
		t.Error("an unknown access is not the broadest")
	}
	for s := Bearer; s <= Passkey; s++ {
		if StrengthOf(s.ACR()) != s {
			t.Errorf("strength %d", s)
		}
	}
	for _, bad := range []string{"", "urn:ostiary:strength:9", "urn:ostiary:strength:-1", "3"} {
		if StrengthOf(bad) != Bearer {
			t.Errorf("%q is strong", bad)
		}
	}
}
