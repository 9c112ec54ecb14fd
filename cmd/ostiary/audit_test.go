package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
)

// appendFile adds a file to the end of another one.
func appendFile(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteString(ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(f.Close())
}

// vkey sets a variable to the text of a file.
func vkey(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[1], strings.TrimSpace(ts.ReadFile(args[0])))
}

// awaitWitness waits until the newest checkpoint of a log carries what the policy
// asks for and covers the log.
func awaitWitness(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs("D")
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	var last []admin.AuditLog
	for range 600 {
		api, done, err := app.Connect(context.Background(), dir, app.Options{Wait: connectWait})
		ts.Check(err)
		last, err = api.AuditLogs(context.Background(), admin.None{})
		ts.Check(err)
		ts.Check(done())
		for _, l := range last {
			if l.Log == args[0] && l.Witnessed && l.Signed == l.Size {
				return
			}
		}
		<-poll.C
	}
	ts.Fatalf("never witnessed: %+v", last)
}

// TestG07TablesAndSheetsAreSafe writes lines whose every field a stranger chose.
func TestG07TablesAndSheetsAreSafe(t *testing.T) {
	hostile := "=cmd()\n\x1b[31m\u202e\u2028,\"'|"
	line, err := json.Marshal(map[string]string{"name": hostile, "actor": "+1", "reason": "@x", "server": "-2", "kind": "\tt", "time": "plain"})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"table", "csv", "json", "jsonl"} {
		var out bytes.Buffer
		w := &lineWriter{c: &cli{process: process{stdout: &out, stderr: &out}, output: format}, kind: "AuditList"}
		if err := w.write(line); err != nil {
			t.Fatal(err)
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		switch format {
		case "csv":
			for _, want := range []string{"'=cmd()", "'+1", "'@x", "'-2", "'\tt"} {
				if !strings.Contains(text, want) {
					t.Errorf("csv holds no %q: %q", want, text)
				}
			}
		case "json":
			if !json.Valid(out.Bytes()) {
				t.Errorf("json: %q", text)
			}
		default:
			if strings.ContainsAny(text, "\x1b\u202e\u2028") || strings.Count(text, "\n") > 2 {
				t.Errorf("%s: %q", format, text)
			}
		}
	}
}

func TestParseRef(t *testing.T) {
	for text, want := range map[string]admin.AuditRef{
		"control/7": {Log: "control", Index: 7}, "calls/2026/0": {Log: "calls/2026"}, "0199c0de-0000-7000-8000-000000000000": {Exchange: "0199c0de-0000-7000-8000-000000000000"},
	} {
		if got, err := parseRef(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"control/", "control/-1", "control/01", "control/x", "control/99999999999999999999"} {
		if got, err := parseRef(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
