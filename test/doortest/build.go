package doortest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// buildTime bounds one build of a program, with a cold cache on a slow machine.
const buildTime = 10 * time.Minute

// Root is the folder of the module, found from this source file.
func Root() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("doortest: no source file")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// programs builds each program once per test process.
var programs sync.Map // package path -> func() (string, error)

// Build compiles the main package at path and returns the program's file. It
// compiles once per test process; the files of a module folder share one
// private folder of the temporary directory, which later runs reuse.
func Build(path string) (string, error) {
	once, _ := programs.LoadOrStore(path, sync.OnceValues(func() (string, error) { return build(path) }))
	return once.(func() (string, error))()
}

func build(path string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("ostiary-doortest-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// Each process builds under its own name and renames, so that test
	// processes at the same time never see half a program.
	aside, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(aside)
	made := filepath.Join(aside, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", made, path)
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", path, err, out)
	}
	at := filepath.Join(dir, filepath.Base(path)+"-"+key(Root()+"\x00"+path))
	if err := os.Rename(made, at); err != nil {
		return "", err
	}
	return at, nil
}

// key is a short name for a path: FNV-1a in hexadecimal.
func key(s string) string {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return fmt.Sprintf("%016x", h)
}
