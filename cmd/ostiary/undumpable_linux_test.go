package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ostiary.dev/ostiary/internal/app"
)

// hiddenChild names the variable that makes this test binary a process which hides
// its memory and then looks at itself.
const hiddenChild = "OSTIARY_TEST_HIDDEN"

// TestWritesNoCore starts a process that hides its memory as main does, with an
// unlimited core limit, and ends it with a signal that dumps core.
func TestWritesNoCore(t *testing.T) {
	if os.Getenv(hiddenChild) != "" {
		if err := app.Undumpable(); err != nil {
			t.Fatal(err)
		}
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		var limit unix.Rlimit
		if e := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || e != nil || n != 0 || limit.Cur != 0 || limit.Max != 0 {
			t.Fatalf("dumpable %d (%v), core limit %+v (%v)", n, err, limit, e)
		}
		_ = unix.Kill(os.Getpid(), unix.SIGQUIT) // Go prints stacks and exits
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestWritesNoCore$")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), hiddenChild+"=1", "GOTRACEBACK=crash") // crash: ends by SIGABRT, which dumps
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err == nil {
		t.Fatal("the process did not crash")
	}
	if strings.Contains(out.String(), "dumpable ") {
		t.Fatal(out.String())
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.CoreDump() {
		t.Errorf("it dumped core: %v", cmd.ProcessState)
	}
	files, err := os.ReadDir(cmd.Dir)
	if err != nil || len(files) != 0 {
		t.Errorf("it left %v (%v)", files, err)
	}
}
