package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/verify"
)

// appendFile adds a file to the end of another one.
func appendFile(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteString(ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(f.Close())
}

// vandal runs statements on the database of a gateway that is stopped: DIR
// STATEMENT...
func vandal(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]+"/ostiary.db"))
	ts.Check(err)
	for _, statement := range args[1:] {
		r, err := db.Exec(statement)
		ts.Check(err)
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			ts.Fatalf("%s changed %d rows (%v)", statement, n, err)
		}
	}
	ts.Check(db.Close())
}

// exits runs ostiary and demands an exit code: CODE ARGUMENT...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("ostiary", args[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("ostiary ended with %v, want exit code %s", err, args[0])
	}
}

// grow registers agents, so that the control log is longer than what a start
// reads of it: DIR COUNT.
func grow(ts *testscript.TestScript, _ bool, args []string) {
	api, done, err := app.Connect(context.Background(), ts.MkAbs(args[0]), app.Options{Wait: connectWait})
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	for i := 0; i < n && err == nil; i++ {
		_, err = api.RegisterAgent(context.Background(), admin.RegisterAgent{ID: "g" + strconv.Itoa(i), Change: admin.Change{Reason: "r"}})
	}
	ts.Check(errors.Join(err, done()))
}

// vkey sets a variable to the text of a file.
func vkey(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[1], strings.TrimSpace(ts.ReadFile(args[0])))
}

// awaitWitness waits until the newest checkpoint of a log carries what the policy
// asks for and covers the log.
func awaitWitness(ts *testscript.TestScript, _ bool, args []string) {
	dir := "D"
	if len(args) > 1 {
		dir = args[1]
	}
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	var last []admin.AuditLog
	for range 600 {
		last = logsOf(ts, dir)
		for _, l := range last {
			if l.Log == args[0] && l.Witnessed && l.Signed == l.Size {
				return
			}
		}
		<-poll.C
	}
	ts.Fatalf("never witnessed: %+v", last)
}

// tile reads a path of a log on the admin listener and demands a status: ADDRESS
// LOG PATH STATUS [TOKENFILE].
func tile(ts *testscript.TestScript, _ bool, args []string) {
	origin := "example.com/none"
	for _, l := range logsOf(ts, "D") {
		if l.Log == args[1] {
			origin = l.Origin
		}
	}
	r, err := http.NewRequest(http.MethodGet, "https://"+args[0]+"/log/"+origin+"/"+args[2], nil)
	ts.Check(err)
	if len(args) > 4 {
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[4])))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // the script knows whom it started
	resp, err := client.Do(r)
	ts.Check(err)
	text, err := io.ReadAll(resp.Body)
	ts.Check(errors.Join(err, resp.Body.Close()))
	if strconv.Itoa(resp.StatusCode) != args[3] {
		ts.Fatalf("%s answered %d: %s", args[2], resp.StatusCode, text)
	}
	if resp.StatusCode == http.StatusOK && args[2] == "tile/0/000.p/3" && len(text) != 3*32 {
		ts.Fatalf("a tile of 3 hashes has %d bytes", len(text))
	}
}

// receipts verifies the receipt of every answer in a file: FILE VKEY COUNT.
func receipts(ts *testscript.TestScript, _ bool, args []string) {
	key, err := verify.ParseKey(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	o := verify.ReceiptOptions{Keys: []verify.Key{key}}
	for _, l := range logsOf(ts, "D") {
		k, err := verify.ParseKey(l.VKey)
		ts.Check(err)
		o.LogKeys = append(o.LogKeys, k)
	}
	n, proved := 0, 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		receipt, _, err := verify.Strip([]byte(line))
		ts.Check(err)
		o.Answer = []byte(line)
		_, err = verify.Receipt(receipt, o)
		ts.Check(err)
		n++
		if bytes.Contains(receipt, []byte(`"proof":`)) {
			proved++
		}
	}
	if strconv.Itoa(n) != args[2] || proved != 1 {
		ts.Fatalf("%d receipts, %d with a proof", n, proved)
	}
}

// logsOf lists the logs of the gateway of the script.
func logsOf(ts *testscript.TestScript, dir string) []admin.AuditLog {
	api, done, err := app.Connect(context.Background(), ts.MkAbs(dir), app.Options{Wait: connectWait})
	ts.Check(err)
	all, err := api.AuditLogs(context.Background(), admin.None{})
	ts.Check(err)
	ts.Check(done())
	return all
}

// exchangeOf sets a variable to the exchange of the first line: FILE NAME.
func exchangeOf(ts *testscript.TestScript, _ bool, args []string) {
	line, _, _ := strings.Cut(ts.ReadFile(args[0]), "\n")
	var l struct{ Exchange string }
	ts.Check(json.Unmarshal([]byte(line), &l))
	ts.Setenv(args[1], l.Exchange)
}

// evidence verifies a pack with the public keys of the gateway's logs.
func evidence(ts *testscript.TestScript, _ bool, args []string) {
	var o verify.EvidenceOptions
	for _, l := range logsOf(ts, "D") {
		k, err := verify.ParseKey(l.VKey)
		ts.Check(err)
		o.Keys = append(o.Keys, k)
	}
	text := []byte(ts.ReadFile(args[0]))
	report, err := verify.Evidence(bytes.NewReader(text), int64(len(text)), o)
	ts.Check(err)
	if len(report.Logs) != 1 {
		ts.Fatalf("the pack shows %+v", report)
	}
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
