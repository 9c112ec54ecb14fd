package storetest

import (
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Schema1Canary stands in every text of the stored databases of schema 1 that
// nobody may find in clear any more.
const Schema1Canary = "canary"

// Schema1 asserts that s holds what the stored databases of schema 1 held.
func Schema1(t *testing.T, s store.Store) {
	t.Helper()
	operator := registry.Server{
		ID: "wiki", State: registry.Active, Transport: registry.HTTP, URL: "https://canary-url.example/mcp",
		Secrets: []registry.Secret{{Name: "Authorization", Sealed: []byte{1, 2}}}, Examined: true,
		Tools: []registry.Tool{{Name: "find", Access: registry.Read, Definition: `{"name":"find","description":"canary-definition"}`,
			Digest: "ab", State: registry.ToolApproved}},
		Basis: "operator", Reason: "canary-reason", By: "canary-operator", CreatedAt: at, UpdatedAt: at, Revision: 3,
	}
	servers, err := s.Servers()
	must(t, err)
	same(t, servers, []registry.Server{{
		ID: "files", State: registry.Submitted, Transport: registry.Stdio, Command: []string{"canary-command", "--x"},
		Dir: "/srv/canary-dir", CreatedAt: at, UpdatedAt: at,
	}, operator})
	agents, err := s.Agents()
	must(t, err)
	same(t, plain(agents), []registry.Agent{
		{ID: "canary-agent", State: registry.Active, Era: "modern", Basis: "operator", Reason: "canary-why", By: "canary-operator",
			CreatedAt: at, UpdatedAt: at, Revision: 1},
		{ID: "canary-retired", State: registry.Retired, CreatedAt: at, UpdatedAt: at},
	})
	tokens, err := s.Tokens()
	must(t, err)
	same(t, tokens, []registry.Token{
		{ID: "canarytokenaaaaa", Agent: "canary-agent", Hash: []byte("canary-hash"), CreatedAt: at, ExpiresAt: at.Add(time.Hour)},
		{ID: "canarytokenbbbbb", Agent: "canary-agent", Hash: []byte("canary-hash"), CreatedAt: at, Revoked: true},
	})
	certs, err := s.Certificates()
	must(t, err)
	same(t, certs, []registry.Certificate{{Serial: "ca0a41", Agent: "canary-agent", NotAfter: at, CreatedAt: at}})
	list, err := s.Grants()
	must(t, err)
	same(t, list, []registry.Grant{{Agent: "canary-agent", Server: "wiki", Access: registry.Write, Tools: []string{"find"},
		By: "canary-operator", Reason: "canary-grant", CreatedAt: at}})
	version, err := s.Meta("registry.version")
	must(t, err)
	same(t, version, "7")
}
