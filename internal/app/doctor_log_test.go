package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// finding returns what doctor found under a name.
func finding(all []Finding, check string) Finding {
	for _, f := range all {
		if f.Check == check {
			return f
		}
	}
	return Finding{}
}

func TestDoctorLooksAtLogAndBackups(t *testing.T) {
	dir := gatewayIn(t)
	all := Doctor(t.Context(), dir, Options{})
	if f := finding(all, "backup"); f.State != stateDegraded || f.Fix == "" {
		t.Errorf("no backup: %+v", f)
	}
	if f := finding(all, "log control"); f.State != stateOK || !strings.Contains(f.Detail, "entries") {
		t.Errorf("the log: %+v", f)
	}
	if f := finding(all, "log reserve"); f.State != stateOK {
		t.Errorf("the reserve: %+v", f)
	}
	if f := finding(all, "swap"); f.State == "" {
		t.Error("swap was not looked at")
	}
	save(t, dir, Options{})
	if f := finding(Doctor(t.Context(), dir, Options{}), "backup"); f.State != stateOK {
		t.Errorf("a new backup: %+v", f)
	}
	late := Options{Clock: clock.Fixed(func() time.Time { return time.Now().Add(backupOld + time.Hour) })}
	if f := finding(Doctor(t.Context(), dir, late), "backup"); f.State != stateDegraded || f.Fix == "" {
		t.Errorf("an old backup: %+v", f)
	}
	c, err := Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, reserveName)); err != nil {
		t.Fatal(err)
	}
	if f := reserveFinding(c); f.State != stateDegraded || f.Fix == "" {
		t.Errorf("no reserve: %+v", f)
	}
}

// TestMigrate shows the formats, and refuses those of a newer program.
func TestMigrate(t *testing.T) {
	dir := gatewayIn(t)
	all, err := Migrate(t.Context(), dir, Options{}, true)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, m := range all {
		if m.State != "current" || m.Before != m.Known || m.After != m.Known || m.Known == 0 {
			t.Errorf("%+v", m)
		}
	}
	path := filepath.Join(dir, "keys", "keystore")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "ostiary-keystore/2", "ostiary-keystore/9", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, look := range []bool{true, false} {
		if _, err := Migrate(t.Context(), dir, Options{}, look); err == nil || !strings.Contains(err.Error(), "unknown version") {
			t.Errorf("a newer keystore: %v", err)
		}
	}
	if _, err := Migrate(t.Context(), t.TempDir(), Options{}, true); err == nil {
		t.Error("no gateway was migrated")
	}
}
