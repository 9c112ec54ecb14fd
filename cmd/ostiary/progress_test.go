package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

func TestBarShowsPercentAndRate(t *testing.T) {
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	b := &bar{out: &out, clock: clock.Fixed(func() time.Time { return now }), what: "backup", amount: bytesText}
	b.update(0, 8<<20)
	now = now.Add(50 * time.Millisecond)
	b.update(1<<20, 8<<20) // too soon: not drawn
	now = now.Add(950 * time.Millisecond)
	b.update(2<<20, 8<<20)
	got := out.String()
	if strings.Count(got, "\r") != 2 || !strings.Contains(got, "backup  25 %  2.0 MiB of 8.0 MiB  2.0 MiB/s") {
		t.Errorf("drawn: %q", got)
	}
	b.update(8<<20, 8<<20)
	if !strings.Contains(out.String(), "100 %") {
		t.Errorf("the end is not drawn: %q", out.String())
	}
	out.Reset()
	b.done()
	if strings.TrimSpace(out.String()) != "" {
		t.Errorf("the line is not cleared: %q", out.String())
	}
}

func TestBarOfUnknownTotalAndNone(t *testing.T) {
	var out bytes.Buffer
	b := &bar{out: &out, what: "verify", amount: entriesText}
	b.update(12, 0)
	if !strings.Contains(out.String(), "verify 12 entries") || strings.Contains(out.String(), "%") {
		t.Errorf("drawn: %q", out.String())
	}
	var none *bar
	none.update(1, 2)
	none.done()
	f, err := os.Create(t.TempDir() + "/stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []*cli{
		{process: process{stderr: &out}, output: "table"}, // no terminal
		{process: process{stderr: f}, output: "table"},
	} {
		if c.newBar("x", bytesText) != nil {
			t.Error("a bar without a terminal")
		}
	}
	if percent(1<<60, 1<<62) != 25 || percent(0, 1<<62) != 0 {
		t.Error("percent of large numbers")
	}
}
