package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// privacy runs the privacy commands by themselves.
func privacy(t *testing.T, stdin string, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	c := &cli{process: process{stdin: strings.NewReader(stdin), stdout: &out, stderr: &bytes.Buffer{}}}
	cmd := newPrivacy(c)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(context.Background())
	return out.String(), err
}

// TestPrivacyScanJSONL pins the contract for outside checks.
func TestPrivacyScanJSONL(t *testing.T) {
	in := `{"id":"a","text":"ü mail: jo@example.com"}` + "\n" + `{"id":7,"text":"nothing here"}` + "\n"
	out, err := privacy(t, in, "scan", "--format", "jsonl", "--profile", "all")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"a","spans":[{"start":9,"end":23,"type":"EMAIL"}]}` + "\n" + `{"id":7,"spans":[]}` + "\n"
	if out != want {
		t.Errorf("got %s want %s", out, want)
	}
}

// TestPrivacyScanText promises places and types, and never the value.
func TestPrivacyScanText(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.txt")
	if err := os.WriteFile(name, []byte("one\ncard 4111 1111 1111 1111 ok\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := privacy(t, "", "explain", name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, name+":2:6\t9-28\tCREDIT_CARD\t") || strings.Contains(out, "4111") {
		t.Errorf("got %q", out)
	}
}

// TestPrivacyScanReport: -o json is one document of types and places, and --fail
// turns findings into a failure.
func TestPrivacyScanReport(t *testing.T) {
	var out bytes.Buffer
	p := process{args: []string{"privacy", "scan", "--fail", "-o", "json"}, stdin: strings.NewReader("one\nmail jo@example.com\n"), stdout: &out, stderr: &bytes.Buffer{},
		environ: func(string) (string, bool) { return "", false }}
	if code := run(context.Background(), p); code != exitOther {
		t.Errorf("exit %d", code)
	}
	var got struct {
		Kind  string
		Items []scanRow
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if want := (scanRow{File: "-", Line: 2, Column: 6, Start: 9, End: 23, Type: "EMAIL"}); got.Kind != "FindingList" || len(got.Items) != 1 || got.Items[0] != want {
		t.Errorf("got %+v", got)
	}
	p.stdin, p.stdout = strings.NewReader("nothing here\n"), &bytes.Buffer{}
	if code := run(context.Background(), p); code != exitOK {
		t.Errorf("a clean text: exit %d", code)
	}
}

// TestPrivacyScanProfiles: secrets-only finds secrets alone.
func TestPrivacyScanProfiles(t *testing.T) {
	in := `{"id":"a","text":"jo@example.com ghp_Zk3vT9qLw2Xr8Nf5Bc7Dm1Hs6Jy4Pa0Ue3Gi"}`
	out, err := privacy(t, in, "scan", "--format", "jsonl", "--profile", "secrets-only")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Spans []scanSpan }
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Spans) != 1 || got.Spans[0].Type != "SECRET" {
		t.Errorf("got %s (%v)", out, err)
	}
}

// TestPrivacyScanRefuses: what cannot be scanned is an error, never a clean report.
func TestPrivacyScanRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown profile": {"scan", "--profile", "none"},
		"unknown format":  {"scan", "--format", "xml"},
		"broken line":     {"scan", "--format", "jsonl"},
		"missing file":    {"scan", filepath.Join(t.TempDir(), "absent")},
	} {
		if _, err := privacy(t, "{\"id\":1}\n", args...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
