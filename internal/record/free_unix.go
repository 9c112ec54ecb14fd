//go:build linux || darwin

package record

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// freeBytes returns how many bytes an unprivileged process may still write to
// the file system that holds path.
func freeBytes(path string) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
