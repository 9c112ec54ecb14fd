package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// workshop is a directory in which programs of other people are run.
type workshop struct {
	t   *testing.T
	dir string
}

// programs returns one for programs that are installed. Where one is missing the
// test is skipped, but not in CI, where nobody would see that: scripts/programs.sh
// installs them.
func programs(t *testing.T, names ...string) workshop {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: make programs installs it", err)
			}
			t.Skipf("SKIPPED: %v", err)
		}
	}
	return workshop{t, t.TempDir()}
}

// put writes a file.
func (w workshop) put(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// run runs a program, which must succeed, and returns what it prints.
func (w workshop) run(program string, args ...string) string {
	w.t.Helper()
	c := exec.CommandContext(w.t.Context(), program, args...)
	c.Dir = w.dir
	out, err := c.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}
