package app

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
)

// lines returns every line of the log.
func lines(t *testing.T, a *App) string {
	t.Helper()
	var all strings.Builder
	for line, err := range admin.AuditLines(t.Context(), a.API(), admin.AuditQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		all.Write(line)
		all.WriteByte('\n')
	}
	return all.String()
}
