package login

import (
	"errors"
	"strings"
	"testing"
)

func TestPasswordsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"alice", "short", ErrShort}, {"alice", "aaaaaaaaaaaaaa", ErrWeak}, {"alice", "alice1234567", ErrWeak},
		{"alice", strings.Repeat("abcdefgh", 33), ErrText}, {"alice", "\xff\xfeabcdefghijkl", ErrText}, {"alice", "a quiet green boat", nil},
	} {
		if err := CheckPassword(c.name, c.password); !errors.Is(err, c.want) {
			t.Errorf("%q: %v, not %v", c.password, err, c.want)
		}
	}
}

var elsewhere = []string{"", "//evil", "///evil", "https:evil", "https://evil/oauth/", "/\\evil", "\\/\\/evil", "/%5cevil", "/%2fevil",
	"/oauth/\r\nLocation: //evil", "/oauth/../evil", "/oauth//evil", "/oauth/%2e%2e/evil", "/mcp", "/s/x/mcp", "/loginx", "oauth/authorize",
	"/oauth/authorize#x", "/oauth/ x", "javascript:alert(1)", "/\tevil", "/api/v1/status", "/" + strings.Repeat("a", 5000)}

func TestH26NextStaysHere(t *testing.T) {
	for _, text := range elsewhere {
		if got := Next(text); got != Home {
			t.Errorf("%q leads to %q", text, got)
		}
	}
	for _, text := range []string{"/oauth/authorize?client_id=https%3A%2F%2Fa&state=%0d", "/approvals/7", "/approvals", "/login/account", "/oauth/device"} {
		if got := Next(text); got != text {
			t.Errorf("%q leads to %q", text, got)
		}
	}
}

func FuzzNext(f *testing.F) {
	for _, text := range elsewhere {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Next(text)
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t ") {
			t.Errorf("%q leads to %q", text, got)
		}
	})
}
