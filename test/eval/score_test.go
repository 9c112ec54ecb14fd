package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/pii"
)

// TestRules pins the rules of scoring: weak spans do not count, predictions
// outside the scope or with another fine label do not either.
func TestRules(t *testing.T) {
	c := newTally("", 0)
	c.add(record{Text: "0123456789", Scope: []string{"EMAIL"}, Subscope: []string{"X"}, Spans: []gold{
		{Start: 0, End: 4, Type: "EMAIL"}, {Start: 8, End: 9, Type: "EMAIL", Weak: true}}},
		[]pii.Span{
			{Start: 1, End: 3, Type: pii.Email},           // right on overlap, not at IoU 0.9
			{Start: 5, End: 6, Type: pii.Email},           // a false alarm
			{Start: 8, End: 9, Type: pii.Email},           // weak
			{Start: 5, End: 6, Type: pii.Phone},           // outside the scope
			{Start: 5, End: 6, Type: pii.Email, Sub: "Y"}, // another fine label
		})
	if got := *c.types["EMAIL"]; got != (counts{gold: 1, found: 1, pred: 2, right: 1}) {
		t.Errorf("got %+v", got)
	}
	if c.leaked != 2 || c.piiBytes != 4 || c.redactedBytes != 1 {
		t.Errorf("leaked %d of %d, over-redacted %d", c.leaked, c.piiBytes, c.redactedBytes)
	}
}

// TestCleanRecord: a record without labels counts as hit by any false alarm.
func TestCleanRecord(t *testing.T) {
	c := newTally("", 5)
	c.add(record{Text: "abc"}, []pii.Span{{Start: 0, End: 1, Type: pii.Secret}})
	c.add(record{Text: "abc"}, nil)
	if c.clean != 2 || c.hit != 1 || len(c.errs) != 1 {
		t.Errorf("clean %d hit %d errors %d", c.clean, c.hit, len(c.errs))
	}
}

// TestRun scores a small corpus through the command's own path.
func TestRun(t *testing.T) {
	name := filepath.Join(t.TempDir(), "c.jsonl")
	line := `{"id":"1","text":"jo@example.com","spans":[{"start":0,"end":14,"type":"EMAIL"}],"source":"x"}`
	if err := os.WriteFile(name, []byte(line+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(&out, name, "", "", 0); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "| EMAIL | 1 | 1 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |") {
		t.Errorf("got %s", out.String())
	}
}

// TestAbsentCorpus: nothing measured is an error, not an empty table.
func TestAbsentCorpus(t *testing.T) {
	var out bytes.Buffer
	if run(&out, "", "", "", 0) == nil || run(&out, filepath.Join(t.TempDir(), "none"), "", "", 0) == nil || out.Len() > 0 {
		t.Error("an absent corpus passed")
	}
}
