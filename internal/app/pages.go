package app

import (
	"net/http"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/http1"
)

// pagesOf returns the pages on the data listener that are no MCP endpoint, by
// the path that they begin with: one line for each room that has some.
func (a *App) pagesOf() map[string]http.Handler {
	all := map[string]http.Handler{}
	a.issuerPages(all)
	a.enrolPages(all)
	a.peoplePages(all)
	a.protectedPages(all)
	a.approvalPages(all)
	return all
}

// mount returns one handler of all pages, and which paths are theirs: a path is
// one's that is the key, or continues it after a slash. Apps in browsers at
// origins may read what programs read; pages for people are nobody else's.
func mount(all map[string]http.Handler, origins []string) (http1.Handler, func(string) bool) {
	find := func(path string) http.Handler {
		best := ""
		for prefix := range all {
			if (path == prefix || strings.HasPrefix(path, prefix+"/")) && len(prefix) > len(best) {
				best = prefix
			}
		}
		return all[best]
	}
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := find(r.URL.Path)
		if h == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if shared(w, r, origins) {
			return
		}
		h.ServeHTTP(w, r)
	})
	return http1.Std(serve), func(path string) bool { return find(path) != nil }
}

// forPrograms are the paths that apps in browsers may use: what they answer
// depends on no cookie.
var forPrograms = []string{protectedAt, "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration",
	"/oauth/jwks", "/oauth/token", "/oauth/register", "/oauth/revoke", "/oauth/device_authorization"}

// shared lets an app of a configured origin read an answer, and answers its
// browser's question whether it may. It reports whether that was all. admit has
// refused every origin that is neither configured nor our own.
func shared(w http.ResponseWriter, r *http.Request, origins []string) bool {
	origin, path := r.Header.Get("Origin"), r.URL.Path
	if !slices.Contains(origins, origin) ||
		!slices.ContainsFunc(forPrograms, func(p string) bool { return path == p || p == protectedAt && strings.HasPrefix(path, p+"/") }) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", "Content-Type, MCP-Protocol-Version")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
