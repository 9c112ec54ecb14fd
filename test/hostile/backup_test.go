package hostile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"filippo.io/age"

	"ostiary.dev/ostiary/test/doortest"
)

// keeper is a file with an age identity, and its recipient.
func keeper(t *testing.T) (file, recipient string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(file, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, id.Recipient().String()
}

// embedded is a configuration with which a backup of any gateway is restored
// into SQLite.
func embedded(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "embedded.yaml")
	text := "version: 1\nmode: enforce\nlisteners:\n  data: {address: \"127.0.0.1:0\"}\n  admin: {address: \"127.0.0.1:0\"}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// elsewhere prepares a command on another directory than the gateway's.
func elsewhere(d *doortest.Door, dir string, args ...string) *exec.Cmd {
	cmd := d.Command("version")
	cmd.Args = append([]string{cmd.Args[0], "--dir", dir}, args...)
	return cmd
}

// at runs a command on another directory, and returns what it prints.
func at(t *testing.T, d *doortest.Door, dir string, args ...string) string {
	t.Helper()
	r := doortest.Run(t, elsewhere(d, dir, args...))
	if r.Code != 0 {
		t.Fatalf("%v: exit %d: %s", args, r.Code, r.Stderr)
	}
	return r.Stdout
}

// left returns what is in a folder.
func left(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestBackupWhileCallsGoOn backs a gateway up under load: no call fails, and
// the gateway that is restored has every call that was answered before the
// backup began.
func TestBackupWhileCallsGoOn(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{})
	identity, recipient := keeper(t)
	for name, o := range drivers(t) {
		t.Run(name, func(t *testing.T) {
			o.Servers, o.Agents = []doortest.Server{{Name: "s", URL: up.URL()}}, []string{"app"}
			d := doortest.Gateway(t, o)
			var answered atomic.Int64
			stop := make(chan struct{})
			var workers sync.WaitGroup
			for i := range 4 {
				c := d.Client(d.Agents["app"], "s")
				workers.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
						}
						if r := c.Tool(fmt.Sprint(i<<32+n), "echo", `{"text":"x"}`); r.Text() != "x" {
							t.Errorf("a call during a backup: %d %s", r.Status, r.Body)
							return
						}
						answered.Add(1)
					}
				})
			}
			work := t.TempDir()
			var before int64
			for n := range 3 {
				before = answered.Load()
				d.Must("backup", "--to", filepath.Join(work, fmt.Sprint(n)), "--recipient", recipient)
			}
			close(stop)
			workers.Wait()
			there := filepath.Join(t.TempDir(), "R")
			at(t, d, there, "restore", "--from", filepath.Join(work, "2"), "--identity", identity, "--config", embedded(t))
			at(t, d, there, "audit", "verify")
			lines := at(t, d, there, "audit", "query", "--log", "calls", "--kind", "call.finished", "-o", "jsonl")
			if got := int64(strings.Count(lines, "\n")); got < before || before == 0 {
				t.Errorf("%d calls are restored, %d were answered before", got, before)
			}
		})
	}
}

// TestBackupKilled kills the command, and the gateway under it, as soon as
// there is a file that is not finished.
func TestBackupKilled(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{})
	_, recipient := keeper(t)
	d := doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app"}})
	c := d.Client(d.Agents["app"], "s")
	for n := range 50 {
		if r := c.Tool(fmt.Sprint(n), "echo", `{"text":"x"}`); r.Text() != "x" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	for n := range 6 {
		work := t.TempDir()
		cmd := d.Command("backup", "--to", filepath.Join(work, "b"), "--recipient", recipient)
		begun(t, cmd, func() bool { return strings.Contains(left(t, work), ".part") })
		if n%2 == 0 {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		} else {
			d.Process().Kill()
			_ = cmd.Wait()
			d.Up()
		}
		names := strings.Fields(left(t, work))
		for _, name := range names {
			// Finished before it was killed: then both files are there.
			if whole := len(names) == 2 && (name == "b" || name == "b.keys"); !whole && !strings.HasSuffix(name, ".part") {
				t.Errorf("a killed backup left %s of %v", name, names)
			}
		}
		d.Must("backup", "--to", filepath.Join(work, "again"), "--recipient", recipient)
		if r := c.Tool("1000", "echo", `{"text":"x"}`); r.Text() != "x" {
			t.Errorf("a call afterwards: %d %s", r.Status, r.Body)
		}
	}
}

// begun starts a command and waits until it has come that far, or has ended.
func begun(t *testing.T, cmd *exec.Cmd, far func() bool) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 1 << 20 {
		if far() || over(cmd) {
			return
		}
	}
	t.Fatal("the command does not get anywhere")
}

// over reports whether the process is a zombie or gone.
func over(cmd *exec.Cmd) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		return true
	}
	_, state, ok := strings.Cut(string(text), ") ")
	return err == nil && ok && strings.HasPrefix(state, "Z")
}

// TestRestoreKilled kills a restore at several points: no gateway is there, and
// the next one succeeds.
func TestRestoreKilled(t *testing.T) {
	identity, recipient := keeper(t)
	d := doortest.Gateway(t, doortest.Options{Down: true, Agents: []string{"app"}})
	work := t.TempDir()
	from := filepath.Join(work, "b")
	d.Must("backup", "--to", from, "--recipient", recipient)
	for _, point := range []string{".restoring", ".restore-", "keys", "ostiary.db", "ostiary.yaml"} {
		there := filepath.Join(t.TempDir(), "R")
		args := []string{"restore", "--from", from, "--identity", identity}
		cmd := elsewhere(d, there, args...)
		begun(t, cmd, func() bool {
			all, err := os.ReadDir(there)
			for _, e := range all {
				if strings.HasPrefix(e.Name(), point) {
					return true
				}
			}
			return err != nil && !errors.Is(err, os.ErrNotExist)
		})
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := os.Lstat(filepath.Join(there, "ostiary.yaml")); err != nil {
			at(t, d, there, args...)
		}
		if got := at(t, d, there, "agent", "list"); !strings.Contains(got, "app") {
			t.Errorf("killed at %s: %s", point, got)
		}
		at(t, d, there, "audit", "verify")
	}
}

// TestBackupFullDisk backs up onto a disk that is full: nothing is left, and it
// works when there is room.
func TestBackupFullDisk(t *testing.T) {
	disk := smallDisk(t, 40)
	_, recipient := keeper(t)
	d := doortest.Gateway(t, doortest.Options{Down: true, Agents: []string{"app"}})
	work := filepath.Join(disk, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	r := d.Try("backup", "--to", filepath.Join(work, "b"), "--recipient", recipient)
	if r.Code == 0 || left(t, work) != "" {
		t.Errorf("exit %d: %s; left: %s", r.Code, r.Stderr, left(t, work))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	d.Must("backup", "--to", filepath.Join(work, "b"), "--recipient", recipient)
	if got := left(t, work); got != "b b.keys" {
		t.Errorf("left: %s", got)
	}
}
