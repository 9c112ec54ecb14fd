package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/samplelog"
)

const data = "../../verify/testdata/"

// call runs one command line.
func call(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, &out, &err)
	return code, out.String(), err.String()
}

func TestCommands(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"log {log} --key {log.vkey}", "9 entries"},
		{"log --key={log.vkey} {log} --old {checkpoint-5}", "extends the earlier checkpoint of 5"},
		{"log {log} --key {log.vkey} --old {log} --tiles-only", "extends the earlier checkpoint of 9"},
		{"log {log} --key {receipts.vkey} --key {log.vkey}", "without their part: 1"},
		{"proof {entry-4.tlog-proof} --key {log.vkey}", "entry 4 is in"},
		{"proof {entry-4.tlog-proof} --key {log.vkey} --entry {entry-4.jsonl} --witness-policy {policy.txt}", "witnessed by w1 at 2026-11-"},
		{"receipt {receipt.json} --key {receipts.vkey}", "promised by the signature, not proven"},
		{"receipt {answer.json} --key {receipts.vkey} --answer {answer.json} --request {request.json}", "it is of the request that was given"},
		{"evidence {evidence.zip} --key {log.vkey}", "not covered by a signature: README.txt, run.json"},
	} {
		args := strings.Fields(strings.NewReplacer("{", data, "}", "").Replace(c.args))
		if code, out, err := call(args...); code != exitOK || !strings.Contains(out, c.says) || err != "" {
			t.Errorf("%s: exit %d\n%s%s", c.args, code, out, err)
		}
		code, out, err := call(append(args, "-o", "json")...)
		var m map[string]any
		if code != exitOK || json.Unmarshal([]byte(out), &m) != nil || m["ok"] != true || err != "" {
			t.Errorf("%s as JSON: exit %d\n%s%s", c.args, code, out, err)
		}
	}
}

// TestWrongCalls wants exit 2 and a hint: a check that was not made must not
// look like one that passed.
func TestWrongCalls(t *testing.T) {
	for _, args := range []string{
		"", "frobnicate", "log", "log {log}", "log {log} --key", "log {log} --key {log.vkey} --keys x", "log {log} {log} --key {log.vkey}",
		"log {log} --key {log.vkey} -x", "log {log} --key {log.vkey} --tiles-only=no", "log {log} --key {log.vkey} --old a --old b",
		"log {log} --key {log.vkey} -o yaml", "log {nothing} --key {log.vkey}", "log {log.vkey} --key {log.vkey}", "log {log} --key {nothing}",
		"log {log} --key {policy.txt}", "log {log} --key {log.vkey} --witness-policy {log.vkey}", "proof {nothing} --key {log.vkey}",
		"receipt {receipt.json} --key {receipts.vkey} --proof {entry-4.tlog-proof}", "evidence {evidence.zip}",
		"proof {entry-4.tlog-proof} --key {log.vkey} --old {checkpoint-5}",
	} {
		code, _, err := call(strings.Fields(strings.NewReplacer("{", data, "}", "").Replace(args))...)
		if code != exitUsage || args != "" && !strings.HasPrefix(err, "error: ") {
			t.Errorf("%s: exit %d, %s", args, code, err)
		}
	}
}

// TestBroken wants exit 7 and the first bad index.
func TestBroken(t *testing.T) {
	l := samplelog.New("calls/2026", 300)
	files := l.FS()
	bad := bytes.Clone(files["tile/entries/001.p/44"].Data)
	bad[len(bad)-3] ^= 1
	files["tile/entries/001.p/44"].Data = bad
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "log.vkey")
	code, out, err := call("log", dir, "--key", key)
	if code != exitIntegrity || out != "" || !strings.Contains(err, "first bad index: 299\n") || !strings.HasPrefix(err, "BROKEN: "+l.Origin()) {
		t.Errorf("exit %d\n%s%s", code, out, err)
	}
	code, out, err = call("log", dir, "--key", key, "-o", "json")
	var m struct {
		OK    bool
		Index int64
	}
	if json.Unmarshal([]byte(err), &m) != nil || code != exitIntegrity || m.OK || m.Index != 299 || out != "" {
		t.Errorf("as JSON: exit %d\n%s%s", code, out, err)
	}
	for _, args := range []string{
		"proof {log/checkpoint} --key {log.vkey}", "receipt {request.json} --key {receipts.vkey}", "evidence {answer.json} --key {log.vkey}",
		"log {log} --key {receipts.vkey}", "receipt {receipt.json} --key {log.vkey}", "log {log} --key {log.vkey} --witness-policy {policy.txt}",
	} {
		code, _, err := call(strings.Fields(strings.NewReplacer("{", data, "}", "").Replace(args))...)
		if code != exitIntegrity || !strings.HasPrefix(err, "BROKEN: ") {
			t.Errorf("%s: exit %d, %s", args, code, err)
		}
	}
}

func TestRotationsFlag(t *testing.T) {
	l := samplelog.New("calls/2026", 3)
	dir := t.TempDir()
	first := filepath.Join(dir, "first.vkey")
	next := samplelog.NewSigner(l.Origin(), "next")
	handed := filepath.Join(dir, "handed.jsonl")
	if err := os.WriteFile(first, []byte(l.VKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(handed, samplelog.Rotation(l.Key, next, "log-signing", false), 0o600); err != nil {
		t.Fatal(err)
	}
	l.Key = next
	if err := os.CopyFS(filepath.Join(dir, "log"), l.FS()); err != nil {
		t.Fatal(err)
	}
	if code, _, err := call("log", filepath.Join(dir, "log"), "--key", first); code != exitIntegrity {
		t.Errorf("without the hand-over: exit %d, %s", code, err)
	}
	if code, _, err := call("log", filepath.Join(dir, "log"), "--key", first, "--rotations", handed); code != exitOK {
		t.Errorf("with the hand-over: exit %d, %s", code, err)
	}
}

func TestHelp(t *testing.T) {
	code, out, _ := call("help")
	files, switches := flags()
	for command, names := range files {
		for _, n := range append(names, switches[command]...) {
			if !strings.Contains(out, "--"+n) || !strings.Contains(out, "ostiary-verify "+command) {
				t.Errorf("help says nothing of %s --%s", command, n)
			}
		}
	}
	if code != exitOK {
		t.Errorf("exit %d", code)
	}
	if code, out, _ := call("--version"); code != exitOK || !strings.HasPrefix(out, "ostiary-verify ") {
		t.Errorf("version: exit %d, %s", code, out)
	}
}
