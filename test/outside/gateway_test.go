package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/verify"
)

// TestOthersReadAGatewaysExport has a real gateway write its log, hand over its
// key, and export: ours and other people's tools read what it gives away.
func TestOthersReadAGatewaysExport(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the gateway")
	}
	top := t.TempDir()
	bin, dir := filepath.Join(top, "ostiary"), filepath.Join(top, "gateway")
	command := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	command("go", "build", "-o", bin, "../../cmd/ostiary")
	command(bin, "init", "--dir", dir)
	command(bin, "agent", "register", "alice", "--dir", dir)
	command(bin, "audit", "export", "--dir", dir, "--out", filepath.Join(top, "first"))
	command(bin, "key", "rotate", "log-signing", "--reason", "test", "--dir", dir)
	for _, name := range []string{"bob", "carol", "dora"} {
		command(bin, "agent", "register", name, "--dir", dir)
	}
	command(bin, "audit", "export", "--dir", dir, "--out", filepath.Join(top, "second"))

	first, second := filepath.Join(top, "first", "control"), filepath.Join(top, "second", "control")
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	k, err := verify.ParseKeys(read(filepath.Join(first, "log.vkey")))
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.Log(os.DirFS(second), verify.LogOptions{
		Keys: k, Old: read(filepath.Join(first, "checkpoint")), OldTree: os.DirFS(first),
	})
	if err != nil || r.Readable != r.Size || r.Size < 5 || r.Extends == nil {
		t.Errorf("ours, with the key of before the rotation: %+v, %v", r, err)
	}
	for _, name := range []string{"alice", "bob", "carol", "dora"} {
		if strings.Contains(string(read(filepath.Join(second, "entries.jsonl"))), name) {
			t.Errorf("the export names %s", name)
		}
	}
	for _, folder := range []string{first, second} {
		for _, who := range []string{"torchwood", "tessera"} {
			if out, ok := says(t, who, folder, filepath.Join(folder, "log.vkey")); !ok {
				t.Errorf("%s: %s", who, out)
			}
		}
	}
}
