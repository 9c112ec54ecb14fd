package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machineWith is a made-up machine of files.
func machineWith(t *testing.T, files map[string]string) system {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return system{proc: filepath.Join(root, "proc"), sys: filepath.Join(root, "sys")}
}

const swapHead = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

func TestDoctorSeesClearSwap(t *testing.T) {
	for name, one := range map[string]struct {
		files map[string]string
		state string
		names string
	}{
		"none":      {map[string]string{"proc/swaps": swapHead}, stateOK, ""},
		"file":      {map[string]string{"proc/swaps": swapHead + "/swapfile file 1 0 -2\n"}, stateDegraded, "/swapfile"},
		"memory":    {map[string]string{"proc/swaps": swapHead + "/dev/zram0 partition 1 0 100\n"}, stateOK, ""},
		"encrypted": {map[string]string{"proc/swaps": swapHead + "/dev/dm-1 partition 1 0 -2\n", "sys/block/dm-1/dm/uuid": "CRYPT-PLAIN-swap\n"}, stateOK, ""},
		"volume":    {map[string]string{"proc/swaps": swapHead + "/dev/dm-2 partition 1 0 -2\n", "sys/block/dm-2/dm/uuid": "LVM-abc\n"}, stateDegraded, "/dev/dm-2"},
		"unknown":   {nil, stateOK, "cannot be told"},
	} {
		f := machineWith(t, one.files).swap()
		if f.State != one.state || !strings.Contains(f.Detail, one.names) || (f.State != stateOK) != (f.Fix != "") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestDoctorSeesCoreDumps(t *testing.T) {
	limits := func(n string) map[string]string {
		return map[string]string{"proc/self/limits": "Limit Soft Hard Units\nMax core file size        " + n + "  unlimited  bytes\n",
			"proc/sys/kernel/core_pattern": "|/usr/share/apport %p\n"}
	}
	if f := machineWith(t, limits("0")).core(nil); f.State != stateOK || !strings.Contains(f.Detail, `"|/usr/share/apport %p"`) {
		t.Errorf("no cores: %+v", f)
	}
	if f := machineWith(t, limits("unlimited")).core(nil); f.State != stateDegraded || f.Fix == "" {
		t.Errorf("a core limit: %+v", f)
	}
	if f := machineWith(t, limits("0")).core(errors.New("refused")); f.State != stateDegraded || f.Fix == "" {
		t.Errorf("a process that could not protect itself: %+v", f)
	}
}

func TestDoctorWarnsOfKeysBesideData(t *testing.T) {
	if f := keyFolder("/d", "file"); f.State != stateDegraded || f.Fix == "" {
		t.Errorf("a key file: %+v", f)
	}
	if f := keyFolder("/d", "vault"); f.State != stateOK {
		t.Errorf("a key service: %+v", f)
	}
}
