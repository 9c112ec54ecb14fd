package hostile

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// smallDisk mounts a file system of this many MiB, on which the temporary
// folders of the rest of the test lie, and returns where it is.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: a full disk needs root, to mount a small one")
	}
	if _, err := doortest.Build("./cmd/ostiary"); err != nil { // before the small disk is the temporary folder
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "small-disk-") // not the test's own folder, which lies on the small disk
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("SKIPPED: a full disk needs the right to mount a small one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	t.Setenv("TMPDIR", dir)
	return dir
}
