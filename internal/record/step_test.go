package record

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func step(t *testing.T, now *time.Time) (*Step, func() []Entry) {
	t.Helper()
	f, path := open(t)
	s := New(f, clock.Fixed(func() time.Time { return *now }))
	return s, func() []Entry {
		t.Helper()
		var all []Entry
		for line := range strings.Lines(read(t, path)) {
			var e Entry
			d := json.NewDecoder(strings.NewReader(line))
			d.DisallowUnknownFields()
			if err := d.Decode(&e); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			all = append(all, e)
		}
		return all
	}
}

func TestEveryExchangeHasOneEntry(t *testing.T) {
	now := noon
	s, entries := step(t, &now)
	x := &exchange.Exchange{ID: "x1", Start: noon, Endpoint: "wiki", Principal: identity.Principal{ID: "app", Method: "token"},
		Outcome: exchange.OK, View: &registry.Snapshot{}, Decision: policy.Decision{Allow: true, Reason: "granted"}, Sent: true}
	if err := s.Open(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	now = noon.Add(3 * time.Millisecond)
	if err := s.Close(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	got := entries()
	if len(got) != 1 {
		t.Fatalf("%d entries", len(got))
	}
	e := got[0]
	if e.Exchange != "x1" || e.Actor != "app" || e.Server != "wiki" || e.Decision != "allow" || e.Outcome != "ok" || !e.Sent || e.Elapsed != 3000 {
		t.Fatalf("entry %+v", e)
	}
}

// The caller is told "unknown or not available"; the record says which.
func TestP01RefusalKeepsItsReason(t *testing.T) {
	now := noon
	s, entries := step(t, &now)
	x := &exchange.Exchange{ID: "x1", Start: noon, Principal: identity.Principal{ID: "app"}, Outcome: exchange.Refused,
		Fault: fault.New(fault.Denied), View: &registry.Snapshot{}, Decision: policy.Decision{Kind: fault.ToolUnknown, Reason: "tool changed after approval"}}
	if err := s.Close(context.Background(), x); err != nil {
		t.Fatal(err)
	}
	e := entries()[0]
	if e.Decision != "deny" || e.Reason != "tool_unknown" || e.Detail != "tool changed after approval" {
		t.Fatalf("entry %+v", e)
	}
}

func TestFloodIsSummarised(t *testing.T) {
	now := noon
	s, entries := step(t, &now)
	const n = perSecond + 250
	for range n {
		x := &exchange.Exchange{Start: now, Outcome: exchange.Refused, Fault: fault.New(fault.Unauthenticated)}
		if err := s.Close(context.Background(), x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	got := entries()
	if len(got) != perSecond+1 {
		t.Fatalf("%d entries for %d refusals", len(got), n)
	}
	if last := got[perSecond]; last.Kind != "summary" || last.Count != 250 || last.Reason != "unauthenticated" {
		t.Fatalf("summary %+v", last)
	}
	if err := s.Flush(now.Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if again := entries(); len(again) != len(got) {
		t.Fatal("the same summary was written twice")
	}
}

// An identified caller's refusals are never only counted.
func TestIdentifiedCallersAreNotSummarised(t *testing.T) {
	now := noon
	s, entries := step(t, &now)
	for range perSecond * 2 {
		x := &exchange.Exchange{Start: now, Principal: identity.Principal{ID: "app"}, Outcome: exchange.Refused, Fault: fault.New(fault.Denied)}
		if err := s.Close(context.Background(), x); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(entries()); got != perSecond*2 {
		t.Fatalf("%d entries", got)
	}
}

func TestOpenRefusesOnAFullDisk(t *testing.T) {
	now := noon
	s, _ := step(t, &now)
	s.file.free = func(string) (int64, bool) { return 0, true }
	err := s.Open(context.Background(), &exchange.Exchange{})
	if !fault.Is(err, fault.LogUnavailable) {
		t.Fatalf("Open: %v", err)
	}
}

func TestG07FieldsCannotBreakTheLine(t *testing.T) {
	now := noon
	s, entries := step(t, &now)
	if err := s.Act(auditlog.Act{Kind: auditlog.ComponentApproved, Action: "server.approve", By: "op\n{\"x\":1}", Subject: "name\u2028\x1b[31m", Reason: "=cmd()\r\n"}); err != nil {
		t.Fatal(err)
	}
	if got := entries(); len(got) != 1 || got[0].By != "op\n{\"x\":1}" {
		t.Fatalf("entries %+v", got)
	}
}
