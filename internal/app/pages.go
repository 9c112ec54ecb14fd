package app

import (
	"net/http"
	"strings"

	"ostiary.dev/ostiary/internal/http1"
)

// pagesOf returns the pages on the data listener that are no MCP endpoint, by
// the path that they begin with: one line for each room that has some.
func (a *App) pagesOf() map[string]http.Handler {
	all := map[string]http.Handler{}
	a.issuerPages(all)
	a.protectedPages(all)
	a.approvalPages(all)
	return all
}

// mount returns one handler of all pages, and which paths are theirs: a path is
// one's that is the key, or continues it after a slash.
func mount(all map[string]http.Handler) (http1.Handler, func(string) bool) {
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
		h.ServeHTTP(w, r)
	})
	return http1.Std(serve), func(path string) bool { return find(path) != nil }
}
