//go:build !linux

package hostile

import "testing"

// smallDisk cannot be had here.
func smallDisk(t *testing.T, _ int) string {
	t.Helper()
	t.Skip("SKIPPED: a full disk needs Linux and root, to mount a small one")
	return ""
}
