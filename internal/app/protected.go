package app

import (
	"encoding/json"
	"net/http"
	"strings"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// protectedAt is where RFC 9728 puts the metadata of a protected resource.
const protectedAt = "/.well-known/oauth-protected-resource"

// challenge returns who gives tokens for an endpoint, and with which scopes; it
// is nil while nobody does.
func (a *App) challenge() func(endpoint, access string) string {
	if len(a.authorizationServers()) == 0 {
		return nil
	}
	return func(endpoint, access string) string {
		if access == "" {
			access = string(registry.Modify) // what the agent may do is granted; the person sees and allows each scope
		}
		return `resource_metadata="` + a.publicURL() + protectedAt + endpointPath(endpoint) + `", scope="` + identity.ScopesFor(access) + `"`
	}
}

// authorizationServers are who gives tokens for this gateway: its own issuer,
// then the outside ones.
func (a *App) authorizationServers() []string {
	c := a.config.Load().Identity
	var all []string
	if c.BuiltinIssuer.Enabled {
		all = append(all, a.publicURL())
	}
	for _, i := range c.Issuers {
		all = append(all, i.URL)
	}
	return all
}

// endpointPath is the path of a server's endpoint, or of all servers'.
func endpointPath(server string) string {
	if server == "" {
		return "/mcp"
	}
	return "/s/" + server + "/mcp"
}

// protectedPages adds the metadata of our resources: at the root for /mcp, and
// at the path form for /mcp and every server's endpoint. Every name that a
// server could have is answered alike, so that nobody learns which exist.
func (a *App) protectedPages(all map[string]http.Handler) {
	if len(a.authorizationServers()) == 0 {
		return
	}
	all[protectedAt] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, protectedAt)
		if path == "" {
			path = "/mcp"
		}
		if server, ok := serverIn(path); path != "/mcp" && (!ok || registry.ValidID(server) != nil) || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		doc := map[string]any{
			"resource": a.publicURL() + path, "authorization_servers": a.authorizationServers(), "bearer_methods_supported": []string{"header"},
			"scopes_supported": strings.Fields(identity.ScopesFor(string(registry.Modify))), "resource_name": "Ostiary",
		}
		if len(a.config.Load().Identity.Issuers) > 0 { // our own issuer binds no token to a key
			doc["dpop_signing_alg_values_supported"] = identity.ProofAlgorithms()
		}
		body, err := json.Marshal(doc)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=300")
		if _, err := w.Write(body); err != nil {
			return // the peer is gone
		}
	})
}

// serverIn returns the server of a path /s/<server>/mcp.
func serverIn(path string) (string, bool) {
	server, ok := strings.CutPrefix(path, "/s/")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(server, "/mcp")
}
