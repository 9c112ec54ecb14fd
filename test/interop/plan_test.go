package interop

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ostiary.dev/ostiary/test/doortest"
)

// clientTime bounds one client's whole plan.
const clientTime = 90 * time.Second

// plan is what a client is told to do, its argument as JSON.
type plan struct {
	Generation int               `json:"generation,omitempty"` // TypeScript SDK 1 or 2
	Era        string            `json:"era"`                  // legacy, modern, or auto (the client finds out)
	URL        string            `json:"url,omitempty"`        // Streamable HTTP, or
	Command    []string          `json:"command,omitempty"`    // stdio
	Env        map[string]string `json:"env,omitempty"`
	Token      string            `json:"token,omitempty"`
	CA         string            `json:"ca,omitempty"` // PEM file of the authority to trust
	Steps      []step            `json:"steps"`
}

// step is one thing to do. Do is tools, resources, templates or prompts (lists,
// reported as sorted names), read, prompt, complete, call, or cancel (a call
// given up at its first progress).
type step struct {
	Do        string         `json:"do"`
	Name      string         `json:"name,omitempty"`
	URI       string         `json:"uri,omitempty"`
	Arguments map[string]any `json:"arguments,omitempty"`
	Progress  bool           `json:"progress,omitempty"` // ask for progress, report whether some came
	Volatile  bool           `json:"volatile,omitempty"` // leave the content out of the report
	Ref       map[string]any `json:"ref,omitempty"`
	Argument  map[string]any `json:"argument,omitempty"`
}

// report is what a client prints: one entry per step, and how often the server
// asked it for something.
type report struct {
	Version string            `json:"version"`
	Steps   []json.RawMessage `json:"steps"`
	Counts  map[string]int    `json:"counts"`
}

// client is one SDK in one era.
type client struct {
	name string
	era  string
	run  func(t *testing.T, p plan) report
}

// clients are all SDKs in the eras that they speak.
func clients() []client {
	return []client{
		{"typescript-1/legacy", "legacy", typescript(1)},
		{"typescript-2/legacy", "legacy", typescript(2)},
		{"typescript-2/modern", "modern", typescript(2)},
		{"python/legacy", "legacy", python},
		{"python/modern", "modern", python},
		{"go/legacy", "legacy", goClient},
		{"go/modern", "modern", goClient},
	}
}

// autoClients find the era out by themselves, as a real application lets them.
func autoClients() []client {
	return []client{
		{"typescript-2/auto", "auto", typescript(2)},
		{"python/auto", "auto", python},
		{"go/auto", "auto", goClient},
	}
}

func typescript(generation int) func(*testing.T, plan) report {
	return func(t *testing.T, p plan) report {
		t.Helper()
		p.Generation = generation
		return program(t, p, node(t), "clients/typescript.mjs")
	}
}

func python(t *testing.T, p plan) report {
	t.Helper()
	return program(t, p, need(t, ".venv/bin/python"), "clients/client.py")
}

// program runs a client script and reads its report.
func program(t *testing.T, p plan, interpreter, script string) report {
	t.Helper()
	path, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, path, string(text))
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if p.CA != "" {
		cmd.Env = append(cmd.Env, "NODE_EXTRA_CA_CERTS="+p.CA)
	}
	r := doortest.Run(t, cmd)
	var out report
	if r.Code != 0 || json.Unmarshal([]byte(r.Stdout), &out) != nil {
		t.Fatalf("the client failed, exit %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	return out
}
