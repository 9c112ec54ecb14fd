package app

import (
	"net/http"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/http1"
)

// PagePaths returns what the pages of the data listener begin with. The matrix
// of who may do what (P03) has a row for each, and what is not here is not
// served.
func PagePaths() []string {
	return []string{protectedAt, "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration",
		approvalsAt, "/enrol", "/login", "/oauth"}
}

// OperatorPaths returns the same of the admin listener.
func OperatorPaths() []string {
	return []string{"/api/v1/", approvalsAt, approvalsAt + "/", tilesAt, "/livez", "/login", "/login/", "/metrics", "/readyz"}
}

// rowed panics for a page that has no row: somebody added it and did not say
// who may see it. The first start of such a gateway is in a test.
func rowed(path string, rows []string) {
	if !slices.Contains(rows, path) {
		panic("app: the page " + path + " stands neither in PagePaths nor in OperatorPaths")
	}
}

// operatorMux serves operators' pages, each with its row.
type operatorMux struct{ mux *http.ServeMux }

func (m operatorMux) handle(pattern string, h http.Handler) {
	rowed(pattern[strings.IndexByte(pattern, '/'):], OperatorPaths())
	m.mux.Handle(pattern, h)
}

// pagesOf returns the pages on the data listener that are no MCP endpoint, by
// the path that they begin with: one line for each room that has some.
func (a *App) pagesOf() map[string]http.Handler {
	all := map[string]http.Handler{}
	a.issuerPages(all)
	a.enrolPages(all)
	a.peoplePages(all)
	a.protectedPages(all)
	a.approvalPages(all)
	for path := range all {
		rowed(path, PagePaths())
	}
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
